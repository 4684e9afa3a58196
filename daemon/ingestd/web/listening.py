"""Where the API listens: a TCP address, or a socket file that only we may open."""

import os
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Final

from aiohttp import web

from ingestd.errors import ListenError

CHANGE: Final = "choose another daemon.listen, or stop whoever has it"


@asynccontextmanager
async def listening(runner: web.AppRunner, listen: str) -> AsyncIterator[str]:
    """Accept connections until the context ends; give the address, with the real port.

    Raises:
        ListenError: The address cannot be used.
    """
    if not listen.startswith("unix:"):
        yield await _listen_tcp(runner, listen)
        return
    with _socket_file(Path(listen.removeprefix("unix:"))) as sock:
        await web.SockSite(runner, sock).start()
        yield listen


async def _listen_tcp(runner: web.AppRunner, listen: str) -> str:
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        raise _unusable(listen, error) from error
    return f"http://{host}:{runner.addresses[0][1]}"


@contextmanager
def _socket_file(path: Path) -> Iterator[socket.socket]:
    """Make a socket file in the place of a stale one, and remove it at the end."""
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)  # the server closes it
    try:
        sock.bind(str(path))
        path.chmod(0o600)  # nobody gets in before it listens
        ours = path.stat().st_ino
    except OSError as error:
        sock.close()
        raise _unusable(f"unix:{path}", error) from error
    try:
        yield sock
    finally:
        with suppress(OSError):
            if path.stat().st_ino == ours:
                path.unlink()


def _remove_stale(path: Path) -> None:
    """Remove a socket file that nobody listens on any more.

    Raises:
        ListenError: Somebody does, or it is no socket.
    """
    try:
        mode = path.stat().st_mode
    except OSError:
        return  # nothing is there, or else binding tells what is the matter
    if not stat.S_ISSOCK(mode):
        raise ListenError(f"unix:{path}: expected a socket or nothing, got another file; {CHANGE}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
        except OSError as error:
            raise _unusable(f"unix:{path}", error) from error
        else:
            raise ListenError(f"unix:{path}: somebody listens there already; {CHANGE}")


def _unusable(listen: str, error: OSError) -> ListenError:
    # The words of asyncio repeat the address in another form.
    known = error.errno is not None and error.errno > 0
    reason = os.strerror(error.errno) if error.errno is not None and known else str(error)
    return ListenError(f"{listen}: cannot listen: {reason.lower()}; {CHANGE}")
