"""``ingestd backfill``: in a daemon and without one, interrupted, resumed and given up."""

import re
import signal
import sqlite3
from contextlib import closing
from typing import Any, Final

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess, eventually
from tests.support.halfhours import DAY, FIRST, HALF_HOURS
from tests.support.ingestdprocess import IngestdProcess
from tests.support.ports import free_port

pytestmark = pytest.mark.slow

ANSI: Final = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")
TEN_DAYS: Final = ("backfill", "m", "--from", "2024-01-01T00:00Z", "--to", "2024-01-11T00:00Z")
BY_DAYS: Final = (*TEN_DAYS, "--chunk", "1d")
ALL: Final = 2 * 10 * 48  # readings in ten days


@pytest.fixture
def halves(daemon: DaemonProcess, cli: CommandLine) -> DaemonProcess:
    """Give a daemon that has run once, and has the first two of ten days."""
    daemon.plugin("halves", HALF_HOURS)
    daemon.plugin("live", "def run(**_):\n    return {}\n")
    params = {"folder": str(daemon.folder)}
    collectors = {
        "m": {"plugin": "halves", "every": "365d", "params": params},
        "live": {"plugin": "live", "every": "365d"},
    }
    daemon.configure(collectors=collectors)
    cli.environ["TZ"] = "UTC"
    assert cli("once", "m").code == 0
    return daemon


def hold(daemon: DaemonProcess, day: int) -> None:
    """Have the window of a day, counted from 0, wait, and all behind it."""
    (daemon.folder / "hold").write_text(str(FIRST + day * DAY))


def let_go(daemon: DaemonProcess) -> None:
    """Have no window wait any longer."""
    (daemon.folder / "hold").unlink()


def ended(process: IngestdProcess) -> tuple[int, str, str]:
    """Wait for the end of a command; return its exit code and what it said."""
    out, err = process.read()
    return process.wait(), out, err


def unfinished(cli: CommandLine) -> Any:
    """Return what the status tells of the backfill that is not over, or None."""
    found = cli.json("status")["backfills"]
    return found[0] if found else None


def reaches(cli: CommandLine, day: int) -> None:
    """Wait until all days before one are safe."""
    position = FIRST + day * DAY
    eventually(lambda: (unfinished(cli) or {}).get("position") == position)


def holds_everything(cli: CommandLine) -> bool:
    """Whether the store has every half hour of the ten days."""
    found = cli.json("gaps", "m", *TEN_DAYS[2:], "--cadence", "30m")
    return bool(found["missing"] == 0 and sum(s["readings"] for s in found["series"]) == ALL)


@pytest.mark.parametrize("running", [True, False])
def test_reads_a_span_to_its_end(halves: DaemonProcess, cli: CommandLine, *, running: bool) -> None:
    """The daemon reads it if one runs; in any case the position of live readings stays."""
    if running:
        halves.start()
    said, found = cli(*BY_DAYS), cli.json(*TEN_DAYS, "--rate", "100000")

    assert (said.code, said.err) == (0, "")
    assert re.fullmatch(rf"m: backfill 1 done after \S+, {ALL} readings\n", said.out)
    assert holds_everything(cli)
    assert cli.json("state", "show", "m")["state"] == {"last": 96}
    assert (found["status"], found["done"], found["rate"]) == ("done", 1.0, 100_000.0)
    assert found["spans"] == [[FIRST, FIRST + 10 * DAY]]
    assert unfinished(cli) is None


def test_interrupted_it_goes_on_in_the_daemon(halves: DaemonProcess, cli: CommandLine) -> None:
    """Who followed it is told how to look, and how to give it up."""
    hold(halves, day=4)
    halves.start()
    with cli.started(*BY_DAYS) as process:
        reaches(cli, day=4)
        process.send_signal(signal.SIGINT)
        code, out, err = ended(process)
    status = cli("status")

    assert (code, err) == (130, "")
    assert out.startswith("m: backfill 1 goes on in the daemon; see ingestd status")
    assert "ingestd backfill m --cancel" in out
    assert "m         running   40%  2024-01-05  2024-01-11       384" in status.lines
    with cli.started(*BY_DAYS) as process:
        let_go(halves)
        assert ended(process)[0] == 0
    assert holds_everything(cli)


