"""The sources that an account may see, listed once an hour for all its collectors."""

import asyncio
from collections import Counter

from ingestd.plugins._answers import bare

from .api import Api
from .endpoint import Endpoint, Listing
from .errors import ListRefused
from .options import Options
from .session import Session
from .sources import Source, registers_in, virtual_meters_in

# A list that lacks what is asked for is made anew, unless it is as young as this, in seconds.
YOUNG = 60.0


async def listed(
    session: Session, options: Options, api: Api, endpoint: Endpoint
) -> tuple[list[Source], dict[str, str], list[str]]:
    """Return the sources among which to choose, the lists that are refused, and repeated ids.

    A kind of which none is wanted is not asked for: an account may lack the right. If it
    lacks that for one of two kinds, there is still the other.

    Raises:
        DcsError: The server gives no list.
    """
    selection = options.selection
    kinds = [
        virtual
        for virtual, wanted in ((False, selection.registers), (True, selection.virtual_meters))
        if wanted
    ]
    known: list[Source] = []
    repeated: list[str] = []
    refused: dict[bool, ListRefused] = {}
    for virtual in kinds:
        try:
            listing = await listing_of(session, options, api, endpoint, virtual=virtual)
            known += listing.sources
            repeated += listing.repeated
        except ListRefused as error:
            refused[virtual] = error
    if refused and len(refused) == len(kinds):
        raise refused[kinds[0]]
    names = {False: "registers", True: "virtual meters"}
    return known, {names[virtual]: str(error) for virtual, error in refused.items()}, repeated


async def listing_of(
    session: Session, options: Options, api: Api, endpoint: Endpoint, *, virtual: bool
) -> Listing:
    """Return the sources of one kind, listed anew if what was listed last is too old.

    Raises:
        DcsError: The server does not list them.
    """
    key = options.username, virtual
    listing = endpoint.listings.get(key)
    if listing is None or not listing.fresh():
        listing = endpoint.listings[key] = await ask(session, api, virtual=virtual)
    prefix = "VM" if virtual else "R"
    missing = options.selection.missing(listing.sources)
    if any(each.startswith(prefix) for each in missing) and not listing.fresh(age=YOUNG):
        listing = endpoint.listings[key] = await ask(session, api, virtual=virtual)
    return listing


async def ask(session: Session, api: Api, *, virtual: bool) -> Listing:
    """Return the sources of one kind as the server lists them.

    Raises:
        DcsError: It does not.
    """
    url = api.virtual_meters if virtual else api.meters
    read = virtual_meters_in if virtual else registers_in
    sources = read(await session.document(url), where=f"GET {bare(url)}")
    # Some servers list a meter in each of its groups.
    once = list({source.id: source for source in sources}.values())
    counts = Counter(source.id for source in sources)
    repeated = [key for key, count in counts.items() if count > 1]
    return Listing(once, repeated, asyncio.get_running_loop().time())
