"""MQTT with QoS 1, each message acked when it is safe, against aiomqtt's own iterator."""

import asyncio
import time
from pathlib import Path

from bench import broker, daemon, nullstore, peers
from bench.figures import Pace, Row, Scale, compared, count, middle, pace, spread
from tests.support.servers import mosquitto

# The tests' broker writes its database at every change, which would be what is measured.
CONFIG = "autosave_on_changes false\nautosave_interval 1800\n"
PROTOCOLS = ("5", "3.1.1")
WANTED = 25_000


def rows(folder: Path, scale: Scale) -> list[Row]:
    """Measure a session that is full when its reader comes."""
    messages = scale.of(100_000, 10_000)
    ours: dict[str, list[Pace]] = {protocol: [] for protocol in PROTOCOLS}
    theirs: dict[str, list[Pace]] = {protocol: [] for protocol in PROTOCOLS}
    for number in range(scale.rounds):
        for protocol in PROTOCOLS:
            place = folder / f"{number}-{protocol}"
            ours[protocol].append(ours_once(place, protocol, messages))
            theirs[protocol].append(theirs_once(place, protocol, messages))
    made = []
    for protocol, some in ours.items():
        us, peer = middle(some), theirs[protocol]
        made.append(
            Row(
                f"MQTT {protocol} QoS 1, ack after safe, JSON payloads",
                f">= {count(WANTED)}/s",
                f"{spread(some)}, {count(us.per_cpu_second)} for each second of processor time; "
                f"{compared(us, middle(peer))}",
                f"aiomqtt's iterator, acked before it is seen: {spread(peer)}",
                us.per_second >= WANTED,
            )
        )
    return made


def ours_once(folder: Path, protocol: str, messages: int) -> Pace:
    """Fill a session and let the daemon read it; see that all was acked."""
    with mosquitto(folder / "broker", config=CONFIG) as server:
        asyncio.run(broker.fill(server.port, "ours", messages))
        found = through_daemon(folder / "daemon", server.url, protocol, messages)
        if asyncio.run(broker.left(server.port, "ours")):
            raise RuntimeError("expected every message to be acked, got one again")
    return found


def theirs_once(folder: Path, protocol: str, messages: int) -> Pace:
    """Fill a session and let the peer read it."""
    with mosquitto(folder / "peer", config=CONFIG) as server:
        asyncio.run(broker.fill(server.port, "theirs", messages))
        found = peers.run("mqtt", server.port, "theirs", protocol, messages)
    return pace(messages, seconds=found["seconds"], cpu=found["cpu"])


def through_daemon(folder: Path, url: str, protocol: str, messages: int) -> Pace:
    """Let a daemon read a session to its end."""
    topics = [{"filter": "bench/#", "value": "v", "time": "t"}]
    params = {"url": url, "client_id": "ours", "protocol": protocol, "topics": topics}
    with nullstore.running() as null:
        store = {"type": "influxdb", "url": null.url, "org": "o", "bucket": "b", "token": "t"}
        with daemon.running(
            folder,
            stores={"store": store},
            collectors={"meters": {"plugin": "mqtt", "params": params}},
        ) as running:
            began, cpu = time.monotonic(), running.cpu
            end = null.quiet(after=began, patience=3.0)
            cpu = running.cpu - cpu
        points = null.ask("/points")
    if points != messages:
        raise RuntimeError(f"expected {messages} points in the store, got {points}")
    return pace(messages, seconds=end - began, cpu=cpu)
