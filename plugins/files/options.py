"""What the params say, read and checked before any file is looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final

from ingestd.plugins._documents import BY_LINES, FORMATS, Columns, Format, format_of
from ingestd.plugins._documents import OPTIONS as OF_DOCUMENTS
from ingestd.plugins._params import duration, whole, zone_of
from ingestd.plugins._problems import Gathering
from ingestd.plugins._shapes import OPTIONS as OF_SHAPES
from ingestd.plugins._shapes import Description, Fixed, description_of

from .listing import IGNORED, Found
from .moving import DELETE, KEEP, MOVE, Ending, ending_of
from .patterns import Pattern, fixed_by, patterns_of
from .prints import Prints
from .tables import ENDINGS, TABLES, check_readable
from .work import Place, Work

# What makes other readings of a file, so that one that was refused is tried again.
MATTERS: Final = ("charset", "csv", "format", "member", "sheet", "timezone", *OF_SHAPES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What the params say.

    Attributes:
        patterns: Which files.
        ignored: Patterns of names that are none of them.
        settle: For how long nothing has touched a file that is complete, in seconds.
        ending: What becomes of files that were read; None: nothing.
        moved: Where they are then, if they are moved.
        kind: A format that is no text, or an empty text.
        form: What documents are written in.
        description: Where readings are in them.
        sheet: Which one of a workbook.
        most_bytes: How large a document may be that has to be read as a whole.
        mark: Tells these params from others that would make other readings.
    """

    patterns: Sequence[Pattern]
    ignored: Sequence[str]
    settle: float
    ending: Ending | None
    moved: Path | None
    kind: str
    form: Format
    description: Description
    sheet: str | None
    most_bytes: int
    mark: str

    def kind_of(self, name: str) -> str:
        """Return the format of a file if it is no text, or an empty text."""
        if self.kind or self.form.name != "auto":
            return self.kind
        return next((kind for end, kind in ENDINGS.items() if name.lower().endswith(end)), "")

    def work(
        self,
        file: Found,
        begin: Place,
        *,
        now: float,
        growing: bool = False,
        whole: bool = True,
        prints: Prints | None = None,
        columns: Columns | None = None,
    ) -> Work:
        """Return what is to be read of a file.

        Raises:
            ValueError: A part of its path does not do for the name of a series.
        """
        return Work(
            file=file,
            kind="" if growing else self.kind_of(file.path.name),
            form=self.form,
            reader=self.description.reader(fixed_by(file.path, file.names)),
            most_bytes=self.most_bytes,
            sheet=self.sheet,
            begin=begin,
            now=now,
            growing=growing,
            whole=whole,
            prints=prints,
            columns=columns,
        )

    def below(self, folder: Path) -> Sequence[Pattern]:
        """Return the same patterns below another folder."""
        return [replace(each, folder=folder) for each in self.patterns]


def setup_of(params: Any, around: str | None = None) -> Setup:
    """Read all params.

    Args:
        params: All of them.
        around: The name of the collector's zone, or None.

    Raises:
        ValueError: Says which are wrong.
    """
    with Gathering() as wrong:
        wrong.read(lambda: follow_of(params))
        zone = wrong.read(lambda: zone_of(params.timezone, around))
        return Setup(
            patterns=wrong.read(lambda: patterns_of(params.path)),
            ignored=wrong.read(lambda: ignored_of(params.ignore)),
            settle=wrong.read(lambda: duration(params.settle, "settle")),
            ending=wrong.read(lambda: ending_in(params)),
            moved=Path(params.move_to) if params.after == MOVE else None,
            kind=kind_in(params),
            form=wrong.read(lambda: form_of(params, zone)),
            description=wrong.read(lambda: shape_of(params, zone)),
            sheet=wrong.read(lambda: sheet_of(params.sheet)),
            most_bytes=wrong.read(lambda: whole(params.max_bytes, "max_bytes", least=1)),
            mark=mark_of(params),
        )


def mark_of(params: Any) -> str:
    """Return what tells these params from others that would make other readings."""
    said = [(name, repr(getattr(params, name, None))) for name in sorted(MATTERS)]
    return blake2b(repr(said).encode(errors="replace"), digest_size=8).hexdigest()


