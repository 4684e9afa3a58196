"""A socket file is never taken from another program, and never left behind."""

import errno
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingestd.plugins._listening import SocketFileTaken, reason_of, socket_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return a path for a socket file."""
    return tmp_path / "some.sock"


@contextmanager
def listening(path: Path, *, backlog: int = 5) -> Iterator[None]:
    """Listen at a path, as another program would."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
        sock.listen(backlog)
        yield


def connect(path: Path) -> None:
    """Connect to a socket file."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


@pytest.mark.parametrize("mode", [0o600, 0o660])
def test_a_socket_file_is_for_those_that_the_mode_says_and_goes_at_the_end(
    path: Path, mode: int
) -> None:
    """The mode is set before the socket listens, so no program slips in."""
    with socket_file(path, mode=mode) as sock, sock:
        assert stat.S_IMODE(path.stat().st_mode) == mode
        with pytest.raises(ConnectionRefusedError):
            connect(path)
        sock.listen()
        connect(path)

    assert not path.exists()


def test_a_stale_socket_file_is_replaced(path: Path) -> None:
    """A program that was killed leaves its file behind."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))

    with socket_file(path, mode=0o600) as sock, sock:
        sock.listen()
        connect(path)

        assert path.is_socket()


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_socket_file_that_is_in_use_stays(path: Path, waiting: int) -> None:
    """A server whose queue is full is told from a stale file, too, and without waiting."""
    with listening(path, backlog=0):
        clients = [socket.socket(socket.AF_UNIX) for _ in range(waiting)]
        for each in clients:
            each.connect(str(path))
        before = path.stat().st_ino
        with (
            pytest.raises(SocketFileTaken, match="another program listens there already"),
            socket_file(path, mode=0o600),
        ):
            pass
        for each in clients:
            each.close()

        assert path.stat().st_ino == before


def test_a_socket_file_of_another_kind_stays(path: Path) -> None:
    """Datagrams are received there, so no stream can say whether the file is stale."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(OSError, match="wrong type"), socket_file(path, mode=0o600):
            pass

        assert path.is_socket()


def test_another_file_stays(path: Path) -> None:
    """A wrong path must not cost a file."""
    path.write_text("precious")

    with (
        pytest.raises(SocketFileTaken, match="expected a socket or nothing, got another file"),
        socket_file(path, mode=0o600),
    ):
        pass

    assert path.read_text() == "precious"


def test_a_link_to_a_stale_socket_file_stays(path: Path) -> None:
    """An operator made it, and a socket cannot be bound through it."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path.with_name("elsewhere")))
    path.symlink_to("elsewhere")

    with pytest.raises(SocketFileTaken), socket_file(path, mode=0o600):
        pass

    assert path.is_symlink()
    assert path.is_socket()


def test_a_file_that_took_the_place_of_ours_stays(path: Path) -> None:
    """What is removed at the end is what was made, and nothing else."""
    with socket_file(path, mode=0o600) as sock, sock:
        path.unlink()
        with listening(path):
            theirs = path.stat().st_ino

    assert path.stat().st_ino == theirs


def test_nothing_is_left_to_remove(path: Path) -> None:
    """A file that is gone already is no error at the end."""
    with socket_file(path, mode=0o600) as sock, sock:
        path.unlink()

    assert not path.exists()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EADDRINUSE, "error while binding on …"), "address already in use"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "not known"),
        (OSError("could not bind on any address"), "could not bind on any address"),
        (SocketFileTaken("another program"), "another program"),
    ],
)
def test_reason_is_in_the_systems_words(error: OSError, reason: str) -> None:
    """It is part of a sentence that names the address already."""
    assert reason_of(error).endswith(reason)
