"""What BMON has set up is taken over, with its tokens and positions."""

import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.config import file as configfile
from ingestd.contract.memory import Memory
from ingestd.disk.schema import open_reader
from ingestd.hosts import HOSTS
from ingestd.records.memories import decode, raw_rows
from tests.support import bmonexport
from tests.support.cli import CommandLine
from tests.support.daemon import DaemonFolder
from tests.support.disk import fill

SCRIPTS: Final = Path(__file__).parents[1] / "samples" / "bmon_scripts"
OKOFEN: Final = {
    "id": 1,
    "script_file_name": "okofen.py",
    "description": "Haines boiler",
    "period": 1800,
    "script_parameters": "# the old one\nurl: http://10.0.0.5:8888\nsite_id: haines\n"
    "since: 2016-01-01\ncode: 0123\nflag: yes\nnumber: 1e3\n"
    "pair: !!python/tuple [1, 2]\nprice: 5$ or ${FIVE}\n",
    "script_results": "last_date_loaded: '2025-03-01'\nscript_errors: ''\n"
    "script_start_time: 2025-03-01 10:00:03 UTC\nscript_execution_time: 1.25\n"
    "reading_insert_message: 15 readings stored successfully, 0 rejected.\n",
    "hidden_script_results": "",
}
ECOBEE: Final = {
    "id": 3,
    "script_file_name": "ecobee",
    "description": "",
    "period": 300,
    "script_parameters": "url: http://127.0.0.1:9\npassword: hunter22\n",
    "script_results": "script_start_time: 2025-03-01 10:00:03 UTC\n",
    "hidden_script_results": "access_token: abc123\nrefresh_token: def456\n"
    "seen:\n  ? !!python/tuple [1, 2]\n  : 5\n",
}
LEAKED: Final = {
    "id": 4,
    "script_file_name": "sensaphone",
    "description": "storing failed",
    "period": 600,
    "script_parameters": "host: here\nfirst_date: 2020-01-01\n",
    "script_results": "hidden: {token: xyz789}\ndelete_params: [first_date]\nn: 5\n"
    "script_error: Traceback\n",
    "hidden_script_results": "{}\n",
}
ERASED: Final = {
    "id": 5,
    "script_file_name": "missing",
    "description": "never worked",
    "period": 0,
    "script_parameters": "- not\n- a mapping\n",
    "script_results": "script_start_time: 2025-03-01 10:00:03 UTC\nscript_error: Traceback\n",
    "hidden_script_results": "{}",
}
EXPORTER: Final = {
    "id": 7,
    "script_file_name": "influxdb.txt",
    "description": "export",
    "period": 300,
    "script_parameters": "",
    "script_results": "n: !!python/object/apply:numpy.core.multiarray.scalar [x]\n",
    "hidden_script_results": "",
}
ALL: Final = (OKOFEN, ECOBEE, LEAKED, ERASED, EXPORTER)


@pytest.fixture
def cli(daemon_folder: DaemonFolder) -> CommandLine:
    """Give the commands of a daemon that does not run."""
    daemon_folder.config()
    return CommandLine(daemon_folder.config_path)


