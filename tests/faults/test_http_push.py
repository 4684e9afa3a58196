"""Loggers that push, while the daemon is killed and restarted and its store goes away."""

import json
import os
import random
import secrets
import signal
import socket
import time
import urllib.request
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.deadline import WITHIN
from tests.support.ports import free_port
from tests.support.poster import Poster
from tests.support.proxy import Mode, Proxy
from tests.support.servers import victoria_metrics
from tests.support.source import readings

pytestmark = pytest.mark.slow  # daemons and stores start and are killed

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
ROUNDS: Final = 8
STORE: Final = "/readingdb/reading/store/"


def collector(**where: Any) -> dict[str, Any]:
    """Return the configuration of a collector that takes what BMON's loggers post."""
    params = {"store_keys": ["k"], "replies": "bmon", "answer_within": "2s", **where}
    return {"loggers": {"plugin": "http_push", "params": params}}


@pytest.mark.slow(15)
def test_a_logger_drains_into_the_embedded_store(daemon: DaemonProcess, tmp_path: Path) -> None:
    """It posts below the daemon's address; all that was answered with 200 is safe at every kill."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    listen = f"127.0.0.1:{free_port()}"
    daemon.configure(daemon={"listen": listen}, collectors=collector(path="/readingdb"))
    daemon._listen = listen
    poster = Poster(tmp_path, f"http://{listen}{STORE}", "meter")
    look = ondisk.embedded(daemon.state_dir / "readings.db")
    with poster.posting():
        for number in range(ROUNDS):
            daemon.start()
            progress([poster])
            # These sleeps are the test: they vary the instants.
            time.sleep(chance.uniform(0, 0.4))
            if number % 3 == 2:
                assert daemon.stop() == 0
            else:
                daemon.kill()
            told = poster.forgotten  # read first: more may follow
            safe = (
                look()["meter"].keys()
                | ondisk.waiting(daemon.state_dir, "embedded")["meter"].keys()
            )
            assert readings(told).keys() <= safe
            time.sleep(chance.uniform(0, 0.2))
        daemon.start()
    measured = poster.forgotten
    daemon.assert_balanced()
    assert daemon.stop() == 0

    expected = {at: [value] for at, value in readings(measured).items()}
    assert measured > ROUNDS
    assert look()["meter"] == expected


@pytest.mark.slow(15)
def test_loggers_drain_while_the_store_is_dead(daemon: DaemonProcess, tmp_path: Path) -> None:
    """They post at an address of the plugin's, into VictoriaMetrics: what is spooled is safe."""
    chance = random.Random(SEED)
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    listen = f"127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        server = stack.enter_context(
            victoria_metrics(tmp_path / "vm", "-dedup.minScrapeInterval=1ms")
        )
        proxy = stack.enter_context(Proxy(server.port))
        store = {"type": "victoriametrics", "url": proxy.url, "retry_max": "100ms"}
        daemon.configure(
            stores={"main": {**store, "batch": {"linger": "50ms"}}},
            collectors=collector(listen=listen),
        )
        names = ("attic", "cellar")
        posters = [Poster(tmp_path, f"http://{listen}{STORE}", name) for name in names]
        with posters[0].posting(), posters[1].posting():
            daemon.start()
            for number in range(ROUNDS):
                proxy.set(chance.choice((Mode.REFUSING, Mode.RESETTING, Mode.CUTTING, Mode.UP)))
                progress(posters)
                time.sleep(chance.uniform(0, 0.3))
                if number % 2:
                    daemon.kill()
                    daemon.start()
            proxy.set(Mode.UP)
        look = ondisk.victoriametrics(server.url)
        expected = {
            name: {at: [value] for at, value in readings(poster.forgotten).items()}
            for name, poster in zip(names, posters, strict=True)
        }
        eventually(lambda: look().keys() >= expected.keys() and not behind(daemon), what="drained")
        daemon.assert_balanced()
        assert daemon.stop() == 0
        found = look()

    assert {name: found[name] for name in names} == expected


def progress(posters: Sequence[Poster]) -> None:
    """Wait until each logger has got rid of something, also while the store is away."""
    before = [poster.forgotten for poster in posters]

    def moved() -> bool:
        return all(p.forgotten > b for p, b in zip(posters, before, strict=True))

    eventually(moved, what="progress")


def behind(daemon: DaemonProcess) -> int:
    """Return how many readings have yet to reach the store."""
    metrics = daemon.metrics()
    names = ("ingestd_spool_points", "ingestd_points_in_memory")
    return int(sum(metrics[f'{name}{{store="main"}}'] for name in names))


def test_strangers_do_not_keep_loggers_out(daemon: DaemonProcess, tmp_path: Path) -> None:
    """Hundreds of silent, slow, oversized and idle senders, and a logger drains beside them."""
    port = free_port()
    daemon.configure(collectors=collector(listen=f"127.0.0.1:{port}"))
    daemon.start()
    daemon.wait_for("listening")
    poster = Poster(tmp_path, f"http://127.0.0.1:{port}{STORE}", "meter")
    heads = (
        b"",
        b"POST /write HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\ncpu",
        b"POST /write HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\ncpu",
        b"POST /write HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\ncpu",
        b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /write?p=k HTTP/1.1\r\nHost: x\r\nContent-Length: 13\r\n\r\ncpu value=1 1",
    )
    with ExitStack() as stack, poster.posting():
        for _ in range(60):
            for head in heads:
                stranger = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
                stranger.sendall(head)
        before = poster.forgotten
        eventually(lambda: poster.forgotten > before + 300, what="progress beside strangers")
    assert daemon.stop() == 0

    expected = {at: [value] for at, value in readings(poster.forgotten).items()}
    assert ondisk.embedded(daemon.state_dir / "readings.db")()["meter"] == expected
    assert not any(answer.startswith("4") for answer in poster.answers)


def test_a_renamed_collector_keeps_its_socket_file(daemon: DaemonProcess, tmp_path: Path) -> None:
    """The one that goes does not remove what the one that comes has made."""
    path = tmp_path / "push.sock"
    params = collector(listen=f"unix:{path}")["loggers"]
    daemon.configure(collectors={"before": params})
    daemon.start()
    daemon.wait_for("listening")

    daemon.configure(collectors={"after": params})
    daemon.send(signal.SIGHUP)
    eventually(lambda: len(daemon.logged("listening")) == 2)
    with socket.socket(socket.AF_UNIX) as sender:
        sender.connect(str(path))
        sender.sendall(b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"204" in sender.recv(100)
    assert daemon.stop() == 0
    assert not path.exists()


def test_a_reload_moves_the_address(daemon: DaemonProcess) -> None:
    """The new one answers and the old one does not, with the same process."""
    ports = free_port(), free_port()
    daemon.configure(collectors=collector(listen=f"127.0.0.1:{ports[0]}"))
    daemon.start()
    daemon.wait_for("listening")
    assert posted(ports[0]) == "1 readings stored successfully, 0 rejected."

    daemon.configure(collectors=collector(listen=f"127.0.0.1:{ports[1]}"))
    daemon.send(signal.SIGHUP)
    eventually(lambda: len(daemon.logged("listening")) == 2)
    assert posted(ports[1]) == "1 readings stored successfully, 0 rejected."
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", ports[0]))
    assert daemon.stop() == 0


def posted(port: int) -> str:
    """Return what a batch of one reading is answered."""
    body = json.dumps({"storeKey": "k", "readings": [[1, "meter", 1]]}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{STORE}", body, timeout=WITHIN) as reply:
        text: str = reply.read().decode()
        return text
