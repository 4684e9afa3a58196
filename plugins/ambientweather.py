"""Weather stations that report to AmbientWeather.net.

Emits ``<station>_<field>`` for every number that a station reports, in the units of
Ambient Weather (``tempf`` is in degrees Fahrenheit, ``windspeedmph`` in miles per
hour, ``baromrelin`` in inches of mercury); ``<station>`` is its MAC address without
colons. The newest record is at most a minute old; all records since the run before,
one for every 5 or 30 minutes, follow up to ten minutes later.

Parameters: ``application_key`` and ``api_key`` -- from the account page; ``stations``
-- MAC addresses (default: all of the account); ``fields`` -- patterns of fields
(default: all); ``lookback`` -- where the first run begins; ``pause`` -- between two
requests with one ``api_key``; ``url`` -- where the API is.
State: ``newest`` -- MAC address to the time of the newest record read, in Unix seconds.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from math import nan
from typing import Any, Final

from ingestd.plugins._answers import Answer, AnswerError, Pace, fetch, number_in
from ingestd.plugins._checks import Given
from ingestd.plugins._params import duration, http_url

Reading = tuple[float, str, float]

MOST: Final = 288  # records in one answer
# A day of records five minutes apart would fill an answer to the brim.
WINDOW: Final = 23 * 3600.0


# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    application_key: str,
    api_key: str,
    stations: Sequence[str] | None = None,
    fields: Sequence[str] | None = None,
    lookback: str = "1d",
    pause: str = "1s",
    url: str = "https://api.ambientweather.net",
    newest: Mapping[str, float] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncGenerator[dict[str, Any], None]:
    """Read what each station has recorded since the run before, a day at a time."""
    keys = {"applicationKey": application_key, "apiKey": api_key}
    pace = ctx.shared(Pace, duration(pause, "pause"), f"ambientweather {api_key}")
    api = Api(ctx.http, http_url(url, "url"), keys, pace)
    now = ctx.now().timestamp()
    first = now - duration(lookback, "lookback")
    known = chosen(await api.stations(), stations)
    wanted = list(fields) if fields is not None else ["*"]
    if start is not None:
        past = Span(start.timestamp(), end.timestamp() if end else now)
        for mac in known:
            async for records in api.records(mac, past):
                within = [r for r in records if past.begin <= time_of(r) < past.end]
                yield {"readings": [r for each in within for r in readings(mac, each, wanted)]}
        return
    yield {"readings": [r for mac in known for r in readings(mac, known[mac], wanted)]}
    read, problems = dict(newest or {}), []
    for mac, last in known.items():
        try:
            # Where a station has said nothing for a year there is nothing to look for.
            until = min(now, number_or(time_of(last), now))
            async for records in api.records(mac, Span(read.get(mac, first), until)):
                times = [time for r in records if (time := time_of(r)) <= now]
                read |= {mac: max(times)} if times and max(times) > read.get(mac, 0) else {}
                found = [r for each in records for r in readings(mac, each, wanted)]
                yield {"readings": found, "newest": dict(read)}
        except AnswerError as error:
            problems.append(str(error))
    if problems and len(problems) == len(known):
        raise AnswerError(problems[0])
    if problems:
        yield {"script_error": "; ".join(problems)}


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: http_url(each.url, "url"))
    given.durations("pause", "lookback")
    return given.problems


@dataclass(frozen=True, slots=True)
class Span:
    """From one time to another, in Unix seconds."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Api:
    """The API, for one account."""

    http: Any
    url: str
    keys: Mapping[str, str]
    pace: Pace

    async def stations(self) -> dict[str, Any]:
        """Return the account's stations: MAC address to the newest record.

        Raises:
            AnswerError: The server does not tell.
        """
        found = (await self._get("/v1/devices", {})).list_at()
        known = [each for each in found if isinstance(each, dict) and each.get("macAddress")]
        return {str(each["macAddress"]): each.get("lastData") for each in known}

    async def records(self, mac: str, span: Span) -> AsyncGenerator[list[Any], None]:
        """Yield a station's records, from old to new, a window at a time.

        An answer ends with the time that was asked for and holds what was recorded
        before, the newest first. So windows are asked for by their ends, the oldest
        first. Over a time without records they grow, or a station that comes back
        after a year would be out of reach of a single run.

        Raises:
            AnswerError: The server does not tell.
        """
        begin, width = span.begin, WINDOW
        while begin < span.end:
            end = min(begin + width, span.end)
            page = await self._page(mac, end)
            if width > WINDOW and not whole(page, begin):
                width = max(WINDOW, width / 2)
                continue
            found = [each for each in await self._rest(mac, page, begin) if not_before(each, begin)]
            yield found
            begin, width = end, WINDOW if found else width * 2

    async def _rest(self, mac: str, page: list[Any], begin: float) -> list[Any]:
        found = [*page]
        while not whole(page, begin):
            upto, page = oldest(page), await self._page(mac, oldest(page))
            if not oldest(page) < upto:
                break  # it says the same again
            found += page
        return found

    async def _page(self, mac: str, end: float) -> list[Any]:
        query = {"endDate": str(round(end * 1000)), "limit": str(MOST)}
        return (await self._get(f"/v1/devices/{mac}", query)).list_at()

    async def _get(self, path: str, query: Mapping[str, str]) -> Answer:
        where = f"GET {self.url}{path}"
        async with self.pace.turn():
            answer = await fetch(
                self.http, "GET", self.url + path, where=where, params={**self.keys, **query}
            )
        if not answer.good:
            raise answer.unexpected(hint=HINTS.get(answer.status, ""))
        return answer