def as_dump(folder: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    """Write what ``dumpdata`` would, among other models."""
    other = {"id": 1, "sensor_id": "a"}
    return bmonexport.as_dump(folder, {"sensor": [other], "periodicscript": records})


def as_database(folder: Path, records: Sequence[Mapping[str, Any]]) -> Path:
    """Write a database like BMON's."""
    return bmonexport.as_database(folder, {"periodicscript": records})


def remembered(state_dir: Path, name: str) -> Memory:
    """Return what a daemon would find."""
    with closing(open_reader(state_dir / "state.db")) as db:
        ((_, raw, crc, _),) = raw_rows(db, name)
        return decode(raw, crc)


@pytest.mark.slow  # a process for each command
@pytest.mark.parametrize("export", [as_dump, as_database], ids=["dump", "database"])
def test_scripts_become_collectors(
    export: Callable[..., Path], cli: CommandLine, daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """Parameters keep the types that BMON gives them, and what scripts remember is taken over."""
    said = cli("import", "bmon", str(export(tmp_path, ALL)), "--scripts", str(SCRIPTS))
    config = configfile.load(cli.config_path, {}, hosts=HOSTS)
    okofen = config.collectors["okofen-1"]

    assert said.code == 0, said.err
    assert list(config.collectors) == [
        "okofen-1", "ecobee-3", "sensaphone-4", "missing-5", "influxdb-7",
    ]  # fmt: skip
    assert (okofen.plugin, okofen.compat, okofen.every) == (
        str(SCRIPTS / "okofen.py"), "bmon", 1800.0,
    )  # fmt: skip
    assert okofen.params == {
        "url": "http://10.0.0.5:8888",
        "site_id": "haines",
        "since": date(2016, 1, 1),
        "code": 83,
        "flag": True,
        "number": "1e3",
        "pair": (1, 2),
        "price": "5$ or ${FIVE}",
    }
    assert [each.enabled for each in config.collectors.values()] == [True, True, True, False, False]
    assert config.collectors["ecobee-3"].settings == {"BMSAPP_ECOBEE_API_KEY": ""}
    assert "first_date" not in config.collectors["sensaphone-4"].params
    assert remembered(daemon_folder.state_dir, "okofen-1") == Memory(
        state={"last_date_loaded": "2025-03-01", "script_errors": ""}
    )
    assert remembered(daemon_folder.state_dir, "ecobee-3") == Memory(
        hidden={"access_token": "abc123", "refresh_token": "def456", "seen": {(1, 2): 5}}
    )
    assert remembered(daemon_folder.state_dir, "sensaphone-4") == Memory(
        state={"n": 5}, hidden={"token": "xyz789"}
    )
    assert cli("check").code == 0  # what cannot run is disabled


@pytest.mark.slow  # a process for each command
def test_what_needs_a_person_is_told(cli: CommandLine, tmp_path: Path) -> None:
    """No secret is: those in params stand in a file that only its owner may read."""
    said = cli("import", "bmon", str(as_dump(tmp_path, ALL)), "--scripts", str(SCRIPTS))
    output = cli.config_path.parent / "conf.d" / "bmon.yaml"

    _, _, notes = said.out.partition("for you to look at:\n")
    assert notes.splitlines() == [
        "  okofen-1: secrets in params stand in the file: code",
        "  ecobee-3: reads BMSAPP_ECOBEE_API_KEY from Django's settings: set them under settings:",
        "  ecobee-3: secrets in params stand in the file: password",
        "  missing-5: script_parameters: expected a mapping, got list: left out",
        "  missing-5: its last run failed in BMON, which has erased its state: it begins anew",
        "  missing-5: was disabled in BMON (period 0)",
        f"  missing-5: no script {SCRIPTS}/missing.py: disabled until there is one",
        (
            "  influxdb-7: script_results: hold an object of Python"
            " (!!python/object/apply:numpy.core.multiarray.scalar): left out"
        ),
        "  influxdb-7: reads BMON's own database, so only BMON can run it: disabled",
        (
            "  the export does not say (bmsapp.building) in which time zone the scripts are: set"
            " timezone: of each collector in the file, or import with --timezone; until then"
            " date.today() of scripts is a day in the server's zone"
        ),
        f"  {output}: is for its owner alone (mode 0600); or write ${{NAME}}",
    ]
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    for secret in ("hunter22", "abc123", "def456", "xyz789"):
        assert secret not in said.out + said.err
    for hidden in ("abc123", "def456", "xyz789"):
        assert hidden not in output.read_text()


@pytest.mark.slow  # a process for each command
def test_again_changes_nothing(
    cli: CommandLine, daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """The file may have been edited, and a state may have moved on since."""
    command = ("import", "bmon", str(as_dump(tmp_path, ALL)), "--scripts", str(SCRIPTS))
    cli(*command)
    output = cli.config_path.parent / "conf.d" / "bmon.yaml"
    same = cli(*command)
    output.write_text(output.read_text().replace("30m", "20m"))
    assert cli("state", "reset", "okofen-1", "--yes").code == 0

    edited = cli(*command)

    assert "is there already, with the same content" in same.out
    assert "is there already, and is kept as it is" in edited.out
    assert "its state here is kept" in edited.out
    assert "20m" in output.read_text()
    assert remembered(daemon_folder.state_dir, "okofen-1") == Memory()


@pytest.mark.slow  # a process for each command
def test_a_disk_that_fills_up_leaves_no_half_file(
    cli: CommandLine, small_disk: Path, tmp_path: Path
) -> None:
    """The next import would keep it as if the operator had edited it."""
    script = {**OKOFEN, "script_parameters": f"url: {'x' * 100_000}"}
    output = small_disk / "bmon.yaml"
    command = ("import", "bmon", str(as_dump(tmp_path, [script])), "--output", str(output))
    filler = fill(small_disk, leave=8192)

    failed = cli(*command)
    left = [path.name for path in small_disk.iterdir()]
    filler.unlink()
    again = cli(*command)

    assert failed.code == 1
    assert f"{output}: cannot be written: No space left on device" in failed.err
    assert left == ["filler"]
    assert f"{output}: written" in again.out
    assert [path.name for path in small_disk.iterdir()] == ["bmon.yaml"]
    assert stat.S_IMODE(output.stat().st_mode) == 0o600


@pytest.mark.slow  # a process for each command
def test_a_file_that_is_there_is_kept_also_where_nothing_can_be_written(
    cli: CommandLine, small_disk: Path, tmp_path: Path
) -> None:
    """It is not even tried."""
    output = small_disk / "bmon.yaml"
    output.write_text("collectors: {}\n")
    fill(small_disk)

    said = cli("import", "bmon", str(as_dump(tmp_path, [OKOFEN])), "--output", str(output))

    assert said.code == 0
    assert "is there already, and is kept as it is" in said.out
    assert output.read_text() == "collectors: {}\n"


@pytest.mark.slow  # a process for each command
@pytest.mark.parametrize(
    ("name", "message"),
    [("export.json/bmon.yaml", "cannot be written: File exists"), ("gone", "cannot be read: No")],
)
def test_a_place_for_no_file_is_told(
    name: str, message: str, cli: CommandLine, tmp_path: Path
) -> None:
    """Its folder may be a file, or it may be a link that leads nowhere."""
    export = as_dump(tmp_path, [OKOFEN])
    (tmp_path / "gone").symlink_to("nowhere")

    said = cli("import", "bmon", str(export), "--output", str(tmp_path / name))

    assert said.code == 1
    assert f"{tmp_path / name}: {message}" in said.err


@pytest.mark.slow  # a process for each command
async def test_a_daemon_must_be_stopped_first(daemon_folder: DaemonFolder, tmp_path: Path) -> None:
    """It would write over what is imported; nothing is written then."""
    async with daemon_folder.daemon(""):
        said = CommandLine(daemon_folder.config_path)(
            "import", "bmon", str(as_dump(tmp_path, ALL)), "--scripts", str(SCRIPTS)
        )

    assert said.code == 75
    assert "in use by process" in said.err
    assert "stop it first" in said.err
    assert not (daemon_folder.config_path.parent / "conf.d").exists()


@pytest.mark.slow  # a process for each command
def test_a_name_that_is_taken_is_told(
    cli: CommandLine, daemon_folder: DaemonFolder, tmp_path: Path
) -> None:
    """Two collectors of one name would break the whole configuration."""
    daemon_folder.config("collectors: {okofen-1: {plugin: system, every: 1m}}")

    said = cli("import", "bmon", str(as_dump(tmp_path, [OKOFEN])), "--scripts", str(SCRIPTS))

    assert said.code == 1
    assert "has a collector 'okofen-1' already" in said.err


@pytest.mark.slow  # a process for each command
@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense", "expected JSON as"),
        ("{}", "a list, got dict"),
        ("[1]", "records with fields, got int"),
        ("[]", "got no record of it among 0"),
        ("SQLite format 3\0...", "expected BMON's database"),
    ],
)
def test_other_files_are_refused(
    content: str, message: str, cli: CommandLine, tmp_path: Path
) -> None:
    """One sentence says what is expected."""
    path = tmp_path / "export"
    path.write_text(content)

    said = cli("import", "bmon", str(path))

    assert said.code == 1
    assert message in said.err
