"""Requested runs of a real daemon that is killed: none is lost, and what was told stays true.

``INGESTD_TEST_SEED`` repeats a run of these tests, as far as chance can be repeated.
"""

import json
import os
import random
import secrets
import sqlite3
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.proxy import Mode, Proxy
from tests.support.servers import victoria_metrics

pytestmark = pytest.mark.slow

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 10
OVER: Final = {"SUCCESS", "FAILED", "CANCELLED"}
# Takes its time before its reading and after it, and notes each time that it begins.
PLUGIN: Final = """
    import asyncio
    async def run(*, log, number=0, pause=0.0, n=0, **_):
        if not number:
            yield {"readings": [(1000 + n, "scheduled", n)], "n": n + 1}
            return
        with open(log, "a") as file:
            file.write(f"{number} ")
        await asyncio.sleep(pause)
        yield {"readings": [(2000 + number, "requested", number)], "n": -1}
        await asyncio.sleep(pause)
        yield {"result": {"number": number}}
"""


@dataclass
class Witness:
    """Asks for runs, looks at them, and remembers everything that it was told.

    Attributes:
        daemon: The one that is asked.
        chance: Decides what happens.
        asked: The bodies that were sent, by key.
        told: What was told last of each run, by key.
        statuses: Every status that was told of each, in order.
    """

    daemon: DaemonProcess
    chance: random.Random
    asked: dict[str, dict[str, Any]] = field(default_factory=dict)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)
    statuses: Counter[str] = field(default_factory=Counter)

    def ask(self) -> None:
        """Ask for a run of a new number, or again for one that there was no answer to."""
        unanswered = self.asked.keys() - self.told.keys()
        key = min(unanswered, default=f"k{len(self.asked) + 1}")
        number = int(key[1:])
        params = {"number": number, "pause": self.chance.choice([0, 0.01, 0.1])}
        body = self.asked.setdefault(key, {"collector": "both", "key": key, "params": params})
        with suppress(OSError, HTTPException, json.JSONDecodeError):
            self._learn(self.daemon.post("runs", body))

    def look(self) -> None:
        """See how the runs stand."""
        with suppress(OSError, HTTPException, json.JSONDecodeError):
            for each in self.daemon.get("runs?requested=true&limit=10000"):
                self._learn(each)

    def cancel(self) -> None:
        """Give a run up that has not ended as far as is known."""
        open_ones = [each["id"] for each in self.told.values() if each["status"] not in OVER]
        if open_ones:
            with suppress(OSError, HTTPException, json.JSONDecodeError):
                self._learn(self.daemon.delete(f"runs/{self.chance.choice(open_ones)}"))

    def _learn(self, found: dict[str, Any]) -> None:
        before = self.told.get(found["key"])
        assert before is None or before["id"] == found["id"], (before, found)
        if before is not None and before["status"] in OVER:
            assert found == before, "what has ended stays as it is"
        assert before is None or found["attempt"] >= before["attempt"], (before, found)
        self.told[found["key"]] = found
        self.statuses[found["status"]] += 1


def on_disk(daemon: DaemonProcess) -> dict[str, tuple[str, str]]:
    """Return number and status of every run as a killed daemon has left them, by key."""
    with ondisk.copied(daemon.state_dir / "state.db") as db:
        try:
            rows = db.execute("SELECT key, 'r-' || id, status FROM requested_runs").fetchall()
        except sqlite3.OperationalError:  # it was killed before it had made the table
            return {}
    return {key: (name, status) for key, name, status in rows}


def assert_true(
    daemon: DaemonProcess, witness: Witness, look: ondisk.Look
) -> dict[str, tuple[str, str]]:
    """Check that what was told is on disk, and that what succeeded is safe; return the former."""
    found = on_disk(daemon)
    for key, told in witness.told.items():
        name, status = found[key]
        assert name == told["id"]
        assert status == told["status"] or told["status"] not in OVER, (told, status)
    safe = {*look()["requested"], *ondisk.waiting(daemon.state_dir, "main")["requested"]}
    succeeded = [int(key[1:]) for key, (_, status) in found.items() if status == "SUCCESS"]
    assert not {(2000 + number) * 1_000_000 for number in succeeded} - safe
    return found


@pytest.mark.slow(20)
def test_kills_lose_no_run_and_make_none_untrue(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Each that was accepted is made once as far as anybody can see, with its readings safe."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    log, witness = tmp_path / "begun", Witness(daemon, chance)
    killed_in: Counter[str] = Counter()
    with (
        victoria_metrics(tmp_path / "vm", "-dedup.minScrapeInterval=1ms") as server,
        Proxy(server.port) as proxy,
    ):
        store = {
            "type": "victoriametrics",
            "url": proxy.url,
            "timeout": "300ms",
            "retry_max": "100ms",
        }
        daemon.plugin("both", PLUGIN)
        params = {"log": str(log)}
        both = {"plugin": "both", "every": "200ms", "params": params}
        daemon.configure(collectors={"both": both}, stores={"main": store})
        look = ondisk.victoriametrics(server.url)
        for _ in range(KILLS):
            daemon.start(ready=chance.random() < 0.8)
            for _ in range(chance.randrange(1, 6)):
                proxy.set(chance.choice((Mode.UP, Mode.UP, Mode.UP, *Mode)))
                for _ in range(chance.randrange(3)):
                    witness.ask()
                if chance.random() < 0.2:
                    witness.cancel()
                time.sleep(chance.uniform(0, 0.15))  # the instants of the kills are the test
                witness.look()
            daemon.kill()
            proxy.set(Mode.UP)
            found = assert_true(daemon, witness, look)
            killed_in.update(status for _, status in found.values())
        daemon.configure(**{**daemon.config, "stores": {"main": {**store, "timeout": "1m"}}})
        daemon.start()
        while witness.asked.keys() - witness.told.keys():
            witness.ask()
        eventually(lambda: all_over(witness), what="all runs ended")
        results = {
            key: daemon.get(f"runs/{each['id']}/result")["data"]
            for key, each in witness.told.items()
            if each["status"] == "SUCCESS"
        }
        listed = daemon.get("runs?requested=true&limit=10000")
        eventually(lambda: not ondisk.count(daemon.state_dir, "spool"))
        position = daemon.get("state/both")["state"]["n"]
        daemon.assert_balanced()
        assert daemon.stop() == 0
        stored = look()

    print(dict(killed_in), dict(witness.statuses))  # noqa: T201 -- which states were met
    begun = Counter(map(int, log.read_text().split()))
    assert len(listed) == len(witness.asked) == len({each["key"] for each in listed})
    assert {each["status"] for each in listed} <= {"SUCCESS", "CANCELLED"}
    assert results == {key: {"number": int(key[1:])} for key in results}
    for each in listed:
        number = each["params"]["number"]
        assert begun[number] <= each["attempt"]
        values = stored["requested"].get((2000 + number) * 1_000_000, [])
        assert values == [number] or each["status"] == "CANCELLED"
    assert position > 0  # no requested run has moved it to where the schedule never was


def all_over(witness: Witness) -> bool:
    """Look, and say whether every run has ended."""
    witness.look()
    return all(each["status"] in OVER for each in witness.told.values())
