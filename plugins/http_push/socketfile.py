"""A socket file for a web server in front of us, which nobody loses to anybody else."""

import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

MODE: Final = 0o660  # a web server in front may be in our group


@contextmanager
def socket_file(path: Path) -> Iterator[socket.socket]:
    """Make a socket file in the place of a stale one, and remove it at the end.

    Close the socket after that, not before: as long as it listens, nobody takes
    the file for a stale one, so what is removed is ours.

    Raises:
        OSError: It cannot be made, such as when somebody listens there.
    """
    remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(MODE)  # nobody gets in before it listens
        ours = path.stat().st_ino
    except OSError:
        sock.close()
        raise
    try:
        yield sock
    finally:
        with suppress(OSError):
            if path.stat().st_ino == ours:
                path.unlink()


def remove_stale(path: Path) -> None:
    """Remove a socket file that nobody listens on any more; binding tells of anything else."""
    with suppress(OSError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.setblocking(False)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
