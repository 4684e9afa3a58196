"""A server on a real socket that answers as InfluxDB 2 does, well or badly.

It reads line protocol with a parser of its own, keeps what it reads by series
and time, and knows as much Flux as the daemon speaks. What it should do wrong is
a script, used up request by request, or a state it stays in::

    server.script += [answer(503, retry_after="3s"), HANG]
    server.always = answer(401)
    server.refuse = lambda line: "no such sensor" if "bad" in line else ""
"""

import asyncio
import csv
import io
import re
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Self

import pytest
from aiohttp import web

from tests.support.ports import free_port

NANOSECONDS: Final = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}

# (measurement, tags with series among them, field, time in nanoseconds)
Key = tuple[str, frozenset[tuple[str, str]], str, int]


@dataclass(frozen=True)
class Behaviour:
    """What the server does instead of its work.

    Attributes:
        status: The status it answers with; 0 to go on as usual.
        text: The body of its answer.
        headers: More headers.
        stores: Whether it stores what it can before it answers.
        delay: How long it waits first, in seconds.
        hangs: Whether it never answers.
        resets: Whether it breaks the connection.
        gate: What it waits for before it works as usual or answers with its status, or None.
    """

    status: int = 0
    text: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    stores: bool = False
    delay: float = 0
    hangs: bool = False
    resets: bool = False
    gate: asyncio.Event | None = None


HANG: Final = Behaviour(hangs=True)
RESET: Final = Behaviour(resets=True)
RESET_AFTER_STORING: Final = Behaviour(resets=True, stores=True)
LOGIN_PAGE: Final = Behaviour(302, headers={"Location": "/login?next=x"})
WEB_PAGE: Final = Behaviour(200, "<html>Welcome</html>", {"Content-Type": "text/html"})


def slow(seconds: float) -> Behaviour:
    """Work as usual, but later."""
    return Behaviour(delay=seconds)


def answer(
    status: int,
    text: str = "",
    *,
    retry_after: str = "",
    stores: bool = False,
    gate: asyncio.Event | None = None,
) -> Behaviour:
    """Answer with a status, in InfluxDB 2's words unless others are given."""
    code, message = WORDS.get(status, ("internal error", "something went wrong"))
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if retry_after:
        headers["Retry-After"] = retry_after
    return Behaviour(status, text or problem(code, message), headers, stores, gate=gate)


def held_until(gate: asyncio.Event) -> Behaviour:
    """Work as usual, but only when an event comes."""
    return Behaviour(gate=gate)


WORDS: Final = {
    401: ("unauthorized", "unauthorized access"),
    403: ("forbidden", "insufficient permissions for write"),
    404: ("not found", 'bucket "energy" not found'),
    413: ("request too large", "unable to read data: points batch is too large"),
    422: ("unprocessable entity", "failure writing points to database"),
    429: ("too many requests", "org 0 has exceeded limited_write plan limit"),
    503: ("unavailable", "engine is overloaded"),
}


def problem(code: str, message: str) -> str:
    """Return an error as the server writes it."""
    return web.json_response({"code": code, "message": message}).text or ""


