"""The records of runs."""

from typing import Annotated, Any, Final

import msgspec

from ingestd.web.call import Call, Nothing, Route, get, number_in
from ingestd.web.problems import Refusal


class RunsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which runs to list.

    Attributes:
        collector: Those of one collector, or None for all.
        limit: How many at most.
        before: Only those with a lower number, for the next page.
        failing: Whether only those that failed are wanted.
    """

    collector: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    before: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    failing: bool = False


async def runs(call: Call[RunsQuery, Nothing]) -> list[dict[str, Any]]:
    """List runs, the newest first."""
    query = call.query
    found = await call.daemon.states.runs(
        query.collector, limit=query.limit, before=query.before, failing=query.failing
    )
    return [record.as_dict() for record in found]


async def run(call: Call[Nothing, Nothing]) -> dict[str, Any]:
    """Return the record of one run."""
    number = number_in(call)
    record = None if number is None else await call.daemon.states.run(number)
    if record is None:
        raise Refusal(404, f"no run {call.path['id']} on record; old ones are forgotten")
    return record.as_dict()


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/runs", runs, query=RunsQuery),
    get("/api/v1/runs/{id}", run),
)
