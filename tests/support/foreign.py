"""Results as no plugin should give them, and objects whose own methods do harm."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, NoReturn

import numpy as np
from hypothesis import strategies as st


class Hostile:
    """Raises when anything is done with it."""

    def _refuse(self, *_: object) -> NoReturn:
        raise OSError(5, "foreign code")

    __repr__ = __str__ = __iter__ = __len__ = __bool__ = __eq__ = __float__ = __int__ = _refuse
    __hash__ = object.__hash__


class HostileMapping(Mapping[str, Any]):
    """Says that it is a dict, and raises when it is read."""

    def __getitem__(self, key: str) -> int:
        return len(key)

    def __iter__(self) -> Iterator[str]:
        yield "readings"
        raise RuntimeError("foreign code")

    def __len__(self) -> int:
        raise RuntimeError("foreign code")


class HostileText(str):
    """A text that cannot be turned into a text."""

    __slots__ = ()

    def __str__(self) -> NoReturn:
        raise RuntimeError("foreign code")

    __repr__ = __str__


class HostileNumber(float):
    """A number that cannot be turned into a number."""

    def __float__(self) -> NoReturn:
        raise RuntimeError("foreign code")

    __repr__ = __float__


class HostileZone(tzinfo):
    """A time zone that does not know its offset, in its own way."""

    def utcoffset(self, _when: datetime | None) -> NoReturn:
        """Fail."""
        raise RuntimeError("foreign code")

    dst = tzname = utcoffset


class NotATime(datetime):
    """A datetime without a date, such as pandas' NaT."""

    def date(self) -> NoReturn:
        """Fail."""
        raise ValueError("NaTType does not support date")


class Stamp(datetime):
    """A datetime of a derived class, such as pandas' Timestamp."""


class Colour(str, Enum):  # noqa: UP042 -- it is older plugins' spelling
    """A text of a derived class that prints as something else."""

    RED = "red"


class Level(IntEnum):
    """A number of a derived class that prints as something else."""

    HIGH = 3


def lazy_failure() -> Iterator[Any]:
    """Yield a reading, and then fail."""
    yield (1, "first", 1)
    raise OSError(5, "foreign code")


def cycle() -> list[Any]:
    """Return a list that contains itself, twice."""
    found: list[Any] = []
    found += [found, found]
    return found


def family() -> dict[str, Any]:
    """Return a graph whose children know their parent."""
    parent: dict[str, Any] = {"name": "parent"}
    parent["children"] = [{"name": str(n), "parent": parent} for n in range(20)]
    return parent


ODD = st.one_of(
    st.builds(Hostile),
    st.builds(HostileMapping),
    st.builds(HostileText, st.text(max_size=3)),
    st.builds(HostileNumber, st.floats()),
    st.builds(lazy_failure),
    st.builds(cycle),
    st.builds(family),
    st.builds(object),
    st.builds(lambda: NotATime(2024, 1, 1)),
    st.builds(lambda: Stamp(2024, 1, 1, tzinfo=UTC)),
    st.builds(lambda: datetime(2024, 1, 1, tzinfo=HostileZone())),
    st.builds(timedelta, st.integers(-9, 9)),
    st.builds(pow, st.just(-10), st.sampled_from([401, 5001])),
    st.sampled_from([Colour.RED, Level.HIGH, "\ud800", "a\nb", "a\\"]),
    st.sampled_from([np.datetime64("NaT"), np.datetime64("2024-01-01T00:00:01"), np.bool_(1)]),
    st.builds(np.float64, st.floats()),
    st.builds(np.array, st.lists(st.floats(), max_size=3)),
    st.complex_numbers(),
)
TIMES = st.one_of(
    st.none(),
    st.integers(-(10**11), 10**13),
    st.integers(),
    st.floats(),
    st.floats(-1e10, 1e10),
    st.datetimes(),
    st.datetimes(timezones=st.timezones()),
)
NAMES = st.one_of(st.sampled_from(["level", "a b", "a,b=c", "1"]), st.integers(0, 3), st.text())
VALUES = st.one_of(
    st.integers(),
    st.floats(),
    st.booleans(),
    st.none(),
    st.decimals(),
    st.sampled_from(["1", " 2.5 ", "1e3", "nan", "1_0", "", Decimal("sNaN"), np.int8(3)]),
)
TAGS = st.one_of(
    st.none(), st.dictionaries(st.text(max_size=3), VALUES | st.text(max_size=3), max_size=3)
)
ORDINARY = st.tuples(
    st.integers(0, 10**10) | st.floats(0, 1e10), st.sampled_from(["level", "flow", 1]), st.floats()
)
ONE = TIMES | NAMES | VALUES | ODD
READING = st.one_of(
    ORDINARY,
    st.tuples(TIMES, NAMES, VALUES),
    st.tuples(TIMES, NAMES, VALUES, TAGS),
    st.tuples(TIMES | ODD, NAMES | ODD, VALUES | ODD, TAGS | ODD),
    st.lists(ONE, max_size=5),
    ONE,
)
ANYTHING = st.recursive(
    ONE | st.binary(max_size=3),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.dictionaries(st.text(max_size=3) | st.integers() | st.dates(), inner, max_size=3),
        st.lists(inner, max_size=3).map(iter),
    ),
    max_leaves=8,
)
RESULT = st.one_of(
    ANYTHING,
    st.fixed_dictionaries(
        {},
        optional={
            "readings": st.lists(READING, max_size=6) | ANYTHING,
            "hidden": st.dictionaries(st.text(max_size=3), ANYTHING, max_size=2) | ANYTHING,
            "delete_params": st.lists(st.text(max_size=3), max_size=2) | ANYTHING,
            "script_error": ANYTHING,
            "last_ts": ANYTHING,
        },
    ),
)
