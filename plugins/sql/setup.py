"""What a run is made of: its params, read and checked before anything is asked."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ingestd.plugins._params import duration, zone_of
from ingestd.plugins._places import Place
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES
from ingestd.plugins._shapes import Reader, description_of
from ingestd.plugins._times import Notation, notation

from .address import Address, address_of
from .dialects import DIALECTS, Dialect
from .statements import Source, source_of

NAME: Final = re.compile(r'[A-Za-z_]\w*|"(?P<quoted>[^"\\]+)"')


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Setup:
    """What the params say; never shown, because a password travels in it.

    Attributes:
        address: Of the database.
        source: What is read of it.
        time: The column of the time.
        id: That of an id which only grows, or None.
        shape: Reads rows.
        notation: How the column of the time is to be read.
        places: How ends are written in a query.
        lookback: Where the first run begins, in seconds before now; None: where the source does.
        overlap: How far before the position to ask again, in seconds.
        hold: For how long a time that has no value yet holds the position, in seconds.
        revisit: How far before now every run reads again, in seconds.
        patience: How long a statement may take, in seconds.
    """

    address: Address
    source: Source
    time: str
    id: str | None
    shape: Reader
    notation: Notation
    places: Mapping[Place, Notation]
    lookback: float | None
    overlap: float
    hold: float
    revisit: float
    patience: float

    @property
    def dialect(self) -> Dialect:
        """Of the database."""
        return DIALECTS[self.address.kind]

    @property
    def columns(self) -> list[str] | None:
        """The columns that are needed; None if only the rows can tell."""
        if None in self.shape.fields:
            return None
        found = [self.time, self.id, *self.shape.fields]
        return [*dict.fromkeys(each for each in found if each is not None)]


def setup_of(params: Any, around: str | None = None) -> Setup:
    """Read all params.

    Args:
        params: All of them.
        around: The name of the collector's zone, or None.

    Raises:
        ValueError: Says which is wrong.
    """
    zone = zone_of(params.timezone, around)
    source = source_of(params.table, params.query)
    lookback = None if params.lookback is None else duration(params.lookback, "lookback")
    revisit = params.revisit
    return Setup(
        address=address_of(params),
        source=source,
        time=column_named(params.time, "time"),
        id=None if params.id is None else column_named(params.id, "id"),
        shape=shape_of(params, around),
        notation=notation(params.time_format, zone),
        places=places_of(params, around),
        lookback=lookback,
        overlap=duration(params.overlap, "overlap"),
        hold=duration(params.hold, "hold"),
        revisit=0.0 if revisit is None else revisit.total_seconds(),
        patience=patience_of(params),
    )


def shape_of(params: Any, around: str | None = None) -> Reader:
    """Return what reads rows.

    Raises:
        ValueError: Says which option is wrong.
    """
    options = {name: getattr(params, name, None) for name in OF_SHAPES}
    return description_of(options, zone=zone_of(params.timezone, around)).reader()


def places_of(params: Any, around: str | None = None) -> dict[Place, Notation]:
    """Return how ends are written in a query.

    Raises:
        ValueError: It is not said, or not so that it means an instant.
    """
    zone, found = zone_of(params.timezone, around), {}
    for place in source_of(params.table, params.query).places:
        pattern = place.pattern or params.since_format
        if pattern is None:
            raise ValueError(
                f"since_format: expected, to know how {{{place.name}}} is written in `query`; "
                f"or write such as {{{place.name}:unix}}"
            )
        where = "query" if place.pattern else "since_format"
        found[place] = notation(pattern, zone, where=where)
        if place.name == "since" and params.lookback is None:
            raise ValueError("lookback: expected, to know where the first run begins")
    return found


def column_named(name: Any, where: str) -> str:
    """Return the name of a column.

    Raises:
        ValueError: It is none.
    """
    found = NAME.fullmatch(name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(
            f"{where}: expected a column, such as ts or '\"Zone Time\"', got {name!r:.80}"
        )
    return found["quoted"] or str(name)


def patience_of(params: Any) -> float:
    """Return how long a statement may take, in seconds.

    Raises:
        ValueError: It is no duration, or none at all.
    """
    found = duration(params.request_timeout, "request_timeout")
    if not found:
        raise ValueError("request_timeout: expected more than nothing")
    return found
