"""The servers of the tests: each has a port of its own, and comes back with what it held."""

import socket
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from tests.support.databases import folder_of, mariadb, postgresql
from tests.support.deadline import WITHIN
from tests.support.ports import free_port
from tests.support.servers import RealServer, accepts, influxd, mosquitto, victoria_metrics


@pytest.mark.slow  # a server starts twice
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


@pytest.mark.slow  # a database is made, and its server starts twice
@pytest.mark.parametrize("make", [postgresql, mariadb])
def test_killed_database_comes_back_where_it_was(make: Callable[..., RealServer]) -> None:
    """It runs as a user who may do little, on the same port with the same data."""
    with folder_of("nobody") as (folder, user), make(folder, user) as server:
        url = server.url
        owner = psutil.Process(server.pid).username()
        server.kill()
        assert not accepts(url)
        server.start()

        assert accepts(url)
        assert owner != "root"
    assert not accepts(url)


def test_server_is_not_mistaken_for_another_on_its_port(tmp_path: Path) -> None:
    """A server whose port is taken has not started, though the other one answers there."""
    with mosquitto(tmp_path / "first") as first:
        (tmp_path / "second").mkdir()
        second = RealServer(first.argv, url=first.url, folder=tmp_path / "second", ready=accepts)

        with pytest.raises(pytest.fail.Exception, match=r"(?s)did not start.*in use"):
            second.start()


def test_processes_are_given_different_ports() -> None:
    """Workers of one session and of another never wait for the same port."""
    code = "from tests.support.ports import free_port; print(*(free_port() for _ in range(90)))"
    ours = {free_port() for _ in range(90)}

    asked = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)

    theirs = {int(port) for port in asked.stdout.split()}
    assert (len(ours), len(theirs)) == (90, 90)
    assert not ours & theirs


def test_shared_servers_answer(influxdb_url: str, victoriametrics_url: str, mqtt_url: str) -> None:
    """All three servers of the session are there."""
    for url in (influxdb_url, victoriametrics_url):
        with urllib.request.urlopen(f"{url}/ping") as reply:
            assert reply.status == 204

    parts = urllib.parse.urlsplit(mqtt_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=WITHIN) as broker:
        assert broker.getpeername()[1] == parts.port
