"""Runs: the records of those that have ended, and those that were asked for."""

from typing import Annotated, Any, Final

import msgspec

from ingestd.requesting import RequestedRunJson, RequestStatus, Selection, number_of
from ingestd.web import requests
from ingestd.web.call import Call, Nothing, Route, get, number_in
from ingestd.web.problems import Refusal

Id = Annotated[str, msgspec.Meta(pattern=r"^(r-)?[1-9][0-9]{0,15}$")]


class RunsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which runs to list.

    Attributes:
        collector: Those of one collector, or None for all.
        limit: How many at most.
        before: Only those with a lower number, for the next page.
        failing: Whether only those that failed are wanted.
        requested: Whether requested runs are wanted, also those that have not ended.
        status: Requested runs that stand so.
        project: Requested runs about a project.
        trace: Requested runs about a trace.
        after: Requested runs with a higher number, the oldest first.
    """

    collector: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    before: Id | None = None
    failing: bool = False
    requested: bool = False
    status: RequestStatus | None = None
    project: str | None = None
    trace: str | None = None
    after: Id | None = None

    @property
    def about_requests(self) -> bool:
        """Whether what is wanted can only be said of requested runs."""
        given = (self.status, self.project, self.trace, self.after)
        return self.requested or any(each is not None for each in given)


async def runs(
    call: Call[RunsQuery, Nothing],
) -> list[RequestedRunJson] | list[dict[str, Any]]:
    """List runs, the newest first; with what only requested runs have, these."""
    query = call.query
    if query.about_requests:
        return await _requested(call)
    before = None if query.before is None else _number(query.before)
    found = await call.daemon.states.runs(
        query.collector, limit=query.limit, before=before, failing=query.failing
    )
    return [record.as_dict() for record in found]


async def _requested(call: Call[RunsQuery, Nothing]) -> list[RequestedRunJson]:
    query = call.query
    status = RequestStatus.FAILED if query.failing and query.status is None else query.status
    wanted = Selection(
        collector=query.collector,
        status=status,
        project=query.project,
        trace=query.trace,
        before=None if query.before is None else _number(query.before),
        after=None if query.after is None else _number(query.after),
        limit=query.limit,
    )
    found = await call.daemon.requests.listed(wanted)
    return [requests.told(call, each) for each in found]


async def run(call: Call[Nothing, Nothing]) -> RequestedRunJson | dict[str, Any]:
    """Return the record of one run, or a requested run."""
    if number_of(call.path["id"]) is not None:
        return requests.told(call, await requests.found(call))
    number = number_in(call)
    record = None if number is None else await call.daemon.states.run(number)
    if record is None:
        raise Refusal(404, f"no run {call.path['id']} on record; old ones are forgotten")
    return record.as_dict()


def _number(written: str) -> int:
    return int(written.removeprefix("r-"))


ROUTES: Final[tuple[Route, ...]] = (
    get("/api/v1/runs", runs, query=RunsQuery),
    get("/api/v1/runs/{id}", run),
)
