"""http_json in a daemon that is killed or stopped while its tokens are renewed."""

import time
from collections.abc import Iterator
from signal import SIGTERM
from typing import Final

import pytest

from tests.support.daemonprocess import DaemonProcess
from tests.support.deadline import WITHIN
from tests.support.oauth2server import SECRET, OAuth2Server, oauth2_server

pytestmark = pytest.mark.slow  # daemons start and stop

KILLS: Final = 3
GRACE: Final = 0.2  # seconds


@pytest.fixture
def server() -> Iterator[OAuth2Server]:
    """Run a server whose tokens end at once, so that each run renews them."""
    server = OAuth2Server(lifetime=1, patient=True)
    with oauth2_server(server):
        yield server


def configure(daemon: DaemonProcess, server: OAuth2Server, grace: str = "10s") -> None:
    """Have a daemon read the server's source with a refresh token from elsewhere."""
    oauth2 = {
        "token_url": f"{server.url}/token",
        "client_id": "app",
        "client_secret": SECRET,
        "refresh_token": server.refresh_token(),
    }
    params = {"url": f"{server.url}/data", "values": {"level": "v"}, "auth": {"oauth2": oauth2}}
    daemon.configure(
        daemon={"grace": grace},
        collectors={"roof": {"plugin": "http_json", "every": "500ms", "params": params}},
    )


def test_kills_while_tokens_are_renewed_cost_no_authorization(
    daemon: DaemonProcess, server: OAuth2Server
) -> None:
    """What the server had rotated and not told is asked for again with the token before."""
    configure(daemon, server)
    for _ in range(KILLS):
        server.hold.clear()
        server.gave.clear()
        daemon.start()
        assert server.gave.wait(WITHIN)
        daemon.kill()
        server.hold.set()

        daemon.start()
        daemon.wait_for("run ok")
        daemon.kill()

    assert daemon.logged("run failed") == []


def test_tokens_that_come_while_a_daemon_stops_are_kept(
    daemon: DaemonProcess, server: OAuth2Server
) -> None:
    """Its grace has ended by then."""
    server.issuer.patient = False
    server.hold.clear()
    configure(daemon, server, grace=f"{GRACE}s")
    daemon.start()
    assert server.gave.wait(WITHIN)
    daemon.send(SIGTERM)
    daemon.wait_for("stopping")
    time.sleep(3 * GRACE)  # its end is no event outside of the daemon
    server.hold.set()
    assert daemon.ended() == 0
    assert len(daemon.logged("run cancelled")) == 1

    daemon.start()
    daemon.wait_for("run ok", within=20)

    assert daemon.logged("run failed") == []
