#!/usr/bin/env bash
# aiomqtt 2.5.1: what is published as the connection ends has another connection watched.
#
# To learn when its socket can be written to, aiomqtt hands the socket's number to the event loop,
# for the loop's next turn. If the connection is found to be closed before that turn, the number
# is free by then. Two things were seen. If nobody has taken it, the loop logs an exception (bad
# file descriptor) of a callback that nobody can catch. If the next connection has taken it, the
# loop watches that one: whenever it can be written to, which is always, aiomqtt is called, and the
# processor is busy for nothing. Reconnecting at once, as its documentation shows, is how a program
# gets the same number again.
#
# The broker below only accepts connections. Publishing and the end of the connection fall into one
# turn of the loop, because the program was busy for a moment.
#
# Output seen on 2026-11-27 with Python 3.11 (aiomqtt 2.5.1, paho-mqtt 2.2.0):
#   number free: OSError: [Errno 9] Bad file descriptor
#   number taken: the other connection is watched for writing: True
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3.11 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check \
    'aiomqtt==2.5.1' 'paho-mqtt==2.2.0'

cat >"$there/publish.py" <<'PYTHON'
import asyncio
import contextlib
import select
import socket
import sys
import threading

import aiomqtt

leave = threading.Event()


def broker(listener):
    connection, _ = listener.accept()
    connection.recv(1024)
    connection.sendall(bytes([0x20, 2, 0, 0]))  # CONNACK of MQTT 3.1.1
    leave.wait()
    connection.close()


async def main(taken):
    told = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, what: told.append(what["exception"]))
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=broker, args=(listener,), daemon=True).start()
    port = listener.getsockname()[1]
    client = aiomqtt.Client("127.0.0.1", port, protocol=aiomqtt.ProtocolVersion.V311)
    await client.__aenter__()
    ours = client._client.socket()
    number = ours.fileno()

    others = []

    async def connect_again():
        while ours.fileno() != -1:
            await asyncio.sleep(0)
        others.extend(socket.socketpair() if taken else [])

    connecting = asyncio.create_task(connect_again())
    publishing = asyncio.create_task(client.publish("a", "1", qos=0))
    leave.set()
    select.select([ours], [], [])  # busy until the end of the connection has arrived
    await connecting
    await asyncio.sleep(0)
    if taken:
        assert number in [each.fileno() for each in others]
        events = loop._selector.get_map().get(number)
        watched = events is not None and bool(events.events & 2)
        print(f"number taken: the other connection is watched for writing: {watched}")
    else:
        print(*(f"number free: {type(each).__name__}: {each}" for each in told))
    publishing.cancel()
    loop.remove_writer(number)
    with contextlib.suppress(aiomqtt.MqttError, asyncio.CancelledError):
        await publishing
    with contextlib.suppress(aiomqtt.MqttError):
        await client.__aexit__(None, None, None)


asyncio.run(main(sys.argv[1] == "taken"))
PYTHON

free=$("$there/venv/bin/python" "$there/publish.py" free)
taken=$("$there/venv/bin/python" "$there/publish.py" taken)
printf '%s\n' "$free" "$taken"
[ "$free" = 'number free: OSError: [Errno 9] Bad file descriptor' ]
[ "$taken" = 'number taken: the other connection is watched for writing: True' ]
