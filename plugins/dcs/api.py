"""What both generations of the API have: paths to ask, and elements that answer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from yarl import URL

from .elements import Wire
from .options import Options
from .periods import Calendar, Window
from .sources import Source


@dataclass(frozen=True, slots=True)
class Quantity:
    """A value that a source can give.

    Attributes:
        name: ``total``, ``sample``, or a period: the consumption in it.
        key: Where it is in an element.
    """

    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask for the readings of a source."""

    url: URL
    query: dict[str, str]


@dataclass(frozen=True, slots=True)
class Api:
    """One generation of the API.

    Attributes:
        sign_in: Where to sign in; None if that is not needed.
        sign_out: Where to sign out.
        meters: The list of meters with their registers.
        virtual_meters: The list of virtual meters.
        wire: How elements are spelt.
        skip: Status bits of elements to leave out.
        cut: The calendar with whose periods windows of a source begin and end.
        quantities: Those of a source that are wanted.
        request: Asks for a window of a source.
    """

    sign_in: URL | None
    sign_out: URL
    meters: URL
    virtual_meters: URL
    wire: Wire
    skip: int
    cut: Callable[[Source], Calendar]
    quantities: Callable[[Source], Sequence[Quantity]]
    request: Callable[[Source, Window], Request]


def word(flag: bool) -> str:  # noqa: FBT001 -- it is what is written
    """Return how a truth is written in an address."""
    return "true" if flag else "false"


def of_cumulative(options: Options, *, total: str, consumption: str) -> list[Quantity]:
    """Return what is wanted of a cumulative register, which has both; give the keys."""
    both = [Quantity("total", total)] if options.total else []
    return both + ([Quantity(options.period, consumption)] if options.consumption else [])
