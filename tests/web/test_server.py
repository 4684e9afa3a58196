"""Where the API listens, and how every request is answered."""

import asyncio
import io
import json
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ingestd.disk.directory import holder
from ingestd.errors import ListenError
from ingestd.web.routes import ROUTES
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.deadline import WITHIN
from tests.support.ports import free_port


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon with nothing to do."""
    async with daemon_folder.daemon("") as running:
        yield running


@pytest.fixture
def socket_path(tmp_path: Path) -> Path:
    """Give a path for a socket."""
    return tmp_path / "api.sock"


async def test_a_free_port_is_told(daemon_folder: DaemonFolder, it: RunningDaemon) -> None:
    """Port 0 becomes a real one, and the state directory says which."""
    assert it.address.startswith("http://127.0.0.1:")
    assert not it.address.endswith(":0")
    held = holder(daemon_folder.state_dir)
    assert held is not None
    assert held.listen == it.address


async def test_an_ipv6_address(daemon_folder: DaemonFolder) -> None:
    """A loopback address in brackets is listened on and told as such."""
    async with daemon_folder.daemon("", listen="'[::1]:0'") as it:
        assert it.address.startswith("http://[::1]:")
        assert (await it.get("status"))["stopping"] is False


async def test_off_listens_nowhere(daemon_folder: DaemonFolder) -> None:
    """Without an API the daemon runs, and has no address."""
    async with daemon_folder.daemon("", listen='"off"') as it:
        assert it.address == ""
        assert it.daemon.ready.is_set()


async def test_a_port_in_use_is_a_clear_error(daemon_folder: DaemonFolder) -> None:
    """The daemon ends before any collector ran, naming the address and what to do."""
    started = daemon_folder.state_dir.parent / "started"
    text = f"def run(**_): open({str(started)!r}, 'w').close(); return {{}}"
    daemon_folder.plugin("meter", text)
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(ListenError) as caught:
        async with daemon_folder.daemon(
            "collectors: {m: {plugin: meter, every: 100ms}}\n", listen=f"127.0.0.1:{port}"
        ):
            pass

    assert str(caught.value) == (
        f"127.0.0.1:{port}: cannot listen: address already in use; "
        "choose another daemon.listen, or stop the program that has it"
    )
    assert not started.exists()


async def test_a_socket_is_for_us_alone(daemon_folder: DaemonFolder, socket_path: Path) -> None:
    """A socket file has mode 0600, answers, and is gone after the stop."""
    async with daemon_folder.daemon("", listen=f"unix:{socket_path}") as it:
        assert it.address == f"unix:{socket_path}"
        assert stat.S_IMODE(socket_path.stat().st_mode) == 0o600
        assert (await it.get("status"))["stopping"] is False

    assert not socket_path.exists()


async def test_a_stale_socket_is_replaced(daemon_folder: DaemonFolder, socket_path: Path) -> None:
    """A file that a killed daemon left behind does not keep the next one from starting."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(socket_path))

    async with daemon_folder.daemon("", listen=f"unix:{socket_path}") as it:
        assert (await it.get("status"))["stopping"] is False


async def test_a_socket_in_use_is_left_alone(
    daemon_folder: DaemonFolder, socket_path: Path
) -> None:
    """Where another program listens, the daemon ends and the other goes on."""
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(socket_path))
        other.listen()
        with pytest.raises(ListenError, match="another program listens there already"):
            async with daemon_folder.daemon("", listen=f"unix:{socket_path}"):
                pass
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(socket_path))


async def test_a_file_is_not_overwritten(daemon_folder: DaemonFolder, socket_path: Path) -> None:
    """A file that is no socket stays as it is."""
    socket_path.write_text("precious")

    with pytest.raises(ListenError, match="expected a socket or nothing"):
        async with daemon_folder.daemon("", listen=f"unix:{socket_path}"):
            pass
    assert socket_path.read_text() == "precious"


