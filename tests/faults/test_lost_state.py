"""The state directory is taken away while the daemon runs: it ends, and is started again."""

import shutil
from collections.abc import Mapping
from typing import Any, Final

import pytest

from tests.faults.test_http_push import STORE, collector, progress
from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess
from tests.support.ports import free_port
from tests.support.poster import Poster
from tests.support.source import readings

pytestmark = pytest.mark.slow  # it waits until the directory has been away for seconds

# Name of the store -> its configuration: one lives in the same directory, one is away.
STORES: Final[Mapping[str, Mapping[str, Any]]] = {
    "embedded": {"type": "embedded"},
    "main": {"type": "victoriametrics", "url": "http://127.0.0.1:9"},
}


@pytest.mark.slow(15)
@pytest.mark.parametrize("store", STORES)
def test_it_ends_for_a_restart_and_acknowledges_only_what_that_finds(
    daemon: DaemonProcess, store: str
) -> None:
    """A logger posts all the time, and forgets no reading that the next daemon lacks."""
    port = free_port()
    daemon.configure(
        stores={store: STORES[store]}, collectors=collector(listen=f"127.0.0.1:{port}")
    )
    before, poster = (
        Poster(daemon.folder, f"http://127.0.0.1:{port}{STORE}", name)
        for name in ("before", "meter")
    )
    daemon.start()
    with before.posting():
        progress([before])
    shutil.rmtree(daemon.state_dir)

    with poster.posting():
        code = daemon.ended()
        told = [line["text"] for line in daemon.logged("unreadable")]
        daemon.start()  # as systemd would
        progress([poster])
    assert daemon.stop() == 0

    assert code == 1
    assert len(told) == 1
    assert "restart ingestd" in told[0]
    kept = {*ondisk.waiting(daemon.state_dir, store)["meter"]}
    if store == "embedded":
        kept |= ondisk.embedded(daemon.state_dir / "readings.db")()["meter"].keys()
    assert kept == readings(poster.forgotten).keys()
