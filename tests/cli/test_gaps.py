"""``ingestd gaps``: what real stores lack, found with a daemon and without."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.backfilling.comparing import POINTS, compare
from ingestd.backfilling.gaps import SECOND_US, Bounds
from ingestd.config.model import EmbeddedStore
from ingestd.model import Point, Series, StoredPoint
from ingestd.sinks.embedded import EmbeddedSink
from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.halfhours import DAY, FIRST, HALF_HOUR, HALF_HOURS

pytestmark = pytest.mark.slow

ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
WHOLE: Final = ("--from", "2024-01-01T00:00Z", "--to", "2024-01-03T00:00Z")
LOST: Final = [10, 20, 21, 22]


def configure(daemon: DaemonProcess, stores: Any = None, **collector: Any) -> None:
    """Configure one collector of half hours; it runs when it is asked to."""
    params = {"folder": str(daemon.folder), **collector.pop("params", {})}
    options = {"plugin": "halves", "every": "365d", "params": params, **collector}
    daemon.configure(collectors={"m": options}, **({"stores": stores} if stores else {}))


@pytest.fixture
def halves(daemon: DaemonProcess, cli: CommandLine) -> DaemonProcess:
    """Give a daemon that has run once, and has lost some of two days."""
    daemon.plugin("halves", HALF_HOURS)
    configure(daemon, params={"lost": LOST})
    assert cli("once", "m").code == 0
    return daemon


def holes(found: Any, at: int = 0) -> list[tuple[int, int, int]]:
    """Return the holes of a series: the numbers of the half hours, and how many."""
    return [
        (
            int(each["start"] - FIRST) // HALF_HOUR,
            int(each["end"] - FIRST) // HALF_HOUR,
            each["missing"],
        )
        for each in found["series"][at]["holes"]
    ]


def test_holes_are_found_beside_a_daemon_and_without_one(
    halves: DaemonProcess, cli: CommandLine
) -> None:
    """Both ways find the same holes in every series."""
    cli.environ["TZ"] = "UTC"
    offline, text = cli.json("gaps", "m", *WHOLE), cli("gaps", "m", *WHOLE)
    halves.start()
    online = cli.json("gaps", "m", *WHOLE)

    assert online == offline
    assert holes(offline, 0) == holes(offline, 1) == [(10, 11, 1), (20, 23, 3)]
    assert (offline["missing"], offline["backfill"]) == (8, None)
    assert [(s["series"], s["cadence"], s["readings"]) for s in offline["series"]] == [
        ("a", 1800, 92),
        ("b", 1800, 92),
    ]
    assert text.code == 0
    assert text.lines[0].split() == ["series", "cadence", "from", "to", "missing"]
    assert text.lines[2].split() == (
        ["a", "30m", "2024-01-01", "10:00+00:00", "2024-01-01", "11:30+00:00", "3"]
    )
    assert text.lines[-1] == "m: 8 readings missing in 4 holes of 2 of 2 series, 184 readings there"


def test_bounds_say_what_should_be_there(halves: DaemonProcess, cli: CommandLine) -> None:
    """Without them nothing is missing before the first reading or after the last one."""
    start_only = cli.json("gaps", "m", "--from", "2023-12-31T00:00Z", "--series", "a")
    end_only = cli.json("gaps", "m", "--to", "2024-01-03T12:00Z", "--series", "a")
    recent = cli("gaps", "m")

    assert holes(start_only)[0] == (-48, 0, 48)
    assert holes(end_only)[-1] == (96, 120, 24)
    assert recent.out == "m: nothing is missing in 0 series, 0 readings\n"
    assert recent.err.splitlines() == [
        "not compared: 2 series",
        "  a: no readings, and no cadence is known",
        "  b: no readings, and no cadence is known",
        "look further back, such as --from 365d, or say how far apart with --cadence",
    ]


def test_a_cadence_of_the_operator_wins(halves: DaemonProcess, cli: CommandLine) -> None:
    """The command line's goes before the configuration's, and both before what is usual."""
    by_command = cli.json("gaps", "m", *WHOLE, "--cadence", "1h")
    configure(halves, cadence="2h")
    by_config = cli.json("gaps", "m", *WHOLE)
    later = cli.json("gaps", "m", "--from", "2024-02-01T00:00Z", "--to", "2024-02-02T00:00Z")

    assert [each["missing"] for each in by_command["series"][0]["holes"]] == [1]
    assert holes(by_config) == []
    assert [each["missing"] for each in later["series"]] == [12, 12]


@pytest.mark.parametrize("running", [True, False])
def test_holes_are_refilled(halves: DaemonProcess, cli: CommandLine, *, running: bool) -> None:
    """The daemon does it if one runs; the position of what is collected live stays."""
    configure(halves, params={"lost": LOST, "count": 97})
    if running:
        halves.start()
    said = cli("gaps", "m", *WHOLE, "--refill", "--series", "a")
    after = cli.json("gaps", "m", *WHOLE, "--refill")

    assert (said.code, said.err) == (0, "")
    assert "m: 4 readings missing in 2 holes of 1 of 1 series, 92 readings there" in said.lines
    # From the reading before a hole to the one behind it, of both series.
    assert re.fullmatch(r"m: backfill 1 done after \S+, 12 readings", said.lines[-1])
    assert (after["missing"], after["backfill"]) == (0, None)
    assert [each["readings"] for each in after["series"]] == [96, 96]
    assert cli.json("state", "show", "m")["state"] == {"last": 96}


@pytest.mark.parametrize("running", [True, False])
def test_holes_of_the_source_itself_are_asked_for_once(
    halves: DaemonProcess, cli: CommandLine, *, running: bool
) -> None:
    """What is still missing after a refill is kept in mind, and listed again if all is wanted."""
    configure(halves, params={"never": [20, 21, 22]})
    if running:
        halves.start()
    said = cli("gaps", "m", *WHOLE, "--refill")
    again = cli("gaps", "m", *WHOLE, "--refill")
    found, everything = cli.json("gaps", "m", *WHOLE), cli.json("gaps", "m", *WHOLE, "--all")

    either = "m: the source does not have 6 readings in 2 holes"
    assert said.lines[-1] == f"{either} either; from now on --all lists them"
    assert again.lines == [
        "m: nothing is missing in 2 series, 186 readings",
        f"{either}; --all lists them",
    ]
    assert (found["missing"], found["backfill"], everything["missing"]) == (0, None, 6)
    assert [each["missing"] for each in found["series"][0]["absent"]] == [3]
    assert holes(everything) == [(20, 23, 3)]


def test_holes_that_could_not_be_asked_for_are_no_holes_of_the_source(
    halves: DaemonProcess, cli: CommandLine
) -> None:
    """Where the plugin reports trouble in a backfill, or the series is silent to its end."""
    silent = cli("gaps", "m", "--to", "2024-01-03T12:00Z", "--from", "2024-01-02T00:00Z")
    configure(halves, params={"never": LOST, "trouble": "R1: 500"})
    troubled = cli("gaps", "m", *WHOLE, "--refill")

    assert "24" in silent.out
    assert troubled.lines[-1] == ("m: 8 readings still missing, since not everything could be read")
    assert cli.json("gaps", "m", *WHOLE)["missing"] == 8


@pytest.mark.parametrize("running", [True, False])
def test_trouble_with_one_series_leaves_the_holes_of_others_alone(
    halves: DaemonProcess, cli: CommandLine, *, running: bool
) -> None:
    """Only the series that the plugin names are asked for again."""
    configure(halves, params={"never": LOST, "trouble": {"b": "R1: 500"}})
    if running:
        halves.start()
    said = cli("gaps", "m", *WHOLE, "--refill")
    again = cli.json("gaps", "m", *WHOLE)

    assert said.lines[-1] == (
        "m: the source does not have 4 readings in 2 holes either; from now on --all lists them; "
        "4 readings still missing, since not everything could be read"
    )
    assert "R1: 500" in said.err
    assert (holes(again, 0), again["missing"]) == ([], 4)


def test_a_refill_in_chunks_without_a_reading_is_refused(
    halves: DaemonProcess, cli: CommandLine
) -> None:
    """How far apart readings are is learnt from the store, unless the configuration says so."""
    learnt = cli("gaps", "m", *WHOLE, "--chunk", "5m", "--refill")
    configure(halves, cadence="30m")
    told = cli("gaps", "m", *WHOLE, "--chunk", "5m", "--refill")

    assert (learnt.code, told.code) == (2, 2)
    assert "expected at least 30m, for so far are readings apart in the store" in learnt.err
    assert "expected at least 30m, for so far are the readings of m apart (cadence)" in told.err


def test_what_cannot_be_asked_is_told_in_a_line(halves: DaemonProcess, cli: CommandLine) -> None:
    """Names that are not there, and times that lie the wrong way round."""
    assert cli("gaps", "n").err == "no collector 'n', known: m\n"
    assert "no store 'x'" in cli("gaps", "m", "--store", "x").err
    assert cli("gaps", "m", "--series", "z*").err.endswith("any series yet that matches 'z*'\n")
    assert cli("gaps", "m", "--from", "2024-01-02", "--to", "2024-01-01").code == 2
    assert cli("gaps", "m", "--from", "2224-01-02").code == 2
    short = cli("gaps", "m", "--chunk", "5m", "--refill")
    assert (short.code, short.out) == (0, "m: nothing is missing in 0 series, 0 readings\n")
    configure(halves, cadence="30m")
    short = cli("gaps", "m", "--chunk", "5m", "--refill")
    assert short.code == 2
    assert "expected at least 30m" in short.err
    assert "expected at least 1s, got '0s'" in cli("gaps", "m", "--cadence", "0s").err


def test_a_state_directory_of_an_older_daemon_can_be_looked_at(
    halves: DaemonProcess, cli: CommandLine
) -> None:
    """It has yet to get the tables that a newer daemon makes."""
    with closing(sqlite3.connect(halves.state_dir / "state.db")) as db:
        db.executescript(
            "DROP TABLE series; DROP TABLE backfills; DROP TABLE absent; PRAGMA user_version = 1"
        )

    assert cli("gaps", "m").err == "m: it has not given any series yet\n"
    assert cli.json("status")["backfills"] == []


@pytest.mark.parametrize("kind", ["victoriametrics", "influxdb"])
def test_servers_are_asked_as_well(
    daemon: DaemonProcess, cli: CommandLine, request: pytest.FixtureRequest, kind: str
) -> None:
    """Series of one name are told apart by their tags, which may look like anything."""
    url = request.getfixturevalue(f"{kind}_url")
    more = {"version": 1, "database": "gaps", "create": True} if kind == "influxdb" else {}
    daemon.plugin(
        "tagged",
        f"""
        def run(**_):
            return {{"readings": [
                ({FIRST} + n * 60, "gaps-level", n, {{"where": where, "a b": "c, d=e"}})
                for where in ("north", "süd")
                for n in range(300)
                if n != 30 or where == "north"
            ]}}
        """,
    )
    stores = {"there": {"type": kind, "url": url, **more}}
    configure(daemon, stores, plugin="tagged", tags={"site": "my hall", "none": "-"})
    assert cli("once", "m").code == 0

    def found() -> Any:
        return cli.json("gaps", "m", "--from", "2024-01-01T00:00Z", "--to", "2024-01-01T05:00Z")

    # A server may take a second to show them.
    eventually(lambda: found()["series"][0]["readings"] == 300)
    north, south = found()["series"]
    assert (north["tags"]["where"], north["holes"], north["readings"]) == ("north", [], 300)
    assert south["tags"] == {"a b": "c, d=e", "none": "-", "site": "my hall", "where": "süd"}
    assert [each["missing"] for each in south["holes"]] == [1]


def test_a_terminal_shows_progress_and_not_too_much(
    halves: DaemonProcess, cli: CommandLine
) -> None:
    """All of it is in the JSON."""
    configure(halves, params={"lost": list(range(1, 190, 2)), "count": 192, "series": list("cdef")})
    assert cli("once", "m").code == 0
    shown = ANSI.sub("", cli.on_terminal("gaps", "m", "--from", "2024-01-01", "--cadence", "30m"))

    assert "100%" in shown
    assert "more; --json shows all" in shown
    assert len(shown.splitlines()) < 60
    assert json.dumps(cli.json("gaps", "m", *WHOLE, "--cadence", "30m")).count('"end"') > 100


# Reading


class Watched(EmbeddedSink):
    """Remembers how much it was asked for at once."""

    def __init__(self, path: Path) -> None:
        super().__init__(EmbeddedStore(name="s", path=path))
        self.answers: list[int] = []

    async def keep(self, points: list[Point]) -> None:
        """Write points."""
        encoded = self.encode(points)
        assert encoded.body is not None
        await self.write(encoded.body.data)

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: dict[str, str]
    ) -> list[StoredPoint]:
        """Answer as the store does."""
        found = await super().read(series, start_us=start_us, end_us=end_us, tags=tags)
        self.answers.append(len(found))
        return found


async def test_neither_decades_nor_dense_series_are_read_at_once(tmp_path: Path) -> None:
    """Slices follow what is in them: few for a lot of nothing, small for a lot of readings."""
    sink = Watched(tmp_path / "readings.db")
    sparse, dense = Series("sparse"), Series("dense")
    ten_years = 3652 * DAY
    await sink.keep([(sparse, n * DAY * SECOND_US, 1.0) for n in range(3652) if n != 700])
    # Under another measurement it is the same series all the same.
    other = Series("sparse", measurement="other")
    await sink.keep([(other, n * DAY * SECOND_US, 1.0) for n in range(300)])
    await sink.keep([(dense, n * SECOND_US, 1.0) for n in range(200_000) if n != 77_777])
    bounds = Bounds(0, ten_years * SECOND_US, from_start=True, to_end=False)
    shares: list[float] = []

    def tell(done: float, _text: str) -> None:
        shares.append(done)

    found = [
        each async for each in compare(sink, [("sparse", ()), ("dense", ())], bounds, None, tell)
    ]
    await sink.close()

    assert [(each.name, each.found.readings) for each in found] == [
        ("dense", 199_999),
        ("sparse", 3651),
    ]
    assert [[hole.missing for hole in each.found.holes] for each in found] == [[1], [1]]
    assert max(sink.answers) < DAY + POINTS
    assert len(sink.answers) < 60
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


async def test_a_thousand_devices_under_one_name_are_read_together(tmp_path: Path) -> None:
    """The store is not asked once for each of them, nor for all of a day at once."""
    sink = Watched(tmp_path / "readings.db")
    devices = [Series("t", (("device", f"{n:04}"),)) for n in range(1000)]
    await sink.keep(
        [(each, m * 60 * SECOND_US, 1.0) for each in devices for m in range(60) if m != 30]
    )
    wanted = [("t", each.tags) for each in devices]
    bounds = Bounds(0, DAY * SECOND_US, from_start=True, to_end=False)
    found = [each async for each in compare(sink, wanted, bounds, None, lambda _, __: None)]
    await sink.close()

    assert len(found) == 1000
    assert {tuple(hole.missing for hole in each.found.holes) for each in found} == {(1,)}
    assert len(sink.answers) < 100
    assert max(sink.answers) < 3 * POINTS
