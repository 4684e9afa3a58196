"""An export of BMON is understood with all that administrators and scripts have put into it."""

from pathlib import Path
from typing import Any

import pytest

from ingestd.bmon.importing.config import params_stay
from ingestd.bmon.importing.export import setups
from ingestd.config import file as configfile
from ingestd.errors import ConfigError
from ingestd.hosts import HOSTS
from tests.support.bmonexport import setup

LEFT_OUT = "script_parameters: expected YAML, got damaged text in line 1: left out"
AN_OBJECT = "script_parameters: hold an object of Python (!!python/none): left out"
BY_HAND = "its parameters could not be read: write them by hand: disabled"


@pytest.mark.parametrize(
    ("text", "params", "stays", "notes"),
    [
        ("a: !!set {x}", {"a": {"x"}}, False, ()),
        ("a: !!omap [{x: 1}]", {"a": [("x", 1)]}, True, ()),
        ("a: !!pairs [{x: 1}]", {"a": [("x", 1)]}, True, ()),
        ("a: !!python/none ''", {}, True, (AN_OBJECT, BY_HAND)),
        ("a: !mine 1", {}, True, (LEFT_OUT, BY_HAND)),
        ("a: {[1, 2]: 3}", {}, True, (LEFT_OUT, BY_HAND)),
        ("a: {? !!python/tuple [1] : 2}", {"a": {(1,): 2}}, False, ()),
        ("a: 1\na: 2", {"a": 2}, True, ()),
        ("a: {1: 2, '1': 3}", {"a": {1: 2, "1": 3}}, False, ()),
    ],
)
def test_types_that_no_configuration_has_become_what_the_docs_say(
    text: str, params: dict[str, Any], notes: tuple[str, ...], tmp_path: Path, *, stays: bool
) -> None:
    """The import takes over what it can; written by hand, they are refused."""
    found = setup(script_parameters=text)
    path = tmp_path / "ingestd.yaml"
    inline = ", ".join(text.splitlines())
    path.write_text(f"collectors: {{m: {{plugin: system, every: 1m, params: {{{inline}}}}}}}\n")

    with pytest.raises(ConfigError, match=r"ingestd\.yaml:1: collectors\.m\.params"):
        configfile.load(path, {}, hosts=HOSTS)
    assert (found.params, found.notes) == (params, notes)
    assert params_stay(found.params) is stays


@pytest.mark.parametrize(
    ("period", "every", "enabled"),
    [
        (300, 300.0, True),
        ("86400", 86400.0, True),
        (0, 3600.0, False),
        (-5, 3600.0, False),
        (None, 3600.0, False),
        ("often", 3600.0, False),
        (float("inf"), 3600.0, False),
        (float("nan"), 3600.0, False),
    ],
)
def test_periods(period: Any, every: float, enabled: bool) -> None:  # noqa: FBT001 -- a column
    """A value that is no period disables the script, and is noted."""
    found = setup(period=period)

    assert (found.every, found.enabled) == (every, enabled)
    assert bool(found.notes) is not enabled


@pytest.mark.parametrize(
    ("written_name", "script", "name"),
    [
        ("okofen", "okofen", "okofen-3"),
        ("okofen.py", "okofen", "okofen-3"),
        (" okofen.v2.py ", "okofen", "okofen-3"),
        ("my script", "my script", "my-script-3"),
        ("", "", "script-3"),
        (None, "", "script-3"),
    ],
)
def test_names(written_name: Any, script: str, name: str) -> None:
    """Everything after the first dot is left out, as BMON does."""
    found = setup(script_file_name=written_name)

    assert (found.script, found.name) == (script, name)


def test_a_record_without_a_number_is_known_by_its_place() -> None:
    """An export with natural keys has none."""
    one, two = setups([{"script_file_name": "a"}, {"script_file_name": "b"}])

    assert [one.name, two.name] == ["a-1", "b-2"]


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("a: [", "script_results: expected YAML, got damaged text in line"),
        ("5", "script_results: expected a mapping, got int: left out"),
        ("1: 2", "script_results: expected names that are text, got 1: left out"),
        (
            "a: !!python/name:os.system",
            "script_results: hold an object of Python (!!python/name:os",
        ),
    ],
)
def test_what_cannot_be_read_is_told_and_left_out(text: str, note: str) -> None:
    """Nothing in it is run, and nothing of it is quoted, for it may be secret."""
    found = setup(script_results=text, hidden_script_results="token: a")

    assert (found.state, found.hidden) == ({}, {"token": "a"})
    assert [each.startswith(note) for each in found.notes] == [True]


@pytest.mark.parametrize("tag", ["!!python/name:os.system ''", "!!python/object:a.B {x: 1}"])
def test_params_with_an_object_of_python_are_told_as_that(tag: str) -> None:
    """Without them the script would do something else, so it is disabled."""
    (found,) = setups([{"id": 1, "script_file_name": "x.py", "period": 600,
                        "script_parameters": f"a: 1\nb: {tag}\n"}])  # fmt: skip

    assert not found.enabled
    assert found.params == {}
    assert found.notes[0].startswith("script_parameters: hold an object of Python (!!python/")
    assert "damaged" not in " ".join(found.notes)
    assert found.notes[-1].endswith(": disabled")
