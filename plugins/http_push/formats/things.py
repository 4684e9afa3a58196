"""LoRaWAN sensors, as The Things Network (version 2) and The Things Stack (3) tell of them.

The fields are those that the network has decoded: BMON's own decoders for single
makes of sensors are not here, because a payload formatter of the network does
the same for every make.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from .message import Found, Message, as_bmon_would, exact_time, mapping, text_in, within

NOT_FIELDS: Final = frozenset({"event"})
NOTHING: Final = "No Data Found"


def things(message: Message) -> Found:
    """Find the decoded fields of an uplink, and how well it was heard."""
    document = message.document
    if "hardware_serial" in document:
        uplink, device = document, text_in(document, "hardware_serial")
        fields, heard = "payload_fields", within(document, "metadata", "gateways")
        when = exact_time(within(document, "metadata", "time"), "metadata.time")
    elif isinstance(document.get("uplink_message"), dict):
        uplink = document["uplink_message"]
        device = text_in(document, "end_device_ids", "dev_eui")
        fields, heard = "decoded_payload", uplink.get("rx_metadata")
        when = exact_time(uplink.get("received_at"), "uplink_message.received_at")
    else:  # a join, or an answer to a downlink
        return Found(note=NOTHING)
    decoded = mapping(uplink.get(fields) or {}, fields)
    if not decoded:
        return Found(note=f"{NOTHING}: {fields} is empty; give the device a payload formatter")
    readings = [(when, f"{device}_{name}", value) for name, value in told(decoded)]
    strengths = list(signal_to_noise(heard))
    if strengths:
        readings.append((when, f"{device}_snr", max(strengths)))
    return as_bmon_would(readings, message)


def told(decoded: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield the fields that are readings."""
    return ((name, value) for name, value in decoded.items() if name not in NOT_FIELDS)


def signal_to_noise(gateways: Any) -> Iterator[float]:
    """Yield how well each gateway has heard it, in decibels."""
    for gateway in gateways if isinstance(gateways, list) else []:
        strength = within(gateway, "snr")
        if isinstance(strength, int | float) and not isinstance(strength, bool):
            yield strength