def kind_in(params: Any) -> str:
    """Return the format that params name, if it is no text, or an empty text."""
    return str(params.format) if params.format in TABLES else ""


def form_of(params: Any, zone: Any = None) -> Format:
    """Read the options of documents.

    Raises:
        ValueError: Says which are wrong.
    """
    if params.format not in (*FORMATS, *TABLES):
        known = ", ".join([*FORMATS, *TABLES])
        raise ValueError(f"format: expected one of {known}, got {params.format!r:.80}")
    if kind := kind_in(params):
        check_readable(kind)
    given = {name: getattr(params, name) for name in OF_DOCUMENTS}
    return format_of(**given | ({"format": "auto"} if kind else {}), zone=zone)


def shape_of(params: Any, zone: Any = None) -> Description:
    """Read the options that say where readings are.

    Raises:
        ValueError: Says which are wrong.
    """
    return description_of(
        {name: getattr(params, name) for name in OF_SHAPES},
        zone=zone,
        fixed=fixed_in(params.path),
    )


def fixed_in(path: Any) -> Fixed:
    """Return what tells the parts of templates that paths decide, as if each were a name."""
    try:
        steps = [step for each in patterns_of(path) for step in each.steps if step is not None]
    except ValueError:
        steps = []  # told elsewhere
    return fixed_by(Path("file"), {name: name for step in steps for name in step.groupindex})


def ending_in(params: Any) -> Ending | None:
    """Read what becomes of files.

    Raises:
        ValueError: Says what is wrong with that.
    """
    ending = ending_of(params.after, params.move_to)
    if params.follow and ending is not None:
        raise ValueError(f"after: expected {KEEP} with `follow`, as lines may still be added")
    if params.after == MOVE:
        check_outside(Path(params.move_to), patterns_of(params.path))
    return ending


def check_outside(folder: Path, patterns: Sequence[Pattern]) -> None:
    """See that files that were moved are none of those that are read.

    Raises:
        ValueError: They are.
    """
    for each in patterns:
        deep = folder.is_relative_to(each.folder) and None in each.steps
        if deep or each.matches(folder / "x" / Path(each.text).name) or folder == each.folder:
            raise ValueError(f"move_to: expected a folder outside of {each.text}, got {folder}")


def follow_of(params: Any) -> bool:
    """Read the option ``follow``.

    Raises:
        ValueError: Files of that format do not grow line by line.
    """
    if params.follow and params.format not in ("auto", *BY_LINES):
        known = ", ".join(sorted(BY_LINES))
        raise ValueError(f"follow: expected format {known}, got {params.format!r:.80}")
    if params.time is None:
        raise ValueError("time: expected where the time of a reading is, got nothing")
    return bool(params.follow)


def ignored_of(ignore: Any) -> Sequence[str]:
    """Read the option ``ignore``.

    Raises:
        ValueError: It is no list of patterns.
    """
    if ignore is None:
        return IGNORED
    if not isinstance(ignore, list | tuple) or not all(isinstance(each, str) for each in ignore):
        raise ValueError(f"ignore: expected a list of patterns such as '*.tmp', got {ignore!r:.80}")
    return tuple(ignore)


def sheet_of(sheet: Any) -> str | None:
    """Read the option ``sheet``.

    Raises:
        ValueError: It is no name.
    """
    if sheet is not None and (not isinstance(sheet, str) or not sheet):
        raise ValueError(f"sheet: expected the name of a sheet, got {sheet!r:.80}")
    return sheet


def check_past(params: Any) -> None:
    """Refuse to read anew what is not there any more.

    Raises:
        ValueError: It is not.
    """
    if params.start is not None and params.after == DELETE:
        raise ValueError(
            "after: expected keep or move for a backfill, which reads files anew, got delete"
        )


# Reads some of the params.
Read = Callable[[Any], object]
EACH: Final[Sequence[Read]] = (
    follow_of,
    lambda params: patterns_of(params.path),
    lambda params: ignored_of(params.ignore),
    ending_in,
    form_of,
    lambda params: sheet_of(params.sheet),
    lambda params: whole(params.max_bytes, "max_bytes", least=1),
    lambda params: zone_of(params.timezone),
    check_past,
)