def test_is_left_to_the_daemon_and_given_up(halves: DaemonProcess, cli: CommandLine) -> None:
    """What was read stays, and a command that still follows the backfill tells its end."""
    hold(halves, day=4)
    halves.start()
    detached = cli(*BY_DAYS, "--detach")
    with cli.started(*BY_DAYS) as process:
        reaches(cli, day=4)
        other = cli(*TEN_DAYS, "--chunk", "2d")
        cancelled = cli("backfill", "m", "--cancel")
        followed = ended(process)
    again = cli("backfill", "m", "--cancel")

    assert (detached.code, detached.out) == (
        0,
        "m: backfill 1 runs in the daemon; see ingestd status\n",
    )
    assert (other.code, "its backfill 1 is not finished yet" in other.err) == (75, True)
    text = "m: backfill 1 cancelled at 2024-01-05 00:00:00+00:00, 40% done, 384 readings\n"
    assert (cancelled.code, cancelled.out) == (0, text)
    assert followed == (1, text, "")
    assert (again.code, again.err) == (1, "m: no backfill to cancel\n")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_without_a_daemon_the_same_command_goes_on(
    halves: DaemonProcess, cli: CommandLine, how: signal.Signals
) -> None:
    """So does one without times; both begin at the position, however the first one ended."""
    hold(halves, day=4)
    with cli.started(*BY_DAYS) as process:
        reaches(cli, day=4)
        process.send_signal(how)
        if how != signal.SIGKILL:
            process.send_signal(how)  # the window waits for ever
        code, out, err = ended(process)
    left, status = unfinished(cli), cli("status")
    let_go(halves)
    said = cli(*BY_DAYS) if how != signal.SIGTERM else cli("backfill", "m")

    if how != signal.SIGKILL:
        assert code == 130
        assert out.startswith("m: backfill 1 interrupted at 2024-01-05 00:00:00+00:00, 40% done, ")
        assert "stops after the chunk under way" in err
    assert (left["status"], left["why"], left["readings"]) == ("paused", "no daemon runs", 384)
    assert "m: no daemon runs" in status.lines
    assert re.fullmatch(rf"m: backfill 1 done after \S+, {ALL} readings\n", said.out)
    assert holds_everything(cli)


def test_is_given_up_however_many_others_had_since(halves: DaemonProcess, cli: CommandLine) -> None:
    """A collector that is filled every night must not hide it."""
    hold(halves, day=0)
    halves.start()
    cli(*BY_DAYS, "--detach")
    with closing(sqlite3.connect(halves.state_dir / "state.db")) as db, db:
        db.execute(
            "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 100)"
            " INSERT INTO backfills (collector, status, asked, record)"
            " SELECT 'live', 'done', asked, record FROM backfills, n"
        )

    assert cli("backfill", "m", "--cancel").out.startswith("m: backfill 1 cancelled")


def test_a_daemon_goes_on_with_what_was_begun_without_it(
    halves: DaemonProcess, cli: CommandLine
) -> None:
    """What was begun in the daemon can also be given up without it."""
    hold(halves, day=4)
    with cli.started(*BY_DAYS) as process:
        reaches(cli, day=4)
        process.kill()
    let_go(halves)
    hold(halves, day=6)
    halves.start()
    reaches(cli, day=6)
    halves.kill()
    cancelled = cli("backfill", "m", "--cancel")

    assert cancelled.out.startswith(
        "m: backfill 1 cancelled at 2024-01-07 00:00:00+00:00, 60% done"
    )
    assert unfinished(cli) is None
    assert cli("backfill", "m", "--cancel").code == 1


def test_a_single_run_leaves_it_alone(halves: DaemonProcess, cli: CommandLine) -> None:
    """A command that runs a collector once waits for no backfill."""
    hold(halves, day=4)
    with cli.started(*BY_DAYS) as process:
        reaches(cli, day=4)
        process.kill()
    let_go(halves)
    once = cli("once", "m")

    assert once.code == 0
    assert unfinished(cli)["position"] == FIRST + 4 * DAY


