"""Listing files beside the event loop."""

from functools import partial
from pathlib import Path
from typing import Final

from ingestd.plugins import _files

from .asking import answer
from .listing import Found, Listing, list_files
from .options import Setup

SHOWN: Final = 3  # files


def seen(setup: Setup) -> str:
    """Say which files there are, for people who look at a configuration."""
    files: list[Found] = []
    problems: list[str] = []
    for pattern in setup.patterns:
        try:
            found = _files.within(
                pattern.folder / "*", partial(list_files, [pattern], setup.ignored)
            )
        except OSError as error:
            found = Listing(problems=[f"{pattern.folder}: {error.strerror or error}"])
        files += found.files
        problems += found.problems
    newest = sorted({str(each.path): each for each in files}.values(), key=by_age)[-SHOWN:]
    named = ", ".join([str(each.path) for each in reversed(newest)])
    count = f"{len(files)} file{'' if len(files) == 1 else 's'}"
    return "; ".join([f"{count}{named and f', the newest first: {named}'}", *problems])


def by_age(file: Found) -> tuple[int, Path]:
    """Return what sorts files, the oldest first."""
    return file.modified_ns, file.path


async def listed(setup: Setup) -> Listing:
    """Return the files that there are.

    Raises:
        OSError: There is none, and it cannot be told whether there should be.
    """
    listing = Listing()
    for pattern in setup.patterns:
        inside = pattern.folder / "*"
        try:
            # A server that has gone is told soon; a large folder may take longer.
            await answer(inside, pattern.folder.exists, patience=_files.PATIENCE)
            found = await answer(inside, partial(list_files, [pattern], setup.ignored))
        except OSError as error:
            found = Listing(problems=[f"{pattern.folder}: {error.strerror or error}"])
        listing.files += found.files
        listing.problems += found.problems
    if listing.problems and not listing.files:
        raise OSError("; ".join(listing.problems))
    listing.files = sorted({each.path: each for each in listing.files}.values(), key=by_age)
    return listing
