"""What one ingestd sends another, in both of its dialects, reads back as it was."""

import os
import random
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import pytest

from ingestd.config import InfluxStore, VictoriaStore
from ingestd.model import Point, Series
from ingestd.plugins.http_push.formats.lines import lines
from ingestd.sinks import lineprotocol
from ingestd.sinks.influxdb import InfluxSink1
from ingestd.sinks.lineprotocol import Dialect, Prefixes
from ingestd.sinks.protocol import Sink
from ingestd.sinks.victoriametrics import VictoriaSink
from tests.support.pushing import Push, pushing
from tests.support.pushmessages import message

SEED: Final = int(os.environ.get("INGESTD_TEST_SEED") or secrets.randbelow(1_000_000))
IDENTITIES: Final = 500  # the release was tried with 10,000, 2,000 at a time
LETTERS: Final = ["a", "b", "é", "\\", ",", " ", "=", '"', "#", "/", ":"]
DIALECTS: Final = {"": Dialect(), "victoriametrics": Dialect(doubles_backslashes=True)}


def text(chance: random.Random) -> str:
    """Return a name with what is special in it."""
    return "".join(chance.choices(LETTERS, k=chance.randint(1, 6)))


def identity(chance: random.Random) -> Series:
    """Return a series with up to three tags."""
    tags = {text(chance): text(chance) for _ in range(chance.randint(0, 3))}
    return Series(text(chance).strip() or "x", tuple(sorted(tags.items())), "reading", "value")


@pytest.mark.parametrize("dialect", DIALECTS)
def test_identities_and_values_read_back_as_they_were(dialect: str) -> None:
    """What a dialect cannot say is refused by the sender; all else comes through."""
    print(f"INGESTD_TEST_SEED={SEED}")  # noqa: T201 -- to repeat what failed
    chance = random.Random(SEED)
    points: list[Point] = [
        (identity(chance), 1_700_000_000_000_000 + at, chance.choice([0.1 * at, 1e300 / (at + 1)]))
        for at in range(IDENTITIES)
    ]
    sent = lineprotocol.encode(points, Prefixes(DIALECTS[dialect]))

    query = {"precision": "u", **({"dialect": dialect} if dialect else {})}
    found = lines(message(sent.text, query=query))

    refused = {int(time_of(each)) for each, _ in sent.refused}
    expected = [
        (time_us, series.name, value, dict(series.tags))
        for series, time_us, value in points
        if time_us not in refused
    ]
    assert (found.samples, found.rejected) == ([], 0)
    assert len(expected) > IDENTITIES / 2
    assert [(round(time * 1e6), *rest) for time, *rest in found.readings] == expected


def time_of(payload: bytes) -> str:
    """Return the time in what was refused, which is readable."""
    return payload.rpartition(b'"time_us":')[2].partition(b",")[0].decode()


@asynccontextmanager
async def sending(sink: Sink) -> AsyncIterator[Sink]:
    """Open a sink, and close it at the end."""
    try:
        await sink.open()
        yield sink
    finally:
        await sink.close()


@pytest.mark.parametrize("kind", ["influxdb", "victoriametrics"])
async def test_a_sink_sends_to_the_plugin(kind: str) -> None:
    """The plugin knows by the request which dialect it is."""
    series = [
        Series(r"C:\tmp", (("site", r"a\\b"),), "reading", "value"),
        Series(r"C:\\tmp", (("site", "a b,c=d"),), "reading", "value"),
    ]
    at_us = 1_772_366_400_000_000
    async with pushing(formats="influx") as push, sending(made(kind, push)) as sink:
        body = sink.encode([(each, at_us, 2.5) for each in series]).body
        assert body is not None
        await sink.write(body.data)

    assert push.readings == [(at_us / 1e6, each.name, 2.5, dict(each.tags)) for each in series]


def made(kind: str, push: Push) -> Sink:
    """Return a sink of a kind that sends to the plugin."""
    if kind == "influxdb":
        return InfluxSink1(InfluxStore(name="s", url=push.url, version=1, database="d"))
    return VictoriaSink(VictoriaStore(name="s", url=push.url), now=lambda: 1_772_366_400.0)
