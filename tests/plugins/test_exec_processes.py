"""Commands that behave badly, and what is left of them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from ingestd.plugins._commands import CommandError
from ingestd.plugins.exec import run
from ingestd.testing import collect, context
from tests.support.commands import Marked, Script, one
from tests.support.workers import until

pytestmark = pytest.mark.slow  # each starts Python for the supervisor of a command

NUMBER: dict[str, Any] = {"format": "value", "series": "s"}
FAMILIES = {
    "background": "sleep $SECONDS &",
    "session": "setsid sleep $SECONDS &",
    "double fork": "(setsid sh -c 'sleep $SECONDS & sleep $SECONDS' &)",
    "no environment": "(env -i setsid sleep $SECONDS &)",
    "holds the output": "(trap '' TERM HUP; sleep $SECONDS) &",
}


@pytest.mark.parametrize("family", FAMILIES)
async def test_nothing_is_left_of_a_command_that_ends(
    script: Script, marked: Marked, family: str
) -> None:
    """Whatever it has left behind is ended, and holds up nothing."""
    async with context() as ctx:
        result = await one(
            ctx,
            script(f"{FAMILIES[family]}\necho 5\n".replace("$SECONDS", marked.seconds)),
            env=marked.env,
            **NUMBER,
        )

    assert list(result["readings"]) == [(None, "s", 5.0)]
    assert marked.names() == []


@pytest.mark.parametrize(
    "body", ["sleep $SECONDS", "trap '' TERM; sleep $SECONDS & setsid sleep $SECONDS & wait"]
)
async def test_nothing_is_left_of_a_run_that_is_cancelled(
    script: Script, marked: Marked, body: str, tmp_path: Path
) -> None:
    """It is asked to end, and does not live on if it does not; the second has its two seconds."""
    ready = tmp_path / "ready"
    command = script(f"touch {ready}\n{body}\n".replace("$SECONDS", marked.seconds))
    async with context() as ctx:
        task = asyncio.create_task(
            collect(run, ctx=ctx, command=command, env=marked.env, format="none")
        )
        await until(ready.exists)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert marked.names() == []


async def test_a_command_is_asked_to_end(script: Script, tmp_path: Path) -> None:
    """It can put things in order before."""
    ready, done = tmp_path / "ready", tmp_path / "done"
    command = script(
        f"trap 'touch {done}; exit 1' TERM\ntouch {ready}\nwhile :; do sleep 0.01; done\n"
    )
    async with context() as ctx:
        task = asyncio.create_task(collect(run, ctx=ctx, command=command, format="none"))
        await until(ready.exists)
        task.cancel()
        await asyncio.wait({task})

    assert done.exists()


async def test_megabytes_of_errors_hold_up_nothing(script: Script) -> None:
    """The end of them is kept."""
    command = script("head -c 3000000 /dev/zero | tr '\\0' e >&2; echo; echo 5; echo last >&2")
    async with context() as ctx:
        result = await one(ctx, command, **NUMBER)

    assert list(result["readings"]) == [(None, "s", 5.0)]


async def test_megabytes_without_an_end_of_line(script: Script) -> None:
    """They are read, and are no result."""
    command = script("head -c 1000000 /dev/zero | tr '\\0' x")
    async with context() as ctx:
        with pytest.raises(CommandError, match="expected a result of a run as JSON, got 'xxx"):
            await one(ctx, command, format="run")
        with pytest.raises(CommandError, match="at most 999999 bytes"):
            await one(ctx, command, format="run", max_bytes=999_999)


async def test_output_that_is_closed_early_is_no_end(script: Script) -> None:
    """What counts is how the command ends."""
    command = script("echo 5; exec >&-; sleep 0.2; exit $1")
    async with context() as ctx:
        with pytest.raises(CommandError, match="status 3"):
            await one(ctx, [*command, "3"], **NUMBER)
        result = await one(ctx, [*command, "0"], **NUMBER)

    assert list(result["readings"]) == [(None, "s", 5.0)]


async def test_input_that_nobody_reads_holds_up_nothing(script: Script) -> None:
    """It may be larger than a pipe."""
    async with context() as ctx:
        result = await one(ctx, script("echo 5"), stdin="x" * 1_000_000, **NUMBER)
        read = await one(ctx, script("wc -c"), stdin="x" * 1_000_000, **NUMBER)

    assert list(result["readings"]) == [(None, "s", 5.0)]
    assert list(read["readings"]) == [(None, "s", 1_000_000.0)]


async def test_signals_are_as_usual(script: Script) -> None:
    """Python leaves a broken pipe out of account; the programs that it becomes must not."""
    async with context() as ctx:
        with pytest.raises(CommandError, match="was ended by SIGPIPE"):
            await one(ctx, script("kill -PIPE $$; echo 5"), **NUMBER)
