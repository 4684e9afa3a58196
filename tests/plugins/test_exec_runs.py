"""Commands that speak the run-contract, in any language."""

from datetime import UTC, datetime
from typing import Any

import pytest

from ingestd.plugins._commands import CommandError
from ingestd.plugins.exec import run
from ingestd.testing import collect, context
from tests.support.commands import Script, one

pytestmark = pytest.mark.slow  # each starts Python for the supervisor of a command

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
NOON = NOW.timestamp()
ECHO = """
    import json, sys
    given = json.load(sys.stdin)
    print(json.dumps({"readings": [], "given": given}))
"""


async def test_a_command_gets_what_a_run_gets(script: Script) -> None:
    """Hidden, then state, then params on top; no window in a run."""
    async with context(now=NOW) as ctx:
        result = await one(
            ctx,
            script(ECHO, python=True),
            format="run",
            params={"url": "u", "n": 3},
            initial={"last": 0, "first": 1},
            state={"last": 5, "n": 2},
            secrets={"token": "t", "n": 1},
        )

    assert result["state"]["given"] == {
        "url": "u", "n": 3, "last": 5, "first": 1, "token": "t", "start": None, "end": None,
    }  # fmt: skip


async def test_a_backfill_is_told_its_window(script: Script) -> None:
    """As ISO 8601, in UTC."""
    start = datetime(2026, 6, 1, tzinfo=UTC)
    async with context(now=NOW) as ctx:
        result = await one(
            ctx, script(ECHO, python=True), format="run", backfills=True, start=start, end=NOW
        )

    given = result["state"]["given"]
    assert (given["start"], given["end"]) == (
        "2026-06-01T00:00:00+00:00", "2026-07-01T12:00:00+00:00",
    )  # fmt: skip


async def test_a_command_gives_what_a_run_gives(script: Script) -> None:
    """Readings with times as texts, numbers or null; state, secrets, problems and notes."""
    command = script("""
        cat <<'END'
        {
          "readings": [["2026-07-01T12:00:00Z", "a", 1], [1782907200, "b", "2"],
                       [null, "c", 3, {"tag": "x"}], ["2026-07-01 14:00", "d", 4], "odd"],
          "hidden": {"token": "new"}, "delete_params": ["code", "other"],
          "script_error": {"a": "broken"}, "notes": ["slept"],
          "last": 7, "gone": null
        }
        END
    """)
    async with context(now=NOW) as ctx:
        result = await one(
            ctx, command, format="run", params={"code": "x"}, state={"gone": 1, "kept": 2},
            secrets={"old": 1}, timezone="Europe/Vienna",
        )  # fmt: skip

    assert list(map(str, result["readings"])) == [
        f"({NOON}, 'a', 1)", "(1782907200, 'b', '2')", "(None, 'c', 3, {'tag': 'x'})",
        f"({NOON}, 'd', 4)", f"{result['readings'][4]}",
    ]  # fmt: skip
    assert result["state"] == {"last": 7, "kept": 2}
    assert result["hidden"]["secrets"] == {"old": 1, "token": "new"}
    assert result["hidden"]["spent"].keys() == {"code"}
    assert result["script_error"] == {"a": "broken"}
    assert ctx.notes == ["slept"]


async def test_params_that_are_used_up_stay_away(script: Script) -> None:
    """Until the operator writes another value."""
    first = script('echo \'{"delete_params": ["code"]}\'')
    async with context(now=NOW) as ctx:
        spent = (await one(ctx, first, format="run", params={"code": "x"}))["hidden"]["spent"]
        same, other = [
            await one(
                ctx, script(ECHO, python=True), format="run", params={"code": code}, spent=spent
            )
            for code in ("x", "y")
        ]

    assert "code" not in same["state"]["given"]
    assert other["state"]["given"]["code"] == "y"


async def test_each_line_is_a_checkpoint(script: Script) -> None:
    """What was given before a failure counts, but for the last line, which waits for the end."""
    command = script("""
        for n in 1 2 3; do echo "{\\"readings\\": [[null, \\"a\\", $n]], \\"n\\": $n}"; done
        exit $1
    """)
    async with context(now=NOW) as ctx:
        whole = await collect(run, ctx=ctx, command=[*command, 0], format="run")
        failing = run(ctx=ctx, command=[*command, 1], format="run")
        found = [await anext(failing), await anext(failing)]
        with pytest.raises(CommandError, match="status 1"):
            await anext(failing)

    assert [each["state"]["n"] for each in whole] == [1, 2, 3]
    assert [each["state"]["n"] for each in found] == [1, 2]


async def test_state_stands_in_words_and_input(script: Script) -> None:
    """Texts and numbers of the state, or of the first one."""
    command = [*script('read line; echo "{\\"got\\": \\"$1 $line\\"}"'), "--after={last}"]
    params: dict[str, Any] = {"format": "run", "initial": {"last": "a", "n": 1}, "stdin": "{n}\n"}
    async with context(now=NOW) as ctx:
        first = await one(ctx, command, **params)
        second = await one(ctx, command, **params, state={"last": 2.5})

    assert first["state"]["got"] == "--after=a 1"
    assert second["state"]["got"] == "--after=2.5 1"


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("[]", "expected a result of a run, an object, got a list"),
        ("hello", "expected a result of a run as JSON, got 'hello'"),
        ('{"readings": {}}', "readings: expected a list, got a dict"),
        ('{"Readings": []}', "expected 'readings'"),
        ('{"hidden": 1}', "hidden: expected an object"),
        ("{}\nnonsense", "got 'nonsense'"),
    ],
)
async def test_what_is_no_result_fails_the_run(script: Script, written: str, told: str) -> None:
    """The error says what is wrong with it."""
    async with context(now=NOW) as ctx:
        with pytest.raises(CommandError, match=told):
            await collect(run, ctx=ctx, command=script(f"cat <<'E'\n{written}\nE\n"), format="run")
