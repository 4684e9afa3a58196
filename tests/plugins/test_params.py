"""The params of the shipped plugins are read, and refused, as the options of the daemon are."""

import inspect
from collections.abc import Callable
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, Final

import pytest

import ingestd.plugins
from ingestd.plugins._params import duration, time_zone, whole, zone_of
from ingestd.testing import collect
from tests.support.config import ConfigFolder

# What each shipped plugin that has a param for a time zone needs beside it.
WITH_ZONE: Final[dict[str, dict[str, Any]]] = {
    "exec": {"command": ["true"], "format": "value", "series": "s"},
    "execd": {"command": ["true"]},
    "files": {"path": "/nowhere/*.csv", "time": "t", "series": "s", "value": "v"},
    "sql": {"file": "/nowhere.db", "table": "t", "time": "at", "series": "s", "value": "v"},
    "http_json": {"url": "http://127.0.0.1:9/"},
    "mqtt": {"url": "mqtt://127.0.0.1:9", "topics": ["a"]},
    "http_push": {"listen": "127.0.0.1:9", "store_keys": ["key"]},
    "okofen": {"url": "http://127.0.0.1:9", "live": False, "logs": "/log%Y%m%d"},
}


def shipped(name: str) -> Callable[..., Any]:
    """Return the function of a shipped plugin."""
    run: Callable[..., Any] = import_module(f"ingestd.plugins.{name}").run
    return run


def told(folder: ConfigFolder, option: str, text: str) -> str:
    """Return how the daemon refuses an option: what comes after its place and its name."""
    (problem,) = folder.problems(f"daemon: {{{option}: '{text}'}}")
    return problem.partition(f"daemon.{option}: ")[2]


@pytest.mark.parametrize("name", sorted(WITH_ZONE))
@pytest.mark.parametrize("zone", ["Europe/Wien", "Mars"])
async def test_a_misspelt_zone_is_told_as_the_daemon_tells_it(
    name: str, zone: str, folder: ConfigFolder
) -> None:
    """The run fails before it asks anything of its source."""
    with pytest.raises(ValueError, match=r"^timezone: expected a time zone such as") as refused:
        await collect(shipped(name), timezone=zone, **WITH_ZONE[name])

    assert str(refused.value) == f"timezone: {told(folder, 'timezone', zone)}"


def test_no_shipped_plugin_with_a_zone_is_forgotten() -> None:
    """A new plugin that has a time zone among its params comes into the table above."""
    names = [each.name for each in iter_modules(ingestd.plugins.__path__) if each.name[0] != "_"]

    assert {
        name for name in names if "timezone" in inspect.signature(shipped(name)).parameters
    } == WITH_ZONE.keys()


@pytest.mark.parametrize("zone", [7, None, "", ["UTC"]])
def test_a_zone_that_is_no_text_is_refused(zone: object) -> None:
    """YAML knows more kinds of values than the daemon's options."""
    with pytest.raises(ValueError, match=r"^timezone: expected a time zone such as .*, got "):
        time_zone(zone, "timezone")


@pytest.mark.parametrize(
    ("value", "seconds"), [("250ms", 0.25), ("1h30m", 5400), ("7d", 604_800), ("0", 0), (0, 0)]
)
def test_durations_have_units(value: Any, seconds: float) -> None:
    """They are written as in the rest of the configuration, where 0 needs none."""
    assert duration(value, "overlap") == seconds


@pytest.mark.parametrize("text", ["5", "5 s", "s", "5y", "", "99999w"])
def test_a_wrong_duration_is_told_as_the_daemon_tells_it(text: str, folder: ConfigFolder) -> None:
    """One parser reads both, limits included."""
    with pytest.raises(ValueError, match=r"^overlap: expected a duration") as refused:
        duration(text, "overlap")

    assert str(refused.value) == f"overlap: {told(folder, 'grace', text)}"


@pytest.mark.parametrize("value", [5, None, True, False, 0.0, ["5s"]])
def test_a_duration_that_is_no_text_is_refused(value: object) -> None:
    """A bare number says nothing, unless it is 0."""
    with pytest.raises(ValueError, match=r"overlap: expected a duration such as .*, got "):
        duration(value, "overlap")


@pytest.mark.parametrize("number", [0, -1, 1.0, "1", True, None])
def test_whole_numbers_are_whole_and_large_enough(number: Any) -> None:
    """YAML knows more kinds of numbers, and truths that look like them."""
    with pytest.raises(ValueError, match="max_held: expected a whole number of at least 1"):
        whole(number, "max_held")


def test_zone_of_the_collector_counts_where_a_plugin_has_none() -> None:
    """What is written in the params goes before it."""
    assert zone_of(None) is None
    assert str(zone_of(None, "Europe/Berlin")) == "Europe/Berlin"
    assert str(zone_of("Asia/Tokyo", "Europe/Berlin")) == "Asia/Tokyo"
    with pytest.raises(ValueError, match="timezone: expected a time zone"):
        zone_of("Europe/Brlin", "Europe/Berlin")
