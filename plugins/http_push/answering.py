"""One request: from its path to readings that are safe, and the answer."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from aiohttp import web

from .bodies import Bodies
from .formats.message import Found, Message, Pending
from .handshakes import PING, QUERY, State, handshake, ping, queried, statements_in
from .inbox import BusyError, Inbox
from .keys import ForeignPageError, KeyRefusedError, Keys, in_document, key_in_head
from .refusallog import RefusalLog
from .replies import STATUS, DecodeError, RateError, Replies
from .routes import Route, find

# Bodies larger than this are read in a thread, so that others get their turn.
LARGE_BYTES: Final = 16 * 1024


class Rate:
    """Lets so many requests a second in, and that many at once.

    Args:
        per_second: How many; None for any number.
    """

    def __init__(self, per_second: float | None) -> None:
        self._per_second = per_second
        self._most = max(per_second or 0.0, 1.0)
        self._left, self._since = self._most, time.monotonic()

    def check(self) -> None:
        """Count one request.

        Raises:
            RateError: It is one too many.
        """
        if self._per_second is None:
            return
        now = time.monotonic()
        self._left = min(self._most, self._left + (now - self._since) * self._per_second)
        self._since = now
        if self._left < 1:
            raise RateError(f"expected at most {self._per_second:g} requests a second")
        self._left -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """Answers requests.

    Attributes:
        ctx: The daemon's.
        prefix: What stands before every path.
        routes: What is answered.
        rate: Counts requests that may come.
        refusals: Counts the others, so that they are not at the cost of those.
        pool: Where large bodies are read.
        started: When it began to answer, in Unix seconds.
    """

    ctx: Any
    prefix: str
    routes: Sequence[Route]
    keys: Keys
    rate: Rate
    refusals: Rate
    bodies: Bodies
    inbox: Inbox
    replies: Replies
    refusal_log: RefusalLog
    pool: Executor
    started: float

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer a request; only who may send, and sends what can be taken, keeps a connection."""
        response, stays = await self._answer(request)
        if not stays:
            response.force_close()
        return response

    async def _answer(self, request: web.Request) -> tuple[web.StreamResponse, bool]:
        path = request.path.removeprefix(self.prefix)
        shaken = await self._handshake(request, path)
        if shaken is not None:
            return shaken, False
        found = find(self.routes, path)
        if found is None:
            text = f"nothing is taken here; try {self._paths()}"
            return web.Response(status=404, text=text), False
        route, named = found
        if request.method not in route.methods:
            allowed = ", ".join(route.methods)
            text = f"expected {allowed}, got {request.method}"
            return self.replies.wrong(route, 405, text, request, Allow=allowed), False
        try:
            return self.replies.taken(route, await self._take(request, route, named), request), True
        except tuple(STATUS) as error:
            return self._refused(request, route, error), isinstance(error, BusyError)
        except Exception:  # border: whichever bug a request meets, the others go on
            self.ctx.log.exception("a request met a bug", format=route.name)
            text = "a bug; the log of the daemon has the traceback"
            return self.replies.wrong(route, 500, text, request), False

    async def _handshake(self, request: web.Request, path: str) -> web.Response | None:
        """Return the answer to what libraries of InfluxDB ask before they write, or None."""
        route = next((each for each in self.routes if each.style == "influx"), None)
        if route is None:
            return ping(verbose=False) if path == PING else None
        if path != QUERY:
            now = self.ctx.now().timestamp()
            return handshake(path, request.query, State(self.started, now, self.inbox.problem()))
        try:
            with self._counting_refusals():
                self.keys.check_origin(request)
                self.keys.check(key_in_head(request, {}))
            body = await self.bodies.read(request)
        except tuple(STATUS) as error:
            return self._refused(request, route, error)
        return queried(statements_in(request.query, body, request.content_type))

    def _refused(self, request: web.Request, route: Route, error: Exception) -> web.Response:
        self.refusal_log.note(route.name, request.remote, error)
        return self.replies.refused(route, error, request)

    @contextmanager
    def _counting_refusals(self) -> Iterator[None]:
        try:
            yield
        except (ForeignPageError, KeyRefusedError):
            self.refusals.check()
            raise

    async def _take(self, request: web.Request, route: Route, named: Mapping[str, str]) -> Found:
        """Return what was found in a request, once it is safe.

        Raises:
            Exception: One of those that ``STATUS`` knows.
        """
        with self._counting_refusals():
            return await self._taken(request, route, named)

    async def _taken(self, request: web.Request, route: Route, named: Mapping[str, str]) -> Found:
        self.keys.check_origin(request)
        given = key_in_head(request, named)
        known = not route.checks_keys and (
            given is not None or not route.key_in_body or not self.keys.needed
        )
        if known:  # before anything is read
            self.keys.check(given)
            self.rate.check()
        self.inbox.check_room()
        body = await self.bodies.read(request, beside=route.compression)
        with self.inbox.holding(len(body)):
            read = partial(self._read, route, named, request, body, given)
            if len(body) > LARGE_BYTES or route.packed or "Content-Encoding" in request.headers:
                found = await asyncio.get_running_loop().run_in_executor(self.pool, read)
            else:
                found = read()
            if not known:
                self.rate.check()
            if found.pending is not None:
                found = await self._decoded(found.pending)
        if found.readings:
            await self.inbox.put(found.readings, size_bytes=found.size_bytes)
        if found.rejected:
            self.refusal_log.note_rejected(route.name, request.remote, found)
        return found

    async def _decoded(self, pending: Pending) -> Found:
        """Return what a file of the operator's finds.

        Raises:
            DecodeError: It fails: not by the sender's fault, who may send again once it is mended.
            FormatError: It gives no readings.
            BusyError: It gets no turn, or does not end, as long as the sender waits.
        """
        try:
            async with asyncio.timeout(self.inbox.within) as patience:
                given = await self.ctx.call(pending.file, **pending.arguments)
        except Exception as error:  # border: whatever the file does, the others go on
            if patience.expired():
                waited = f"{self.inbox.within:g} s"
                raise BusyError(f"{pending.file} has not decoded within {waited}") from None
            text = f"decode: {pending.file}: {type(error).__name__}: {error!s:.200}"
            raise DecodeError(text) from error
        return pending.finish(given["readings"])

    def _read(
        self,
        route: Route,
        named: Mapping[str, str],
        request: web.Request,
        body: bytes,
        given: str | None,
    ) -> Found:
        document = route.parse(body, request.query)
        if given is None and not route.checks_keys:
            self.keys.check(in_document(document))
        message = Message(
            query=request.query,
            named=named,
            document=document,
            now=self.ctx.now().timestamp(),
            most_bytes=self.bodies.most_bytes,
            most_held=self.inbox.most_bytes,
            content_type=request.content_type if "Content-Type" in request.headers else "",
            charset=request.charset,
            headers=request.headers,
            time_problem=self.ctx.time_problem,
        )
        return route.readings(message)

    def _paths(self) -> str:
        names = {
            "batch": "/readingdb/reading/store/",
            "influx": "/write",
            "readings": "/readings",
            "things": "/uplinks",
            "weather": "/data/report/",
        }
        own = [route.name for route in self.routes if route.name.startswith("/")]
        known = own + [
            path for name, path in names.items() if any(r.name == name for r in self.routes)
        ]
        return " or ".join(f"{self.prefix}{path}" for path in known) or "another path"
