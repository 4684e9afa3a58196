"""The options that describe a shape, as the operator writes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from ingestd.plugins._fields import null_finder
from ingestd.plugins._values import OPTIONS as OF_VALUES
from ingestd.plugins._values import value_reader

from .layouts import RECORDS, Layout, layout_of
from .lookups import Lookup, lookup_of
from .reader import Find, Reader
from .records import Records, records_of
from .templates import Fixed, Template, nothing_fixed, template_of

# Every plugin that reads documents has them under these names.
OPTIONS: Final = frozenset(
    ["records", "layout", "fields", "time", "time_format", "series", "value", "values", "tags"]
) | frozenset(OF_VALUES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the options say, checked.

    Attributes:
        records: Where the records are; None: the document is one.
        layout: How they are laid out there.
        time: Finds the time, or None.
        pairs: Template of a series, and path to its value.
        tags: Name and template.
        time_format: See ``parse_time``.
        zone: See ``parse_time``.
        number: Reads a value.
    """

    records: Records | None
    layout: Layout
    time: Lookup | None
    pairs: tuple[tuple[str, str], ...]
    tags: tuple[tuple[str, str], ...]
    time_format: str | None
    zone: tzinfo | None
    number: Callable[[Any], Any]

    def reader(self, fixed: Fixed = nothing_fixed) -> Reader:
        """Return what reads documents.

        Args:
            fixed: Tells the value of a template's field that no record decides, such as a level
                of a topic; ``NOT_FIXED`` if it is none of those, None if it is missing.

        Raises:
            ValueError: A template or a path is none.
        """
        known = self.records or Records((), None)
        series = [
            (
                template_of(name, known, fixed=fixed, where="series"),
                lookup_of(path, known, where=f"value of {name!r}"),
            )
            for name, path in self.pairs
        ]
        tags = [
            (name, template_of(text, known, fixed=fixed, where=f"tags.{name}"))
            for name, text in self.tags
        ]
        templates = [*(name for name, _ in series), *(text for _, text in tags)]
        scoped = self._scoped(templates, [value for _, value in series])
        return Reader(
            records=self.records,
            layout=self.layout,
            scoped=scoped,
            time=None if self.time is None else find(self.time, scoped=scoped),
            values=tuple(
                (name.compiled(scoped=scoped), find(value, scoped=scoped)) for name, value in series
            ),
            tags=tuple((name, text.compiled(scoped=scoped)) for name, text in tags),
            nulls=tuple(null_finder(path) for _, path in self.pairs),
            time_format=self.time_format,
            zone=self.zone,
            number=self.number,
        )

    def _scoped(self, templates: list[Template], values: list[Lookup]) -> bool:
        lookups = [*values, *([self.time] if self.time else [])]
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
    if (value is None) == (values is None):
        raise ValueError("value, values: expected one of them, `value` with `series`")
    if (value is None) != (series is None):
        raise ValueError("series: expected beside `value`, and only there")
    description = Description(
        records=records_in(options, whole=whole),
        layout=layout_in(options),
        time=time_of(options),
        pairs=pairs_of(values if values is not None else {series: value}),
        tags=tags_of(options.get("tags")),
        time_format=options.get("time_format"),
        zone=zone,
        number=value_reader(options).number,
    )
    description.reader(fixed)
    return description


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


def time_of(options: Mapping[str, Any]) -> Lookup | None:
    """Return what finds the time of a record, or None.

    Raises:
        ValueError: It is no path.
    """
    time = options.get("time")
    known = records_of(options.get("records"))
    return None if time is None else lookup_of(time, known, where="time")


def pairs_of(values: Any) -> tuple[tuple[str, str], ...]:
    """Return series and path for each value.

    Raises:
        ValueError: It is no mapping, or an empty one.
    """
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"values: expected series and path for each value, got {values!r}")
    return tuple(values.items())


def tags_of(tags: Any) -> tuple[tuple[str, str], ...]:
    """Return name and template of each tag."""
    return tuple((tags or {}).items())
