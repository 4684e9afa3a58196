"""Addresses of brokers, by WebSockets and plainly."""

import pytest

from ingestd.plugins.mqtt.options import Address, address


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
