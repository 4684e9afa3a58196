"""Messages over WebSockets, by which brokers are reached through web servers."""

from pathlib import Path

import pytest
import trustme

from ingestd.plugins.mqtt.options import Address, address
from ingestd.testing import context
from tests.support.mqttplugin import publish, publish_fast, running
from tests.support.ports import free_port
from tests.support.servers import mosquitto

COUNT = 2000


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("ws://broker", Address("broker", 80, "/mqtt", encrypted=False)),
        ("wss://broker/", Address("broker", 443, "/mqtt", encrypted=True)),
        ("wss://broker:8084/a/b", Address("broker", 8084, "/a/b", encrypted=True)),
        ("mqtt://broker", Address("broker", 1883, None, encrypted=False)),
    ],
)
def test_address_says_how_a_broker_is_reached(url: str, found: Address) -> None:
    """Ports and paths that nearly all brokers have can be left out."""
    assert address(url) == found


# A broker starts, and takes its time for thousands of messages.
@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
async def test_messages_come_over_a_web_socket(tmp_path: Path, protocol: str) -> None:
    """All of them, in order, as over a plain connection."""
    port = free_port()
    config = f"listener {port} 127.0.0.1\nprotocol websockets\n"
    with mosquitto(tmp_path, config=config, ports=[port]) as broker:
        async with (
            context() as ctx,
            running(
                ctx, url=f"ws://127.0.0.1:{port}/mqtt", topics=["a"], protocol=protocol
            ) as plugin,
        ):
            await publish_fast(broker.url, "a", COUNT)

            assert await plugin.values(COUNT) == list(range(COUNT))


@pytest.mark.slow
async def test_web_socket_may_be_encrypted(tmp_path: Path) -> None:
    """What TLS has decrypted already is read without waiting for more."""
    authority = trustme.CA()
    theirs = authority.issue_cert("127.0.0.1")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key")}
    authority.cert_pem.write_to_path(files["ca"])
    theirs.cert_chain_pems[0].write_to_path(files["cert"])
    theirs.private_key_pem.write_to_path(files["key"])
    port = free_port()
    config = (
        f"listener {port} 127.0.0.1\nprotocol websockets\n"
        f"certfile {files['cert']}\nkeyfile {files['key']}\n"
    )
    url = f"wss://127.0.0.1:{port}/mqtt"
    with mosquitto(tmp_path / "broker", config=config, ports=[port]) as broker:
        async with (
            context() as ctx,
            running(ctx, url=url, topics=["a"], ca_file=str(files["ca"])) as plugin,
        ):
            await publish_fast(broker.url, "a", COUNT)
            assert await plugin.values(COUNT) == list(range(COUNT))
            await publish(broker.url, "a", "1" * 20)
            assert await plugin.values(1) == [float("1" * 20)]
