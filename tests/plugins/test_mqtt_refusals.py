"""Brokers that do not let the mqtt plugin in, and those that know it by its certificate."""

import asyncio
import errno
import gc
import hashlib
import json
import os
import warnings
from base64 import b64encode
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import trustme

from ingestd.plugins.mqtt import BrokerError, BrokerRefused, run
from ingestd.testing import context, results
from tests.support.mqttplugin import publish, publish_fast, running
from tests.support.ports import free_port
from tests.support.servers import mosquitto

# Brokers start, stop and answer at their own pace.
pytestmark = pytest.mark.slow


async def refused(**params: Any) -> str:
    """Return the error of a run that gets no connection."""
    async with context() as ctx, aclosing(results(run, ctx=ctx, topics=["a"], **params)) as found:
        with pytest.raises(BrokerError) as caught:
            await anext(found)
    return str(caught.value)


async def test_wrong_password_is_a_clear_error(tmp_path: Path) -> None:
    """The error names broker, client and user, but not the password."""
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    config = f"allow_anonymous false\npassword_file {passwords}"
    with mosquitto(tmp_path / "broker", config=config) as broker:
        message = await refused(url=broker.url, username="me", password="hush")

    assert message.startswith(f"{broker.url}: the broker refused client 'ingestd-")
    assert "user 'me': Not authorized" in message
    assert "hush" not in message


async def test_broker_that_is_not_there_fails_the_first_run() -> None:
    """A wrong address shows as a failed run, not as a quiet stream."""
    message = await refused(url=f"mqtt://127.0.0.1:{free_port()}")

    assert message.partition("cannot connect: ")[2].endswith(os.strerror(errno.ECONNREFUSED))


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        # MQTT 3.1.1, section 3.2.2.3: unacceptable protocol version.
        (bytes([0x20, 2, 0, 1]), "the broker refused client"),
        (b"", "expected an answer to CONNECT, got the end of the connection"),
    ],
)
async def test_broker_without_mqtt_5_is_told_with_the_option(answer: bytes, told: str) -> None:
    """Some of them say what they do not know, others only hang up."""

    async def old_broker(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1024)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(old_broker, "127.0.0.1", 0)
    url = f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        message = await refused(url=url)
        plain = await refused(url=url, protocol="3.1.1")

    assert told in message
    assert message.endswith("; if the broker does not know MQTT 5, set `protocol: 3.1.1`")
    assert "protocol: 3.1.1" not in plain


async def test_forbidden_topic_is_a_clear_error(tmp_path: Path) -> None:
    """A subscription that the broker does not grant is no silence."""
    with mosquitto(tmp_path / "broker", config=no_subscriptions(tmp_path, "me", "hush")) as broker:
        message = await refused(url=broker.url, username="me", password="hush")

    assert message == f"{broker.url}: 'a': expected to be subscribed, got Not authorized"


def no_subscriptions(folder: Path, username: str, password: str) -> str:
    """Return the configuration of a broker where a user may connect and nothing else."""
    plugins = list(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
    if not plugins:
        pytest.skip("mosquitto has no dynamic security here")
    salt, rounds = b"twelve bytes", 101
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds, 64)
    client = {
        "username": username,
        "password": b64encode(digest).decode(),
        "salt": b64encode(salt).decode(),
        "iterations": rounds,
        "roles": [],
    }
    may = {"subscribe": False, "unsubscribe": True, "publishClientSend": True}
    rules = folder / "rules.json"
    rules.write_text(json.dumps({"clients": [client], "roles": [], "defaultACLAccess": may}))
    return f"allow_anonymous false\nplugin {plugins[0]}\nplugin_opt_config_file {rules}"


async def test_second_client_of_the_same_name_is_told(mqtt_url: str, unique: str) -> None:
    """Two clients of one name would take the session from each other for ever."""
    async with (
        context(collector=unique) as ctx,
        running(ctx, url=mqtt_url, topics=[unique]) as plugin,
        running(ctx, url=mqtt_url, topics=[unique]),
    ):
        with pytest.raises(BrokerRefused, match="another client call"):
            await plugin.next()


async def test_tls_with_a_client_certificate(tmp_path: Path) -> None:
    """The broker's certificate is checked, and ours is shown."""
    authority = trustme.CA()
    theirs = authority.issue_cert("127.0.0.1")
    ours = authority.issue_cert("collector@example.org")
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "cert", "key", "mine", "minekey")}
    authority.cert_pem.write_to_path(files["ca"])
    theirs.cert_chain_pems[0].write_to_path(files["cert"])
    theirs.private_key_pem.write_to_path(files["key"])
    ours.cert_chain_pems[0].write_to_path(files["mine"])
    ours.private_key_pem.write_to_path(files["minekey"])
    port = free_port()
    config = (
        f"listener {port} 127.0.0.1\ncafile {files['ca']}\ncertfile {files['cert']}\n"
        f"keyfile {files['key']}\nrequire_certificate true\nautosave_on_changes false\n"
    )
    url = f"mqtts://127.0.0.1:{port}"
    mine = {"cert_file": str(files["mine"]), "key_file": str(files["minekey"])}
    with mosquitto(tmp_path / "broker", config=config) as broker:
        async with (
            context() as ctx,
            running(ctx, url=url, topics=["a"], ca_file=str(files["ca"]), **mine) as plugin,
        ):
            await publish_fast(broker.url, "a", 3000)
            assert await plugin.values(3000) == list(range(3000))

        async with (
            context(collector="other") as ctx,
            running(ctx, url=url, topics=["a"], insecure=True, **mine) as plugin,
        ):
            await publish(broker.url, "a", 8)
            assert await plugin.values(1) == [8]

        with warnings.catch_warnings():
            # paho leaves a socket to the garbage collector when the handshake fails.
            warnings.simplefilter("ignore", ResourceWarning)
            message = await refused(url=url, **mine)
            gc.collect()

    assert "certificate" in message.lower()
