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
        return columns
    return rows_of(fields) if layout == "rows" else one_by_one


def one_by_one(holder: Node) -> Iterator[Node]:
    """Yield the elements of a list; anything else is a record itself."""
    if not isinstance(holder.value, list):
        yield holder
        return
    for each in holder.value:
        yield Node(each, holder.key, holder.parent)


def columns(holder: Node) -> Iterator[Node]:
    """Yield a record for each place in lists that stand side by side in an object.

    What is no list is in every record.

    Raises:
        ValueError: The lists are of several lengths, or there are none.
    """
    for each in one_by_one(holder):
        lengths = dict(lengths_in(each.value, "", DEEPEST))
        if not lengths:
            raise ValueError(f"records: expected lists side by side there, got {shown(each.value)}")
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ValueError(
                "records: expected lists of one length; JMESPath such as `hourly.{t: t, v: v}` "
                f"chooses some, got {told:.200}"
            )
        for at in range(next(iter(lengths.values()))):
            yield Node(row(each.value, at), each.key, each.parent)


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
        for each in found:
            yield Node(named(header or [], each), holder.key, holder.parent)

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
