"""From readings to line protocol on one core, against influxdb-client's Points."""

import gc
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, Final

from bench.figures import Row, Scale, count
from bench.plugins import flood
from ingestd.cli.run import MORE_OBJECTS
from ingestd.collecting.points import Naming
from ingestd.config.catalogue import Catalogue
from ingestd.plugins.http_push.formats.lines import lines
from ingestd.plugins.http_push.formats.message import Message
from ingestd.sinks import linebodies, lineprotocol
from ingestd.sinks.lineprotocol import Dialect, Prefixes

MOST_BYTES: Final = 2**30
FIRST_US, LAST_US = 0, 4_000_000_000_000_000


def rows(_folder: Path, scale: Scale) -> list[Row]:
    """Measure the encoder, alone and with everything that turns readings into a body."""
    gc.set_threshold(MORE_OBJECTS)  # as the daemon does; the peer may profit from it, too
    chunks = scale.of(100, 10)
    naming = Naming(measurement="reading", field="value", tags={}, catalogue=Catalogue())
    prefixes = Prefixes(Dialect())
    readings = [flood.chunk(number * flood.CHUNK) for number in range(chunks)]
    points = [naming.sort(some, now=0.0).points for some in readings]

    def encode() -> None:
        for some in points:
            lineprotocol.encode(some, prefixes, low_us=FIRST_US, high_us=LAST_US)

    def everything() -> None:
        for some in readings:
            found = naming.sort(some, now=0.0).points
            lines = lineprotocol.encode(found, prefixes, low_us=FIRST_US, high_us=LAST_US)
            linebodies.packed(lines, compress=True)

    sent = [lineprotocol.encode(some, prefixes).text for some in points]

    def take_in() -> None:
        for some in sent:
            lines(message_of(some))

    few = readings[: max(1, chunks // 10)]
    times: dict[str, list[float]] = {"encode": [], "everything": [], "peer": [], "take in": []}
    for _ in range(max(3, scale.rounds)):
        times["take in"].append(cpu(take_in) / chunks)
        times["encode"].append(cpu(encode) / chunks)
        times["everything"].append(cpu(everything) / chunks)
        times["peer"].append(cpu(lambda: with_points(few)) / len(few))
    pace = {name: flood.CHUNK / median(some) for name, some in times.items()}
    peer = f"Point.to_line_protocol: {count(pace['peer'])}/s"
    return [
        Row(
            "encoding, per core: points to line protocol",
            ">= 8x",
            f"{count(pace['encode'])}/s, **{pace['encode'] / pace['peer']:.1f}x**",
            peer,
            pace["encode"] >= 8 * pace["peer"],
        ),
        Row(
            "encoding, per core: readings checked, named, encoded and compressed",
            "",
            f"{count(pace['everything'])}/s, **{pace['everything'] / pace['peer']:.1f}x**",
            peer,
            None,
        ),
        Row(
            "taking in, per core: line protocol to readings, as `/write` of `http_push` does",
            "",
            f"{count(pace['take in'])}/s",
            "",
            None,
        ),
    ]


def message_of(body: bytes) -> Message:
    """Return a request with line protocol in it."""
    query = {"precision": "u"}
    return Message(query, {}, body, now=0.0, most_bytes=MOST_BYTES, most_held=MOST_BYTES)


def with_points(chunks: list[list[tuple[int, str, float]]]) -> None:
    """Do what an application with influxdb-client does."""
    library: Any = importlib.import_module("influxdb_client")
    point, seconds = library.Point, library.WritePrecision.S

    for some in chunks:
        "\n".join(
            [
                point("reading")
                .tag("series", name)
                .field("value", value)
                .time(at, seconds)
                .to_line_protocol()
                for at, name, value in some
            ]
        ).encode()


def cpu(work: Callable[[], None]) -> float:
    """Return the processor time that some work takes, in seconds."""
    began = time.thread_time()
    work()
    return time.thread_time() - began
