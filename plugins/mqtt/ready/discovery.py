"""What Home Assistant's discovery says of an entity, in the long and in the short names of it."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from ingestd.plugins._limits import is_word

from .naming import word

# The short names that matter here.
LONG: Final = {
    "stat_t": "state_topic",
    "unit_of_meas": "unit_of_measurement",
    "dev_cla": "device_class",
    "val_tpl": "value_template",
    "uniq_id": "unique_id",
    "obj_id": "object_id",
    "def_ent_id": "default_entity_id",
    "dev": "device",
    "pl_on": "payload_on",
    "pl_off": "payload_off",
    "stat_on": "state_on",
    "stat_off": "state_off",
    "cmps": "components",
    "p": "platform",
    "ids": "identifiers",
}
NUMBERS: Final = ("sensor", "number")
SWITCHED: Final = ("binary_sensor", "switch")


def entities(component: str, config: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """Yield what matters of the entities in a config, in the form of JSON.

    Args:
        component: What it is: `sensor`, or `device` for one with several.
        config: As it was published.
        name: What its topic calls it.
    """
    told = lengthened(config)
    if component != "device":
        yield from entity(component, told, name)
        return
    parts = told.get("components")
    for key, part in parts.items() if isinstance(parts, dict) else ():
        if isinstance(part, dict):
            own = {**told, **lengthened(part)}
            yield from entity(str(own.get("platform")), own, f"{name}_{key}")


def lengthened(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config with long names, and whole topics in the place of those with a `~`."""
    told = {LONG.get(name, name): each for name, each in config.items()}
    base, topic = told.pop("~", None), told.get("state_topic")
    if isinstance(base, str) and isinstance(topic, str):
        if topic.startswith("~"):
            topic = base + topic[1:]
        told["state_topic"] = topic[:-1] + base if topic.endswith("~") else topic
    if isinstance(base, str) and isinstance(told.get("components"), dict):
        told["components"] = {
            key: {"~": base, **part}
            for key, part in told["components"].items()
            if isinstance(part, dict)
        }
    return told


def entity(component: str, told: Mapping[str, Any], name: str) -> Iterator[dict[str, Any]]:
    """Yield what matters of an entity, if it has a state that may be a number."""
    topic = told.get("state_topic")
    if component not in NUMBERS + SWITCHED or not is_topic(topic):
        return
    found = {
        "topic": topic,
        "template": told.get("value_template"),
        **names(told, name),
        "unit": told.get("unit_of_measurement"),
        "class": told.get("device_class"),
    }
    if component in SWITCHED:
        on, off = told.get("payload_on", "ON"), told.get("payload_off", "OFF")
        found |= {"on": str(told.get("state_on", on)), "off": str(told.get("state_off", off))}
    yield {key: each for key, each in found.items() if each is not None}


def is_topic(topic: Any) -> bool:
    """Say whether a broker can be asked for a topic; it ends the connection for what is none."""
    return is_word(topic) and not set(topic) & set("+#")


def names(told: Mapping[str, Any], name: str) -> dict[str, str]:
    """Return what a device and its entity are called, and what the topic calls it."""
    about = told.get("device")
    about = lengthened(about) if isinstance(about, dict) else {}
    device = str(about.get("name") or first(about.get("identifiers")) or "")
    called = str(told.get("name") or told.get("device_class") or "")
    if called.lower().startswith(device.lower()):  # older publishers put it there
        called = called[len(device) :]
    own = word(called) or word(str(told.get("object_id") or "")) or name
    return {"device": word(device), "name": own, "key": name}


def first(identifiers: Any) -> Any:
    """Return one of the identifiers of a device, which may be a text or several."""
    if isinstance(identifiers, list):
        return identifiers[0] if identifiers else None
    return identifiers
