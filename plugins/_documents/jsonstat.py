"""JSON-stat, in which statistical offices publish tables: a record for each cell.

A dataset has dimensions with categories, and one list of values: those of the last dimension stand
side by side. Values may also be an object, by their places in that list. Version 1 keeps the names
and sizes of the dimensions among these, and may have several datasets.
"""

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Any, Final, NamedTuple

from .errors import DocumentError

VALUE: Final = "value"
LABELS: Final = "labels"


class Category(NamedTuple):
    """What a cell is of, in one dimension.

    Attributes:
        id: What it is called in the dataset.
        label: What people call it.
    """

    id: str
    label: str


def records(document: Any) -> list[dict[str, Any]]:
    """Return a record for each cell: the category of each dimension, ``labels``, and ``value``.

    Raises:
        DocumentError: It is no dataset.
    """
    return [cell for dataset in datasets(document) for cell in cells(dataset)]


def datasets(document: Any) -> list[Any]:
    """Return the datasets in a document: itself, or those of version 1 under their names."""
    if isinstance(document, dict) and VALUE not in document and "dimension" not in document:
        return [each for each in document.values() if isinstance(each, dict)] or [document]
    return [document]


def cells(dataset: Any) -> Iterator[dict[str, Any]]:
    """Yield a record for each cell of a dataset that has a value, or null.

    Raises:
        DocumentError: It is none.
    """
    try:
        dimensions = dataset["dimension"]
        names = dataset.get("id") or dimensions["id"]
        known = [categories(dimensions[name]) for name in names]
        values, size = dataset[VALUE], prod(map(len, known))
        if isinstance(values, list) and len(values) == size:
            yield from map(record, [names] * size, product(*known), values)
            return
        places = {int(place): value for place, value in values.items()}
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DocumentError(
            "a dataset of JSON-stat: id, dimension, and a value for each cell",
            got=f"{dataset!r:.200}",
        ) from None
    for place, value in places.items():
        yield record(names, cell_at(place, known), value)


def categories(dimension: Mapping[str, Any]) -> list[Category]:
    """Return the categories of a dimension, in their order; a single one may have no index."""
    labels = dimension["category"].get("label") or {}
    index = dimension["category"].get("index") or [*labels]
    ids = index if isinstance(index, list) else sorted(index, key=index.__getitem__)
    return [Category(str(each), str(labels.get(each, each))) for each in ids]


def cell_at(place: int, known: list[list[Category]]) -> tuple[Category, ...]:
    """Return the categories of a cell by its place.

    Raises:
        DocumentError: There is no such cell.
    """
    found, rest = [], place
    for each in reversed(known):
        rest, at = divmod(rest, len(each))
        found.append(each[at])
    if rest:
        raise DocumentError(f"values of {prod(map(len, known))} cells", got=f"one at {place}")
    return tuple(reversed(found))


def record(names: list[str], cell: tuple[Category, ...], value: Any) -> dict[str, Any]:
    """Return what is known of a cell."""
    own: dict[str, Any] = {name: each.id for name, each in zip(names, cell, strict=True)}
    labels = {name: each.label for name, each in zip(names, cell, strict=True)}
    return {**own, LABELS: labels, VALUE: value}
