"""The options that describe a shape, as the operator writes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from ingestd.plugins._fields import null_finder
from ingestd.plugins._problems import Gathering
from ingestd.plugins._times import Notation, notation
from ingestd.plugins._values import OPTIONS as OF_VALUES

from .described import DescribedValue, described_values
from .layouts import RECORDS, Layout, layout_of
from .lookups import Lookup, lookup_of
from .numbers import quick
from .plus import plus_in, step_of
from .reader import Find, Reader
from .records import EVERYTHING, WHOLE, Records, records_of
from .templates import Fixed, Template, is_template, lookup_by, nothing_fixed, template_of
from .together import plan_of

# Every plugin that reads documents has them under these names.
OPTIONS: Final = frozenset(
    ["records", "layout", "fields", "series", "value", "values", "tags", *OF_VALUES]
) | {"time", "time_plus", "time_step", "time_format"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the options say, checked.

    Attributes:
        records: Where the records are; None: the document is one.
        layout: How they are laid out there.
        time: Finds the time for what is fixed, or None if there is none.
        plus: Finds by how many seconds the time is later than that, or None.
        values: Template of a series, path to its value, and what that means.
        one: Whether the option for them is ``value``.
        tags: Name and template.
        notation: How times are written.
    """

    records: Records | None
    layout: Layout
    time: Callable[[Fixed], Lookup] | None
    plus: Lookup | None
    values: tuple[DescribedValue, ...]
    one: bool
    tags: tuple[tuple[str, str], ...]
    notation: Notation

    def reader(self, fixed: Fixed = nothing_fixed) -> Reader:
        """Return what reads documents.

        Args:
            fixed: Tells the value of a template's field that no record decides, such as a level
                of a topic; ``NOT_FIXED`` if it is none of those, None if it is missing.

        Raises:
            ValueError: A template or a path is none.
        """
        known, time = self.records or EVERYTHING, self.time and self.time(fixed)

        def template(text: str, where: str) -> Template:
            return wrong.read(lambda: template_of(text, known, fixed=fixed, where=where))

        def lookup(each: DescribedValue) -> Lookup:
            return wrong.read(lambda: lookup_of(each.path, known, where=self._where(each)))

        with Gathering() as wrong:
            series = [
                (template(each.series, "series"), lookup(each), quick(each.reader))
                for each in self.values
            ]
            tags = [(name, template(text, f"tags.{name}")) for name, text in self.tags]
        templates = [*(name for name, *_ in series), *(text for _, text in tags)]
        parts = [value for _, value, _ in series]
        parts += [each for each in (time, self.plus) if each]
        scoped = is_scoped(templates, parts)
        found = [*parts, *(each for template in templates for each in template.lookups)]
        return Reader(
            records=self.records,
            layout=self.layout,
            scoped=scoped,
            time=None if time is None else find(time, scoped=scoped),
            plus=None if self.plus is None else find(self.plus, scoped=scoped),
            values=tuple(
                (name.compiled(scoped=scoped), find(value, scoped=scoped), number)
                for name, value, number in series
            ),
            tags=tuple((name, text.compiled(scoped=scoped)) for name, text in tags),
            nulls=tuple(null_finder(each.path) for each in self.values),
            notation=self.notation,
            plan=None if scoped or self.plus else plan_of(time, series),
            fields=tuple(dict.fromkeys(each.field for each in found)),
            time_field=None if time is None else time.field,
            alone=any(each.path == WHOLE for each in self.values),
        )

    def _where(self, value: DescribedValue) -> str:
        return "value" if self.one else f"value of {value.series!r}"


def is_scoped(templates: list[Template], lookups: list[Lookup]) -> bool:
    """Say whether some parts of readings need more than the records themselves."""
    return any(each.own is None for each in lookups) or any(each.scoped for each in templates)


def find(lookup: Lookup, *, scoped: bool) -> Find:
    """Return what finds something in a record, or in a node if records are nodes."""
    return lookup.node if scoped or lookup.own is None else lookup.own


