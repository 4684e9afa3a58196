"""State values survive the trip to text and back, and nothing else gets in."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.contract.keepable import DEEPEST_STATE
from ingestd.errors import ResultError, StateError
from ingestd.records.yamlvalues import dumps, loads

OFFSETS = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59))
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.datetimes(
        datetime(2, 1, 1),  # noqa: DTZ001 - the strategy wants it naive
        datetime(9998, 1, 1),  # noqa: DTZ001 - likewise
        timezones=st.builds(timezone, OFFSETS),
    )
)
KEYS = SCALARS | st.tuples(SCALARS, st.tuples(SCALARS))
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner) | st.dictionaries(KEYS, inner) | st.lists(inner).map(tuple) | st.sets(KEYS)
    ),
    max_leaves=12,
)


def shape(value: Any) -> Any:
    """Return the value with the type of every part, so that 1 and True differ."""
    if isinstance(value, dict):
        return [(shape(key), shape(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return type(value), [shape(item) for item in value]
    return type(value), value


@given(VALUES)
def test_every_value_comes_back_as_it_was(value: Any) -> None:
    """What may be kept is equal afterwards, and of the same types."""
    back = loads(dumps(value, where="state"), where="state")

    assert shape(back) == shape(value)


@given(st.text(st.sampled_from("yesnoNULLtruefalse0123456789eExX.+-:_~=<!&*%@`{}[]#|>?, \n\t'\"")))
def test_text_that_looks_like_something_else_stays_text(text: str) -> None:
    """A string that YAML would read as a number, a date or a bool is still a string."""
    assert loads(dumps({text: text}, where="state"), where="state") == {text: text}


@pytest.mark.parametrize(
    "text", ["yes", "0123", "1e3", "1:30", "2024-01-01", "null", "~", "<<", "=", "", " ", ".inf"]
)
def test_the_usual_suspects_stay_text(text: str) -> None:
    """The strings that YAML is known to mangle are kept."""
    assert loads(dumps({text: [text]}, where="state"), where="state") == {text: [text]}


def test_a_nan_comes_back() -> None:
    """Not a number is a float that can be kept, although it equals nothing."""
    back = loads(dumps({"x": math.nan}, where="state"), where="state")

    assert math.isnan(back["x"])


def test_a_big_int_comes_back() -> None:
    """Integers have no limit that a counter would meet."""
    assert loads(dumps(-(2**4000), where="state"), where="state") == -(2**4000)


def test_an_aware_time_in_a_named_zone_stays_the_same_instant() -> None:
    """A zone's name is lost, its offset and the instant are not."""
    summer = datetime(2024, 7, 1, 12, tzinfo=ZoneInfo("America/Anchorage"))

    back = loads(dumps(summer, where="state"), where="state")

    assert back == summer
    assert back.utcoffset() == timedelta(hours=-8)


def test_an_offset_with_seconds_stays_the_same_instant() -> None:
    """Local mean time, as zones had it before 1900, is kept as UTC."""
    old = datetime(1800, 1, 1, tzinfo=ZoneInfo("Europe/Paris"))

    back = loads(dumps(old, where="state"), where="state")

    assert back == old
    assert back.tzinfo == UTC


def test_the_text_is_for_people() -> None:
    """Keys keep their order, lists are lists, and nothing is written as a reference."""
    items = [1, date(2024, 2, 29)]

    text = dumps({"last_ts": 1.5, "b": items, "a": items}, where="state")

    assert text == "last_ts: 1.5\nb:\n- 1\n- 2024-02-29\na:\n- 1\n- 2024-02-29\n"


class Meter:
    """Something that a plugin might leave in its state by mistake."""


def nested(levels: int) -> list[Any]:
    """Return a list in a list in a list."""
    return [] if levels == 1 else [nested(levels - 1)]


def endless() -> list[Any]:
    """Return a list that contains itself."""
    items: list[Any] = []
    items.append(items)
    return items


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"cursor": {"items": [0, 1, 2, Meter()]}}, "state.cursor.items[3]: cannot be kept"),
        ({"a": Meter()}, "got Meter"),
        ({"a": timedelta(1)}, "state.a: cannot be kept: expected plain YAML values, got timedelta"),
        ({3: {(1, 2): object()}}, "state[3][(1, 2)]: cannot be kept"),
        ({"a": {object()}}, "state.a[0]: cannot be kept"),
        ({(1, object()): 1}, "state key[1]: cannot be kept"),
        ({"a": "\ud800"}, "state.a: cannot be kept: expected text, got a lone surrogate in it"),
        ({"a": 10**5000}, "state.a: cannot be kept: expected fewer digits, got an int"),
        ({"a": endless()}, "state.a[0]: cannot be kept: it contains itself"),
        (nested(DEEPEST_STATE + 1), "expected at most 60 levels"),
        ({"a": lambda: None}, "got function"),
        ({"a": iter([])}, "got list_iterator"),
    ],
)
def test_what_cannot_be_kept_is_named_by_its_path(value: Any, message: str) -> None:
    """The plugin's author reads where the odd value is and what it is."""
    with pytest.raises(ResultError) as caught:
        dumps(value, where="state")

    assert message in str(caught.value)


def test_the_deepest_value_that_may_be_kept_comes_back() -> None:
    """The limit on nesting leaves room for what it allows."""
    assert loads(dumps(nested(DEEPEST_STATE), where="state"), where="state") == nested(
        DEEPEST_STATE
    )


def test_an_error_never_shows_the_value() -> None:
    """What cannot be kept may be secret."""
    with pytest.raises(ResultError) as caught:
        dumps({"token": Secretive()}, where="hidden")

    assert "s3cret" not in str(caught.value)


class Secretive:
    """Shows its secret in its repr."""

    def __repr__(self) -> str:
        return "s3cret"


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.getcwd []",
        "!!python/object/new:ingestd.errors.StateError [s3cret]",
        "!!python/name:os.system s3cret",
        "!Meter {a: s3cret}",
        "a: [s3cret",
        "a: s3cret: b",
        "2024-13-45",
        "? [unhashable]\n: s3cret",
        "{" * 5000,
        "&a [*b, s3cret]",
        "s3cret\x00",
    ],
)
def test_damaged_text_is_refused_without_quoting_it(text: str) -> None:
    """No tag makes an object, and the error repeats nothing that may be secret."""
    with pytest.raises(StateError) as caught:
        loads(text, where="hidden of lab")

    assert str(caught.value).startswith("hidden of lab: expected YAML, got damaged text")
    assert "s3cret" not in str(caught.value)


def test_an_offset_of_odd_minutes_is_kept() -> None:
    """Only one with seconds has to be given up."""
    odd = datetime(2024, 7, 1, tzinfo=timezone(timedelta(hours=5, minutes=31)))

    assert loads(dumps(odd, where="state"), where="state").utcoffset() == odd.utcoffset()


def test_letters_of_all_languages_are_written_as_they_are() -> None:
    """An operator reads them in the file."""
    assert dumps({"w\u00e4rme": "\u6e29"}, where="state") == "w\u00e4rme: \u6e29\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: 1\nb: ]\n", " in line 2"),
        ("a: 1\nb: !!timestamp '2024-99-99'\n", " (ValueError)"),
        ("a: \0", " (ReaderError)"),
    ],
)
def test_damaged_text_is_told_by_its_line_if_that_is_known(text: str, why: str) -> None:
    """Nothing is quoted from it, since it may be secret."""
    with pytest.raises(StateError) as told:
        loads(text, where="state of lab")

    assert str(told.value) == f"state of lab: expected YAML, got damaged text{why}"
