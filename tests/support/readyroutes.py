"""Recorded messages of devices, through the ready routes of the mqtt plugin."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import yaml

from ingestd.plugins.mqtt.options import entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.routes import Routes
from tests.support.recorded import line

SAMPLES: Final[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "samples" / "sources" / "ready.yaml").read_text()
)
ZONE: Final = "Europe/Berlin"


def ready_routes(*entries: Any, **around: Any) -> Routes:
    """Return the routes of some entries of ``topics``."""
    return Routes(entries_of(list(entries), **{"qos": 1, **around}), zone=ZoneInfo(ZONE))


def readings_of(routes: Routes, *messages: tuple[str, str | bytes]) -> list[Any]:
    """Return the readings of messages that arrive now, one after the other."""
    now = time.time()
    return [
        *routes.readings(
            Message(
                topic, payload if isinstance(payload, bytes) else str(payload).encode(), now, 1, 1
            )
            for topic, payload in messages
        )
    ]


def told(reading: tuple[Any, ...], *, since: float) -> str:
    """Return a reading as samples have it; one that is as old as the test is at `now`."""
    moment, series, value, *tags = reading
    now = type(moment) is float and since <= moment <= time.time()
    shown = line((None if now else moment, series, value))
    said: Mapping[str, str] = tags[0] if tags else {}
    return "  ".join([shown, *(f"{name}={text}" for name, text in said.items())])
