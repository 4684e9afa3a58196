"""The fixtures themselves: servers that go away must come back with what they held."""

import socket
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.servers import RealServer, accepts, influxd, mosquitto, victoria_metrics


@pytest.mark.slow
@pytest.mark.parametrize("make", [influxd, victoria_metrics, mosquitto])
def test_killed_server_comes_back_where_it_was(
    make: Callable[[Path], RealServer], tmp_path: Path
) -> None:
    """A server that is killed refuses connections until it is started, on the same port."""
    with make(tmp_path / "server") as server:
        url = server.url
        server.kill()
        assert not accepts(url)
        server.start()

        assert server.url == url
        assert accepts(url)
    assert not accepts(url)


def test_shared_servers_answer(influxdb_url: str, victoriametrics_url: str, mqtt_url: str) -> None:
    """All three servers of the session are there."""
    for url in (influxdb_url, victoriametrics_url):
        with urllib.request.urlopen(f"{url}/ping") as reply:
            assert reply.status == 204

    parts = urllib.parse.urlsplit(mqtt_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as broker:
        assert broker.getpeername()[1] == parts.port
