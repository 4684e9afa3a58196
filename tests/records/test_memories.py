"""What a collector remembers is told apart from that of others, and what is damaged is kept."""

import zlib
from pathlib import Path
from typing import Any

import pytest

from ingestd.contract.memory import Memory
from ingestd.disk.database import Database
from ingestd.disk.directory import StateDirectory
from ingestd.errors import ResultError
from ingestd.records.memories import MemoryRow, encode, put
from ingestd.records.store import Kept, StateStore
from tests.support.clock import START, VirtualClock
from tests.support.disk import fill

MEMORY = Memory(state={"last_ts": 1.5}, hidden={"token": "t"}, masks={"password": "m"})
RAW = (b"lab", b"last_ts: 1.5\n", b"token: t\n", b"password: m\n")


async def test_two_collectors_are_told_apart(store: StateStore) -> None:
    """What is loaded and forgotten is that of the collector that was named."""
    await store.commit("lab", MEMORY)
    await store.commit("roof", Memory(state={"last_ts": 2.5}))

    assert (await store.load("roof")).memory.state == {"last_ts": 2.5}
    assert await store.reset("roof")
    assert (await store.load("roof")).memory == Memory()
    assert (await store.load("lab")).memory == MEMORY


def test_a_row_has_the_checksum_that_earlier_versions_gave_it() -> None:
    """With another one every memory would be set aside after an upgrade."""
    assert encode("lab", MEMORY, now=START).crc == zlib.crc32(b"\0".join(RAW))


@pytest.mark.parametrize("part", ["state", "hidden", "masks"])
def test_what_cannot_be_kept_is_named_with_its_part(part: str) -> None:
    """The author of a plugin looks for it there."""
    parts: dict[str, Any] = {part: {"a": object()}}

    with pytest.raises(ResultError, match=rf"^{part}\.a: cannot be kept"):
        encode("lab", Memory(**parts), now=START)


@pytest.mark.parametrize("part", ["state", "hidden", "masks"])
async def test_text_that_is_no_yaml_is_named_with_its_part(
    store: StateStore, database: Database, part: str
) -> None:
    """An editor that mended the checksum may have spoilt the text."""
    texts: dict[str, Any] = {"state": "", "hidden": "", "masks": "", part: "{"}
    row = MemoryRow("lab", changed=START, **texts)
    await database.write(lambda db: put(db, row))

    found = await store.load("lab")

    assert found.memory == Memory()
    assert found.damage.startswith(f"{part} of lab: expected YAML, got damaged text")


async def test_a_damaged_row_is_kept_whole(store: StateStore, database: Database) -> None:
    """With some skill an operator can bring a memory back from it."""
    await store.commit("lab", MEMORY)
    await database.write(lambda db: db.execute("UPDATE state SET crc = 0"))
    await store.load("lab")

    row = await database.read(
        lambda db: db.execute("SELECT key, payload, error FROM damaged").fetchone()
    )
    assert row == ("lab", b"\0".join(RAW), "state of lab: damaged: its checksum differs")


async def test_a_damaged_name_is_set_aside_with_its_row(
    store: StateStore, database: Database
) -> None:
    """A flipped bit may have made a name of what is no text."""
    await store.commit("lab", MEMORY)
    await database.write(lambda db: db.execute("UPDATE state SET collector = CAST(x'ff' AS TEXT)"))

    found = await store.load_all()

    assert found["\N{REPLACEMENT CHARACTER}"].damage.startswith(
        "state of \N{REPLACEMENT CHARACTER}"
    )
    assert await store.load_all() == {}
    (key,) = await database.read(lambda db: db.execute("SELECT key FROM damaged").fetchone())
    assert key == "\N{REPLACEMENT CHARACTER}"


@pytest.mark.slow
async def test_a_memory_is_committed_on_a_full_disk(small_disk: Path) -> None:
    """Its readings are stored; only with the ballast can the collector's position follow.

    It waits for a small disk to be filled.
    """
    with StateDirectory.open(small_disk / "state", ballast_bytes=1 << 20) as directory:
        async with await Database.open(directory.database, ballast=directory.ballast) as database:
            store = await StateStore.open(database, VirtualClock())
            fill(small_disk)
            large = Memory(state={"seen": "x" * 200_000})

            await store.commit("lab", large)

            assert await store.load("lab") == Kept(large, changed=START)
