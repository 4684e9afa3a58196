"""Tables in files that are no text: parquet, and workbooks of Excel. Both need the extra ``files``.

What they are read with is imported when the first such file comes, because it is large.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from itertools import islice, zip_longest
from typing import Any, BinaryIO, Final

from ingestd.plugins._documents import DocumentError, Table

# Format -> what reads it.
TABLES: Final[Mapping[str, str]] = {"xlsx": "openpyxl", "parquet": "pyarrow"}
ENDINGS: Final = {".xlsx": "xlsx", ".xlsm": "xlsx", ".parquet": "parquet", ".pq": "parquet"}
MANY: Final = 1500  # rows at a time


def check_readable(kind: str) -> None:
    """See that there is what reads a format.

    Raises:
        ValueError: It is not installed.
    """
    if find_spec(TABLES[kind]) is None:
        raise ValueError(
            f"format: expected {TABLES[kind]} to be installed for {kind} "
            "(pip install 'ingestd[files]'), got none"
        )


def tables_of(kind: str, file: BinaryIO, *, csv: Any, sheet: str | None) -> Iterator[Table]:
    """Yield the rows of a file, many at a time; may block.

    Args:
        kind: One of ``TABLES``.
        file: The file.
        csv: Which rows have the names of columns.
        sheet: Which one of a workbook; None: the first.

    Raises:
        DocumentError: It is no such file.
        ValueError: There is nothing to read it with.
    """
    check_readable(kind)
    try:
        yield from of_parquet(file) if kind == "parquet" else of_sheet(file, csv, sheet)
    except (DocumentError, OSError):
        raise
    except Exception as error:  # noqa: BLE001 -- foreign code reads a foreign file
        raise DocumentError(kind, why=f"{type(error).__name__}: {error}"[:200]) from None


def of_parquet(file: BinaryIO) -> Iterator[Table]:
    """Yield the rows of a parquet file."""
    arrow: Any = import_module("pyarrow")
    parquet: Any = import_module("pyarrow.parquet")
    for batch in parquet.ParquetFile(file).iter_batches(batch_size=MANY, use_threads=False):
        if batch.num_rows:
            columns = zip(batch.schema.names, batch.columns, strict=True)
            yield Table({name: values_of(arrow, column) for name, column in columns})


def values_of(arrow: Any, column: Any) -> list[Any]:
    """Return the values of a column; times to the microsecond, with their zone or without."""
    if arrow.types.is_timestamp(column.type):
        zone = None if column.type.tz is None else "UTC"
        column = column.cast(arrow.timestamp("us", zone), safe=False)
    found: list[Any] = column.to_pylist()
    return found


def of_sheet(file: BinaryIO, csv: Any, sheet: str | None) -> Iterator[Table]:
    """Yield the rows of a sheet.

    Raises:
        DocumentError: There is no such sheet, or it has no header.
    """
    book: Any = import_module("openpyxl").load_workbook(file, read_only=True, data_only=True)
    names = book.sheetnames
    if sheet is not None and sheet not in names:
        raise DocumentError(f"a sheet {sheet!r}", got=", ".join(names)[:200])
    rows = islice(book[names[0] if sheet is None else sheet].values, csv.skip, None)
    filled = (row for row in rows if any(cell not in (None, "") for cell in row))
    header = csv.names or header_in(filled, csv.header)
    records = islice(filled, csv.below, None)
    while some := list(islice(records, MANY)):
        yield table_of(header, some)


def header_in(rows: Iterator[Sequence[Any]], wanted: Sequence[str]) -> Sequence[str]:
    """Return the names of columns, and leave the rows below them.

    Raises:
        DocumentError: There are none.
    """
    for row in rows:
        names = ["" if cell is None else str(cell).strip() for cell in row]
        if set(wanted) <= set(names):
            return names
    raise DocumentError(f"a header with {', '.join(wanted) or 'names'} (csv.header)", got="none")


def table_of(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> Table:
    """Return rows as a table; cells to the right of the names are left out."""
    columns = list(zip_longest(*rows)) if rows else []
    nothing = (None,) * len(rows)
    return Table(
        {
            name: columns[at] if at < len(columns) else nothing
            for at, name in enumerate(names)
            if name
        }
    )
