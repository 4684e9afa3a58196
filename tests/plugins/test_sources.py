"""What many sources send, read with nothing but YAML."""

import io
import zipfile
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
import yaml
from aiohttp import web

from ingestd.plugins.http_json import check
from ingestd.plugins.mqtt.options import entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.routes import Routes
from tests.support.jsonsource import answers
from tests.support.recorded import line

SAMPLES: Final = Path(__file__).parents[1] / "samples" / "sources"
HTTP: Final[dict[str, Any]] = yaml.safe_load((SAMPLES / "http.yaml").read_text())
MQTT: Final[dict[str, Any]] = yaml.safe_load((SAMPLES / "mqtt.yaml").read_text())
ARRIVAL: Final = 1_782_900_900.0


def body_of(source: dict[str, Any]) -> bytes:
    """Return what a source answers: a text, or a zip of some."""
    if "answer" in source:
        return str(source["answer"]).encode()
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in source["files"].items():
            archive.writestr(name, text)
    return packed.getvalue()


@pytest.mark.parametrize("name", HTTP)
async def test_source_that_is_polled(name: str) -> None:
    """Each value at its time, and what says that there is none."""
    source = HTTP[name]
    reply = web.Response(body=body_of(source), content_type=source.get("type", "application/json"))

    assert check(url="http://h/", **source["params"]) == []
    results = await answers(reply, **source["params"])
    found = [line(reading) for result in results for reading in result["readings"]]
    assert found == source["readings"].splitlines()


@pytest.mark.parametrize("name", MQTT)
def test_source_that_publishes(name: str) -> None:
    """In the zone of the collector, if a time says none."""
    source = MQTT[name]
    routes = Routes(entries_of([source["entry"]], qos=1), zone=ZoneInfo("Europe/Berlin"))

    payload = str(source["payload"]).encode()
    found = routes.readings([Message(source["topic"], payload, ARRIVAL, 1, 1)])

    assert [line(reading) for reading in found] == source["readings"].splitlines()
