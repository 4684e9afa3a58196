"""What a command is asked for: the window of a run in its places, and how far a run may move."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ingestd.plugins._awaited import Awaited, ends_of, reached_by
from ingestd.plugins._commands import command_of
from ingestd.plugins._documents import FORMATS as OF_DOCUMENTS
from ingestd.plugins._params import duration, time_zone, zone_of
from ingestd.plugins._places import ENDS, SINCE, Place, places_in, texts_in
from ingestd.plugins._problems import Gathering
from ingestd.plugins._readings import Reading, column
from ingestd.plugins._windows import Window, Windows

RUN = "run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """The options that let a run go on where the one before ended.

    Attributes:
        windows: How the ends of a window are written.
        lookback: Where the first run begins, in seconds before now; None: not said.
        overlap: How far before the position to ask again, in seconds.
        hold: For how long a time that has no value yet holds the position, in seconds.
    """

    windows: Windows
    lookback: float | None
    overlap: float
    hold: float

    @property
    def moves(self) -> bool:
        """Whether there is a position."""
        return self.windows.has(SINCE)

    def window(
        self,
        newest: float | None,
        *,
        now: float,
        start: datetime | None,
        end: datetime | None,
    ) -> Window:
        """Return what to ask for.

        Args:
            newest: The position, in Unix seconds, or None.
            now: What time it is, likewise.
            start: Where a backfill begins, or None.
            end: Where it ends, or None.
        """
        begin = None
        if start is not None:
            begin = start.timestamp()
        elif newest is not None:
            begin = newest - self.overlap
        elif self.lookback is not None:
            begin = (now - self.lookback) // 1
        until = now if end is None else end.timestamp()
        return next(self.windows.cut(begin, until), Window(begin, until, until))

    def position(
        self, readings: Sequence[Reading], *, newest: float | None, now: float
    ) -> tuple[float | None, Sequence[str]]:
        """Return how far all is read behind some readings, and what people should know of it.

        Raises:
            ValueError: Their times cannot be compared.
        """
        times = column(readings, 0)
        if any(type(time) is datetime and time.tzinfo is None for time in times):
            raise ValueError("timezone: expected, because {since} compares times without a zone")
        awaited = Awaited(hold=self.hold, now=now)
        awaited.gather(readings, read=newest)
        latest = min(ends_of(reached_by(readings, now))[1], now)
        reached = latest if readings and latest > 0 else None
        return awaited.position(reached, start=newest), awaited.notes()


def asking_of(params: Any, around: str | None = None) -> Asking:
    """Read the options that say what is asked for.

    Args:
        params: All of them.
        around: The name of the collector's zone, or None.

    Raises:
        ValueError: Says which is wrong.
    """
    said = params.since_timezone or params.timezone
    with Gathering() as wrong:
        zone = wrong.read(
            lambda: (
                zone_of(params.timezone)
                if params.since_timezone is None
                else time_zone(params.since_timezone, "since_timezone")
            )
        )
        windows = wrong.read(
            lambda: Windows.of(
                window_places(params), pattern=params.since_format, zone=zone, span=None
            )
        )
    if said is None and around not in (None, "UTC") and windows.without_zone:
        raise ValueError(
            f"since_timezone: expected UTC or {around} for {{{windows.without_zone}}}, "
            "which says no zone"
        )
    if windows.has(SINCE) and params.lookback is None:
        raise ValueError("lookback: expected, to know where the first run begins")
    if windows.has(SINCE) and params.time is None and params.format in TIMED:
        raise ValueError("time: expected beside {since}, to know what was read")
    return Asking(
        windows=windows,
        lookback=None if params.lookback is None else duration(params.lookback, "lookback"),
        overlap=duration(params.overlap, "overlap"),
        hold=duration(params.hold, "hold"),
    )


# The formats whose times are found by an option.
TIMED = frozenset(OF_DOCUMENTS) - {"influx", "text"}


def window_places(params: Any) -> list[tuple[str, Place]]:
    """Return the places of the ends of a window, each with the option in which it stands.

    Raises:
        ValueError: There is another name in braces.
    """
    if params.format == RUN:
        return []
    return list(places_of(params, known=ENDS))


def places_of(params: Any, *, known: Any) -> Sequence[tuple[str, Place]]:
    """Return all places, each with the option in which it stands.

    Raises:
        ValueError: There is a name in braces that is not known.
    """
    command = command_of(params.command, cwd=None, env=None)
    texts = [(f"command[{number}]", word) for number, word in enumerate(command.words)]
    texts += [("stdin", text) for text in texts_in(params.stdin)]
    with Gathering() as wrong:
        return [
            (where, place)
            for where, text in texts
            for place in wrong.read(lambda: list(places_in(text, where=where, known=known))) or ()  # noqa: B023 -- called at once
        ]
