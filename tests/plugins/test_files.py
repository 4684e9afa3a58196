"""Files that a configuration names are read without waiting for them for long."""

import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ingestd.plugins import _files


def a_pipe(path: Path) -> str:
    """Make a named pipe that no process writes to."""
    os.mkfifo(path)
    return "a named pipe"


def a_socket(path: Path) -> str:
    """Make a socket on which no process listens."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path))
    return "a socket"


def a_device(path: Path) -> str:
    """Make a link to a device that gives bytes without end."""
    path.symlink_to("/dev/zero")
    return "a device"


@pytest.mark.parametrize("make", [a_pipe, a_device])
@pytest.mark.parametrize("ask", [_files.read, _files.check])
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path, make: Callable[[Path], str], ask: Callable[[Path], object]
) -> None:
    """What may never end, or never begin, is not read at all."""
    kind = make(tmp_path / "it")

    with pytest.raises(OSError, match=f"expected a regular file, got {kind}"):
        ask(tmp_path / "it")


def test_a_socket_is_refused(tmp_path: Path) -> None:
    """The kernel does not open it, whoever asks."""
    a_socket(tmp_path / "it")

    with pytest.raises(OSError, match="No such device or address"):
        _files.read(tmp_path / "it")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    """A path to a log or an image does not fill the memory."""
    (tmp_path / "it").write_bytes(b"12345")

    assert _files.read(tmp_path / "it", most_bytes=5) == b"12345"
    with pytest.raises(OSError, match="expected at most 4 bytes, got more"):
        _files.read(tmp_path / "it", most_bytes=4)


def test_what_does_not_answer_is_given_up(tmp_path: Path) -> None:
    """Nothing else in its folder is tried until it has come back; other folders are."""
    gate, tried = threading.Event(), []

    def hang() -> None:
        gate.wait()

    with pytest.raises(OSError, match=r"does not answer within 0\.01 s"):
        _files.within(tmp_path / "dead" / "a", hang, patience=0.01)
    with pytest.raises(OSError, match="does not answer"):
        _files.within(tmp_path / "dead" / "b", lambda: tried.append("b"))
    assert _files.within(tmp_path / "well" / "a", lambda: "read") == "read"

    gate.set()
    back = threading.Event()
    while not back.is_set():
        try:
            _files.within(tmp_path / "dead" / "b", back.set)
        except _files.Unresponsive:
            continue
    assert tried == []


def test_an_error_is_raised_where_it_was_asked_for(tmp_path: Path) -> None:
    """A thread that met an error does the next thing as well."""
    with pytest.raises(FileNotFoundError):
        _files.read(tmp_path / "missing")
    (tmp_path / "there").write_bytes(b"x")

    assert _files.read(tmp_path / "there") == b"x"
