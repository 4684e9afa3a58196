"""Backfills: what is read anew, how far it has come, asking for one and giving one up."""

from typing import Annotated, Any, Final

import msgspec

from ingestd.backfilling import DEFAULT_CHUNK, Absence, absent
from ingestd.web.call import Call, Nothing, Route, get, number_in, post
from ingestd.web.problems import Refusal

# What a datetime can say; beyond it no store has a reading.
Time = Annotated[float, msgspec.Meta(ge=-62_135_596_800, le=253_402_300_800)]


class BackfillsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which backfills to list.

    Attributes:
        collector: Those of one collector, or None for all.
        limit: How many at most.
    """

    collector: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100


class BackfillBody(msgspec.Struct, forbid_unknown_fields=True):
    """What to read anew.

    Attributes:
        collector: Whose plugin is to read it.
        spans: Starts and ends in seconds since the Unix epoch, in order and apart.
        chunk: The longest window that the plugin is given, in seconds.
        rate: The most readings in a second, or None for no limit.
    """

    collector: str
    spans: Annotated[list[tuple[float, float]], msgspec.Meta(min_length=1, max_length=10_000)]
    chunk: float = DEFAULT_CHUNK
    rate: float | None = None


class AbsentHole(msgspec.Struct, forbid_unknown_fields=True):
    """A stretch of a series of which the source has nothing.

    Attributes:
        series: The name of the series.
        tags: Its tags.
        start: The reading before it, in seconds since the Unix epoch.
        end: The reading behind it, likewise.
    """

    series: str
    tags: dict[str, str]
    start: Time
    end: Time


class Absent(msgspec.Struct, forbid_unknown_fields=True):
    """What the source of a collector has been asked for and does not have.

    Attributes:
        holes: Stretches of its series.
    """

    holes: Annotated[list[AbsentHole], msgspec.Meta(max_length=10_000)]


async def absences(call: Call[Nothing, Nothing]) -> list[dict[str, Any]]:
    """List what the source of a collector is known not to have."""
    return absent.as_json(await call.daemon.backfills.absent(_collector(call)))


async def note_absent(call: Call[Nothing, Absent]) -> dict[str, Any]:
    """Keep what the source of a collector does not have."""
    asked = call.daemon.clock.now()
    found = [
        Absence.in_seconds(each.series, each.tags, each.start, each.end, asked=asked)
        for each in call.body.holes
    ]
    await call.daemon.backfills.note_absent(_collector(call), found)
    return {"noted": len(found)}


async def backfills(call: Call[BackfillsQuery, Nothing]) -> list[dict[str, Any]]:
    """List backfills, the newest first."""
    all_of_them, query = call.daemon.backfills, call.query
    found = await all_of_them.listed(query.collector, limit=query.limit)
    return [all_of_them.told(each) for each in found]


async def backfill(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Return one of the backfills."""
    found = await call.daemon.backfills.find(_number(call))
    if found is None:
        raise _unknown(call)
    return call.daemon.backfills.told(found)


async def ask(call: Call[Nothing, BackfillBody]) -> dict[str, Any]:
    """Begin to read spans of time anew, or go on with them."""
    daemon, wanted = call.daemon, call.body
    if wanted.collector not in daemon.config.collectors:
        raise Refusal(404, f"no collector {wanted.collector!r}")
    asked = await daemon.backfills.ask(
        wanted.collector, wanted.spans, chunk=wanted.chunk, rate=wanted.rate
    )
    return daemon.backfills.told(asked)


async def cancel(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Give a backfill up; what it has read stays."""
    found = await call.daemon.backfills.cancel(_number(call))
    if found is None:
        raise _unknown(call)
    return call.daemon.backfills.told(found)


def _collector(call: Call[Any, Any]) -> str:
    name = call.path["name"]
    if name not in call.daemon.config.collectors:
        raise Refusal(404, f"no collector {name!r}")
    return name


def _number(call: Call[Any, Any]) -> int:
    number = number_in(call)
    if number is None:
        raise _unknown(call)
    return number


def _unknown(call: Call[Any, Any]) -> Refusal:
    return Refusal(404, f"no backfill {call.path['id']} on record; old ones are forgotten")


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/backfills", backfills, query=BackfillsQuery),
    get("/api/v1/backfills/{id}", backfill),
    post("/api/v1/backfills", ask, body=BackfillBody),
    post("/api/v1/backfills/{id}/cancel", cancel),
    get("/api/v1/collectors/{name}/absent", absences),
    post("/api/v1/collectors/{name}/absent", note_absent, body=Absent),
)
