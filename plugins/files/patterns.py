"""Patterns of paths: wildcards as in a shell, some of them with a name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Final

from ingestd.plugins._problems import Gathering
from ingestd.plugins._shapes import NOT_FIXED, Fixed

DEEP: Final = "**"
WILD: Final = re.compile(r"[*?\[{]")
NAMED: Final = re.compile(r"\{([A-Za-z_]\w*)\}")
FILE: Final = "file"  # the name of a file without its endings
PACKED: Final = (".gz", ".zip")


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the paths of some files have in common.

    Attributes:
        text: As the operator wrote it.
        folder: What has no wildcards.
        steps: Each matches a name below that; None: any number of folders.
    """

    text: str
    folder: Path
    steps: tuple[re.Pattern[str] | None, ...]

    def matches(self, path: PurePath) -> Mapping[str, str] | None:
        """Return what the named wildcards stand for in a path, or None if it does not match."""
        try:
            parts = path.relative_to(self.folder).parts
        except ValueError:
            return None
        return matched(self.steps, parts)


def matched(
    steps: Sequence[re.Pattern[str] | None], parts: Sequence[str]
) -> Mapping[str, str] | None:
    """Return what the names in some steps stand for, or None if they do not match."""
    if not steps:
        return None if parts else {}
    if steps[0] is None:
        tails = (matched(steps[1:], parts[at:]) for at in range(len(parts)))
        return next((each for each in tails if each is not None), None)
    found = steps[0].fullmatch(parts[0]) if parts else None
    rest = None if found is None else matched(steps[1:], parts[1:])
    return None if found is None or rest is None else {**rest, **found.groupdict()}


def fits_before(steps: Sequence[re.Pattern[str] | None], parts: Sequence[str]) -> bool:
    """Say whether a path that begins with some folders can match."""
    if not parts or not steps or steps[0] is None:
        return bool(steps)
    return steps[0].fullmatch(parts[0]) is not None and fits_before(steps[1:], parts[1:])


def patterns_of(path: Any) -> Sequence[Pattern]:
    """Read the option ``path``: a pattern, or a list of them.

    Raises:
        ValueError: Says what is wrong with them.
    """
    given = path if isinstance(path, list | tuple) else [path]
    with Gathering() as wrong:
        if not given:
            wrong.problems.append("path: expected at least one, got none")
        where = ["path"] if given is not path else [f"path[{at}]" for at in range(len(given))]
        return [wrong.read(partial(pattern_of, *each)) for each in zip(given, where, strict=True)]


def pattern_of(text: Any, where: str) -> Pattern:
    """Read a pattern.

    Raises:
        ValueError: It is none.
    """
    if not isinstance(text, str) or not text.startswith("/") or text.endswith("/"):
        raise ValueError(f"{where}: expected a path such as /data/*.csv, got {text!r:.200}")
    parts = Path(text).parts
    wild = next((at for at, part in enumerate(parts) if WILD.search(part)), len(parts) - 1)
    wild = max(min(wild, len(parts) - 1), 1)
    if parts[-1] == DEEP or ".." in parts:
        raise ValueError(
            f"{where}: expected the name of a file at the end, and no .., got {text!r}"
        )
    names = NAMED.findall(text)
    if len(set(names)) < len(names):
        raise ValueError(f"{where}: expected another name for each wildcard, got {text!r}")
    steps = tuple(None if part == DEEP else step_of(part) for part in parts[wild:])
    return Pattern(text, Path(*parts[:wild]), steps)


def step_of(part: str) -> re.Pattern[str]:
    """Return what matches a name."""
    pieces = NAMED.split(part)
    shown = [translate(piece).removeprefix("(?s:").removesuffix(r")\Z") for piece in pieces]
    named = [text if at % 2 == 0 else f"(?P<{pieces[at]}>.+?)" for at, text in enumerate(shown)]
    return re.compile("".join(named), re.DOTALL)


def stem(name: str) -> str:
    """Return the name of a file without its endings: ``a.csv.gz`` is ``a``."""
    bare = next((name.removesuffix(end) for end in PACKED if name.endswith(end)), name)
    return PurePath(bare).stem


def fixed_by(path: PurePath, names: Mapping[str, str]) -> Fixed:
    """Return what tells the parts of templates that the path of a file decides."""
    known = {FILE: stem(path.name), **names}
    return lambda field: known.get(field, NOT_FIXED)
