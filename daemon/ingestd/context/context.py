"""``ctx``: what a plugin gets from the daemon so that it need not build it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime
from typing import Any, TypeVar

import aiohttp

from ingestd.clock import Clock
from ingestd.context.httplimits import HttpLimits
from ingestd.context.lent import BeingKept, Reader, RunningProgram, StartProgram, Stopping
from ingestd.context.mounts import Handler, Mounts
from ingestd.errors import PluginError
from ingestd.loop import shared_by_runs
from ingestd.model import MICROSECONDS, Receipt

T = TypeVar("T")


class Receipts:
    """The receipts of a run that are not settled yet.

    Attributes:
        points: How many points they are for.
    """

    def __init__(self) -> None:
        self.points = 0
        self._open: deque[Receipt] = deque()

    def add(self, receipt: Receipt) -> None:
        """Remember another receipt; forget those at the front that are settled."""
        self._forget_settled()
        self._open.append(receipt)
        self.points += receipt.points

    async def at_most(self, points: int) -> None:
        """Return when they are for so many points at most."""
        self._forget_settled()
        while self.points > points:
            await self._open[0].wait()
            self._forget_settled()

    async def settled(self) -> None:
        """Return when everything remembered so far is safe."""
        for receipt in list(self._open):
            await receipt.wait()

    def _forget_settled(self) -> None:
        while self._open and self._open[0].settled:  # those behind it follow soon
            self.points -= self._open.popleft().points


class Shared:
    """What collectors share beyond their own runs, such as a turn at one server.

    Attributes:
        mounts: What they answer below the daemon's own address.
        limits: What keeps their requests back.
    """

    def __init__(self) -> None:
        self.mounts = Mounts()
        self.limits = HttpLimits()
        self._made: dict[tuple[Any, ...], Any] = {}

    def get(self, make: Callable[..., T], *key: Any) -> T:
        """Return what ``make(*key)`` gave when it was first asked for with this key."""
        if (make, *key) not in self._made:
            with shared_by_runs():  # tasks that it starts go on when the run that asked has ended
                self._made[make, *key] = make(*key)
        found: T = self._made[make, *key]
        return found


class Context:
    """What a collector's plugin may ask of the daemon.

    Attributes:
        collector: The collector's name.
        log: A logger that says which collector and run it speaks for.
        stopping: True once the daemon is stopping.
        timezone: The IANA name of the collector's zone, or of the daemon's; None if none is known.
    """

    def __init__(  # noqa: PLR0913 -- what it lends are services of their own
        self,
        *,
        collector: str,
        log: Any,
        clock: Clock,
        receipts: Receipts,
        stopping: asyncio.Event,
        reader: Reader | None,
        http: Callable[[], aiohttp.ClientSession],
        shared: Shared,
        keep: Callable[[Mapping[str, Any]], asyncio.Event],
        note: Callable[[str], None],
        connection: Callable[[str, str], None],
        time_problem: Callable[[float], str] = lambda _: "",
        commit: Callable[[], Awaitable[bool]] | None = None,
        timezone: str | None = None,
        call: Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]] | None = None,
        time_left: Callable[[], float | None] = lambda: None,
        program: StartProgram | None = None,
    ) -> None:
        self._call, self._program, self._time_left = call, program, time_left
        self.collector, self.log = collector, log
        self.stopping = Stopping(stopping)
        self._clock, self._receipts, self._reader = clock, receipts, reader
        self._http, self._shared, self._keep = http, shared, keep
        self._note, self._commit = note, commit
        self.timezone = timezone
        self._connection, self._time_problem = connection, time_problem

    @property
    def http(self) -> aiohttp.ClientSession:
        """The collector's session, with its timeout, retries, rate and concurrency limits."""
        return self._http()

    def now(self) -> datetime:
        """Return the time, aware and in UTC."""
        return datetime.fromtimestamp(self._clock.now(), tz=UTC)

    def time_left(self) -> float | None:
        """Return how many seconds of its ``timeout`` the run has left, or None without one.

        Its clock stands still while the daemon deals with what it has yielded. A run that could
        go on for longer does well to end before: one that is stopped has failed.
        """
        return self._time_left()

    async def settled(self) -> None:
        """Return when everything yielded so far is safe: the place to ack a broker."""
        await self._receipts.settled()

    async def committed(self) -> bool:
        """Return when everything yielded so far is safe, and so is what is remembered after it.

        So is what earlier runs have yielded. It is the place to change a source in a way that
        could not be repeated, such as moving a file.

        Returns:
            Whether it is kept at all: False in a dry run, which must leave its source alone.
        """
        await self._receipts.settled()
        return self._commit is not None and await self._commit()

    def keep_hidden(
        self, hidden: Mapping[str, Any], *, delete_params: Iterable[str] = ()
    ) -> BeingKept:
        """Keep secrets at once, as a yielded result with nothing else would.

        But they wait for no readings on their way to the disk, and a run that is being
        cancelled, which can yield nothing any more, can still call this.

        Args:
            hidden: Updates what is hidden.
            delete_params: Names of params that are used up.

        Returns:
            What may be awaited, until they are on disk.

        Raises:
            ResultError: Something in it cannot be kept.
        """
        return BeingKept(self._keep({"hidden": hidden, "delete_params": [*delete_params]}))

    def note(self, text: str) -> None:
        """Put a line into the record of the run, for people; it is no failure.

        ``ingestd runs ID`` shows the first twenty.
        """
        self._note(text)

    def time_problem(self, seconds: float) -> str:
        """Say why a reading of a time would not be stored, or nothing, so that senders can be told.

        The collector's ``not_before`` and ``not_after`` decide.

        Args:
            seconds: Since the Unix epoch.
        """
        return self._time_problem(seconds)

    def connected(self, awaits: object = "") -> None:
        """Say that the stream's connection is up; a stream that never says so needs none.

        Args:
            awaits: What the stream waits for, such as ``messages of meters/#``. It is told
                of a collector that has never given a reading.
        """
        self._connection("", " ".join(str(awaits).split()))

    def disconnected(self, reason: object) -> None:
        """Say that the stream's connection is down, and why: the collector fails until it is up.

        For a stream that connects again by itself. One that cannot raises instead.
        """
        self._connection(" ".join(str(reason).split()) or "no reason given", "")

    def shared(self, make: Callable[..., T], *key: Any) -> T:
        """Return an object that all collectors of this daemon share.

        It is made by ``make(*key)`` when the first of them asks, and lasts as
        long as the daemon. A plugin file that is read again brings a new
        ``make``, and so gets new objects.
        """
        return self._shared.get(make, *key)

    async def call(self, file: str, **arguments: Any) -> Mapping[str, Any]:
        """Call the ``run`` of a Python file that the operator names, and return what it gives.

        It is an ordinary function, and runs as one that a collector has: in a process of its own,
        seeing what the collector may see, and read again when the file changes. It has 10 s.

        Args:
            file: The full path.
            arguments: What it is called with.

        Raises:
            PluginError: It fails, takes too long, or cannot be loaded.
        """
        if self._call is None:
            raise PluginError("ctx.call: expected a run, got a ctx that cannot call anything")
        return await self._call(file, arguments)

    def program(
        self,
        command: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        files: Sequence[str] = (),
        reads_output: bool = True,
        patience: float = 2.0,
    ) -> AbstractAsyncContextManager[RunningProgram]:
        """Run a program until the context ends, and all that it starts as well.

        It sees what an ordinary function of the collector would see, each of its processes has
        the collector's memory limit, and nothing that it has started outlives it, whatever
        becomes of the run and of the daemon. The end of what it wrote to standard error is in
        the record of the run.

        Args:
            command: The program and its arguments, none of which may be a secret: everyone on
                the machine can see them.
            cwd: Where it runs, or None for where the daemon does.
            env: What its environment has besides.
            files: What of the command it must be able to read, wherever that is.
            reads_output: Whether its output is read; else that goes where its errors go.
            patience: How long it has to end once it was asked to by SIGTERM, in seconds.

        Raises:
            PluginError: There is a secret among the arguments, or nothing can be started here.
        """
        if self._program is None:
            raise PluginError("ctx.program: expected a run, got a ctx that cannot start anything")
        return self._program(
            [*command],
            cwd=cwd,
            env=env or {},
            files=[*files],
            reads_output=reads_output,
            patience=patience,
        )

    def mount(self, prefix: str, handler: Handler) -> AbstractContextManager[str]:
        """Answer the requests below a prefix of the daemon's own address, until the context ends.

        The context gives that address. The handler is a coroutine function from an
        aiohttp request to a response. Neither the sender nor the size of a request
        is checked before: that is up to the handler.

        Args:
            prefix: A path such as ``/push``, at which neither the daemon nor another
                collector answers.
            handler: Gets each request with its full path.

        Raises:
            PluginError: The context is entered where that cannot be.
        """
        return self._shared.mounts.mounted(prefix, handler)

    async def query(
        self,
        series: str,
        *,
        start: datetime,
        end: datetime | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Sequence[tuple[float, str, float, dict[str, str]]]:
        """Read points back from the first store, for derived series.

        Args:
            series: The name of the series.
            start: The first time wanted, aware.
            end: The first time not wanted; None means now.
            tags: Only points that carry all of these.

        Returns:
            Readings ``(Unix seconds, series, value, tags)``, in time order.

        Raises:
            QueryError: The store could not answer.
        """
        if self._reader is None:
            return []
        points = await self._reader.read(
            series,
            start_us=round(start.timestamp() * MICROSECONDS),
            end_us=round((end or self.now()).timestamp() * MICROSECONDS),
            tags=dict(tags or {}),
        )
        return [(p.time_us / MICROSECONDS, p.series, p.value, p.tags) for p in points]
