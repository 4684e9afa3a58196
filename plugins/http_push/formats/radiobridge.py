"""Radio Bridge's LoRaWAN sensors, as version 2 of The Things Network tells of them."""

from typing import Any

from .message import Found, Message, as_bmon_would, exact_time, number_in, text_in, within


def radio_bridge(message: Message) -> Found:
    """Find what one event says: of the battery, a contact, or a temperature."""
    document = message.document
    event = within(document, "payload_fields", "EVENT_TYPE")
    if not isinstance(event, str) or event not in {
        "01",
        "07",
        "09",
    }:  # it has joined, or tells of its settings
        return Found(note="No Data")
    name, value = reading(event, document["payload_fields"])
    when = exact_time(within(document, "metadata", "time"), "metadata.time")
    return as_bmon_would([(when, f"{text_in(document, 'hardware_serial')}_{name}", value)], message)


def reading(event: str, fields: dict[str, Any]) -> tuple[str, float]:
    """Return what an event tells of, and its value."""
    if event == "01":
        return "battery", number(fields, "BATTERY_LEVEL")
    if event == "07":
        return "state", 1.0 - number(fields, "SENSOR_STATE")  # they say 0 for closed
    return "temp", number(fields, "TEMPERATURE") * 1.8 + 32.0  # BMON keeps Fahrenheit


def number(fields: dict[str, Any], name: str) -> float:
    """Return the number that must be in a field."""
    return number_in(fields.get(name), f"payload_fields.{name}")
