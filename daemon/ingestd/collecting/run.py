"""One run: calls the plugin, hands over what it gives, and counts what happened."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from ingestd.calling import CallOptions, OwnTime, Plugin, PluginResult, results
from ingestd.collecting.committer import StateCommitter
from ingestd.collecting.helping import Helpers
from ingestd.collecting.instants import CONTRADICTION, Past
from ingestd.collecting.points import NO_VALUE, SAMPLES, Conversion
from ingestd.collecting.setup import RunSetup
from ingestd.collecting.starting import Started
from ingestd.collecting.vitals import Pulse
from ingestd.context import Context, Http, Receipts
from ingestd.contract import (
    Memory,
    Result,
    arguments,
    reading_as_builtins,
    reconciled,
    remember,
    remember_secrets,
    take_apart,
)
from ingestd.errors import StoresChanged
from ingestd.model import Point, Priority, Receipt
from ingestd.records import Outcome, RunRecord

# A list of millions is handed over in slices, so that the event loop stays alive.
SLICE: Final = 20_000
# What people read of a run fits on a page, however much a plugin says.
MOST_NOTES: Final = 20
LONGEST_NOTE: Final = 1000  # characters
LONGEST_OUTPUT: Final = 16 * 1024  # characters


@dataclass(slots=True)
class RunCounts:
    """What a run has given so far.

    Attributes:
        readings: All of them.
        points: Those that can be stored.
        unusable: Readings that cannot be stored, by reason.
        samples: A few of those, told for people.
        first: The first of them for each reason.
        degraded: What the plugin itself reported as wrong.
        unread: The series that it is about, or None if that may be any.
        notes: What the plugin tells people besides.
        output: The end of what it printed.
    """

    readings: int = 0
    points: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    first: dict[str, str] = field(default_factory=dict)
    degraded: str = ""
    unread: set[str] | None = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    output: str = ""

    def degrade(self, result: Result) -> None:
        """Note what a result reports as wrong, if it reports anything."""
        if not result.degraded:
            return
        self.degraded = result.degraded
        if self.unread is not None:
            self.unread = self.unread | result.unread if result.unread else None

    @property
    def all_unusable(self) -> bool:
        """Whether there were readings with a value, and not one of them can be stored."""
        return not self.points and self.unusable.total() > self.unusable[NO_VALUE]

    def judge(self, record: RunRecord) -> None:
        """Note in the record of a run that came to its end whether that was a good one."""
        record.outcome = Outcome.DEGRADED if self.degraded else Outcome.OK
        if self.all_unusable:
            record.outcome, record.error = Outcome.FAILED, self.unusable_text()

    def unusable_text(self) -> str:
        """Tell how many readings are unusable, by reason, with one of each.

        A stream has perhaps given usable ones before.
        """
        reasons = [
            f"{number} by {reason}" + (f" ({self.first[reason]})" if reason in self.first else "")
            for reason, number in self.unusable.most_common()
        ]
        which = f"{self.unusable.total()} of {self.readings} readings are unusable"
        if not self.points:
            which = f"not one of {self.readings} readings is usable"
        return f"{which}: {', '.join(reasons)}"


@dataclass(slots=True, kw_only=True)
class Run:
    """One call of a collector's plugin.

    Attributes:
        plugin: What is called.
        setup: What every run of the collector is made of.
        options: How the plugin is called.
        http: Makes the session that ``ctx.http`` gives.
        started: When it began, in seconds since the Unix epoch.
        counts: What it has given so far.
        pulse: What it shows of itself while it goes on.
        receipts: Those of its points that are not settled yet.
        stores: The names of the stores that its points go to: those that were configured when
            it began. A stream goes on for years, so it begins anew with each of its results.
        hidden: The secrets that it knows: what it began with, and what it has given since.
    """

    plugin: Plugin
    setup: RunSetup
    options: CallOptions
    http: Http
    started: float
    pulse: Pulse
    counts: RunCounts = field(default_factory=RunCounts)
    receipts: Receipts = field(default_factory=Receipts)
    stores: frozenset[str] = frozenset()
    hidden: Mapping[str, Any] = field(default_factory=dict, repr=False)
    _past: Past = field(init=False, repr=False)
    _own_time: OwnTime = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Learn what is known of the readings before those of the run."""
        self._past = self._known_past()
        self._own_time = OwnTime(self.options.timeout)

    def _known_past(self) -> Past:
        watch, clock = self.setup.watch, self.setup.services.clock
        return Past(known=lambda each: watch.newest_of(each, wall=clock.now()))

    async def collect(self) -> None:
        """Call the plugin to its end.

        Raises:
            PluginError: The run failed, in the way that its class says.
        """
        self.stores = self.setup.services.buffer.stores
        memory = self.setup.committer.memory
        self.hidden = deepcopy(memory.hidden)  # the plugin may change what it gets in place
        self._hide(memory.hidden)
        remembered = arguments(memory, self._params, fingerprint=self._fingerprint)
        kwargs = {**remembered, **self._overrides, **self._extras()}
        options = replace(self.options, note=self._note, own_time=self._own_time)
        async with aclosing(results(self.plugin, kwargs, options)) as everything:
            async for given in everything:
                await self._take(given)

    def keep_hidden(self, given: Mapping[str, Any]) -> asyncio.Event:
        """Remember the secrets of a result at once, ahead of all readings.

        Returns:
            What is set when they are on disk.

        Raises:
            ResultError: They cannot be kept.
        """
        result = take_apart(given)
        self._hide(result.hidden)
        self.hidden = {**self.hidden, **result.hidden}
        return self._committer.amend(self._with_secrets_of(result))

    async def _take(self, given: PluginResult) -> None:
        """Hand over one result: its points to the buffer, its state to the committer.

        Raises:
            StoresChanged: Not every store took its points, so its state is not remembered.
        """
        result = take_apart(given.result, hosted=self.options.host is not None)
        self._hide(result.hidden)
        if self._endless:  # each result of a stream tells how things are by then
            self._past.points = ()
        self.counts.output = given.output or self.counts.output
        self.counts.degrade(result)
        priority = self._priority(given, result)
        receipts = [
            receipt
            for start in range(0, len(result.readings), self._slice)
            if (receipt := await self._put(result.readings[start : start + self._slice], priority))
        ]
        self._check_stores(result, receipts)
        up_to_date = reconciled(result, began=self.hidden, now=self._committer.memory.hidden)
        self.hidden = {**self.hidden, **result.hidden}
        self._keep(given, up_to_date, receipts)
        if given.yielded:
            await asyncio.sleep(0)  # one that never waits must not keep the others from running

    def _check_stores(self, result: Result, receipts: Sequence[Receipt]) -> None:
        """Refuse to go on from points that some store did not take; keep the secrets alone.

        Raises:
            StoresChanged: There are such points.
        """
        if missing := sorted({name for receipt in receipts for name in receipt.missing}):
            self._committer.amend(self._with_secrets_of(result))
            raise StoresChanged(
                f"stores: {', '.join(missing)} removed or renamed while this ran, so its position "
                "does not move and the next run reads the same again"
            )
        if self._endless:
            self.stores = self.setup.services.buffer.stores

    @property
    def _endless(self) -> bool:
        """Whether the run goes on until it is stopped."""
        return self.setup.stream

    def _with_secrets_of(self, result: Result) -> Callable[[Memory], Memory]:
        """Return what makes of any memory the one that knows the secrets of a result, too."""
        return partial(
            remember_secrets, result=result, params=self._params, fingerprint=self._fingerprint
        )

    def _hide(self, secrets: Mapping[str, Any]) -> None:
        """Take care that no log and no answer tells secrets."""
        self.setup.services.redactor.add(secrets.values(), owner=self.setup.config.name)

    def _extras(self) -> dict[str, Any]:
        """Return the arguments that only the daemon can give, if the plugin declares them."""
        plugin = self.plugin
        extras: dict[str, Any] = {
            name: None if seconds is None else timedelta(seconds=seconds)
            for name, seconds in self.setup.config.revisits.items()
            if plugin.wants(name)
        }
        if plugin.wants_window:
            extras |= dict(zip(("start", "end"), self._span, strict=True))
        if plugin.wants_ctx:
            extras["ctx"] = self._context()
        return extras

    def _context(self) -> Context:
        services, zone = self.setup.services, self.setup.config.timezone
        return Context(
            collector=self.setup.config.name,
            log=self.options.log,
            clock=services.clock,
            receipts=self.receipts,
            stopping=services.stopping,
            reader=services.reader,
            http=self.http,
            shared=services.shared,
            keep=self.keep_hidden,
            commit=self._committed,
            note=self._note,
            connection=self._note_connection,
            time_problem=self._time_problem,
            timezone=None if zone is None else zone.key,
            call=Helpers(self.setup, self.options).call,
            time_left=self._own_time.left,
            program=Started(self.setup, printed=self._printed).program,
        )

    async def _committed(self) -> bool:
        """Return when all that is remembered is on disk; say whether it stays there."""
        await self._committer.committed()
        return self.setup.services.keeps

    def _time_problem(self, seconds: float) -> str:
        return self.setup.naming().time_problem(seconds, now=self.setup.services.clock.now())

    def _note_connection(self, problem: str, awaits: str) -> None:
        """Note what the plugin says of its connection: why it is down, or what it waits for."""
        redactor, owner = self.setup.services.redactor, self.setup.config.name
        self.pulse.connection(
            redactor.text(problem, owner=owner), redactor.text(awaits, owner=owner)
        )

    def _note(self, text: str) -> None:
        """Keep a line for the record, once, unless there are too many already."""
        line = f"{text:.{LONGEST_NOTE}}"
        if len(self.counts.notes) < MOST_NOTES and line not in self.counts.notes:
            self.counts.notes.append(line)

    def _printed(self, text: str) -> None:
        """Keep the end of what a program of the run has printed for its record."""
        self.counts.output = (self.counts.output + text)[-LONGEST_OUTPUT:]

    @property
    def _span(self) -> tuple[datetime | None, datetime | None]:
        """The window of the past that the plugin is asked for; a scheduled run has none."""
        return None, None

    @property
    def _params(self) -> Mapping[str, Any]:
        return self.setup.config.params

    @property
    def _overrides(self) -> Mapping[str, Any]:
        """What is laid over everything that is configured and remembered: nothing by default."""
        return {}

    @property
    def _fingerprint(self) -> Callable[[Any], str]:
        return self.setup.services.states.fingerprint

    @property
    def _committer(self) -> StateCommitter:
        return self.setup.committer

    @property
    def _slice(self) -> int:
        """How many readings are handed over at a time."""
        return SLICE

    @property
    def _most(self) -> int:
        """How many points the run may hold in the buffer."""
        return self.setup.services.buffer.most_of_run

    def _priority(self, given: PluginResult, result: Result) -> Priority:
        """Tell from a result whether its source can be asked again."""
        remembers = result.remembers and dated(result.readings)
        return Priority.SOURCE_KEEPS if given.yielded or remembers else Priority.DROPPABLE

    def _keep(self, given: PluginResult, result: Result, receipts: Sequence[Receipt]) -> None:
        """Remember what the plugin wants to be remembered, behind its readings."""
        memory = remember(
            self._committer.memory,
            result,
            yielded=given.yielded,
            params=self._params,
            fingerprint=self._fingerprint,
        )
        self._committer.commit_behind(memory, receipts)

    async def _put(self, readings: Sequence[Any], priority: Priority) -> Receipt | None:
        """Count some readings and put their points into the buffer, if there are any."""
        found = self._sort(readings)
        counts = self.counts
        counts.readings += len(readings)
        counts.points += len(found.points)
        counts.unusable += found.unusable
        counts.samples += found.samples[: SAMPLES - len(counts.samples)]
        counts.first = {**found.first, **counts.first}
        if CONTRADICTION in found.first and not counts.degraded:
            counts.degraded = found.first[CONTRADICTION]
        receipt = None
        if found.newest_us is not None:
            receipt = await self._waited(self._buffered(found.points, priority))
            self.receipts.add(receipt)
        self._follow(readings, found)
        if len(readings) == self._slice:  # more of them may follow
            await asyncio.sleep(0)
        return receipt

    async def _waited(self, put: Awaitable[Receipt]) -> Receipt:
        """Return what comes of handing points over, and show meanwhile that this waits."""
        self.pulse.waits_since = self.setup.services.clock.monotonic()
        try:
            return await put
        finally:
            self.pulse.waits_since = None

    def _follow(self, readings: Sequence[Any], found: Conversion) -> None:
        """Note how far each series has come."""
        clock = self.setup.services.clock
        now = clock.monotonic()
        if readings:
            self.pulse.gave(usable=bool(found.points), now=now)
        if found.newest_us is not None:
            self.setup.watch.note(found.newest, found.newest_us, now=now, wall=clock.now())

    async def _buffered(self, points: Sequence[Point], priority: Priority) -> Receipt:
        """Put points into the buffer, waiting for room there and in the run's own part of it."""
        buffer = self.setup.services.buffer
        if self.receipts.points:  # most runs give all they have at once
            await self.receipts.at_most(max(0, self._most - len(points)))
        return await buffer.put(points, priority=priority, stores=self.stores)

    def _sort(self, readings: Sequence[Any]) -> Conversion:
        """Make points of readings, by the rules of the plugin's host first if it has one."""
        now, naming = self.setup.services.clock.now(), self.setup.naming()
        host = self.options.host
        if host is None:
            return naming.sort(readings, now=now, past=self._past)
        converted = host.convert(map(reading_as_builtins, readings), now=now)
        found = naming.sort(converted.readings, now=now, past=self._past)
        found.unusable += converted.unusable
        found.samples = [*converted.samples, *found.samples]
        for note in converted.notes:
            self._note(note)
        return found


def dated(readings: Sequence[Any]) -> bool:
    """Say whether any reading has a time of its own.

    A source that can be asked again for what it said before gives its readings
    times; one that only knows how things are now does not.
    """
    return any(isinstance(each, tuple | list) and each and each[0] is not None for each in readings)