def description_of(
    options: Mapping[str, Any],
    *,
    zone: tzinfo | None,
    whole: bool = False,
    fixed: Fixed = nothing_fixed,
) -> Description:
    """Check the options that say where things are.

    Args:
        options: Some of ``OPTIONS``; what is missing or None was not given.
        zone: What a time without a zone is in.
        whole: Whether a document is one record where ``records`` says nothing, also a list.
        fixed: As for ``Description.reader``, which is tried.

    Raises:
        ValueError: Says which option is wrong.
    """
    value, values, series = (options.get(name) for name in ("value", "values", "series"))
    with Gathering() as wrong:
        if (value is None) == (values is None):
            wrong.problems.append("value, values: expected one of them, `value` with `series`")
        if (value is None) != (series is None):
            wrong.problems.append("series: expected beside `value`, and only there")
        description = Description(
            records=wrong.read(lambda: records_in(options, whole=whole)),
            layout=wrong.read(lambda: layout_in(options)),
            time=wrong.read(lambda: time_of(options)),
            plus=wrong.read(lambda: plus_of(options)),
            one=values is None,
            values=tuple(wrong.read(lambda: values_of(options)) or ()),
            tags=tags_of(options.get("tags")),
            notation=wrong.read(lambda: notation(options.get("time_format"), zone)),
        )
        wrong.read(lambda: description.reader(fixed))
    return description


def values_of(options: Mapping[str, Any]) -> list[DescribedValue]:
    """Return the values, whether they are in ``values``, or one in ``value``.

    Raises:
        ValueError: Says what is wrong.
    """
    value, values, series = (options.get(name) for name in ("value", "values", "series"))
    if values is not None:
        return described_values(values, options)
    if value is None and series is None:
        return []
    # That one of them is missing is told elsewhere; the other is looked at all the same.
    return described_values({series or "-": WHOLE if value is None else value}, options)


def records_in(options: Mapping[str, Any], *, whole: bool) -> Records | None:
    """Return where the records are; None: a document is one.

    Raises:
        ValueError: It is no path.
    """
    expression, layout = options.get("records"), options.get("layout") or RECORDS
    one = whole and expression is None and layout == RECORDS
    return None if one else records_of(expression)


def layout_in(options: Mapping[str, Any]) -> Layout:
    """Return how the records are laid out.

    Raises:
        ValueError: It is unknown, or ``fields`` are no good.
    """
    return layout_of(options.get("layout") or RECORDS, options.get("fields"))


def time_of(options: Mapping[str, Any]) -> Callable[[Fixed], Lookup] | None:
    """Return what finds the time of a record, or None: a path, or a template that puts it together.

    Raises:
        ValueError: It is no path.
    """
    time = options.get("time")
    known = records_of(options.get("records"))
    if is_template(time):
        template_of(time, known, fixed=nothing_fixed, where="time")
        return lambda fixed: lookup_by(template_of(time, known, fixed=fixed, where="time"))
    if time is None:
        return None
    found = lookup_of(time, known, where="time")
    return lambda _: found


def plus_of(options: Mapping[str, Any]) -> Lookup | None:
    """Return what finds by how much the time of a record is later than ``time``, or None.

    Raises:
        ValueError: It is no path.
    """
    plus, step = options.get("time_plus"), options.get("time_step")
    known = records_of(options.get("records"))
    name = "time_plus" if step is None else "time_step"
    if (plus is not None or step is not None) and options.get("time") is None:
        raise ValueError(f"{name}: expected `time` beside it, to know what it is added to")
    if plus is not None and step is not None:
        raise ValueError("time_plus, time_step: expected one of them, got both")
    if step is not None:
        return step_of(step, known)
    return None if plus is None else plus_in(plus, known)


def tags_of(tags: Any) -> tuple[tuple[str, str], ...]:
    """Return name and template of each tag."""
    return tuple((tags or {}).items())
