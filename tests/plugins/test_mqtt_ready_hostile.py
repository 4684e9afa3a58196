"""What ready routes make of payloads that no device should send: nothing worse than a count."""

import json
import random
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.support import sparkplugedge as spb
from tests.support.readyroutes import SAMPLES, readings_of, ready_routes

ODD: Final[tuple[Any, ...]] = (
    *(None, True, "", "x", "\0", "é" * 300, [], {}, [[]], {"": []}, -0.0, 1e308, 10**400),
    *({"a": {"b": [1, {"c": None}]}}, ["a", 1], "{{ value | round(9999) }}", "1e999", {"a": 1}),
)
SEEDS: Final = range(20)  # for each kind of device


def mutated(held: Any, chance: random.Random) -> Any:
    """Return a document with something odd in a few places."""
    if chance.random() < 0.1:
        return chance.choice(ODD)
    if isinstance(held, dict):
        return {name: mutated(each, chance) for name, each in held.items()}
    if isinstance(held, list):
        return [mutated(each, chance) for each in held]
    return held


def hostile(name: str, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield the messages of a sample, mutated, in any order, and at topics cut short."""
    sample = SAMPLES[name]
    messages = [*sample.get("retained", ()), *sample["messages"]]
    chance.shuffle(messages)
    for topic, text in messages:
        try:
            payload = json.dumps(mutated(json.loads(text), chance)).encode()
        except ValueError:
            payload = text.encode()
        at = chance.randrange(len(payload) + 1)
        yield topic, chance.choice([payload, payload, payload[:at], b"", b"\xff" + payload])
        yield topic.rpartition("/")[0], payload


@pytest.mark.parametrize("name", SAMPLES)
def test_odd_payloads_never_stop_the_stream(name: str) -> None:
    """An error would leave the message at the broker, and have it come again for ever."""
    for seed in SEEDS:
        routes = ready_routes(SAMPLES[name]["entry"])
        wanted = [*hostile(name, random.Random(seed))]

        found = readings_of(routes, *wanted)
        after = routes.ready.state(), [*routes.ready.warnings()], routes.subscriptions()

        assert all(isinstance(each[1], str) for each in found), seed
        assert len(after) == 3


@pytest.mark.parametrize("topic", ["", "a/#", "+", "a\0b", "x" * 70_000, 5, None, ["a"]])
def test_what_is_no_topic_is_not_asked_for(topic: Any) -> None:
    """A broker would end the connection, again and again."""
    config = json.dumps({"name": "T", "state_topic": topic, "unit_of_measurement": "W"})
    routes = ready_routes({"type": "homeassistant"})

    assert readings_of(routes, ("homeassistant/sensor/a/config", config)) == []
    assert [each.filter for each in routes.subscriptions() if not each.describes] == []


def test_odd_payloads_of_sparkplug() -> None:
    """Bytes that are changed, cut or made up are counted, or read as what they are now."""
    metrics = [
        {"name": "m", "alias": 1, "datatype": kind, "long_value": 5, "properties": {"Quality": "x"}}
        for kind in range(40)
    ]
    born = spb.payload(*metrics, seq=0)
    for seed in range(500):
        chance = random.Random(seed)
        routes = ready_routes({"type": "sparkplug"})
        changed = bytearray(born)
        for _ in range(chance.randrange(20)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        kind = chance.choice(["NBIRTH", "NDATA", "NDEATH"])
        cut = bytes(changed[: chance.randrange(len(changed) + 1)])

        found = readings_of(
            routes, (spb.topic(kind), cut), (spb.topic("DDATA", "press"), bytes(changed))
        )

        assert all(isinstance(each[1], str) for each in found), seed
