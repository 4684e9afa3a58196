"""What the tests' proxy does to the clients of a server."""

import asyncio

import pytest

from tests.support.proxy import Mode, Proxy


async def test_a_client_does_not_hear_behind_a_proxy_that_hangs_that_the_server_hung_up() -> None:
    """Servers do after a minute in which nothing comes; the client would not have to wait on."""
    may_end = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.read(1))
        await may_end.wait()
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        with Proxy(server.sockets[0].getsockname()[1]) as proxy:
            port = int(proxy.url.rpartition(":")[2])
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"x")
            assert await reader.read(1) == b"x"
            await asyncio.to_thread(proxy.set, Mode.HANGING)
            may_end.set()
            reading = asyncio.create_task(reader.read())
            await asyncio.wait({reading}, timeout=0.1)
            assert not reading.done()

            await asyncio.to_thread(proxy.set, Mode.UP)
            with pytest.raises(ConnectionResetError):
                await reading
        writer.close()
