"""Where the API listens: a TCP address, or a socket file that only we may open."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from aiohttp import web

from ingestd.errors import ListenError
from ingestd.plugins._listening import reason_of, socket_file

MODE: Final = 0o600  # of a socket file
CHANGE: Final = "choose another daemon.listen, or stop the program that has it"


@asynccontextmanager
async def listening(runner: web.AppRunner, listen: str) -> AsyncIterator[str]:
    """Accept connections until the context ends; give the address, with the real port.

    Raises:
        ListenError: The address cannot be used.
    """
    if not listen.startswith("unix:"):
        yield await _listen_tcp(runner, listen)
        return
    with ExitStack() as stack:
        path = Path(listen.removeprefix("unix:"))
        try:
            sock = stack.enter_context(socket_file(path, mode=MODE))
        except OSError as error:
            raise _unusable(listen, error) from error
        await web.SockSite(runner, sock).start()  # the runner closes it
        yield listen


async def _listen_tcp(runner: web.AppRunner, listen: str) -> str:
    host, _, port = listen.rpartition(":")
    try:
        await web.TCPSite(runner, host.strip("[]"), int(port)).start()
    except OSError as error:
        raise _unusable(listen, error) from error
    return f"http://{host}:{runner.addresses[0][1]}"


def _unusable(listen: str, error: OSError) -> ListenError:
    return ListenError(f"{listen}: cannot listen: {reason_of(error)}; {CHANGE}")
