"""`kill -9` at random instants while a real Prometheus sends what it has read.

Prometheus does not repeat what was answered with 2xx. So if anything was answered before it was
safe, it is missing at the end. ``INGESTD_TEST_SEED`` repeats a run of this test, as far as chance
can be repeated.
"""

import os
import random
import secrets
import time
from pathlib import Path
from typing import Final

import pytest

from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.ports import free_port
from tests.support.scraped import Samples, meters, samples_in, samples_of, writing_prometheus

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
KILLS: Final = 9
LONGEST: Final = 0.3  # seconds from a sign of life to a kill


@pytest.mark.slow(10)  # a daemon starts ten times beside a Prometheus
def test_kills_lose_nothing_that_prometheus_sends(daemon: DaemonProcess, tmp_path: Path) -> None:
    """At the end the store has exactly what Prometheus has, each sample with its labels."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    listen = f"127.0.0.1:{free_port()}"
    store = daemon.state_dir / "readings.db"
    params = {"listen": listen, "store_keys": ["k"], "formats": ["remote_write"]}
    daemon.configure(
        stores={"embedded": {"type": "embedded", "batch": {"linger": "50ms"}}},
        collectors={"agents": {"plugin": "http_push", "params": params}},
    )
    with (
        meters() as target,
        writing_prometheus(
            tmp_path / "prometheus",
            target=target.address,
            to=f"http://{listen}/api/v1/write",
            key="k",
        ) as sender,
    ):
        for _ in range(KILLS):
            daemon.start()
            await_more(store)
            time.sleep(chance.uniform(0, LONGEST))  # the test: it varies the instants of kills
            daemon.kill()
            time.sleep(chance.uniform(0, LONGEST))
        daemon.start()
        expected = samples_of(sender)
        try:
            eventually(lambda: missing(expected, samples_in(store)) == {}, what="nothing missing")
        except pytest.fail.Exception:
            print(missing(expected, samples_in(store)), sender.log)  # noqa: T201 -- who lost it
            raise
        daemon.assert_balanced()
        assert daemon.stop() == 0
        stored, everything = samples_in(store), samples_of(sender)
        sender.kill()  # asked to end, it would wait a minute for the daemon

    assert count(expected) > KILLS
    assert missing(stored, everything) == {}, "what is stored is what Prometheus has"


def await_more(store: Path) -> None:
    """Return once more samples are stored than there are."""
    before = count(samples_in(store))
    eventually(lambda: count(samples_in(store)) > before, what="samples")


def count(samples: Samples) -> int:
    """Count samples."""
    return sum(map(len, samples.values()))


def missing(wanted: Samples, found: Samples) -> Samples:
    """Return the samples that are not among others, or have another value there."""
    return {
        series: absent
        for series, points in wanted.items()
        if (absent := {t: v for t, v in points.items() if found.get(series, {}).get(t) != v})
    }
