"""MQTT with QoS 1, each message acked when it is safe, against aiomqtt's own iterator."""

import asyncio
import time
from pathlib import Path

from bench import broker, daemon, nullstore, peers
from bench.figures import Pace, Row, Scale, compared, count, middle, pace, spread
from tests.support.servers import mosquitto

# The tests' broker writes its database at every change, which would be what is measured.
CONFIG = "autosave_on_changes false\nautosave_interval 1800\n"
WANTED = 25_000


def rows(folder: Path, scale: Scale) -> list[Row]:
    """Measure a session that is full when its reader comes."""
    messages = scale.of(200_000, 10_000)
    ours: list[Pace] = []
    theirs: list[Pace] = []
    for number in range(scale.rounds):
        with mosquitto(folder / f"broker-{number}", config=CONFIG) as server:
            asyncio.run(broker.fill(server.port, "ours", messages))
            ours.append(through_daemon(folder / f"daemon-{number}", server.url, messages))
            if asyncio.run(broker.left(server.port, "ours")):
                raise RuntimeError("expected every message to be acked, got one again")
        with mosquitto(folder / f"peer-{number}", config=CONFIG) as server:
            asyncio.run(broker.fill(server.port, "theirs", messages))
            found = peers.run("mqtt", server.port, "theirs", messages)
            theirs.append(pace(messages, seconds=found["seconds"], cpu=found["cpu"]))
    us = middle(ours)
    return [
        Row(
            "MQTT QoS 1, ack after safe, JSON payloads",
            f">= {count(WANTED)}/s",
            f"{spread(ours)}, {count(us.per_cpu_second)} for each second of processor time; "
            f"{compared(us, middle(theirs))}",
            f"aiomqtt's iterator, acked before it is seen: {spread(theirs)}",
            us.per_second >= WANTED,
        )
    ]


def through_daemon(folder: Path, url: str, messages: int) -> Pace:
    """Let a daemon read a session to its end."""
    topics = [{"filter": "bench/#", "value": "v", "time": "t"}]
    params = {"url": url, "client_id": "ours", "topics": topics}
    with nullstore.running() as null:
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        with daemon.running(
            folder,
            stores={"store": store},
            collectors={"meters": {"plugin": "mqtt", "params": params}},
        ) as running:
            began, cpu = time.monotonic(), running.cpu
            end = null.quiet(after=began, patience=1.0)
            cpu = running.cpu - cpu
        points = null.ask("/points")
    if points != messages:
        raise RuntimeError(f"expected {messages} points in the store, got {points}")
    return pace(messages, seconds=end - began, cpu=cpu)
