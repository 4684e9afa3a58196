"""How records are laid out where the path to them ends: one by one, as columns, or as rows."""

from collections.abc import Callable, Iterator
from typing import Any, Final

from ingestd.plugins._fields import compile_path

from .records import Node, look, shown

RECORDS: Final = "records"
LAYOUTS: Final = (RECORDS, "columns", "rows")
# Objects of columns may hold objects of columns, so deep.
DEEPEST: Final = 20

Layout = Callable[[Node], Iterator[Node]]


def layout_of(layout: Any, fields: Any) -> Layout:
    """Read the options ``layout`` and ``fields``.

    Raises:
        ValueError: Says what is wrong with them.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r:.80}")
    if layout == "columns":
        return columns_of(fields)
    return rows_of(fields) if layout == "rows" else one_by_one


def one_by_one(holder: Node) -> Iterator[Node]:
    """Yield the elements of a list, and of lists of objects in it; anything else is a record."""
    if not isinstance(holder.value, list):
        yield holder
        return
    count = len(holder.value)
    for place, each in enumerate(holder.value):
        if type(each) is list and each and type(each[0]) is dict:
            yield from one_by_one(Node(each, holder.key, holder.parent))
        else:
            yield Node(each, holder.key, holder.parent, place, count)


def columns_of(fields: Any) -> Layout:
    """Return what makes records of lists that stand side by side in an object.

    Args:
        fields: The names of those that do; None: all lists do.

    Raises:
        ValueError: They are none.
    """
    names = names_of(fields)
    if isinstance(fields, str):
        message = f"fields: expected the names of the columns, got {fields!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call

    def columns(holder: Node) -> Iterator[Node]:
        for each in one_by_one(holder):
            held, rest = chosen(each.value, names)
            for at in range(count := length_in(held)):
                yield Node(rest | row(held, at), each.key, each.parent, at, count)

    return columns


def chosen(held: Any, names: list[str] | None) -> tuple[Any, dict[str, Any]]:
    """Return the columns of an object, and what is in every record besides."""
    if names is None or not isinstance(held, dict):
        return held, {}
    return (
        {name: each for name, each in held.items() if name in names},
        {name: each for name, each in held.items() if name not in names},
    )


def length_in(held: Any) -> int:
    """Return how long the lists are that stand side by side in an object.

    Raises:
        ValueError: They are of several lengths, or there are none.
    """
    lengths = dict(lengths_in(held, "", DEEPEST)) if isinstance(held, dict) else {}
    if not lengths:
        raise ValueError(f"records: expected lists side by side there, got {shown(held)}")
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise ValueError(
            "records: expected lists of one length; `fields: [t, v]` says which are columns, "
            f"got {told:.200}"
        )
    return next(iter(lengths.values()))


def lengths_in(held: Any, name: str, deep: int) -> Iterator[tuple[str, int]]:
    """Yield the lists in an object, and in the objects that it holds, with how long each is."""
    if isinstance(held, list):
        yield name, len(held)
    elif isinstance(held, dict) and deep:
        for key, value in held.items():
            yield from lengths_in(value, f"{name}.{key}".lstrip("."), deep - 1)


def row(held: Any, at: int) -> Any:
    """Return what an object of columns has at one place."""
    if isinstance(held, list):
        return held[at]
    return {key: row(value, at) for key, value in held.items()} if isinstance(held, dict) else held


def rows_of(fields: Any) -> Layout:
    """Return what makes records of lists, and of the names of their fields.

    Raises:
        ValueError: ``fields`` are no names, nor a path to them.
    """
    names = names_of(fields)
    path = compile_path(fields, where="fields") if isinstance(fields, str) else None

    def rows(holder: Node) -> Iterator[Node]:
        if not isinstance(holder.value, list):
            message = f"records: expected a list of lists there, got {shown(holder.value)}"
            raise ValueError(message)  # noqa: TRY004 -- the document's value, not a caller's type
        found, header = rows_in(holder.value, fields), names
        if path is not None:
            around = holder.parent.value if holder.parent else None
            header = checked_names(path(around), "fields", around)
        elif header is None and found:
            header = checked_names(found.pop(0), "records: as the first row", None)
        count = len(found)
        for at, each in enumerate(found):
            yield Node(named(header or [], each), holder.key, holder.parent, at, count)

    return rows


def rows_in(held: list[Any], fields: Any) -> list[Any]:
    """Return the rows of a list; one of values alone is a row, where the names are known."""
    alone = held and fields is not None and not any(isinstance(each, list) for each in held)
    return [held] if alone else list(held)


def names_of(fields: Any) -> list[str] | None:
    """Return the names in ``fields``; None if they are found in the document.

    Raises:
        ValueError: They are none.
    """
    if fields is None or isinstance(fields, str):
        return None
    good = isinstance(fields, list | tuple) and fields and all(isinstance(f, str) for f in fields)
    if not good:
        raise ValueError(f"fields: expected names such as [time, kwh], got {fields!r:.80}")
    return list(fields)


def checked_names(found: Any, where: str, around: Any) -> list[str]:
    """Return names that were found in a document; an object may have each as its ``name``.

    Raises:
        ValueError: There are none.
    """
    if isinstance(found, list) and found:
        names = [each.get("name") if isinstance(each, dict) else each for each in found]
        if all(isinstance(each, str | int) for each in names):
            return [str(each) for each in names]
    raise ValueError(f"{where}: expected the names of the fields, got {look(found, around)}")


def named(names: list[str], values: Any) -> Any:
    """Return a row as a record; nothing if it does not fit, since its values may have moved."""
    if not isinstance(values, list) or len(values) != len(names):
        return None
    return dict(zip(names, values, strict=True))
