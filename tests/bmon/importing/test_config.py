"""Params of BMON come through a configuration file as they were, or are not written into one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.bmon.importing.config import Entry, params_stay, written
from ingestd.bmon.importing.export import Setup
from ingestd.config import file as configfile
from ingestd.hosts import HOSTS
from tests.support.bmonexport import setup

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


@given(params=PARAMS)
def test_params_come_back_from_the_file_as_they_were(
    params: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """They keep their types, also text that looks like something else."""
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
    """Plain values, tuples and bytes have a form in a configuration."""
    assert params_stay(params)


@pytest.mark.parametrize("every", [1.0, 5.0, 10.0, 11.0, 600.0])
def test_file_with_any_period_can_be_read(every: float, tmp_path: Path) -> None:
    """The jitter of ten seconds is left out where the period is no longer than that."""
    found = setup()
    made = Setup(**{**{name: getattr(found, name) for name in Setup.__slots__}, "every": every})
    path = tmp_path / "ingestd.yaml"
    path.write_text(written([Entry(made, Path("/a/okofen.py"), enabled=True)]), "utf-8")

    (collector,) = configfile.load(path, {}, hosts=HOSTS).collectors.values()

    assert (collector.every, collector.jitter) == (every, 10.0 if every > 10 else 0.0)


def test_what_keeps_a_script_from_running_stands_in_the_file(tmp_path: Path) -> None:
    """So an operator who opens it later knows why it is disabled."""
    path = tmp_path / "ingestd.yaml"
    why = ["needs pysnmp, which is not installed: disabled", "bad\nline"]
    entry = Entry(setup(), Path("/a/sensaphone.py"), enabled=False, why=why)
    path.write_text(written([entry]), "utf-8")

    (collector,) = configfile.load(path, {}, hosts=HOSTS).collectors.values()

    assert not collector.enabled
    assert "  # needs pysnmp, which is not installed: disabled\n" in path.read_text()
    assert "bad" not in path.read_text()
