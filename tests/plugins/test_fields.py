"""What the shipped plugins share: paths and times."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingestd.loading.loader import Loader
from ingestd.plugins._fields import compile_path, parse_time


@pytest.mark.parametrize(
    ("value", "time_format", "expected"),
    [
        (1_700_000_000, None, 1_700_000_000),
        ("2026-07-01T10:00:00+02:00", None, datetime.fromisoformat("2026-07-01T10:00:00+02:00")),
        ("20260701T100000Z", None, datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("1700000000000", "unix_ms", 1_700_000_000),
        (1_700_000_000_500_000, "unix_us", 1_700_000_000.5),
        ("01.07.2026 10:00 +0000", "%d.%m.%Y %H:%M %z", datetime(2026, 7, 1, 10, tzinfo=UTC)),
        ("yesterday", None, "yesterday"),
        (True, None, "True"),
        ("noon", "unix", "noon"),
        ([], "unix_ms", "[]"),
    ],
)
def test_times_are_read_as_their_format_says(
    value: Any, time_format: str | None, expected: Any
) -> None:
    """What is no time stays something that is refused, and never means now."""
    assert parse_time(value, time_format=time_format, zone=None) == expected


@pytest.mark.parametrize("path", ["a.b", "a . b", "a.b | @"])
@pytest.mark.parametrize("document", [{"a": {"b": 1}}, {"a": [{"b": 1}]}, {"a": 5}, [], None])
def test_short_cut_for_plain_paths_agrees_with_jmespath(path: str, document: Any) -> None:
    """Plain keys are looked up without the library, with the same answers."""
    expected = 1 if document == {"a": {"b": 1}} else None

    assert compile_path(path, where="value")(document) == expected


@pytest.mark.parametrize("path", ["", 5, "a..b", "a["])
def test_what_is_no_path_is_refused(path: Any) -> None:
    """The message names the option."""
    with pytest.raises(ValueError, match=r"^value: expected .*JMESPath"):
        compile_path(path, where="value")


def test_what_plugins_share_is_no_plugin() -> None:
    """It is neither listed nor found by its name."""
    assert "_fields" not in {each.name for each in Loader([]).available()}


@pytest.mark.parametrize("name", ["http_json", "mqtt"])
def test_a_copied_plugin_works(name: str, tmp_path: Path) -> None:
    """Who wants to change a shipped plugin copies its folder, and nothing else."""
    source = Path(__file__).parents[2] / "plugins" / name
    for file in source.glob("*.py"):
        copy = tmp_path / "mine" / file.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(file.read_bytes())

    plugin = Loader([tmp_path]).load("mine")

    assert plugin.run is not None


@pytest.mark.parametrize("expression", ["[" * 100_000, "(" * 50_000, "!" * 50_000 + "a"])
def test_a_path_that_nests_without_end_is_refused(expression: str) -> None:
    """The parser of JMESPath recurses for each level."""
    with pytest.raises(ValueError, match=r"^path: expected JMESPath"):
        compile_path(expression, where="path")
