"""``ingestd authorize``, with a daemon and without; the server is Authlib's."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.oauth2server import SECRET, OAuth2Server, oauth2_server

pytestmark = pytest.mark.slow  # commands and a daemon start


@pytest.fixture
def server() -> Iterator[OAuth2Server]:
    """Run a server whose owner allows what is asked for."""
    server = OAuth2Server(allowed=True)
    with oauth2_server(server):
        yield server


def collectors(server: OAuth2Server, **options: Any) -> dict[str, Any]:
    """Return a collector that reads the server's source, when it is asked to."""
    oauth2 = {
        "token_url": f"{server.url}/token",
        "client_id": "app",
        "client_secret": SECRET,
        **options,
    }
    params = {"url": f"{server.url}/data", "values": {"level": "v"}, "auth": {"oauth2": oauth2}}
    return {"roof": {"plugin": "http_json", "every": "365d", "offset": "300d", "params": params}}


@pytest.fixture(params=["daemon", "files"])
def begin(request: pytest.FixtureRequest, daemon: DaemonProcess) -> Callable[..., None]:
    """Give what configures collectors, and starts a daemon for them or not."""

    def configured(found: dict[str, Any]) -> None:
        daemon.configure(collectors=found)
        if request.param == "daemon":
            daemon.start()

    return configured


def test_a_person_allows_a_collector_once(
    begin: Callable[..., None], server: OAuth2Server, cli: CommandLine
) -> None:
    """The command says where to go; runs go on with what that brings."""
    begin(collectors(server, device_url=f"{server.url}/device_authorization"))
    before = cli("once", "roof")
    said = cli("authorize", "roof")
    after = [cli.json("once", "roof"), cli.json("once", "roof")]

    assert (before.code, "ingestd authorize roof" in before.out) == (1, True)
    assert (said.code, said.err) == (0, "")
    assert f"Open {server.url}/device and enter the code " in said.out
    assert said.lines[-1] == "roof: authorized"
    assert [each["outcome"] for each in after] == ["ok", "ok"]
    assert cli.json("state", "show", "roof")["hidden"] == {"keys": 1}
    assert server.kinds == ["urn:ietf:params:oauth:grant-type:device_code"]


def test_what_cannot_be_authorized_is_told(
    begin: Callable[..., None], server: OAuth2Server, cli: CommandLine
) -> None:
    """It needs no person, is not allowed, or is of a plugin that knows no such thing."""
    found = collectors(server, device_url=f"{server.url}/device_authorization")
    found["plain"] = collectors(server)["roof"]
    found["here"] = {"plugin": "system", "every": "365d", "offset": "300d"}
    begin(found)
    server.allowed = False
    said = {name: cli("authorize", name) for name in ("roof", "plain", "here", "nothing")}

    assert [each.code for each in said.values()] == [1] * 4
    assert "the person did not allow it" in said["roof"].err
    assert "plain: auth.oauth2.device_url: expected" in said["plain"].err
    assert "here: expected a plugin that a person authorizes" in said["here"].err
    assert SECRET not in str(said)
