"""What a store refused for good: kept with the reason, listed, found and forgotten."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from ingestd.delivery import deadletters
from ingestd.delivery.deadletters import DeadLetter, DeadLetters
from ingestd.disk.database import Database
from ingestd.disk.directory import Ballast
from ingestd.errors import DiskFull
from tests.support.clock import START, VirtualClock
from tests.support.disk import fill
from tests.support.pipeline import influx


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Open a new database."""
    async with await Database.open(tmp_path / "state.db") as opened:
        yield opened


@pytest.fixture
def dead(database: Database) -> DeadLetters:
    """Give the dead letters of a store."""
    return DeadLetters(database, "main", clock=VirtualClock())


async def test_refused_payloads_are_kept_with_their_reason(dead: DeadLetters) -> None:
    """An operator can see what is wrong with them."""
    await dead.add([(b"level value=1 1", "hates one"), (b"\xff", "no text")])

    first, second = await dead.listed()
    assert first.as_dict() == {
        "id": 1,
        "store": "main",
        "at": START,
        "reason": "hates one",
        "payload": "level value=1 1",
    }
    assert second.payload == b"\xff"
    assert second.as_dict()["payload"] == "\N{REPLACEMENT CHARACTER}"


async def test_count_is_what_is_there(database: Database, dead: DeadLetters) -> None:
    """The count is right in memory and for the next daemon."""
    other = DeadLetters(database, "other", clock=VirtualClock())
    await dead.add([(b"a", ""), (b"b", ""), (b"c", "")])
    await other.add([(b"x", "")])

    assert await dead.remove([1, 3, 99]) == 2

    again = DeadLetters(database, "main", clock=VirtualClock())
    await again.open()
    assert (dead.count, again.count, other.count) == (1, 1, 1)
    assert await database.read(deadletters.stores) == ["main", "other"]


async def test_list_is_read_page_by_page(dead: DeadLetters) -> None:
    """A page begins after a number, so what is deleted meanwhile shifts nothing."""
    await dead.add([(str(n).encode(), "") for n in range(5)])

    first = await dead.listed(limit=2)
    await dead.remove([1])
    rest = await dead.listed(after=first[-1].id, limit=100)

    assert [each.payload for each in first] == [b"0", b"1"]
    assert [each.payload for each in rest] == [b"2", b"3", b"4"]


async def test_a_page_has_a_hundred_letters(database: Database, dead: DeadLetters) -> None:
    """Unless another number is asked for."""
    await dead.add([(b"", "")] * 101)

    assert len(await dead.listed()) == len(await database.read(deadletters.listed)) == 100


async def test_only_a_stores_own_letters_are_found(database: Database, dead: DeadLetters) -> None:
    """An operator may give numbers of other stores, of none, or one twice."""
    other = DeadLetters(database, "other", clock=VirtualClock())
    await dead.add([(b"a", ""), (b"b", "")])
    await other.add([(b"x", "")])

    found = await database.read(partial(deadletters.found, store="main", ids=[3, 2, 2, 99, 1]))

    assert [each.id for each in found] == [1, 2]
    assert [each.id for each in await dead.listed()] == [1, 2]
    assert [each.id for each in await database.read(deadletters.listed)] == [1, 2, 3]
    assert await database.read(deadletters.newest) == 3


async def test_letters_are_paged(
    database: Database, dead: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each comes once, by number or among all that were there at the beginning."""
    monkeypatch.setattr(deadletters, "PAGE", 2)
    other = DeadLetters(database, "other", clock=VirtualClock())
    await dead.add([(b"", "")] * 4)
    await other.add([(b"", "")])
    await dead.add([(b"", "")])
    pages = partial(deadletters.pages, database)

    some = [[each.id for each in page] async for page in pages("main", [6, 4, 3, 2, 5])]
    every = []
    async for page in pages("main", None):
        every.append([each.id for each in page])
        await dead.add([(b"", "")])

    assert some == [[4, 6], [2, 3], []]
    assert every == [[1, 2], [3, 4], [6]]
    assert [page async for page in pages("none", None)] == []


def test_without_a_letter_that_can_be_sent_there_is_no_body() -> None:
    """Line protocol has no word for it, and an empty body no use."""
    letter = DeadLetter(1, "main", START, "", b"no line")

    assert deadletters.sendable(influx("http://localhost"), [letter]) == ([], b"")


async def test_numbers_are_never_given_twice(database: Database, dead: DeadLetters) -> None:
    """An operator's list from yesterday must not name other points today."""
    await dead.add([(b"a", "")])
    await dead.remove([1])
    await dead.add([(b"b", "")])

    assert [each.id for each in await dead.listed()] == [2]
    assert len(await database.read(deadletters.listed)) == 1


@pytest.mark.slow  # a small disk is filled
async def test_full_disk_counts_nothing(small_disk: Path) -> None:
    """Nothing was written, and removing still works."""
    ballast = Ballast(small_disk / "ballast", size=8 << 20)
    ballast.make()
    async with await Database.open(small_disk / "state.db", ballast=ballast) as database:
        dead = DeadLetters(database, "main", clock=VirtualClock())
        await dead.add([(b"a", ""), *[(b"b" * 1000, "")] * 1000])
        fill(small_disk)
        assert await dead.remove(range(2, 1002)) == 1000

        with pytest.raises(DiskFull):
            await dead.add([(b"x" * 20_000_000, "")])

        assert dead.count == 1
        assert len(await dead.listed()) == 1
