"""Listing files beside the event loop."""

from functools import partial

from ingestd.plugins import _files

from .asking import answer
from .listing import Listing, list_files
from .options import Setup


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
    listing.files = sorted(
        {each.path: each for each in listing.files}.values(),
        key=lambda each: (each.modified_ns, each.path),
    )
    return listing
