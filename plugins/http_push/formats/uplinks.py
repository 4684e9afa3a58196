"""Which network an uplink has come through, and what each says of it, in one shape.

Each network has a shape of its own: The Things Network 2, The Things Stack 3 (its raw and its
normalized uplinks), ChirpStack 4 and 3. They also send what is no uplink, such as joins, to the
same address; that is known here, so that what is unknown can be refused.
"""

import base64
import binascii
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from .message import FormatError, Message, exact_time, mapping, parse_json, text_in, within

EXPECTED: Final = (
    "expected an uplink of The Things Stack (`end_device_ids` and `uplink_message`), of ChirpStack "
    "(`deviceInfo.devEui`, or `devEUI`) or of The Things Network 2 (`hardware_serial`)"
)
EUI_BYTES: Final = 8
# What The Things Stack sends besides uplinks, by the name that each has beside the device.
STACK_EVENTS: Final = frozenset(
    {
        *("join_accept", "location_solved", "service_data"),
        *("downlink_ack", "downlink_nack", "downlink_sent", "downlink_failed", "downlink_queued"),
        "downlink_queue_invalidated",
    }
)
# What ChirpStack sends besides, by the `event` in the address.
CHIRPSTACK_EVENTS: Final = frozenset(
    {"join", "ack", "txack", "log", "status", "location", "integration", "error"}
)
# What only uplinks of ChirpStack have, for those whose address does not say `event`.
OF_CHIRPSTACK: Final = frozenset({"data", "object", "objectJSON", "fPort", "rxInfo"})


@dataclass(frozen=True, slots=True)
class Uplink:
    """What a network says of one uplink.

    Attributes:
        eui: The device's EUI, as its network writes it.
        device: The name that it has in its network, or an empty text.
        time: When it was received, in Unix seconds.
        port: The port that it was sent to, or None.
        payload: What the device has sent, or None if the network does not tell.
        fields: What the network has decoded.
        where: Where in the message these stand.
        heard: How well each gateway has heard it, in decibels.
    """

    eui: str
    device: str
    time: float
    port: int | None
    payload: bytes | None
    fields: Mapping[str, Any]
    where: str
    heard: tuple[float, ...]


def uplink_in(message: Message) -> Uplink | None:
    """Return the uplink in a message, or None if it is another event of a network.

    Raises:
        FormatError: It is of no network that is known here.
    """
    document = message.document
    for is_one, read in NETWORKS:
        if is_one(document):
            return read(document, message)
    raise FormatError(
        f"{EXPECTED}, got an object with {', '.join(sorted(document)[:8]) or 'nothing'}"
    )


def things_2(document: Mapping[str, Any], _: Message) -> Uplink:
    """Read an uplink of The Things Network 2."""
    return Uplink(
        eui=text_in(document, "hardware_serial"),
        device=str(document.get("dev_id") or ""),
        time=exact_time(within(document, "metadata", "time"), "metadata.time"),
        port=port_in(document.get("port")),
        payload=payload_in(document.get("payload_raw")),
        fields=mapping(document.get("payload_fields") or {}, "payload_fields"),
        where="payload_fields",
        heard=heard_in(within(document, "metadata", "gateways"), "snr"),
    )


def things_3(document: Mapping[str, Any], _: Message) -> Uplink | None:
    """Read an uplink of The Things Stack 3, raw or normalized."""
    name = "uplink_message" if "uplink_message" in document else "uplink_normalized"
    if name not in document:
        if STACK_EVENTS & set(document):
            return None
        raise FormatError("uplink_message: expected an object beside end_device_ids, got none")
    uplink = mapping(document[name], name)
    decoded = "decoded_payload" if name == "uplink_message" else "normalized_payload"
    fields = uplink.get(decoded) or {}
    return Uplink(
        eui=text_in(document, "end_device_ids", "dev_eui"),
        device=str(within(document, "end_device_ids", "device_id") or ""),
        time=exact_time(uplink.get("received_at"), f"{name}.received_at"),
        port=port_in(uplink.get("f_port")),
        payload=payload_in(uplink.get("frm_payload")),
        fields=mapping(fields, decoded),
        where=decoded,
        heard=heard_in(uplink.get("rx_metadata"), "snr"),
    )


