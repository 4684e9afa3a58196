"""One run: what a table has from the position on, part by part."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from difflib import get_close_matches
from math import ceil, inf
from typing import Any, Final

from ingestd.plugins._places import UNTIL, Place
from ingestd.plugins._readings import Reading
from ingestd.plugins._shapes import Missing
from ingestd.plugins._times import Bounds, settle_readings

from .columns import Column, column_of
from .errors import SqlError
from .position import Position
from .rows import Part, Row, by_passes, part_of
from .session import Session
from .setup import Setup
from .statements import Select, Statement, either

READINGS: Final = 5000  # of one result, about
# So many rows with times that came twice are kept until all of them are there.
MOST_UNCLEAR: Final = 100_000
# A store that is away must not keep a table from those who write it, in seconds.
HELD: Final = 2.0
DAY: Final = 86_400.0


class Walk:
    """One run.

    Args:
        setup: What the params say.
        ctx: The context of the run.
        newest: The position, in Unix seconds, or None.
        last_id: The largest id that was read, or None.
        start: Of a backfill, or None.
        end: Likewise.
    """

    def __init__(
        self,
        setup: Setup,
        ctx: Any,
        *,
        newest: float | None,
        last_id: Any,
        start: datetime | None,
        end: datetime | None,
    ) -> None:
        self._setup, self._ctx = setup, ctx
        self._now: float = ctx.now().timestamp()
        self._backfill = start is not None
        self._end = None if end is None else end.timestamp()
        self._last_id = None if self._backfill or setup.id is None else last_id
        self._begin = self._begin_of(newest, start)
        self._position = Position(
            newest=newest, last_id=self._last_id, hold=setup.hold, now=self._now
        )
        self._before: Sequence[Reading] = []
        # The time, or id, of the latest row that was given, and where the statement began.
        self._latest: Any = None
        self._began: Any = None

    def _begin_of(self, newest: float | None, start: datetime | None) -> float | None:
        """Return from when on is read, in Unix seconds; None: from where the table begins."""
        setup = self._setup
        if start is not None:
            return start.timestamp()
        if newest is not None:
            return min(newest - setup.overlap, self._now - setup.revisit)
        return None if setup.lookback is None else self._now - setup.lookback

    async def results(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield a result for each part of the table, in the order of its times or ids.

        Raises:
            SqlError: The database does not answer, or has not what the params name.
            ValueError: The times of the table cannot be compared.
        """
        setup, position = self._setup, self._position
        setup.dialect.require()
        missing = Missing(setup.shape)
        async with (
            Session(setup.dialect, setup.address, patience=setup.patience) as session,
            aclosing(self._parts(session)) as parts,
        ):
            async for part in parts:
                position.gather(part.readings, self._latest if setup.id else None)
                missing.look(part.records, part.readings)
                state = {} if self._backfill else position.state
                problem = missing.after(str(setup.source))
                told = {"script_error": problem} if problem else {}
                release = asyncio.get_running_loop().call_later(HELD, self._let_go, session)
                try:
                    yield {"readings": part.readings, **state, **told}
                finally:
                    release.cancel()
        for note in position.notes():
            self._ctx.note(note)

    def _let_go(self, session: Session) -> None:
        """End the statement, unless the next one would begin in the same place."""
        if self._latest is not None and self._latest != self._began:
            session.release()

    async def _parts(self, session: Session) -> AsyncGenerator[Part, None]:
        """Yield what there is, with readings whose times are known."""
        setup, select = self._setup, self._select()
        columns = await self._columns(session, select)
        conditions = await self._conditions(session, select)
        if conditions is None:
            return
        names = setup.columns or columns
        key = names.index(setup.id or setup.time)
        size = max(1, READINGS // len(setup.shape.values))
        carried: Sequence[Row] = []
        more = True
        while more and not self._ctx.stopping:
            if not session.reading:
                carried, self._began = [], self._latest
                again = [] if self._latest is None else [select.from_on(self._latest)]
                few = self._last_id is not None and not again
                wanted = [*conditions, *again]
                await session.begin(select.rows(setup.columns, wanted, few=few))
            rows = await session.fetch(size)
            more = len(rows) == size
            part, carried = await session.work(self._worker([*carried, *rows], names, more=more))
            if part is not None:
                self._latest = part.rows[-1][key]
                yield part

    def _worker(
        self, rows: Sequence[Row], names: Sequence[str], *, more: bool
    ) -> Callable[[], tuple[Part | None, Sequence[Row]]]:
        """Return what makes readings of rows, and keeps those for which others are needed."""

        def work() -> tuple[Part | None, Sequence[Row]]:
            if not rows:
                return None, []
            part = part_of(rows, names, self._setup.shape)
            kept: Sequence[Row] = []
            if more and self._setup.id is None and len(rows) < MOST_UNCLEAR:
                clear = part.clear_rows()
                part, kept = part.first(clear), rows[clear:]
            return (self._settled(part) if part.rows else None), kept

        return work

    def _settled(self, part: Part) -> Part:
        """Return a part with an instant for each time that came twice."""
        readings = part.readings if self._setup.id else by_passes(part.readings)
        after = -inf if self._begin is None else self._begin
        bounds = Bounds(after=after, now=self._now, read=self._position.newest)
        readings = settle_readings(readings, before=self._before, bounds=bounds)
        self._before = readings
        return Part(part.rows, part.records, readings)

    def _select(self) -> Select:
        setup = self._setup
        source = setup.source.part(setup.dialect, self._written)
        return Select(setup.dialect, source, setup.time, setup.id)

    def _written(self, place: Place) -> Any:
        """Return an end of what is asked for as the query wants it."""
        known = self._setup.places[place]
        if place.name == UNTIL:
            end = ceil(self._now if self._end is None else self._end)
            # Where a part of a day or a minute cannot be said, all of it is asked for.
            coarse = known.write(end) == known.write(end - 1)
            text = known.until(end + DAY if coarse else end)
        else:
            text = known.since(self._begin or 0.0)
        return int(text) if known.is_number else text

    async def _columns(self, session: Session, select: Select) -> list[str]:
        """Return the columns that there are.

        Raises:
            SqlError: One is missing, or comes twice.
        """
        setup = self._setup
        found = await session.names(select.names())
        where = f"{setup.address}: {setup.source}"
        for name in found:
            if found.count(name) > 1:
                raise SqlError(
                    f"{where}: expected another name for each column (AS), got {name!r} twice"
                )
        for name in filter(None, (setup.time, setup.id, *setup.shape.fields)):
            if name not in found:
                near = [each for each in found if each.lower() == name.lower()]
                near = near or get_close_matches(name, found, n=1)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                raise SqlError(f"{where}: expected a column {name!r}{hint}, got {', '.join(found)}")
        return found

    async def _conditions(self, session: Session, select: Select) -> list[Statement] | None:
        """Return which rows are read; None: there is none at all.

        Raises:
            ValueError: The times of the table cannot be compared.
        """
        if self._begin is None:
            return []
        column = await self._column(session, select)
        if column is None:
            return None
        conditions = [select.at_or_after(column.since(self._begin))]
        if self._last_id is not None:
            conditions = [either(select.behind(self._last_id), conditions[0])]
        if self._end is not None:
            conditions.append(select.before(column.until(self._end)))
        return conditions

    async def _column(self, session: Session, select: Select) -> Column | None:
        """Return how the column of the time has its times; None if it has none."""
        setup = self._setup
        row = await session.one(select.example(latest=setup.dialect.mixes))
        return None if row is None else column_of(row[0], setup.notation, setup.time)
