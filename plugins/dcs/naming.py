"""Which series a source has: one for each of its quantities, and none twice."""

from collections.abc import Mapping, Sequence

from .api import Api
from .elements import Column
from .names import Names
from .options import Options
from .sources import Source


def columns_of(
    sources: Sequence[Source], options: Options, api: Api, names: Names
) -> tuple[dict[str, list[Column]], dict[str, str]]:
    """Return the columns of each source by its id, and the sources that cannot be named.

    The legacy API has no samples of virtual meters, so these have no series there. And
    meters may share a name. Readings of two sources in one series would overwrite each
    other, so the first source keeps it and the other is left out.

    Raises:
        ValueError: Quantities of one source would share a series.
    """
    taken: dict[tuple[str, tuple[tuple[str, str], ...]], str] = {}
    named: dict[str, list[Column]] = {}
    problems: dict[str, str] = {}
    for source in sources:
        if not api.quantities(source):
            if source.id in options.selection.ids:  # in "all" it goes without saying
                problems[source.id] = "expected a source that this API has values of"
            continue
        names.meet(source)
        columns = [
            made(names.fields(source, quantity.name), quantity.key, options)
            for quantity in api.quantities(source)
        ]
        marks = [(each.series, tuple(sorted(each.tags.items()))) for each in columns]
        if len(set(marks)) < len(marks):
            raise ValueError(
                f"series: expected {{quantity}} in it, because {source.id} has "
                f"{len(marks)} quantities, got {columns[0].series!r} for each"
            )
        if owner := next((taken[mark] for mark in marks if mark in taken), None):
            problems[source.id] = f"expected a series of its own, has that of {owner}; use {{id}}"
            continue
        taken |= dict.fromkeys(marks, source.id)
        named[source.id] = columns
    return named, problems


def made(fields: Mapping[str, str], key: str, options: Options) -> Column:
    """Return the column of one quantity."""
    tags = {name: text for name, each in options.tags.items() if (text := each.fill(fields))}
    return Column(key, options.series.fill(fields), tags)
