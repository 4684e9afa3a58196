"""The sensors of a BMON site, and its time zone, are taken over with its scripts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.config import SeriesDescription
from ingestd.config import file as configfile
from ingestd.hosts import HOSTS
from tests.support.bmonexport import UNITS, as_database, as_dump, sensor_row
from tests.support.cli import CommandLine
from tests.support.daemon import DaemonFolder

pytestmark = pytest.mark.slow  # a process for each command

SCRIPTS: Final = Path(__file__).parents[1] / "samples" / "bmon_scripts"
OKOFEN: Final = {
    "id": 1,
    "script_file_name": "okofen",
    "description": "",
    "period": 1800,
    "script_parameters": "url: http://127.0.0.1:9\n",
    "script_results": "",
    "hidden_script_results": "",
}
ALASKA: Final = {"id": 1, "title": "Haines", "timezone": "US/Alaska"}
SENSORS: Final = (
    sensor_row(id=1, sensor_id="plain", title="Boiler", unit_id=1),
    sensor_row(id=2, sensor_id="celsius", tran_calc_function="val * 1.8 + 32"),
    sensor_row(id=3, sensor_id="counter", tran_calc_function="rate * 3600"),
    sensor_row(id=4, sensor_id="sum", tran_calc_function="genericCalc", is_calculated=1),
    sensor_row(id=5, sensor_id="p*", tran_calc_function="val / 2"),
)


@pytest.fixture
def cli(daemon_folder: DaemonFolder) -> CommandLine:
    """Give the commands of a daemon that does not run."""
    daemon_folder.config()
    return CommandLine(daemon_folder.config_path)


def tables(*buildings: dict[str, Any], sensors: Any = SENSORS) -> dict[str, Any]:
    """Return the tables of a site."""
    return {
        "periodicscript": [OKOFEN],
        "sensor": sensors,
        "unit": UNITS,
        **({"building": buildings} if buildings else {}),
    }


@pytest.mark.parametrize("export", [as_dump, as_database])
def test_sensors_and_the_zone_are_taken_over(
    export: Callable[..., Path], cli: CommandLine, tmp_path: Path
) -> None:
    """What a person must do is listed, and the configuration is sound."""
    path = export(tmp_path, tables(ALASKA, {**ALASKA, "id": 2}))
    said = cli("import", "bmon", str(path), "--scripts", str(SCRIPTS))
    config = configfile.load(cli.config_path, {}, hosts=HOSTS)

    assert said.code == 0, said.err
    assert str(config.collectors["okofen-1"].timezone) == "US/Alaska"
    assert config.catalogue.entries == {
        "celsius": SeriesDescription(unit="deg F", scale=1.8, offset=32.0),
        "counter": SeriesDescription(tags={"bmon": "raw"}),
        "plain": SeriesDescription(unit="deg F"),
        "sum": SeriesDescription(unit="deg F"),
    }
    assert "\ntime zone of the scripts: US/Alaska\n" in said.out
    assert "\n4 sensors described under series:\n" in said.out
    _, _, notes = said.out.partition("for you to look at:\n")
    assert notes.splitlines() == [
        "  sensor 'p*': cannot stand in a configuration as it is: left out",
        (
            "  sensor counter: its transform 'rate * 3600' makes a rate of counts, which is better"
            " taken in queries: its readings are stored as they come, with the tag bmon=raw"
        ),
        (
            "  sensor sum: is calculated by BMON: nothing gives it readings here (genericCalc)"
        ),
    ]  # fmt: skip
    assert cli("check").code == 0


@pytest.mark.parametrize(
    ("buildings", "daemon", "told"),
    [
        ([], "", "the export does not say (bmsapp.building) in which time zone"),
        ([], "Europe/Berlin", ""),
        ([{"id": 1, "title": "old"}], "", "no building says in which time zone"),
        (
            [ALASKA, {**ALASKA, "timezone": "US/Hawaii"}],
            "Europe/Berlin",
            "in several time zones (US/Alaska, US/Hawaii): set timezone: of each collector in",
        ),
        ([{**ALASKA, "timezone": "US/Alaksa"}], "", "did you mean US/Alaska?), got 'US/Alaksa'"),
    ],
)
def test_a_zone_that_nobody_knows_is_no_guess(
    buildings: list[dict[str, Any]],
    daemon: str,
    told: str,
    daemon_folder: DaemonFolder,
    tmp_path: Path,
) -> None:
    """The import says that and where it has to be set."""
    daemon_folder.config(**({"timezone": daemon} if daemon else {}))
    cli = CommandLine(daemon_folder.config_path)
    said = cli("import", "bmon", str(as_dump(tmp_path, tables(*buildings))))

    assert said.code == 0, said.err
    assert "timezone" not in (cli.config_path.parent / "conf.d" / "bmon.yaml").read_text()
    assert told in said.out
    assert ("time zone" in said.out) is bool(told)
    assert not told or f"is a day in {daemon or 'the server'}" in said.out


def test_the_zone_of_the_command_wins(cli: CommandLine, tmp_path: Path) -> None:
    """It has to be one."""
    export = str(as_dump(tmp_path, tables(ALASKA)))
    wrong = cli("import", "bmon", export, "--timezone", "Alaska")
    said = cli("import", "bmon", export, "--timezone", "US/Hawaii")

    assert wrong.code == 2
    assert "expected a time zone such as" in wrong.err
    assert "\ntime zone of the scripts: US/Hawaii\n" in said.out
    config = configfile.load(cli.config_path, {}, hosts=HOSTS)
    assert str(config.collectors["okofen-1"].timezone) == "US/Hawaii"


def test_what_is_described_already_is_left_out(daemon_folder: DaemonFolder, tmp_path: Path) -> None:
    """Twice, it would break the configuration; a pattern would silently lose its place."""
    daemon_folder.config("series: {plain: {unit: K}, 'cel*': {unit: K}}")
    cli = CommandLine(daemon_folder.config_path)
    said = cli("import", "bmon", str(as_dump(tmp_path, tables(ALASKA))))

    assert f"sensor plain: is described at {cli.config_path}:" in said.out
    assert "sensor celsius: is described at a pattern of the configuration: left out" in said.out
    assert cli("check").code == 0
    assert {*configfile.load(cli.config_path, {}, hosts=HOSTS).catalogue.entries} == {
        "plain", "cel*", "counter", "sum",
    }  # fmt: skip


def test_what_stands_in_no_file_is_not_said_to(cli: CommandLine, tmp_path: Path) -> None:
    """A file that is there already is kept, also one of an import without sensors."""
    output = cli.config_path.parent / "conf.d" / "bmon.yaml"
    output.parent.mkdir()
    output.write_text("collectors: {}\n")
    said = cli("import", "bmon", str(as_dump(tmp_path, tables(ALASKA))))

    assert f"{output}: is there already, and is kept as it is" in said.out
    assert "described under series" not in said.out
    assert "time zone of the scripts" not in said.out


def test_an_export_without_sensors_is_told(cli: CommandLine, tmp_path: Path) -> None:
    """Raw values would go on under the same ids."""
    said = cli("import", "bmon", str(as_dump(tmp_path, {"periodicscript": [OKOFEN]})))

    assert "bmsapp.periodicscript bmsapp.sensor bmsapp.unit bmsapp.building" in said.out
