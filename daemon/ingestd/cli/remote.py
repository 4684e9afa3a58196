"""Answers of a running daemon, over its HTTP API."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any, Final, Self, cast
from urllib.parse import quote

import aiohttp

from ingestd.cli.backend import BackfillRequest, Follow, Json, RunAsked
from ingestd.cli.exitcodes import ApiError
from ingestd.errors import ConfigError, Problem

ANSWER: Final = aiohttp.ClientTimeout(total=40)  # a store gets 30 for what is latest
# A run takes as long as it takes, and the daemon keeps its deadline.
RUN: Final = aiohttp.ClientTimeout(total=None)
TELL_PROGRESS: Final = 0.5  # seconds
HOLES_AT_ONCE: Final = 5_000  # half of what the API takes


class Remote:
    """Puts questions to a daemon.

    Args:
        http: A session that leads to the daemon.
        address: Where that is, for messages.
    """

    def __init__(self, http: aiohttp.ClientSession, address: str) -> None:
        self._http, self._address = http, address

    @classmethod
    @asynccontextmanager
    async def connect(cls, address: str, token: str | None) -> AsyncIterator[Self]:
        """Open a session.

        Args:
            address: ``http://host:port`` or ``unix:/path``.
            token: What the daemon asks of its callers, or None.
        """
        base, connector = address, None
        if address.startswith("unix:"):
            path = address.removeprefix("unix:")
            base, connector = "http://ingestd", aiohttp.UnixConnector(path)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with aiohttp.ClientSession(base, connector=connector, headers=headers) as http:
            yield cls(http, address)

    async def status(self) -> Json:
        """Say how everything is."""
        return cast("Json", await self._get("status"))

    async def collectors(self) -> list[Json]:
        """List the collectors."""
        return cast("list[Json]", await self._get("collectors"))

    async def run_now(self, collector: str) -> Json:
        """Run a collector and return the record of the run."""
        path = f"collectors/{_part(collector)}/run"
        record = await self._call("POST", path, json={}, timeout=RUN)
        stores = (await self.status())["stores"]
        down = {each["name"]: each["error"] for each in stores if each["health"] != "up"}
        return {**record, "unavailable": down}

    async def runs(
        self,
        *,
        collector: str | None,
        limit: int,
        before: int | None = None,
        failing: bool = False,
    ) -> list[Json]:
        """List runs, the newest first."""
        which = "true" if failing else None
        found = await self._get(
            "runs", collector=collector, limit=limit, before=before, failing=which
        )
        return cast("list[Json]", found)

    async def run(self, run_id: int) -> Json:
        """Return the record of one run."""
        return cast("Json", await self._get(f"runs/{run_id}"))

    async def ask_for_run(self, wanted: RunAsked, *, wait: bool) -> Json:
        """Ask for a run; look at it until it has ended, if that is wanted."""
        about = {"project": wanted.project, "trace": wanted.trace}
        body = {
            "collector": wanted.collector,
            "target": about if any(about.values()) else None,
            "input": wanted.input,
            "params": dict(wanted.params),
            "key": wanted.key,
            "commit": wanted.commit,
        }
        found: Json = await self._call("POST", "runs", json=body)
        while wait and found["status"] in {"PENDING", "RUNNING"}:
            await asyncio.sleep(TELL_PROGRESS)
            found = await self.requested_run(found["id"])
        return found

    async def requested_runs(
        self, *, collector: str | None, status: str | None, limit: int, before: str | None
    ) -> list[Json]:
        """List requested runs, the newest first."""
        query = {"collector": collector, "status": status, "limit": limit, "before": before}
        return cast("list[Json]", await self._get("runs", requested="true", **query))

    async def requested_run(self, name: str) -> Json:
        """Return a requested run."""
        return cast("Json", await self._get(f"runs/{_part(name)}"))

    async def run_result(self, name: str) -> Json:
        """Return what a requested run that has succeeded gave."""
        return cast("Json", await self._get(f"runs/{_part(name)}/result"))

    async def cancel_run(self, name: str) -> Json:
        """Give up a requested run, and return it."""
        return cast("Json", await self._call("DELETE", f"runs/{_part(name)}"))

    async def state(self, collector: str) -> Json:
        """Return what is remembered for a collector, what is hidden only counted."""
        return cast("Json", await self._get(f"state/{_part(collector)}"))

    async def reset(self, collector: str, *, masks: bool) -> None:
        """Forget what is remembered for a collector; which params are masked only if asked to."""
        await self._call("POST", f"state/{_part(collector)}/reset", json={"masks": masks})

    async def keep_hidden(self, collector: str, hidden: Mapping[str, Any]) -> None:
        """Give the next runs of a collector secrets, beside those that it has."""
        path = f"state/{_part(collector)}/hidden"
        await self._call("POST", path, json={"hidden": dict(hidden)})

    async def spool(self) -> list[Json]:
        """List what waits on disk for each store."""
        return cast("list[Json]", await self._get("spool"))

    async def move_spool(self, name: str, store: str, *, overwrite: bool) -> Json:
        """Give a store what waits for a former one; return how many readings of each kind."""
        body = {"store": name, "to": store, "overwrite": overwrite}
        return cast("Json", await self._call("POST", "spool/move", json=body))

    async def drop_spool(self, name: str) -> int:
        """Delete what waits for a former store; return how many readings."""
        return int((await self._call("POST", "spool/drop", json={"store": name}))["points"])

    async def dead_letters(self, *, store: str | None, after: int, limit: int) -> list[Json]:
        """List dead letters in the order of their numbers."""
        answer = await self._get("dead-letters", store=store, after=after, limit=limit)
        return cast("list[Json]", answer)

    async def retry(self, store: str, ids: Sequence[int] | None) -> int:
        """Queue dead letters again; return how many."""
        return await self._change("retry", store, ids)

    async def purge(self, store: str, ids: Sequence[int] | None) -> int:
        """Forget dead letters; return how many."""
        return await self._change("purge", store, ids)

    async def latest(self, *, within: float, series: str | None, store: str | None) -> list[Json]:
        """List the newest reading of each series that has one in so many seconds."""
        answer = await self._get("latest", within=within, series=series, store=store)
        return cast("list[Json]", answer)

    async def forget_series(self, collector: str, series: str, tags: Mapping[str, str]) -> bool:
        """Forget a series of a collector; say whether it was known."""
        path, body = f"collectors/{_part(collector)}/series/forget", {"series": series}
        answer = await self._call("POST", path, json={**body, "tags": dict(tags)})
        return bool(answer["forgotten"])

    async def series(self, collector: str) -> list[Json]:
        """List the series that a collector has given."""
        return cast("list[Json]", await self._get(f"collectors/{_part(collector)}/series"))

    async def backfills(self, collector: str | None = None) -> list[Json]:
        """List the backfills of one collector, or of all, the newest first."""
        return cast("list[Json]", await self._get("backfills", collector=collector))

    async def backfill(self, wanted: BackfillRequest, follow: Follow | None) -> Json:
        """Begin a backfill in the daemon; look at it until it ends, if ``follow`` is given."""
        body = {name: value for name, value in asdict(wanted).items() if value is not None}
        found: Json = await self._call("POST", "backfills", json=body)
        while follow is not None:
            follow(found)
            if found["ended"] is not None:
                break
            await asyncio.sleep(TELL_PROGRESS)
            found = await self._get(f"backfills/{found['id']}")
        return found

    async def cancel_backfill(self, number: int) -> Json:
        """Give up a backfill, and return how far it came."""
        return cast("Json", await self._call("POST", f"backfills/{number}/cancel", json={}))

    async def absent(self, collector: str) -> list[Json]:
        """List what the source of a collector is known not to have."""
        return cast("list[Json]", await self._get(f"collectors/{_part(collector)}/absent"))

    async def note_absent(self, collector: str, holes: Sequence[Json]) -> None:
        """Keep what the source of a collector does not have."""
        path = f"collectors/{_part(collector)}/absent"
        for at in range(0, len(holes), HOLES_AT_ONCE):
            await self._call("POST", path, json={"holes": holes[at : at + HOLES_AT_ONCE]})

    async def plugins(self) -> list[Json]:
        """List the plugins that have a name."""
        return cast("list[Json]", await self._get("plugins"))

    async def reload(self) -> Json:
        """Have the configuration read again; return ``changes`` and ``warnings``."""
        return cast("Json", await self._call("POST", "reload", json={}))

    async def _change(self, what: str, store: str, ids: Sequence[int] | None) -> int:
        body = {"store": store, "ids": None if ids is None else list(ids)}
        return int((await self._call("POST", f"dead-letters/{what}", json=body))["points"])

    async def _get(self, path: str, **query: Any) -> Any:
        params = {name: str(value) for name, value in query.items() if value is not None}
        return await self._call("GET", path, params=params)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        timeout: aiohttp.ClientTimeout = ANSWER,  # noqa: ASYNC109 -- aiohttp's own
        **options: Any,
    ) -> Any:
        try:
            async with self._http.request(
                method, f"/api/v1/{path}", timeout=timeout, **options
            ) as answer:
                if answer.ok:
                    return await answer.json()
                problem = await _problem(answer)
        except aiohttp.ServerDisconnectedError as exc:
            raise ApiError(f"{self._address}: the daemon ended before it had answered") from exc
        except (aiohttp.ClientError, TimeoutError, OSError) as exc:
            text = f"{self._address}: the daemon does not answer: {exc or type(exc).__name__}"
            raise ApiError(text) from exc
        if problem.get("problems"):
            raise ConfigError([_as_problem(each) for each in problem["problems"]])
        words = str(problem.get("detail") or problem.get("title") or answer.reason)
        if answer.status == 401:
            sent = "Authorization" in self._http.headers
            words = (
                "the daemon did not accept this configuration's daemon.token, expected the one "
                "that it was started with"
                if sent
                else "the daemon wants a token, expected daemon.token in this configuration"
            )
        raise ApiError(f"{self._address}: {words}", status=answer.status)


async def _problem(answer: aiohttp.ClientResponse) -> Json:
    """Return what a refusal says, in the daemon's own form if it has that."""
    try:
        problem = await answer.json(content_type=None)
    except ValueError:
        problem = None
    return problem if isinstance(problem, dict) else {"detail": f"HTTP {answer.status}"}


def _as_problem(value: object) -> Problem:
    if isinstance(value, Mapping):
        where, key, message = (str(value.get(each) or "") for each in ("where", "key", "message"))
        return Problem(where, key, message)
    return Problem("", "", str(value))


def _part(name: str) -> str:
    """Return a name as a part of a path."""
    return quote(name, safe="")
