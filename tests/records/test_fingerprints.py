"""A param's value has a mark that says whether it is still the same, and nothing else."""

from pathlib import Path
from typing import Any

import pytest

from ingestd.disk.database import Database
from ingestd.records.store import StateStore
from tests.support.clock import VirtualClock


def test_a_fingerprint_is_the_same_for_the_same_value(store: StateStore) -> None:
    """The order of the keys of a mapping is no part of a value."""
    one = {"a": [1, {"x": 1, "y": 2}], "b": None}
    same = {"b": None, "a": [1, {"y": 2, "x": 1}]}

    assert store.fingerprint(one) == store.fingerprint(same)


@pytest.mark.parametrize("other", ["hunter3", 1, "1", 1.5, True, None, [], {}, "\ud800", b"x"])
def test_a_fingerprint_differs_for_another_value(store: StateStore, other: Any) -> None:
    """Any new value lets a mask fall."""
    assert store.fingerprint("hunter2") != store.fingerprint(other)


def test_a_fingerprint_tells_types_apart(store: StateStore) -> None:
    """A number and its text are different params."""
    assert len({store.fingerprint(value) for value in (1, "1", True, 1.0, [1])}) == 5


async def test_a_fingerprint_outlives_the_daemon(
    store: StateStore, database: Database, clock: VirtualClock
) -> None:
    """The key is kept with the masks."""
    again = await StateStore.open(database, clock)

    assert again.fingerprint("hunter2") == store.fingerprint("hunter2")


async def test_a_fingerprint_cannot_be_guessed_elsewhere(
    store: StateStore, tmp_path: Path, clock: VirtualClock
) -> None:
    """Every state directory has a key of its own."""
    async with await Database.open(tmp_path / "other.db") as other:
        stranger = await StateStore.open(other, clock)

    assert stranger.fingerprint("hunter2") != store.fingerprint("hunter2")


@pytest.mark.parametrize(
    "other",
    [
        {"a": [2, {"x": 1}], "b": None},
        {"a": [1, {"x": 2}], "b": None},
        {"a": [1, {"y": 1}], "b": None},
        {"a": [1, {"x": 1}], "c": None},
        {"a": [1, {"x": 1}], "b": 0},
        {"a": [{"x": 1}, 1], "b": None},
    ],
)
def test_a_fingerprint_differs_for_another_part(store: StateStore, other: Any) -> None:
    """The value may be deep in a list or a mapping."""
    assert store.fingerprint({"a": [1, {"x": 1}], "b": None}) != store.fingerprint(other)


def test_a_fingerprint_is_the_same_in_every_version(
    database: Database, clock: VirtualClock
) -> None:
    """Were it another one after an upgrade, every mask would fall."""
    store = StateStore(database, clock, key=b"k" * 32, last={}, run=0)

    assert store.fingerprint({"password": ["hunter2"]}) == "31c8430cc5f5d7d8bfbf87557d2f3c8e"
