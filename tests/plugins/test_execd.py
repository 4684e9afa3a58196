"""Commands that go on: their lines, how they are asked, and how they end."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.plugins._commands import CommandError
from ingestd.plugins.execd import run
from ingestd.testing import TestContext, context, results
from tests.support.commands import Marked, Script
from tests.support.workers import until

pytestmark = pytest.mark.slow  # each starts Python for the supervisor of a command

TEN: Final = datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()
SHAPE: Final = {"time": "t", "series": "s", "value": "v"}
# As the shim that Telegraf has for plugins of others: a newline asks, the end of input ends it.
SHIM: Final = """
    n=0
    while read line; do n=$((n+1)); echo "shim,host=a count=${n}i"; done
    touch "$1"
"""


def lines(ctx: TestContext, command: list[str], **params: Any) -> AsyncGenerator[Any, None]:
    """Yield the readings that a command gives."""

    async def found() -> AsyncGenerator[Any, None]:
        async with aclosing(results(run, ctx=ctx, command=command, **params)) as given:
            async for result in given:
                for reading in result["readings"]:
                    yield reading

    return found()


@pytest.mark.parametrize(
    ("params", "written", "readings"),
    [
        ({}, "cpu,host=a idle=1.5 1782900000000000000\n\nmem x=1\n",
         [(TEN, "cpu_idle", 1.5, {"host": "a"}), (None, "mem_x", 1.0, {})]),
        ({}, "whole value=1\nbad\ncut value=2",
         [(None, "whole", 1.0, {}), (None, "", "line 2: expected tags and a space, got 'bad'"),
          (None, "cut", 2.0, {})]),
        ({**SHAPE, "format": "json"}, '{"t": 1782900000, "v": 1}\nno\n[{"t": 1, "v": 2}]\n',
         [(TEN, "s", 1), (None, "", "no JSON: b'no'"), (1, "s", 2)]),
        ({**SHAPE, "format": "ndjson", "records": "data"}, '{"data": [{"t": 1, "v": 2}]}\n{}\n',
         [(1, "s", 2)]),
        ({**SHAPE, "time_format": "unix_ns", "time": "time", "value": "fields.x"},
         "a x=1 1782900000000000000\nbad\n",
         [(TEN, "s", 1.0), (None, "", "expected tags and a space, got 'bad'")]),
    ],
)  # fmt: skip
async def test_lines_become_readings(
    script: Script, params: dict[str, Any], written: str, readings: list[Any]
) -> None:
    """One that cannot be read costs no other, and the last needs no end."""
    command = script(f"printf %s '{written}'")
    async with context() as ctx:
        found = [each async for each in lines(ctx, command, **params)]

    assert [each for each in found if each[1]] == [each for each in readings if each[1]]
    assert [each[2] for each in found if not each[1]] == [
        each[2] for each in readings if not each[1]
    ]
    assert ctx.notes == ["sh has ended by itself"]


async def test_state_goes_with_the_readings(script: Script) -> None:
    """A command begins where it was."""
    command = script("""
        import json, sys
        print(json.dumps({"got": sys.argv[1], "notes": [sys.stdin.readline()]}))
        print('{"readings": [[null, "a", 1]], "last": 8, "script_error": "low"}')
    """, python=True)  # fmt: skip
    async with context() as ctx:
        found = [
            each
            async for each in results(
                run, ctx=ctx, command=[*command, "{last}"], format="run", params={"p": 1},
                initial={"last": 0}, state={"last": 7}, secrets={"t": 1},
            )
        ]  # fmt: skip

    assert found[-1]["state"] == {"last": 8, "got": "7"}
    assert found[-1]["script_error"] == "low"
    assert [each for result in found for each in result["readings"]] == [(None, "a", 1)]
    assert ctx.notes[0] == '{"t":1,"last":7,"p":1,"start":null,"end":null}\n'


@pytest.mark.parametrize(
    ("body", "params", "told"),
    [
        ("echo 'a value=1'; echo oh dear >&2; exit 3", {}, "sh ended with status 3: oh dear"),
        ("kill -9 $$", {}, "sh was ended by SIGKILL"),
        ("head -c 2000 /dev/zero", {"max_line": 1000}, "lines of at most 1000 bytes"),
        ("echo '[]'", {"format": "run"}, "an object, got a list"),
    ],
)
async def test_an_end_that_is_no_good_fails_the_run(
    script: Script, body: str, params: dict[str, Any], told: str
) -> None:
    """The daemon starts it again, after a pause that grows."""
    async with context() as ctx:
        with pytest.raises(CommandError, match=told):
            _ = [each async for each in lines(ctx, script(body), **params)]


async def test_a_shim_of_telegraf_runs_unchanged(script: Script, tmp_path: Path) -> None:
    """It is asked by a line, and ends with its input."""
    done = tmp_path / "done"
    command = [*script(SHIM), str(done)]
    async with context() as ctx:
        found = lines(ctx, command, signal="stdin", interval="10ms")
        async with aclosing(found):
            values = [(await anext(found))[2] for _ in range(3)]

    assert values == [1.0, 2.0, 3.0]
    assert done.exists()
    assert ctx.connection == [""]


async def test_a_signal_asks(script: Script) -> None:
    """It comes to the command itself, and not before that hears it."""
    command = script("""
        sleep 0.1
        trap 'echo "a value=1"' USR1
        echo "ready value=0"
        while :; do sleep 0.01; done
    """)
    async with context() as ctx:
        found = lines(ctx, command, signal="sigusr1", interval="20ms")
        async with aclosing(found):
            series = [(await anext(found))[1] for _ in range(3)]

    assert series == ["ready", "a", "a"]


@pytest.mark.parametrize(
    "body",
    [
        "while read line; do :; done",
        "trap 'exit 0' TERM; (setsid sleep $SECONDS &) ; while :; do sleep 0.01; done",
        "trap '' TERM; sleep $SECONDS & setsid sleep $SECONDS & while :; do wait; done",
        "trap '' TERM; yes 'b value=2'",
    ],
    ids=["hears the end of its input", "hears SIGTERM", "hears nothing", "writes on"],
)
async def test_nothing_is_left_of_a_command_that_is_stopped(
    script: Script, marked: Marked, body: str
) -> None:
    """However it takes it: the end of its input, SIGTERM, SIGKILL; the last have their seconds."""
    command = script("echo 'a value=1'\n" + body.replace("$SECONDS", marked.seconds))
    async with context() as ctx:
        found = lines(ctx, command, env=marked.env, stop_within="100ms")
        async with aclosing(found):
            first = await anext(found)

    assert first[1] == "a"
    assert marked.processes() == []


async def test_a_command_waits_for_the_daemon(script: Script, tmp_path: Path) -> None:
    """What nobody takes is not read, so that no memory grows."""
    wrote = tmp_path / "wrote"
    command = script(f"""
        import pathlib
        line, n = "a value=1 " + "0" * 990, 0
        while True:
            print(line); n += 1
            pathlib.Path({str(wrote)!r}).write_text(str(n)) if n % 100 == 0 else None
    """, python=True)  # fmt: skip
    async with context() as ctx:
        found = lines(ctx, command, stop_within="0s")
        async with aclosing(found):
            await anext(found)
            seen = -1
            while seen != (seen := int(wrote.read_text() or 0) if wrote.exists() else -2):  # noqa: ASYNC110 (another process has no event of ours)
                await asyncio.sleep(0.3)

    assert seen < 5000


async def test_a_cancelled_stream_ends(script: Script, marked: Marked, tmp_path: Path) -> None:
    """Also while it waits for a line."""
    ready = tmp_path / "ready"
    command = script(f"touch {ready}; while read line; do :; done; sleep {marked.seconds}")
    async with context() as ctx:
        found = lines(ctx, command, env=marked.env, stop_within="0s")
        task = asyncio.create_task(anext(found))
        await until(ready.exists)
        task.cancel()
        await asyncio.wait({task})

    assert marked.processes() == []