@pytest.mark.parametrize("running", [True, False])
def test_what_keeps_it_from_getting_on_is_told_once(
    halves: DaemonProcess, cli: CommandLine, *, running: bool
) -> None:
    """The line says that it is tried again; once the cause is gone, it comes to its end."""
    (halves.folder / "fail").touch()
    if running:
        halves.start()
    with cli.started(*BY_DAYS) as process:
        first = process.stderr.readline().decode()
        (halves.folder / "fail").unlink()
        if running:
            status = cli("status")
            assert cli(*BY_DAYS, "--detach").code == 0  # which has it try again at once
            code, _, err = ended(process)
            assert (code, err) == (0, "")
            assert first.strip() in status.lines
        else:
            process.kill()

    assert first == (
        "m: 2024-01-01 00:00 to 2024-01-02 00:00 UTC failed, and is tried again every few "
        "minutes: OSError: the meter does not answer\n"
    )


def test_a_store_that_is_away_is_waited_for(halves: DaemonProcess, cli: CommandLine) -> None:
    """Nothing is read for the spool, since the source keeps it."""
    away = {"type": "victoriametrics", "url": f"http://127.0.0.1:{free_port()}"}
    here = {"type": "embedded"}
    halves.configure(**halves.config, stores={"here": here, "away": away})
    with cli.started(*BY_DAYS) as process:
        first = process.stderr.readline().decode()
        process.send_signal(signal.SIGINT)
        code, out, _ = ended(process)

    assert "away" in first
    assert first.startswith("m: ")
    assert (code, out[: len("m: backfill 1 interrupted")]) == (130, "m: backfill 1 interrupted")


@pytest.mark.parametrize("running", [True, False])
def test_what_cannot_be_done_is_told_in_a_line(
    halves: DaemonProcess, cli: CommandLine, *, running: bool
) -> None:
    """Plugins without a window, names that are not there, times the wrong way round."""
    if running:
        halves.start()
    live = cli("backfill", "live", *TEN_DAYS[2:])
    unknown = cli("backfill", "n", *TEN_DAYS[2:])

    assert live.code == unknown.code == 1
    assert "declares start and end" in live.err
    assert "no collector 'n'" in unknown.err
    assert live.err.count("\n") == unknown.err.count("\n") == 1
    assert cli("backfill", "m", "--to", "2024-01-01").code == 2
    assert cli("backfill", "m", "--from", "2223-01-01").code == 2
    assert "m has no backfill to go on with" in cli("backfill", "m").err
    assert cli("backfill", "m", "--from", "2024-01-02", "--to", "2024-01-01").code == 2
    assert cli(*TEN_DAYS, "--rate", "0").code == 2
    assert cli(*TEN_DAYS, "--chunk", "5 days").code == 2
    assert cli(*TEN_DAYS, "--chunk", "1ms").code == 2


def test_without_a_daemon_it_cannot_be_left_to_one(halves: DaemonProcess, cli: CommandLine) -> None:
    """A daemon without an API does not help either; it is in the way."""
    detached = cli(*BY_DAYS, "--detach")
    halves.configure(**halves.config, daemon={"listen": "off"})
    halves.start()
    beside = cli(*BY_DAYS)

    assert (detached.code, detached.err) == (1, "m: no daemon runs that it could be left to\n")
    assert (beside.code, f"in use by process {halves.pid}" in beside.err) == (75, True)


def test_a_terminal_shows_how_far_it_is(halves: DaemonProcess, cli: CommandLine) -> None:
    """It shows a bar, which is gone at the end."""
    halves.start()
    shown = ANSI.sub("", cli.on_terminal(*BY_DAYS))

    assert re.search(r"\d+% 0:00:\d\d 2024-01-\d\d, [\d,]+ readings", shown), shown
    assert re.match(r"m: backfill 1 done after \S+, 960 readings", shown.splitlines()[-1])
