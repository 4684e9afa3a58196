"""Where a server of ours listens: a socket file that is not taken from another program.

Imported by its full name, so that a copy of a plugin works in any folder. The daemon's
own API uses it, too.
"""

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class SocketFileTaken(OSError):
    """A socket file cannot be made, because something is there that must stay."""


@contextmanager
def socket_file(path: Path, *, mode: int) -> Iterator[socket.socket]:
    """Make a socket file in the place of a stale one, and remove it at the end.

    Close the socket after that, not before: as long as it listens, no other program
    takes the file for a stale one, so what is removed is ours.

    Args:
        path: Where.
        mode: Who may connect, as for ``chmod``.

    Raises:
        SocketFileTaken: Another program listens there, or it is no socket.
        OSError: It cannot be made.
    """
    remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(str(path))
        path.chmod(mode)  # in force before it listens
        ours = path.lstat().st_ino
    except OSError:
        sock.close()
        raise
    try:
        yield sock
    finally:
        with suppress(OSError):
            if path.lstat().st_ino == ours:
                path.unlink()


def remove_stale(path: Path) -> None:
    """Remove a socket file on which no program listens any more.

    Raises:
        SocketFileTaken: One does, or it is no socket.
        OSError: That cannot be found out.
    """
    try:
        found = path.lstat().st_mode
    except OSError:
        return  # nothing is there, or else binding tells what is wrong
    if not stat.S_ISSOCK(found):
        raise SocketFileTaken("expected a socket or nothing, got another file")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a server with a full queue would keep us waiting
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except BlockingIOError:
            raise SocketFileTaken("another program listens there already") from None
        else:
            raise SocketFileTaken("another program listens there already")


def reason_of(error: OSError) -> str:
    """Return why an address cannot be used, in lower case and without the address.

    The words of asyncio repeat the address in a form of its own; the numbers of
    failed look-ups are negative, and mean something else to the system.
    """
    if isinstance(error, SocketFileTaken):
        return str(error)
    if error.errno is None or error.errno <= 0:
        return str(error).lower()
    return os.strerror(error.errno).lower()
