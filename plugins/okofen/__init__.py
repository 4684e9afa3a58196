"""ÖkoFEN pellet boilers: what they measure now, and the logs they keep.

Emits, from the JSON interface, ``<site>_<part>_<field>`` with the boiler's own words
and units, such as ``okofen_pe1_L_temp_act`` in degrees Celsius; and, from the logs,
``<site>_<column>`` with the unit behind it, such as ``okofen_PE1_KT_celsius``, about
once a minute.

Parameters: ``url`` -- of the boiler, with its port; ``password`` -- of its JSON
interface; ``live`` -- whether to read what it measures now, which needs that;
``logs`` -- where they are: ``json`` (interface), ``touch`` or ``classic`` (displays),
``none``, or a path with the day in it as for ``strftime``; ``timezone`` -- of the
boiler's clock, for the logs; ``site`` -- how names of series begin; ``fields`` --
patterns of what follows it; ``lookback`` -- where the first run begins; ``pause`` --
between two requests to the JSON interface, which wants one.
State: ``newest`` -- the time of the newest line of the logs read, in Unix seconds.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from fnmatch import fnmatchcase
from typing import Any, Final, TypeVar

from ingestd.plugins._answers import AnswerError, Pace
from ingestd.plugins._checks import Given
from ingestd.plugins._params import duration, http_url, time_zone
from ingestd.plugins._times import NoTime

from .boiler import Boiler
from .logs import Wanted, logs_of, place_of
from .values import values_of

__all__ = ["check", "run"]

R = TypeVar("R", bound=tuple[Any, str, Any])

# What begins otherwise is a setting, not something that is measured.
MEASURED: Final = ("*_L_*", "*_storage_*")


# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    url: str,
    password: str | None = None,
    live: bool = True,
    logs: str | None = None,
    timezone: str | None = None,
    site: str = "okofen",
    fields: Sequence[str] | None = None,
    lookback: str = "14d",
    pause: str = "3s",
    newest: float | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncGenerator[dict[str, Any], None]:
    """Read what is measured now, and the lines of the logs since the run before."""
    boiler = Boiler(
        ctx.http,
        http_url(url, "url"),
        password,
        ctx.shared(Pace, duration(pause, "pause"), f"okofen {url}"),
    )
    place = place_of(logs, password=password)
    check_window(place, start)
    now = ctx.now().timestamp()
    work: list[AsyncGenerator[dict[str, Any], None]] = []
    if live and password is not None and start is None:
        work.append(measured(boiler, site, patterns_of(fields, MEASURED)))
    if place is not None:
        wanted = Wanted(
            zone=time_zone(timezone, "timezone"),
            begin=start.timestamp() if start else now - duration(lookback, "lookback"),
            end=end.timestamp() if end else now,
        )
        reading = Reader(ctx.log, boiler, place, site, patterns_of(fields, ("*",)))
        work.append(reading.window(wanted) if start else reading.news(wanted, newest))
    problems = []
    for each in work:
        try:
            async with aclosing(each) as results:
                async for result in results:
                    yield result
        except AnswerError as error:
            problems.append(str(error))
    if problems and len(problems) == len(work):
        raise AnswerError("; ".join(problems))
    if problems:
        yield {"script_error": "; ".join(problems)}


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: http_url(each.url, "url"))
    given.read(lambda each: patterns_of(each.fields, MEASURED))
    given.read(lambda each: zone_of(each.logs, each.password, each.timezone))
    given.durations("lookback", "pause")
    given.read(lambda each: check_window(place_of(each.logs, password=each.password), each.start))
    return given.problems


def check_window(place: str | None, start: datetime | None) -> None:
    """Refuse a window of the past where there are no logs, which alone have it.

    Raises:
        ValueError: There are none.
    """
    if start is not None and place is None:
        raise ValueError("logs: expected for a backfill, which reads nothing else, got none")


def zone_of(logs: str | None, password: str | None, timezone: str | None) -> tzinfo | None:
    """Return the zone of the clock that the logs are told by, or None if there are none.

    Raises:
        ValueError: There is none of that name, or no such place for logs.
    """
    if place_of(logs, password=password) is None:
        return None
    return time_zone(timezone, "timezone")


def patterns_of(fields: Sequence[str] | None, default: Sequence[str]) -> Sequence[str]:
    """Return the patterns of what is wanted.

    Raises:
        ValueError: They are no list.
    """
    if isinstance(fields, str | Mapping):
        problem = f"fields: expected a list of patterns, got {fields!r}"
        raise ValueError(problem)  # noqa: TRY004 -- a wrong option, not a wrong call
    return default if fields is None else fields


async def measured(
    boiler: Boiler, site: str, patterns: Sequence[str]
) -> AsyncGenerator[dict[str, Any], None]:
    """Read what the boiler measures now."""
    found = values_of(await boiler.values(), site=site)
    yield {"readings": chosen(found, site, patterns)}


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads logs; each is a result."""

    log: Any
    boiler: Boiler
    place: str
    site: str
    patterns: Sequence[str]

    async def news(
        self, wanted: Wanted, newest: float | None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Read on from the newest line, which is read again."""
        wanted = wanted if newest is None else replace(wanted, begin=newest)
        async for log in logs_of(self.boiler, self.place, wanted):
            if broken := log.broken_since(wanted.begin):
                self.log.warning("log has broken lines", log=log.name, lines=broken)
            newest = log.newest(newest, upto=wanted.end)
            position = {} if newest is None else {"newest": newest}
            lines = log.readings(self.site, since=wanted.begin)
            yield {"readings": chosen(lines, self.site, self.patterns), **position}

    async def window(self, wanted: Wanted) -> AsyncGenerator[dict[str, Any], None]:
        """Read what lies between two times."""
        async for log in logs_of(self.boiler, self.place, wanted):
            lines = log.readings(self.site, since=wanted.begin)
            within = (each for each in lines if isinstance(each[0], NoTime) or each[0] < wanted.end)
            yield {"readings": chosen(within, self.site, self.patterns)}


def chosen(readings: Iterable[R], site: str, patterns: Sequence[str]) -> list[R]:
    """Return the readings whose series is wanted."""
    skip = len(site) + 1
    verdicts: dict[str, bool] = {}
    found = []
    for each in readings:
        series = each[1]
        if series not in verdicts:
            verdicts[series] = any(fnmatchcase(series[skip:], pattern) for pattern in patterns)
        if verdicts[series]:
            found.append(each)
    return found