class Influx2:
    """The server.

    Attributes:
        url: Where it is.
        token: What a request must carry.
        script: What it does with the next writes, one each; then it works as usual.
        always: What it does with every write while the script is empty, or None.
        refuse: Why it refuses a line, or an empty string.
        fails_over: Whether it fails with 500 over some lines.
        largest: The most bytes, inflated, that it takes at once.
        stored: What it holds, by bucket.
        writes: How many write requests came, answered or not.
        bodies: The lines of each of them.
    """

    def __init__(self, *, token: str = "secret", org: str = "campus") -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        self.token, self.org = token, org
        self.script: deque[Behaviour] = deque()
        self.always: Behaviour | None = None
        self.refuse: Callable[[str], str] = lambda _line: ""
        self.fails_over: Callable[[Sequence[str]], bool] = lambda _lines: False
        self.largest = 50_000_000
        self.stored: dict[str, dict[Key, float]] = {}
        self.writes = 0
        self.bodies: list[list[str]] = []
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen, on the same port each time; what was stored is still there."""
        app = web.Application(client_max_size=2**30)
        app.router.add_post("/api/v2/write", self._write)
        app.router.add_post("/api/v2/query", self._query)
        app.router.add_get("/login", login)
        app.router.add_get("/api/v2/orgs", self._orgs)
        app.router.add_get("/api/v2/buckets", self._buckets)
        app.router.add_post("/api/v2/buckets", self._make_bucket)
        self._runner = web.AppRunner(app, shutdown_timeout=0.01, handler_cancellation=True)
        await self._runner.setup()
        port = int(self.url.rpartition(":")[2])
        await web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True).start()

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def make_bucket(self, name: str) -> None:
        """Create a bucket."""
        self.stored.setdefault(name, {})

    def values(self, bucket: str) -> dict[tuple[str, int], float]:
        """Return what a bucket holds: (series, time in microseconds) -> value."""
        return {
            (dict(tags).get("series", ""), time_ns // 1000): value
            for (_, tags, _, time_ns), value in self.stored[bucket].items()
        }

    async def _write(self, request: web.Request) -> web.StreamResponse:
        self.writes += 1
        text = (await request.read()).decode()
        self.bodies.append([line for line in text.split("\n") if line])
        behaviour = self.script.popleft() if self.script else (self.always or Behaviour())
        if self.fails_over(self.bodies[-1]):
            behaviour = answer(500)
        if behaviour.stores:
            self._take(request, text)
        if behaviour.delay:
            await asyncio.sleep(behaviour.delay)
        if behaviour.gate is not None:
            await behaviour.gate.wait()
        if behaviour.hangs:
            await asyncio.Event().wait()
        if behaviour.resets:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if behaviour.status:
            return web.Response(
                status=behaviour.status, body=behaviour.text.encode(), headers=behaviour.headers
            )
        return self._take(request, text)

    def _take(self, request: web.Request, text: str) -> web.Response:
        """Store a body and answer as the server would."""
        if denied := self._denied(request):
            return denied
        bucket = request.query.get("bucket", "")
        if bucket not in self.stored:
            return say(404, "not found", f'bucket "{bucket}" not found')
        if len(text) > self.largest:
            return say(413, "request too large", "unable to read data: points batch is too large")
        scale = NANOSECONDS[request.query.get("precision", "ns")]
        points: dict[Key, float] = {}
        lines = [line for line in text.split("\n") if line and not line.startswith("#")]
        refused = [(line, why) for line in lines if (why := self.refuse(line))]
        for line in lines:
            try:
                key, value = parse(line, scale)
            except ValueError as exc:
                return say(400, "invalid", f"unable to parse '{line}': {exc}")
            if not self.refuse(line):
                points[key] = value
        self.stored[bucket].update(points)
        if refused:
            why = f"partial write: {refused[0][1]} dropped={len(refused)}"
            return say(422, "unprocessable entity", f"failure writing points to database: {why}")
        return web.Response(status=204)

    async def _query(self, request: web.Request) -> web.Response:
        if denied := self._denied(request):
            return denied
        flux = (await request.json())["query"]
        try:
            found = [*ask(flux, self.stored)]
        except KeyError as exc:
            return say(404, "not found", f"could not find bucket {exc}")
        return web.Response(text=as_csv(found), content_type="text/csv")

    async def _orgs(self, request: web.Request) -> web.Response:
        if denied := self._denied(request):
            return denied
        return web.json_response({"orgs": [{"id": "0000000000000001", "name": self.org}]})

    async def _buckets(self, request: web.Request) -> web.Response:
        if denied := self._denied(request):
            return denied
        wanted = request.query.get("name")
        found = [name for name in self.stored if wanted in {None, name}]
        return web.json_response({"buckets": [as_bucket(name) for name in found]})

    async def _make_bucket(self, request: web.Request) -> web.Response:
        if denied := self._denied(request):
            return denied
        name = (await request.json())["name"]
        if name in self.stored:
            return say(422, "conflict", f"bucket with name {name} already exists")
        self.make_bucket(name)
        return web.json_response(as_bucket(name), status=201)

    def _denied(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") != f"Token {self.token}":
            return say(401, "unauthorized", "unauthorized access")
        return None


async def login(_request: web.Request) -> web.Response:
    """Answer a client that followed the redirect; it is not a success."""
    return web.Response(text="please log in")


def say(status: int, code: str, message: str) -> web.Response:
    """Answer with an error."""
    return web.json_response({"code": code, "message": message}, status=status)


def as_bucket(name: str) -> dict[str, Any]:
    """Return a bucket as the API describes it."""
    return {
        "id": "00000000000000aa",
        "name": name,
        "orgID": "0000000000000001",
        "retentionRules": [],
    }


def parse(line: str, scale: int) -> tuple[Key, float]:
    """Read a line with one float field; refuse what the real server refuses.

    Raises:
        ValueError: It is not such a line.
    """
    parts = cut(line, " ")
    if len(parts) != 3:
        raise ValueError("missing fields")
    head, pair, time = parts
    measurement, *tags = cut(head, ",")
    pairs = [cut(tag, "=") for tag in tags]
    if any(len(each) != 2 or not all(each) for each in pairs):
        raise ValueError("missing tag value")
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("duplicate tags")
    name, number = cut(pair, "=")
    if not re.fullmatch(r"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", number):
        raise ValueError("invalid number")
    identity = frozenset((plain(key), plain(value)) for key, value in pairs)
    return (plain(measurement), identity, plain(name), int(time) * scale), float(number)


def cut(text: str, separator: str) -> list[str]:
    """Cut a text at every separator that no backslash precedes."""
    return re.split(rf"(?<!\\){separator}", text)


def plain(text: str) -> str:
    """Undo the escapes; any other backslash stands for itself."""
    if text.endswith("\\"):
        raise ValueError("invalid tag format")
    return re.sub(r"\\([,= ])", r"\1", text)


def ask(flux: str, stored: Mapping[str, Mapping[Key, float]]) -> Iterator[tuple[Key, float]]:
    """Yield what a question finds: one bucket, a range, equal tags, perhaps the last ones."""
    bucket = stored[literal(re.search(r'from\(bucket: ("(?:\\.|[^"])*")\)', flux)[1])]  # type: ignore[index]
    start = int(re.search(r"start: time\(v: (-?\d+)\)", flux)[1])  # type: ignore[index]
    end = re.search(r"stop: time\(v: (-?\d+)\)", flux)
    wanted = re.findall(r'r\[("(?:\\.|[^"])*")\] == ("(?:\\.|[^"])*")', flux)
    tags = {(literal(key), literal(value)) for key, value in wanted}
    found = {
        key: value
        for key, value in bucket.items()
        if start <= key[3] < (int(end[1]) if end else 2**63) and tags <= key[1]
    }
    if "last()" in flux:
        newest = {key[:3]: key for key in sorted(found, key=lambda key: key[3])}
        found = {key: found[key] for key in newest.values()}
    yield from sorted(found.items(), key=lambda item: (str(item[0][:3]), item[0][3]))


def literal(text: str) -> str:
    """Read a Flux string."""
    return re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t"}.get(m[1], m[1]), text[1:-1])


def as_csv(found: list[tuple[Key, float]]) -> str:
    """Return points as annotated CSV, a table for each series."""
    out = io.StringIO()
    table, before = -1, None
    for (measurement, tags, name, time_ns), value in found:
        names = sorted(key for key, _ in tags)
        if (measurement, tags, name) != before:
            table, before = table + 1, (measurement, tags, name)
            types = ["string", "long", "dateTime:RFC3339", "double", *["string"] * (2 + len(names))]
            header = ["result", "table", "_time", "_value", "_field", "_measurement", *names]
            groups = ["false", "false", "false", "false", *["true"] * (2 + len(names))]
            defaults = ["_result", *[""] * (len(header) - 1)]
            writer = csv.writer(out, lineterminator="\r\n")
            out.write("\r\n" if table else "")
            writer.writerows(
                [["#datatype", *types], ["#group", *groups], ["#default", *defaults], ["", *header]]
            )
        when = datetime.fromtimestamp(time_ns // 1_000_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        fraction = f"{time_ns % 1_000_000_000:09d}".rstrip("0")
        stamp = f"{when}.{fraction}Z" if fraction else f"{when}Z"
        texts = dict(tags)
        writer.writerow(
            ["", "", table, stamp, repr(value), name, measurement, *(texts[key] for key in names)]
        )
    return out.getvalue()


@pytest.fixture
async def influx2() -> AsyncIterator[Influx2]:
    """Give such a server, without any bucket."""
    async with Influx2() as server:
        yield server
