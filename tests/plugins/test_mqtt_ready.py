"""What the ready routes of the mqtt plugin make of what devices publish; no broker is needed."""

import json
import time
from typing import Any

import pytest

from ingestd.plugins.mqtt import check
from tests.support.readyroutes import SAMPLES, readings_of, ready_routes, told


@pytest.mark.parametrize("name", SAMPLES)
def test_ready_route_reads_what_its_devices_publish(name: str) -> None:
    """One word in the configuration, and the readings have names, units, times and values."""
    since, sample = time.time(), SAMPLES[name]
    routes = ready_routes(sample["entry"])

    found = readings_of(routes, *described(sample), *sample["messages"])

    assert [told(each, since=since) for each in found] == sample["readings"].splitlines()


def described(sample: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is retained and describes; the age of what else is retained is unknown."""
    routes = ready_routes(sample["entry"])
    return [each for each in sample.get("retained", ()) if routes.ready.describes(each[0])]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"type": "tasmotta"}, "topics: expected a type among tasmota, zigbee2mqtt"),
        ({"type": "tasmota", "filter": "a"}, "beside `type: tasmota`, got 'filter'"),
        ({"type": "tasmota", "qos": 2}, "qos: expected 0 or 1, got 2"),
        ({"type": "tasmota", "base": "a/#"}, "base: expected whole levels of '+' and no '#'"),
        ({"type": "homie", "base": "+/h"}, "base: expected a topic without '+' and '#'"),
        ({"type": "homie", "base": 5}, "base: expected a topic such as 'home/attic', got 5"),
        ({"type": "homie", "series": "{device}"}, "series: expected a template of {device} and"),
        ({"type": "shelly", "words": 5}, "words: expected words and numbers"),
        ({"type": "sparkplug", "groups": "a"}, "groups: expected a list of names, got 'a'"),
        ({"type": "sparkplug", "host": "a/b"}, "host: expected a name without '/'"),
    ],
)
def test_wrong_entry_says_what_is_right(entry: dict[str, Any], problem: str) -> None:
    """`check` tells it before the first run."""
    (found,) = check(url="mqtt://h", topics=[entry])

    assert problem in found


def test_one_client_has_one_last_will() -> None:
    """`host` of Sparkplug and `presence` are two."""
    (found,) = check(url="mqtt://h", topics=[{"type": "sparkplug", "host": "a"}], presence="here")

    assert found == "topics: expected one `host`, and no `presence` beside it, got more"


def config(name: str, **said: Any) -> tuple[str, str]:
    """Return what announces a sensor to Home Assistant."""
    about = {"name": "Power", "unit_of_measurement": "W", "device": {"name": "Plug"}, **said}
    return f"homeassistant/sensor/{name}/config", json.dumps({"state_topic": name, **about})


def test_two_entities_never_share_a_series() -> None:
    """Neither has the name that both want, so that it does not change places."""
    routes = ready_routes({"type": "homeassistant"})

    found = readings_of(routes, config("a"), config("b"), ("a", "1"), ("b", "2"))

    assert [each[1:] for each in found] == [("Plug_a_W", 1), ("Plug_b_W", 2)]


@pytest.mark.parametrize(
    ("template", "payload", "value"),
    [
        ("{{ value }}", "21.5", 21.5),
        ("{{value_json.a.b}}", '{"a": {"b": 5}}', 5),
        ("{{ value_json['a b'][1] }}", '{"a b": [1, 2]}', 2),
        ('{{ value_json["a"] | float(0) }}', "{}", None),
        ("{{ value_json.a | default(7) }}", "{}", None),
        ("{{ value_json.a | int }}", '{"a": "21.7"}', 21),
        ("{{ value | float / 1000 | round(1) }}", "1234", None),
        ("{{ (value | float / 1000) | round(1) }}", "1234", 1.2),
        ("{{ value | float * 0.1 - 2 }}", "100", None),
        ("{{ value | float -1 }}", "100", 99),
        ("{{ value_json.a + 5 - 1 }}", '{"a": 1}', 5),
        ("{{ value_json.a / 0 }}", '{"a": 1}', None),
        ("{{ value_json.a if value_json.a > 0 else 0 }}", '{"a": 1}', None),
        ("{% if value %}1{% endif %}", "1", None),
        ("{{ states('sensor.a') }}", "1", None),
        ("{{ value | round(2) }} W", "1", None),
    ],
)
def test_simple_templates_are_understood(template: str, payload: str, value: Any) -> None:
    """What is more is not guessed; what is missing is no value."""
    routes = ready_routes({"type": "homeassistant"})

    found = readings_of(routes, config("a", value_template=template), ("a", payload))

    assert [each[2] for each in found if each[2] is not None] == ([] if value is None else [value])


def test_tasmota_needs_a_zone() -> None:
    """Its times do not say where its clock stands; the run fails rather than lose readings."""
    routes = ready_routes({"type": "tasmota"})
    (route,) = routes.entries

    with pytest.raises(ValueError, match="timezone: expected the zone in which the Tasmota"):
        route.in_zone(None)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("entry", "topic", "series"),
    [
        ({"type": "tasmota", "base": "+/tele"}, "attic/tele/LWT", "attic_online"),
        ({"type": "tasmota", "base": "home/tele"}, "home/tele/attic/LWT", "attic_online"),
        ({"type": "esphome", "base": "home"}, "home/attic/status", "attic_online"),
        ({"type": "esphome", "series": "n_{device}.{name}"}, "a/status", "n_a.online"),
    ],
)
def test_base_and_series_can_be_told(entry: dict[str, Any], topic: str, series: str) -> None:
    """Devices may publish elsewhere, and two houses may have devices of one name."""
    (reading,) = readings_of(ready_routes(entry), (topic, "online"))

    assert reading[1:] == (series, 1)


def test_words_hold_for_ready_routes() -> None:
    """A state in words becomes the number that the operator has given it."""
    routes = ready_routes({"type": "shelly1", "words": {"open": 1, "close": 0}})

    (reading,) = readings_of(routes, ("shellies/a/roller/0", "open"))

    assert reading[1:] == ("a_roller_0", 1)


def test_the_first_entry_that_fits_counts() -> None:
    """A ready route and one of the operator's own may stand side by side."""
    own = {"filter": "zigbee2mqtt/attic", "series": "mine", "value": "t"}
    routes = ready_routes(own, {"type": "zigbee2mqtt"})

    found = readings_of(routes, ("zigbee2mqtt/attic", '{"t": 1}'), ("zigbee2mqtt/b", '{"t": 2}'))

    assert [each[1:] for each in found] == [("mine", 1), ("b_t", 2)]
