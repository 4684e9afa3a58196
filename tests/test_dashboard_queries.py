"""The queries of the dashboards find what the daemon stores and says of itself."""

import re
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.request import urlopen

import pytest

from ingestd.collecting.points import Naming
from ingestd.config.catalogue import Catalogue
from ingestd.config.model import EmbeddedStore, InfluxStore, VictoriaStore
from ingestd.model import Point
from ingestd.plugins import system
from ingestd.sinks import influxdb
from ingestd.sinks.embedded import EmbeddedSink
from ingestd.sinks.protocol import Sink
from ingestd.sinks.victoriametrics import VictoriaSink
from ingestd.testing import collect
from tests.support import grafana
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.grafana import MACHINES, Line, Source, variables
from tests.support.ports import free_port
from tests.support.searchable import make_searchable

pytestmark = pytest.mark.slow

# What the machine that runs the tests may not have.
ELSEWHERE: Final[list[Any]] = [
    (None, "swap_total_bytes", 8e9),
    (None, "swap_used_bytes", 1e9),
    (None, "temperature_celsius", 48.0, {"sensor": "coretemp Core 0"}),
    (None, "disk_busy_percent", 3.0, {"device": "sda"}),
    (None, "disk_read_bytes_per_second", 0.0, {"device": "sda"}),
    (None, "disk_written_bytes_per_second", 4096.0, {"device": "sda"}),
    (None, "network_received_bytes_per_second", 2048.0, {"interface": "eth0"}),
    (None, "network_sent_bytes_per_second", 1024.0, {"interface": "eth0"}),
    (None, "network_errors_per_second", 0.0, {"interface": "eth0"}),
    (None, "network_dropped_per_second", 0.0, {"interface": "eth0"}),
]


class Shown:
    """A dashboard with something to show.

    Attributes:
        board: The dashboard.
        source: Where its readings are.
        variables: Their values.
    """

    def __init__(self, name: str, source: Source, **values: str) -> None:
        self.board, self.source = grafana.load(name), source
        self.variables = {**grafana.defaults(self.board), **values}

    def lines(self, **values: str) -> dict[str, list[Line]]:
        """Return the lines of every query, by the name of its panel."""
        chosen = {**self.variables, **values}
        return {
            title: [line for line in self.source.ask(target, chosen) if line.values]
            for title, target in grafana.targets(self.board)
        }


async def readings() -> list[list[Any]]:
    """Return what two runs read, the first ten seconds before the second as it seems."""
    (first,) = await collect(system.run)
    state = {key: value for key, value in first.items() if key != "readings"}
    state["uptime"] -= 10
    state["counters"]["cpu"]["all"]["idle"] -= 5
    (second,) = await collect(system.run, **state)
    have = {series for _, series, *_ in second["readings"]}
    return [first["readings"], second["readings"] + [r for r in ELSEWHERE if r[1] not in have]]


async def fill(sink: Sink, *, measurement: str = "reading", tags: Mapping[str, str]) -> None:
    """Write the readings to a store, as three and two minutes old.

    VictoriaMetrics hides what is younger than half a minute.
    """
    naming = Naming(measurement=measurement, field="value", tags=tags, catalogue=Catalogue())
    points: list[Point] = []
    for run, age in zip(await readings(), (180, 120), strict=True):
        points += naming.sort(run, now=int(time.time()) - age).points
    encoded = sink.encode(points)
    assert encoded.body is not None
    await sink.open()
    await sink.write(encoded.body.data)
    await sink.close()


def test_made_up_readings_are_the_plugins() -> None:
    """Nothing is drawn that the plugin would call otherwise."""
    assert system.__doc__
    assert all(f"``{series}``" in system.__doc__ for _, series, *_ in ELSEWHERE)


@pytest.fixture(params=["", "gateway-1"], ids=["untagged", "tagged"])
def host(request: pytest.FixtureRequest) -> str:
    """Give the name of the machine, or nothing for one without a tag."""
    name: str = request.param
    return name


@pytest.fixture(params=MACHINES)
async def machine(
    request: pytest.FixtureRequest, tmp_path: Path, host: str, unique: str
) -> AsyncIterator[Shown]:
    """Give each kind of store in turn, filled, with the machine chosen if it has a name."""
    name = request.param
    tags = {"host": host} if host else {}
    chosen = {"host": host} if host else {}
    match name:
        case "machine-sqlite.json":
            path = tmp_path / "readings.db"
            await fill(EmbeddedSink(EmbeddedStore(name="s", path=path)), tags=tags)
            yield Shown(name, grafana.sqlite(path), **chosen)
        case "machine-influxql.json":
            url = request.getfixturevalue("influxdb_url")
            store = InfluxStore(name="s", url=url, version=1, database=unique, create=True)
            await fill(influxdb.sink(store), tags=tags)
            yield Shown(name, grafana.influxql(url, unique), **chosen)
        case "machine-victoriametrics.json":
            url = request.getfixturevalue("victoriametrics_url")
            sink = VictoriaSink(VictoriaStore(name="s", url=url))
            await fill(sink, measurement=unique, tags=tags)
            make_searchable(url)
            yield Shown(name, grafana.prometheus(url), metric=f"{unique}_value", **chosen)