HINTS: Final = {
    401: "one of the two keys is wrong",
    429: "more than one request a second with this api_key, or three with this application_key",
}


def chosen(known: Mapping[str, Any], wanted: Sequence[str] | None) -> dict[str, Any]:
    """Return the stations that are wanted.

    Raises:
        ValueError: One of them is not there.
    """
    if wanted is None:
        return dict(known)
    by_name = {plain(mac): mac for mac in known}
    missing = [each for each in wanted if plain(each) not in by_name]
    if isinstance(wanted, str) or missing:
        has = ", ".join(known) or "none"
        raise ValueError(f"stations: expected a list of some of {has}, got {wanted!r}")
    return {mac: known[mac] for mac in (by_name[plain(each)] for each in wanted)}


def readings(mac: str, record: Any, fields: Sequence[str]) -> Iterator[Reading]:
    """Yield the numbers in a record; texts in it say when and where, not what."""
    if not isinstance(record, dict):
        return
    time = time_of(record)
    for field in record:
        value = number_in(record, field)
        if value is None or field == "dateutc":
            continue
        if any(fnmatchcase(field, pattern) for pattern in fields):
            yield time, f"{plain(mac)}_{field}", value


def whole(page: list[Any], begin: float) -> bool:
    """Return whether an answer reaches back to a time."""
    return len(page) < MOST or not oldest(page) > begin


def oldest(page: list[Any]) -> float:
    """Return the first time in an answer; not a number if there is none."""
    return min((time for each in page if (time := time_of(each)) > 0), default=nan)


def not_before(record: Any, begin: float) -> bool:
    """Return whether a record belongs to a window; the daemon counts those without a time."""
    return not time_of(record) < begin


def time_of(record: Any) -> float:
    """Return when a record was taken, in Unix seconds; not a number if it does not say so."""
    milliseconds = number_in(record, "dateutc")
    return nan if milliseconds is None else milliseconds / 1000


def number_or(value: float, other: float) -> float:
    """Return a value, or another if it is not a number."""
    return value if value == value else other  # noqa: PLR0124 -- how NaN is told


def plain(mac: str) -> str:
    """Return an address as it stands in the names of series."""
    return str(mac).replace(":", "")
