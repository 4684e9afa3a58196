"""Where the push plugin listens: TCP, TLS, a socket file, or the daemon's own address."""

import gzip
import socket
import stat
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from ingestd.errors import ListenError
from ingestd.plugins import http_push
from ingestd.testing import collect, context, mounted
from tests.support.daemon import DaemonFolder
from tests.support.ports import free_port
from tests.support.pushing import BATCH, LINE, STORE, pushing, trusting, write_certificate


async def test_tls_with_a_certificate_that_is_renewed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that checks certificates is served; a renewed one is taken without a restart."""
    monkeypatch.setattr(http_push, "LOOK_AT_FILES", 0.0)
    monkeypatch.setattr(http_push, "GLANCE", 0.01)
    first, second = trustme.CA(), trustme.CA()
    files = {"cert_file": str(tmp_path / "push.crt"), "key_file": str(tmp_path / "push.key")}
    write_certificate(first, files)
    async with pushing(tls=files, store_keys="k") as push:
        assert (await push.post("/write", data=LINE, key="k", ssl=trusting(first))).status == 204

        write_certificate(second, files)
        await push.logged("certificate renewed")
        async with aiohttp.ClientSession() as http:  # a connection of its own
            reply = await http.post(
                f"{push.url}/write", data=LINE, headers={"store-key": "k"}, ssl=trusting(second)
            )
            assert reply.status == 204

        Path(files["cert_file"]).write_text("nonsense")
        await push.logged("renewed certificate is no good, the old one stays")
        assert (await push.post("/write", data=LINE, key="k", ssl=trusting(second))).status == 204
    assert sum("no good" in line["event"] for line in push.ctx.logs) == 1


async def test_a_certificate_renewed_before_its_key_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """New connections get the old pair until the new one is whole."""
    monkeypatch.setattr(http_push, "LOOK_AT_FILES", 0.0)
    monkeypatch.setattr(http_push, "GLANCE", 0.01)
    ca = trustme.CA()
    files = {"cert_file": str(tmp_path / "push.crt"), "key_file": str(tmp_path / "push.key")}
    write_certificate(ca, files)
    old_key = Path(files["key_file"]).read_bytes()
    async with pushing(tls=files, store_keys="k") as push:
        for key_file, event in (
            (old_key, "renewed certificate is no good, the old one stays"),
            (None, "certificate renewed"),
        ):
            write_certificate(ca, files)
            if key_file is not None:
                Path(files["key_file"]).write_bytes(key_file)
            await push.logged(event)
            async with aiohttp.ClientSession(headers={"store-key": "k"}) as http:
                reply = await http.post(f"{push.url}/write", data=LINE, ssl=trusting(ca))
                assert reply.status == 204


async def test_a_socket_file_for_a_web_server_in_front(tmp_path: Path) -> None:
    """Our group may use it, no key is needed, and it is gone afterwards."""
    path = tmp_path / "push.sock"
    for _ in range(2):
        async with pushing(listen=f"unix:{path}"):
            assert stat.S_IMODE(path.stat().st_mode) == 0o660
            connector = aiohttp.UnixConnector(str(path))
            async with aiohttp.ClientSession("http://any", connector=connector) as http:
                assert (await http.post("/write", data=LINE)).status == 204

        assert not path.exists()


async def test_a_socket_file_that_is_in_use_is_left_alone(tmp_path: Path) -> None:
    """Its owner keeps it; a stale one is replaced; one that others made meanwhile stays."""
    path = tmp_path / "push.sock"
    async with pushing(listen=f"unix:{path}"):
        with pytest.raises(OSError, match="another program listens there already; choose another"):
            await collect(http_push.run, listen=f"unix:{path}")
        connector = aiohttp.UnixConnector(str(path))
        async with aiohttp.ClientSession("http://any", connector=connector) as http:
            assert (await http.post("/write", data=LINE)).status == 204
        path.unlink()
        with socket.socket(socket.AF_UNIX) as other:
            other.bind(str(path))
    assert path.exists()

    async with pushing(listen=f"unix:{path}"):
        assert path.exists()
    assert not path.exists()


async def test_the_daemons_api_and_the_plugin_leave_each_other_their_socket_files(
    daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """An operator may have given both the same path; the one that comes later is told."""
    path = tmp_path / "some.sock"
    async with pushing(listen=f"unix:{path}"):
        with pytest.raises(ListenError, match="another program listens there already"):
            async with daemon_folder.daemon("", listen=f"unix:{path}"):
                pass
        assert path.is_socket()

    async with daemon_folder.daemon("", listen=f"unix:{path}") as it:
        with pytest.raises(OSError, match="another program listens there already"):
            await collect(http_push.run, listen=f"unix:{path}")
        assert (await it.get("status"))["stopping"] is False


async def test_an_ipv6_address() -> None:
    """It is told as it is written in addresses, and is this machine without a key, too."""
    async with pushing(listen=f"[::1]:{free_port()}") as push:
        assert (await push.post("/write", data=LINE)).status == 204

    assert push.ctx.logs[0]["address"] == push.url.removeprefix("http://")


async def test_below_a_prefix_of_the_daemons_address() -> None:
    """The same formats, with the prefix in front of them."""
    async with context() as ctx, mounted(ctx) as address, pushing(ctx, path="/push") as push:
        push.url = address
        assert (await push.post("/push/api/v2/write", data=LINE)).status == 204
        assert (await push.post(f"/push{STORE}", json=BATCH)).status == 200
        assert (await push.post(STORE, json=BATCH)).status == 404
        bomb = gzip.compress(b"\x00" * 20_000_000)
        headers = {"Content-Encoding": "gzip"}
        assert (await push.post("/push/write", data=bomb, headers=headers)).status == 413


async def test_bmons_own_prefix_at_the_daemons_address() -> None:
    """With ``path: /readingdb`` a logger needs another host in its address, and nothing else."""
    async with context() as ctx, mounted(ctx) as address, pushing(ctx, path="/readingdb") as push:
        push.url = address
        assert (await push.post(STORE, json=BATCH)).status == 200


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({}, "expected either listen: or path:"),
        ({"listen": "127.0.0.1:1", "path": "/push"}, "expected either listen: or path:"),
        ({"listen": "127.0.0.1"}, "listen: expected host:port"),
        ({"listen": ":8480"}, "listen: expected host:port"),
        ({"listen": "127.0.0.1:99999"}, "listen: expected host:port"),
        ({"listen": 8480}, "listen: expected host:port"),
        ({"listen": "unix:here"}, "listen: expected host:port"),
        ({"listen": "0.0.0.0:0"}, "store_keys: expected some, since others can reach 0.0.0.0:0"),
        ({"listen": "[::]:0"}, "store_keys: expected some"),
        ({"listen": "localhost.example.org:0"}, "store_keys: expected some"),
        ({"listen": "127.0.0.1:0", "store_keys": [""]}, "store_keys: expected texts"),
        ({"listen": "127.0.0.1:0", "store_keys": {"a": "k"}}, "expected texts, got a dict"),
        ({"listen": "127.0.0.1:0", "store_keys": [["k"]]}, "expected texts, got a list"),
        ({"listen": "127.0.0.1:0", "replies": "kind"}, "replies: expected 'honest' or 'bmon'"),
        ({"listen": "127.0.0.1:0", "formats": ["morse"]}, "formats: expected some of batch"),
        ({"listen": "127.0.0.1:0", "tls": {}}, "tls: expected cert_file: and key_file:"),
        (
            {"listen": "127.0.0.1:0", "tls": {"cert_file": "/nowhere"}},
            "tls: expected a certificate",
        ),
        ({"path": "/push", "tls": {"cert_file": "/nowhere"}}, "tls: expected listen: beside it"),
        ({"listen": "127.0.0.1:0", "rate": 0}, "rate: expected requests a second above 0"),
        ({"listen": "127.0.0.1:0", "max_body": 10**9}, "max_waiting_bytes: expected at least"),
        ({"listen": "127.0.0.1:0", "max_body": "1MiB"}, "max_body: expected a whole number"),
        ({"listen": "127.0.0.1:0", "answer_within": 5}, "answer_within: expected a duration"),
    ],
)
async def test_options_that_do_not_fit_are_told(params: dict[str, Any], problem: str) -> None:
    """The run fails before any sender is answered."""
    with pytest.raises(ValueError, match=r".") as caught:
        await collect(http_push.run, **params)

    assert problem in str(caught.value)


async def test_a_port_in_use_is_told() -> None:
    """The error names the address and what to do."""
    async with pushing(listen=f"127.0.0.1:{free_port()}") as push:
        address = push.url.removeprefix("http://")
        with pytest.raises(OSError, match=f"listen: {address}: address already in use; choose"):
            await collect(http_push.run, listen=address)
