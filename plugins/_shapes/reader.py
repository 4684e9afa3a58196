"""From records to readings: where each part of a reading is found."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from typing import Any, Final

from ingestd.plugins._documents import Headed, Listed
from ingestd.plugins._isocolumns import unix_second
from ingestd.plugins._readings import Reading, by_turns
from ingestd.plugins._times import Notation

from .layouts import Layout, one_by_one
from .plus import later
from .records import EVERYTHING, Node, Records, look, opened
from .single import reader_of_fields
from .together import Plan

Find = Callable[[Any], Any]
# From so many records on it pays to read them together.
MANY: Final = 8
ISO: Final = (None, "iso")  # formats of which ISO 8601 is one
NOW: Any = None  # the time of a reading that has none


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Finds the readings of a document.

    A record is what stands in the document, or, where parts of readings are found around it
    or in its key, a ``Node``.

    Attributes:
        records: Where the records are; None: the document is one.
        layout: How they are laid out there.
        scoped: Whether records are nodes.
        time: The time of a record; None if it has none.
        plus: By how many seconds the time is later than that; None if it is that.
        values: Series, or what tells it; what finds the value; and what reads it as a number:
            for each reading that a record makes.
        tags: Tag and its text, or what tells it.
        nulls: For each value, says whether a record has null in its place.
        notation: How times are written.
        plan: Where the parts of readings are, if each is a field of its record.
        fields: The fields of a record that are needed; None among them stands for others, which
            only paths tell.
        time_field: That of the time, if it is one.
        alone: Whether a document may be a single value, such as a number.
    """

    records: Records | None
    layout: Layout
    scoped: bool
    time: Find | None
    plus: Find | None
    values: tuple[tuple[str | Find, Find, Find], ...]
    tags: tuple[tuple[str, str | Find], ...]
    nulls: tuple[Callable[[Any], bool], ...]
    notation: Notation
    plan: Plan | None = None
    fields: tuple[str | None, ...] = ()
    time_field: str | None = None
    alone: bool = False

    def in_zone(self, zone: tzinfo | None) -> "Reader":
        """Return a reader of times that are in a zone, where they carry none."""
        return replace(self, notation=replace(self.notation, zone=zone))

    def records_of(self, document: Any) -> list[Any]:
        """Return the records of a document.

        Raises:
            ValueError: They are not where, or how, they were said to be.
        """
        if isinstance(document, Headed):
            self._check_names(document.names)
        if self.records is None and not isinstance(document, Listed):
            return [Node(document, None, None)] if self.scoped else [document]
        if self.alone and self.records == EVERYTHING and isinstance(document, str | int | float):
            document = [opened(document)]
        holders = (self.records or EVERYTHING).holders(document)
        nodes = [node for holder in holders for node in self.layout(holder)]
        return nodes if self.scoped else [node.value for node in nodes]

    def _check_names(self, names: Sequence[str]) -> None:
        """Refuse a table without lines that has none of the columns, since it is most likely none.

        Raises:
            ValueError: It is one.
        """
        wanted = [] if self.plan is None else [each.value for each in self.plan.values]
        if names and wanted and not set(wanted) & set(names):
            raise ValueError(
                f"records: expected lines with {', '.join(wanted)}, got none below "
                f"{', '.join(names)[:200]!r}"
            )

    @property
    def takes_documents(self) -> bool:
        """Whether a document is a record itself, and not a node, unless it is a list of them."""
        return self.records is None and not self.scoped

    @property
    def steps(self) -> tuple[str, ...] | None:
        """The names on the path to records that can be read one by one; None: they cannot."""
        if self.scoped or self.layout is not one_by_one:
            return None
        return self.records.plain if self.records else None

    def readings(self, records: Sequence[Any], *, now: Any = NOW) -> Sequence[Reading]:
        """Return the readings of records, the unusable ones too: the daemon counts those.

        Args:
            records: As ``records_of`` gives them.
            now: The time of readings whose record has none.
        """
        return self.compiled()(records, now)

    def compiled(self) -> Callable[[Sequence[Any], Any], Sequence[Reading]]:
        """Return ``readings``, prepared to be called often."""
        moment, one = self._moment(), self.compiled_for_one()
        plan = None if self.tags else self.plan
        iso = self.notation.time_format in ISO

        def read(records: Sequence[Any], now: Any) -> Sequence[Reading]:
            if plan is not None and len(records) >= MANY:
                together = plan.read(records, moment=moment, iso=iso, now=now)
                if together is not None:
                    return by_turns(together)
            return [reading for record in records for reading in one(record, now)]

        return read

    def compiled_for_one(self) -> Callable[[Any, Any], list[Reading]]:
        """Return what gives the readings of one record, prepared to be called often."""
        moment, fixed, time_of, values = self._moment(), self._fixed_tags(), self.time, self.values
        plus, alike = self.plus, (fixed,) if fixed else ()
        vary = [(name, fill) for name, fill in self.tags if not isinstance(fill, str)]

        def read(record: Any, now: Any) -> list[Reading]:
            time, rest = moment(time_of(record)) if time_of else now, alike
            if plus:
                time = later(time, plus(record))
            if vary:
                tags = fixed | {name: text for name, fill in vary if (text := fill(record))}
                rest = (tags,) if tags else ()
            return [
                (
                    time,
                    series if isinstance(series, str) else series(record),
                    number(value(record)),
                    *rest,
                )
                for series, value, number in values
            ]

        fields = None if plus or vary or self.plan is None else self.plan.fixed
        return read if fields is None else reader_of_fields(fields, moment, alike, otherwise=read)

    def _fixed_tags(self) -> dict[str, str]:
        return {name: text for name, text in self.tags if isinstance(text, str) and text}

    def _moment(self) -> Find:
        """Return what reads a time: the one place where that is done."""
        read, placed = self.notation.read, self.notation.placed
        iso = self.notation.time_format in ISO

        def moment(told: Any) -> Any:
            if iso and type(told) is str and (found := unix_second(told)) is not None:
                return found  # most are written like this, and are read without asking further
            if isinstance(told, datetime):  # the format has read it already
                return told.timestamp() if told.tzinfo else placed(told)
            return read(told)

        return moment

    def has_nothing(self, record: Any) -> bool:
        """Say whether a record says itself that it has no value, as at night."""
        bare = record.value if self.scoped else record
        return any(has_null(bare) for has_null in self.nulls) or any(
            (found := value(record)) is not None and number(found) is None
            for _, value, number in self.values
        )

    def shown(self, records: Sequence[Any]) -> str:
        """Describe the first of some records, for people."""
        return look(None, records[0].value if self.scoped else records[0])
