"""What becomes of a result, of any types that a plugin makes it of."""

from datetime import UTC, date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings

from ingestd.contract.builtins import result_as_builtins
from ingestd.contract.memory import Memory, remember
from ingestd.contract.result import Result, take_apart
from ingestd.errors import ResultError
from ingestd.plugins._readings import Readings
from ingestd.records import yamlvalues
from ingestd.worker import wire
from tests.support.deadline import WITHIN
from tests.support.foreign import (
    RESULT,
    Colour,
    Hostile,
    HostileMapping,
    HostileText,
    Level,
    Stamp,
    family,
    lazy_failure,
)

NOT_KEPT: Final = "cannot be kept: expected text, numbers, dates, bytes, lists or dicts"


def canonical(value: Any) -> Any:
    """Return what is equal for values that mean the same: YAML keeps instants, not zones."""
    if isinstance(value, dict):
        return [(canonical(key), canonical(each)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return type(value)(map(canonical, value))
    if isinstance(value, datetime):
        return value.replace(fold=0) if value.utcoffset() is None else value.timestamp()
    return repr(value)


def refusal(result: object) -> str:
    """Return why a result is refused."""
    with pytest.raises(ResultError) as caught:
        take_apart(result)
    return str(caught.value)


def test_hidden_is_never_shown_by_repr() -> None:
    """A log line or traceback that prints these objects prints no secret."""
    taken = take_apart({"hidden": {"token": "s3cret"}, "n": 1})
    memory = remember(Memory(), taken, yielded=False, params={}, fingerprint=repr)

    assert "s3cret" not in f"{taken!r} {memory!r} {taken} {memory}"
    assert memory.hidden == {"token": "s3cret"}


def test_refusal_of_a_hidden_value_does_not_tell_it() -> None:
    """The error names the path, which is enough to find it."""

    class Password:
        def __repr__(self) -> str:
            return "s3cret"

    said = refusal({"hidden": {"login": {"password": Password()}}})

    assert said.startswith("hidden.login.password: cannot be kept: ")
    assert "s3cret" not in said


@pytest.mark.parametrize("key", ["script_error", "script_errors"])
def test_result_that_reports_its_own_trouble_is_degraded(key: str) -> None:
    """The text is told, and stays in the state like every other key."""
    taken = take_apart({key: "two meters did not answer"})

    assert taken.degraded == "two meters did not answer"
    assert taken.state == {key: "two meters did not answer"}
    assert take_apart({key: ""}).degraded == ""


def test_trouble_may_name_the_series_that_it_is_about() -> None:
    """Then each text is told once, and the names are known."""
    taken = take_apart({"script_error": {"a": "R1: 500", "b": "R1: 500", "c": "R2: 403"}})

    assert taken.degraded == "R1: 500; R2: 403"
    assert taken.unread == {"a", "b", "c"}
    assert take_apart({"script_error": "two meters"}).unread == frozenset()
    assert take_apart({"script_error": {}}).degraded == ""


def test_state_is_a_copy() -> None:
    """A plugin that goes on changing its dict does not change what it handed over."""
    seen = {"a": [1]}
    taken = take_apart({"seen": seen})

    seen["a"].append(2)

    assert taken.state == {"seen": {"a": [1]}}


def test_derived_types_become_plain_ones() -> None:
    """NumPy's scalars, enums and subclasses are kept as the values that they are."""
    state = take_apart(
        {
            "f": np.float64(1.5),
            "i": np.int32(7),
            "b": np.bool_(1),
            "zero": np.array(2.5),
            "t": np.datetime64("2024-01-01T00:00:01"),
            "colour": Colour.RED,
            "level": Level.HIGH,
            "text": HostileText("abc"),
            "stamp": Stamp(2024, 1, 1, tzinfo=UTC),
            "raw": bytearray(b"x"),
            HostileText("key"): (1, [date(2024, 1, 1)]),
        }
    ).state

    assert state == {
        "f": 1.5,
        "i": 7,
        "b": True,
        "zero": 2.5,
        "t": datetime(2024, 1, 1, 0, 0, 1),  # noqa: DTZ001 -- NumPy knows no zones
        "colour": "red",
        "level": 3,
        "text": "abc",
        "stamp": datetime(2024, 1, 1, tzinfo=UTC),
        "raw": b"x",
        "key": (1, [date(2024, 1, 1)]),
    }
    assert {type(value) for value in state.values()} == {
        float,
        int,
        bool,
        datetime,
        str,
        bytes,
        tuple,
    }


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (None, "run must give a dict, got NoneType"),
        ([1], "run must give a dict, got list"),
        ({1: 2}, "run must give a dict with text keys, got the key 1"),
        ({"readings": 5}, "readings: expected a list, got int"),
        ({"readings": {"a": 1}}, "readings: expected a list, got dict"),
        ({"readings": "abc"}, "readings: expected a list, got str"),
        ({"delete_params": "code"}, "delete_params: expected a list of names, got str"),
        ({"hidden": [1]}, "hidden: expected a dict with text keys, got list"),
        ({"hidden": {1: 2}}, "hidden: expected a dict with text keys, got dict"),
        ({"a": {"b": [1, object()]}}, f"a.b[1]: {NOT_KEPT}, got object"),
        ({"a": "\ud800"}, "state.a: cannot be kept: expected text, got a lone surrogate in it"),
        ({"a": 1j}, f"a: {NOT_KEPT}, got complex"),
        (HostileMapping(), "run gave what cannot be read: RuntimeError('foreign code')"),
        ({"a": HostileMapping()}, "run gave what cannot be read: RuntimeError('foreign code')"),
        (
            {"never": datetime.min.replace(tzinfo=ZoneInfo("Europe/Berlin"))},
            "run gave what cannot be read: OverflowError('date value out of range')",
        ),
        ({Hostile(): 1}, "run must give a dict with text keys, got the key <Hostile>"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(result: object, said: str) -> None:
    """The run fails with an error that says where to look."""
    assert refusal(result) == said


def test_readings_may_be_columns() -> None:
    """They stay so in this process, and are a list of tuples in what another one sends."""
    readings = Readings([1, 2], ["a", "b"], [np.float64(5), 6])

    assert take_apart({"readings": readings}).readings is readings
    assert result_as_builtins({"readings": readings})["readings"] == [(1, "a", 5.0), (2, "b", 6)]


def test_failure_of_lazy_readings_is_told() -> None:
    """A generator that fails halfway gives nothing, but says why."""
    said = refusal({"readings": lazy_failure(), "last": 1})

    assert said == "readings: cannot be listed: OSError(5, 'foreign code')"


@pytest.mark.timeout(WITHIN)
def test_graph_with_back_references_is_refused_at_once() -> None:
    """Following each of them would take for ever, and the event loop with it."""
    said = refusal({"site": family()})

    assert said == "site.children[0].parent: cannot be kept: it contains itself"


def test_state_is_refused_beyond_a_depth() -> None:
    """Deep nesting is an accident, and would overflow the parser later."""
    deep: Any = 1
    for _ in range(60):
        deep = [deep]

    assert refusal({"deep": deep}).endswith("cannot be kept: nested deeper than 50 levels")


@given(RESULT)
@settings(max_examples=400)
@pytest.mark.slow  # many examples
def test_any_result_is_taken_apart_or_refused(result: object) -> None:
    """Nothing else than a ResultError comes out of a plugin's result, and no odd object gets in."""
    try:
        taken = take_apart(result)
    except ResultError:
        return
    assert isinstance(taken, Result)
    assert type(taken.readings) is list
    for kept in (taken.state, taken.hidden):
        again = yamlvalues.loads(yamlvalues.dumps(kept, where="kept"), where="kept")
        assert canonical(again) == canonical(kept)


@given(RESULT)
@settings(max_examples=400)
@pytest.mark.slow  # many examples
def test_any_result_can_travel_or_is_refused(result: object) -> None:
    """What a worker sends arrives as it was, and taking it apart adds no surprise."""
    try:
        sent = result_as_builtins(result)
    except ResultError:
        return

    arrived = wire.decode(wire.encode(sent)[wire.LENGTH_BYTES :])
    assert type(arrived) is dict
    try:
        taken = take_apart(arrived)
    except ResultError:
        return
    assert len(taken.readings) == len(sent["readings"])


@pytest.mark.parametrize("nothing", [None, [], (), {}])
def test_empty_readings_of_any_kind_are_none(nothing: object) -> None:
    """Scripts of BMON begin with an empty dict, and return it where a device is silent."""
    assert list(take_apart({"readings": nothing, "n": 1}).readings) == []
