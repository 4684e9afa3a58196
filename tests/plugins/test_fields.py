"""What the shipped plugins share: paths."""

import shutil
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.loading.loader import Loader
from ingestd.plugins._fields import compile_path

SHIPPED: Final = Path(__file__).parents[2] / "plugins"
FOLDERS: Final = sorted(each.parent.name for each in SHIPPED.glob("[!_]*/__init__.py"))


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


@pytest.mark.parametrize("name", FOLDERS)
def test_a_copied_plugin_works(name: str, tmp_path: Path) -> None:
    """Who wants to change a shipped plugin copies its folder, and nothing else."""
    shutil.copytree(SHIPPED / name, tmp_path / "mine")

    plugin = Loader([tmp_path]).load("mine")

    assert plugin.run is not None


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("pm2.5_atm", "got 'pm2.5_atm' (such a name is in double quotes within single ones: "),
        ("type-name", """ones: '"type-name"'): Bad jmespath expression: Unknown token '-'"""),
        (6992800060, """got 6992800060 (a name of digits is in double quotes within single"""),
    ],
)
def test_a_name_that_wants_quotes_is_told_in_one_line(expression: Any, told: str) -> None:
    """With how to write it; the parser has three lines and an arrow."""
    with pytest.raises(ValueError, match=r"^value: expected ") as raised:
        compile_path(expression, where="value")

    assert told in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("expression", ["[" * 100_000, "(" * 50_000, "!" * 50_000 + "a"])
def test_a_path_that_nests_without_end_is_refused(expression: str) -> None:
    """The parser of JMESPath recurses for each level."""
    with pytest.raises(ValueError, match=r"^path: expected JMESPath"):
        compile_path(expression, where="path")