async def test_a_socket_in_a_missing_folder(daemon_folder: DaemonFolder, tmp_path: Path) -> None:
    """The reason is told in a sentence."""
    with pytest.raises(ListenError, match="cannot listen: no such file or directory"):
        async with daemon_folder.daemon("", listen=f"unix:{tmp_path}/nowhere/api.sock"):
            pass


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("runs?limit=many", "query: expected `int`, got `str` - at `$.limit`"),
        ("runs?limit=0", "query: expected `int` >= 1 - at `$.limit`"),
        ("runs?colector=m", "query: object contains unknown field `colector`"),
        ("latest?within=-1", "query: expected `float` > 0.0 - at `$.within`"),
        ("status?x=1", "query: object contains unknown field `x`"),
    ],
)
async def test_a_wrong_query_is_told(it: RunningDaemon, path: str, detail: str) -> None:
    """A question that is not understood is refused, saying what was expected."""
    answer = await it.ask("GET", f"/api/v1/{path}")

    assert (answer.status, answer.body["detail"]) == (400, detail)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'"\xff"', 400),
        (b"{}", 400),
        (b'{"store": 1}', 400),
        (b'{"store": "embedded", "ids": ["1"]}', 400),
        (b'{"store": "embedded", "ids": [-1]}', 400),
        (b'{"store": "embedded", "idz": []}', 400),
        (b" " * (2**20 + 1), 413),
    ],
)
async def test_a_wrong_body_is_told(it: RunningDaemon, body: bytes, status: int) -> None:
    """A body that is not understood, or too large, is refused as a problem."""
    headers = {"Content-Type": "application/json"}
    answer = await it.ask(
        "POST", "/api/v1/dead-letters/retry", data=io.BytesIO(body), headers=headers
    )

    assert answer.status == answer.body["status"] == status
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.body["detail"]


async def test_an_unknown_path_is_a_problem(it: RunningDaemon) -> None:
    """A path that is not there is answered like every other problem."""
    answer = await it.ask("GET", "/api/v1/nothing")

    assert answer.status == 404
    assert answer.body["title"] == "Not Found"


@pytest.mark.parametrize(
    "request_line",
    [b"nonsense\r\n\r\n", b"GET / HTTP/7.5\r\n\r\n", b"GET / HTTP/1.1\r\nb\xffd name: x\r\n\r\n"],
)
async def test_what_is_no_http_is_a_problem(it: RunningDaemon, request_line: bytes) -> None:
    """A connection that speaks otherwise is told so in the form of all problems, and closed."""
    host, _, port = it.address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request_line)
    async with asyncio.timeout(WITHIN):
        answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")

    assert head.startswith("HTTP/1.")
    assert "Content-Type: application/problem+json" in head
    assert "X-Content-Type-Options: nosniff" in head
    assert json.loads(body)["status"] == 400
    assert json.loads(body)["detail"]
    assert (await it.ask("GET", "/livez")).status == 200


async def test_a_bug_is_logged_and_survived(
    it: RunningDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """A handler that fails costs one answer, which says nothing of the inside."""
    it.daemon.config_path = None  # type: ignore[assignment]
    del it.daemon.last_reload

    answer = await it.ask("GET", "/api/v1/status")

    assert (answer.status, answer.body["detail"]) == (
        500,
        "a bug in the daemon; its log has the traceback",
    )
    assert "AttributeError" in capsys.readouterr().out
    assert (await it.ask("GET", "/livez")).status == 200


async def test_the_root_says_what_this_is(it: RunningDaemon) -> None:
    """A person who opens the address in a browser learns where to look."""
    answer = await it.ask("GET", "/")

    assert answer.status == 200
    assert "ingestd" in answer.body
    for path in ("/api/v1/status", "/metrics", "/livez?verbose", "/readyz?verbose"):
        assert path in answer.body
        assert (await it.ask("GET", path)).status == 200


async def test_head_is_get_without_a_body(it: RunningDaemon) -> None:
    """Load balancers that probe with HEAD are answered."""
    for path in ("/livez", "/api/v1/status"):
        answer = await it.ask("HEAD", path)
        assert (answer.status, answer.body) == (200, None if "api" in path else "")


async def test_the_stop_does_not_wait_for_an_idle_client(daemon_folder: DaemonFolder) -> None:
    """A connection that a client keeps open does not hold up the stop."""
    async with daemon_folder.daemon("") as it:
        host, _, port = it.address.removeprefix("http://").partition(":")
        _, writer = await asyncio.open_connection(host, int(port))
        it.daemon.stop()
        async with asyncio.timeout(WITHIN):
            await it.done
        writer.close()


def test_every_route_says_what_it_does() -> None:
    """The table has a summary for each path, and each path once."""
    assert all(route.summary.endswith(".") for route in ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


def test_every_route_is_documented() -> None:
    """The page about the API names every path."""
    page = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text()
    missing = [
        f"{route.method} {route.path}"
        for route in ROUTES
        if f"{route.method} {route.path}" not in page
    ]

    assert missing == []


@pytest.mark.parametrize("body", ["[" * 100_000, "[" * 100_000 + "]" * 100_000])
async def test_a_body_that_nests_without_end_is_refused(
    daemon_folder: DaemonFolder, body: str
) -> None:
    """It is the sender's mistake, and no bug of ours."""
    async with daemon_folder.daemon("") as it:
        headers = {"Content-Type": "application/json"}
        answer = await it.ask("POST", "/api/v1/reload", data=body, headers=headers)

    assert answer.status == 400
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "levels of nesting" in answer.body["detail"]