def test_every_query_finds_the_machine(machine: Shown) -> None:
    """No panel is empty, whether all machines are shown or one is chosen."""
    found = machine.lines()

    assert [title for title, lines in found.items() if not lines] == []
    (busy,) = found["Processor A"]
    assert 0 <= busy.values[0] <= 100
    assert len(found["Processor by mode A"]) == len(system.MODES)


def test_no_query_finds_another_machine(machine: Shown) -> None:
    """Once a machine is chosen, nothing of others is shown."""
    found = machine.lines(host="another")

    assert [title for title, lines in found.items() if lines] == []


def test_machines_can_be_chosen(machine: Shown, host: str) -> None:
    """The variable offers every machine that has a name."""
    offered = machine.source.choices(variables(machine.board)["host"], machine.variables)

    assert offered == ([host] if host else [])


def test_legends_name_labels_that_are_there(machine: Shown) -> None:
    """A mount point, device or sensor is told by its name."""
    found = machine.lines()
    for title, target in grafana.targets(machine.board):
        legend = target.get("legendFormat", "") + target.get("alias", "")
        names = {*re.findall(r"{{(\w+)}}", legend), *re.findall(r"\$tag_(\w+)", legend)} - {"host"}
        for line in found[title]:
            assert all(line.labels[name] for name in names), (title, line)
            assert line.labels.get("name") != "", title


# -- the daemon itself

COLLECTORS: Final = """
stores:
  here: {type: embedded}
  away: {type: victoriametrics, url: "http://127.0.0.1:%d"}
collectors:
  good: {plugin: good, every: 1h}
  broken: {plugin: broken, every: 100ms}
"""


def scraped(text: str, url: str, *, instance: str, age: int) -> None:
    """Give VictoriaMetrics what ``/metrics`` said, as if read some seconds ago."""
    at_ms = (int(time.time()) - age) * 1000
    where = f"{url}/api/v1/import/prometheus?extra_label=instance={instance}&timestamp={at_ms}"
    with urlopen(where, data=text.encode()) as reply:
        assert reply.status == 204


async def metrics_of(daemon: RunningDaemon) -> str:
    """Return what the daemon says of itself, once it is in the trouble that it is meant to be."""
    away, registry = daemon.daemon.deliveries.by_store["away"], daemon.daemon.metrics.registry
    broken = {"collector": "broken"}
    await daemon.until(lambda: not away.in_memory and away.spooled)
    await daemon.until(lambda: registry.get_sample_value("ingestd_ticks_missed_total", broken))
    text: str = (await daemon.ask("GET", "/metrics")).body
    return text


@pytest.fixture
async def metrics(daemon_folder: DaemonFolder) -> list[str]:
    """Give what a daemon in trouble says of itself, twice."""
    nan = "return {'readings': [(None, 'level', 1), (None, 'nothing', float('nan'))]}"
    daemon_folder.plugin("good", f"async def run(**_): {nan}")
    daemon_folder.plugin("broken", "async def run(**_): raise ValueError")
    said = []
    async with daemon_folder.daemon(COLLECTORS % free_port()) as daemon:
        for _ in range(2):
            await daemon.post("collectors/good/run")
            said.append(await metrics_of(daemon))
    return said


async def test_metrics_are_the_daemons(metrics: list[str]) -> None:
    """The dashboard asks for nothing that the daemon does not say."""
    served = set(re.findall(r"^# TYPE (\w+) ", metrics[-1], re.MULTILINE))
    served |= set(re.findall(r"^(\w+)[ {]", metrics[-1], re.MULTILINE))
    board = grafana.load("ingestd.json")
    queries = [target["expr"] for _, target in grafana.targets(board)]
    queries += [v["query"]["query"] for v in variables(board).values() if v["type"] == "query"]
    asked = {name for q in queries for name in re.findall(r"\b(?:ingestd|process)_\w+", q)}

    assert sorted(asked - served) == []
    assert len(asked) > 20


async def test_every_query_finds_the_daemon(
    metrics: list[str], victoriametrics_url: str, unique: str
) -> None:
    """No panel of the daemon's dashboard is empty while a store is away and a collector broken."""
    for text, age in zip(metrics, (180, 120), strict=True):
        scraped(text, victoriametrics_url, instance=unique, age=age)
    make_searchable(victoriametrics_url)
    daemon = Shown("ingestd.json", grafana.prometheus(victoriametrics_url), instance=unique)

    found = daemon.lines()
    offered = daemon.source.choices(variables(daemon.board)["collector"], daemon.variables)

    assert [title for title, lines in found.items() if not lines] == []
    assert found["Stores down A"][0].values == [1]
    assert found["Failing collectors A"][0].values == [1]
    assert offered == ["broken", "good"]
