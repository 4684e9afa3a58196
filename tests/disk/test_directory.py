"""One daemon to a state directory, and some room kept back in it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ingestd.disk.directory import Ballast, Holder, StateDirectory, holder
from ingestd.errors import StateDirectoryBusy, StateError
from tests.support.disk import fill

MIB = 1024 * 1024

HOLD = """
import sys
from pathlib import Path
from ingestd.disk.directory import StateDirectory

with StateDirectory.open(Path(sys.argv[1]), ballast_bytes=4096) as directory:
    directory.announce("http://127.0.0.1:8470")
    print("held", flush=True)
    sys.stdin.read()
"""


def start_holder(path: Path) -> subprocess.Popen[bytes]:
    """Start another process that holds the directory until its input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_a_new_directory_is_private(tmp_path: Path) -> None:
    """No other user may read what collectors remember."""
    with StateDirectory.open(tmp_path / "a" / "state") as directory:
        assert directory.path.stat().st_mode & 0o777 == 0o700
        assert directory.warnings == ()


def test_a_directory_that_others_can_read_is_reported(tmp_path: Path) -> None:
    """The operator hears about it; the mode stays as they set it."""
    path = tmp_path / "state"
    path.mkdir()
    path.chmod(0o755)

    with StateDirectory.open(path) as directory:
        assert directory.warnings == (f"{path}: holds secrets, expected mode 0700, got 0755",)
        assert path.stat().st_mode & 0o777 == 0o755


@pytest.mark.slow  # a Python process starts, and the patience with its lock passes
def test_a_second_daemon_is_turned_away_by_name(tmp_path: Path) -> None:
    """The error says which process to stop and where to talk to it."""
    with start_holder(tmp_path) as process:
        with (
            pytest.raises(StateDirectoryBusy) as caught,
            StateDirectory.open(tmp_path),
        ):
            pass
        process.communicate()

    assert f"in use by process {process.pid}, which listens on http://127.0.0.1:8470" in str(
        caught.value
    )


def test_the_holder_can_be_found(tmp_path: Path) -> None:
    """A command finds the running daemon's address through the lock."""
    with start_holder(tmp_path) as process:
        found = holder(tmp_path)
        process.communicate()

    assert found is not None
    assert found == Holder(process.pid, found.started, "http://127.0.0.1:8470")


def test_directory_that_a_killed_daemon_left_is_free(tmp_path: Path) -> None:
    """A lock file without a lock means that no daemon runs."""
    with start_holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()

    assert (tmp_path / "lock").read_text()
    assert holder(tmp_path) is None
    with StateDirectory.open(tmp_path):
        assert (found := holder(tmp_path)) is not None
        assert found.pid == os.getpid()


def test_directory_that_does_not_exist_is_free(tmp_path: Path) -> None:
    """Asking makes nothing."""
    assert holder(tmp_path / "none") is None
    assert not (tmp_path / "none").exists()


def test_asking_who_holds_it_stops_no_daemon_from_starting(tmp_path: Path) -> None:
    """A status command in a loop and a starting daemon do not meet."""
    ask = (
        "import sys; from pathlib import Path; from ingestd.disk import holder\n"
        "print('asking', flush=True)\n"
        "while True: holder(Path(sys.argv[1]))"
    )
    with StateDirectory.open(tmp_path, ballast_bytes=4096):
        pass
    with subprocess.Popen(
        [sys.executable, "-c", ask, str(tmp_path)], stdout=subprocess.PIPE
    ) as asking:
        assert asking.stdout is not None
        asking.stdout.readline()

        try:
            for _ in range(50):
                with StateDirectory.open(tmp_path, ballast_bytes=4096):
                    pass
        finally:
            asking.kill()


def test_a_path_that_is_a_file_is_refused(tmp_path: Path) -> None:
    """The error says what was expected there."""
    path = tmp_path / "state"
    path.write_text("")

    with pytest.raises(StateError, match="expected a directory that this user can write in"):
        StateDirectory.open(path).__enter__()


def test_the_ballast_is_really_allocated(tmp_path: Path) -> None:
    """A sparse file would keep nothing back."""
    with StateDirectory.open(tmp_path) as directory:
        file = (tmp_path / "ballast").stat()

        assert directory.ballast.present
        assert file.st_size == 16 * MIB
        assert file.st_blocks * 512 >= 16 * MIB


def test_the_ballast_gives_its_room_once(small_disk: Path) -> None:
    """Released, it is free space; there is nothing to release twice."""
    ballast = Ballast(small_disk / "ballast", size=2 * MIB)
    assert ballast.make()
    fill(small_disk)

    assert ballast.release()

    assert not ballast.release()
    (small_disk / "rescued").write_bytes(bytes(2 * MIB))


def test_the_ballast_comes_back_when_there_is_room_for_two(small_disk: Path) -> None:
    """It is not what fills the disk again."""
    ballast = Ballast(small_disk / "ballast", size=2 * MIB)
    filler = fill(small_disk, leave=3 * MIB)

    assert not ballast.make()
    assert not ballast.present

    filler.unlink()
    assert ballast.make()
    assert ballast.present


@pytest.mark.slow  # a small disk is filled
def test_a_full_disk_does_not_keep_the_daemon_from_starting(small_disk: Path) -> None:
    """It starts without ballast, and says so; delivering what is spooled makes room."""
    fill(small_disk)

    with StateDirectory.open(small_disk / "state", ballast_bytes=MIB) as directory:
        assert any("the disk is nearly full" in warning for warning in directory.warnings)
        assert holder(directory.path) is not None
