"""An export of BMON is understood, whatever its administrators and scripts have put into it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.bmon.importing.config import Entry, params_stay, written
from ingestd.bmon.importing.export import Setup, setups
from ingestd.config import file as configfile
from ingestd.errors import ConfigError
from ingestd.hosts import HOSTS

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    st.dates(),
    st.binary(max_size=20),
    st.sampled_from(["yes", "0123", "1e3", "${HOME}", "$$", "12:30", "2016-01-01", "", "~", "!x"]),
)
PARAMS = st.dictionaries(
    st.from_regex(r"[a-z_]{1,10}", fullmatch=True),
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3),
            st.tuples(inner, inner),
            st.dictionaries(st.text("abcdef$", min_size=1, max_size=5), inner, max_size=3),
        ),
        max_leaves=8,
    ),
    max_size=4,
)


def setup(**changes: Any) -> Setup:
    """Return what one record means."""
    (found,) = setups([{"id": 3, "script_file_name": "okofen", "period": 3600, **changes}])
    return found


@given(params=PARAMS)
def test_params_come_back_from_the_file_as_they_were(
    params: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With every type, and with text that looks like something else."""
    found = setup()
    made = Setup(**{**{name: getattr(found, name) for name in Setup.__slots__}, "params": params})
    path = tmp_path_factory.mktemp("config") / "ingestd.yaml"

    if params_stay(params):
        path.write_text(written([Entry(made, Path("/a$b/okofen.py"), enabled=True)]), "utf-8")
        (collector,) = configfile.load(path, {}, hosts=HOSTS).collectors.values()

        assert repr(collector.params) == repr(params)
        assert collector.plugin == "/a$b/okofen.py"


@pytest.mark.parametrize(
    "params", [{"a": {1, 2}}, {"a": {(1, 2): 3}}, {"a": {1: 2, "1": 3}}, {"a": object()}]
)
def test_params_that_would_not_are_told_apart(params: dict[str, Any]) -> None:
    """Sets and keys that are no scalars have no place in a configuration."""
    assert not params_stay(params)


@pytest.mark.parametrize("params", [{}, {"a": "${X} $"}, {"a": (1, [2.5, None])}, {"a": b"\0"}])
def test_params_that_would_are_too(params: dict[str, Any]) -> None:
    """Or else nothing would be written as it is."""
    assert params_stay(params)


LEFT_OUT = "script_parameters: expected YAML, got damaged text in line 1: left out"


@pytest.mark.parametrize(
    ("text", "params", "stays", "notes"),
    [
        ("a: !!set {x}", {"a": {"x"}}, False, ()),
        ("a: !!omap [{x: 1}]", {"a": [("x", 1)]}, True, ()),
        ("a: !!pairs [{x: 1}]", {"a": [("x", 1)]}, True, ()),
        ("a: !!python/none ''", {}, True, (LEFT_OUT,)),
        ("a: !mine 1", {}, True, (LEFT_OUT,)),
        ("a: {[1, 2]: 3}", {}, True, (LEFT_OUT,)),
        ("a: {? !!python/tuple [1] : 2}", {"a": {(1,): 2}}, False, ()),
        ("a: 1\na: 2", {"a": 2}, True, ()),
        ("a: {1: 2, '1': 3}", {"a": {1: 2, "1": 3}}, False, ()),
    ],
)
def test_types_that_no_configuration_has_become_what_the_docs_say(
    text: str, params: dict[str, Any], notes: tuple[str, ...], tmp_path: Path, *, stays: bool
) -> None:
    """What is taken over of them, and that they are refused where they are written by hand."""
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
    """What is no period disables a script, and is told."""
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
        ("a: !!python/name:os.system", "script_results: expected YAML, got damaged text in line 1"),
    ],
)
def test_what_cannot_be_read_is_told_and_left_out(text: str, note: str) -> None:
    """Nothing in it is run, and nothing of it is quoted, for it may be secret."""
    found = setup(script_results=text, hidden_script_results="token: a")

    assert (found.state, found.hidden) == ({}, {"token": "a"})
    assert [each.startswith(note) for each in found.notes] == [True]