def chirpstack_4(document: Mapping[str, Any], message: Message) -> Uplink | None:
    """Read an uplink of ChirpStack 4."""
    if is_other_event(document):
        return None
    device = mapping(document["deviceInfo"], "deviceInfo")
    told = document.get("time")
    return Uplink(
        eui=text_in(document, "deviceInfo", "devEui"),
        device=str(device.get("deviceName") or ""),
        time=message.now if told is None else exact_time(told, "time"),
        port=port_in(document.get("fPort")),
        payload=payload_in(document.get("data")),
        fields=mapping(document.get("object") or {}, "object"),
        where="object",
        heard=heard_in(document.get("rxInfo"), "snr"),
    )


def chirpstack_3(document: Mapping[str, Any], message: Message) -> Uplink | None:
    """Read an uplink of ChirpStack 3, whose network says no time of its own in older releases."""
    if is_other_event(document):
        return None
    told = document.get("publishedAt")
    written = document.get("objectJSON")
    decoded = parse_json(written.encode()) if isinstance(written, str) and written else None
    return Uplink(
        eui=hexadecimal(text_in(document, "devEUI")),
        device=str(document.get("deviceName") or ""),
        time=message.now if told is None else exact_time(told, "publishedAt"),
        port=port_in(document.get("fPort")),
        payload=payload_in(document.get("data")),
        fields=mapping(document.get("object") or decoded or {}, "object"),
        where="object",
        heard=heard_in(document.get("rxInfo"), "loRaSNR"),
    )


NETWORKS: Final[
    tuple[
        tuple[
            Callable[[Mapping[str, Any]], bool],
            Callable[[Mapping[str, Any], Message], Uplink | None],
        ],
        ...,
    ]
] = (
    (lambda document: "hardware_serial" in document, things_2),
    (lambda document: isinstance(document.get("end_device_ids"), dict), things_3),
    (lambda document: isinstance(document.get("deviceInfo"), dict), chirpstack_4),
    (lambda document: "devEUI" in document, chirpstack_3),
)


def is_other_event(document: Mapping[str, Any]) -> bool:
    """Say whether what ChirpStack tells is no uplink; the address says so, or its parts.

    Raises:
        FormatError: It is an event that no release of ChirpStack has.
    """
    event = document.get("event")
    if event is None:
        return not OF_CHIRPSTACK & set(document)
    if event != "up" and event not in CHIRPSTACK_EVENTS:
        known = ", ".join(sorted(CHIRPSTACK_EVENTS))
        raise FormatError(f"event: expected up, or one of {known}, got {event!r:.80}")
    return bool(event != "up")


def port_in(value: Any) -> int | None:
    """Return the port of an uplink, or None if it has none."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def payload_in(value: Any) -> bytes | None:
    """Return what a device has sent, which networks write in base64; None if they do not tell.

    Raises:
        FormatError: It is no base64.
    """
    if value is None or value == "":
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise FormatError(f"the payload: expected base64, got {value!r:.80}") from None


def hexadecimal(eui: str) -> str:
    """Return an EUI in digits; one of ChirpStack's two notations has it in base64."""
    try:
        decoded = base64.b64decode(eui, validate=True)
    except (ValueError, binascii.Error):
        return eui
    return decoded.hex() if len(decoded) == EUI_BYTES else eui


def heard_in(gateways: Any, name: str) -> tuple[float, ...]:
    """Return how well each gateway has heard an uplink, in decibels."""
    return tuple(strengths(gateways, name))


def strengths(gateways: Any, name: str) -> Iterator[float]:
    """Yield the signal-to-noise ratios that are numbers."""
    for gateway in gateways if isinstance(gateways, list) else []:
        strength = within(gateway, name)
        if isinstance(strength, int | float) and not isinstance(strength, bool):
            yield strength
