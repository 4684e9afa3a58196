"""Commands as collectors: what they write, how they end, and what they are asked for."""

from datetime import UTC, datetime
from typing import Any, Final

import pytest

from ingestd.plugins._commands import CommandError
from ingestd.plugins.exec import run
from ingestd.testing import collect, context
from tests.support.commands import Script, one

pytestmark = pytest.mark.slow  # each starts Python for the supervisor of a command

NOW: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
TEN: Final = datetime(2026, 7, 1, 10, tzinfo=UTC).timestamp()
RECORD: Final = {"time": "t", "series": "s", "value": "v"}


@pytest.mark.parametrize(
    ("params", "written", "readings"),
    [
        (RECORD, '{"t": "2026-07-01T10:00:00Z", "v": 1.5}', [(TEN, "s", 1.5)]),
        (RECORD, '{"t": 1782900000, "v": 1}\n{"t": 1782900060, "v": 2}',
         [(TEN, "s", 1), (TEN + 60, "s", 2)]),
        ({**RECORD, "format": "csv", "decimal": ","}, "t;v\n2026-07-01T10:00:00Z;1,5\n",
         [(TEN, "s", 1.5)]),
        ({"format": "value", "series": "s", "tags": {"a": "b"}}, "  42.5 \n",
         [(None, "s", 42.5, {"a": "b"})]),
        ({"format": "value", "series": "s", "units": "kWh"}, "7 kWh", [(None, "s", 7.0)]),
        ({"format": "influx"}, "cpu,host=a idle=1.5,value=2i 1782900000000000000\nmem x=1\n",
         [(TEN, "cpu_idle", 1.5, {"host": "a"}), (TEN, "cpu", 2.0, {"host": "a"}),
          (None, "mem_x", 1.0, {})]),
        ({"format": "influx", "time_format": "unix"}, "a value=1 1782900000",
         [(TEN, "a", 1.0, {})]),
        ({"format": "influx", "series": "{measurement}", "value": "fields.x", "time": "time",
          "time_format": "unix_ns"}, "a x=1 1782900000000000000", [(TEN, "a", 1.0)]),
        ({"format": "prometheus"},
         '# TYPE energy counter\nenergy{meter="a b"} 5 1782900000000\nup 1\nnone NaN\n',
         [(TEN, "energy", 5.0, {"meter": "a b"}), (None, "up", 1.0, {}), (None, "none", None, {})]),
        ({"format": "prometheus"},
         'energy_total 5 1782900000 # {id="x"} 0.5 1782900000\n# EOF\n',
         [(TEN, "energy_total", 5.0, {})]),
        ({"format": "none"}, "whatever", []),
        (RECORD, "", []),
        ({"format": "value", "series": "s"}, "\n", []),
    ],
)  # fmt: skip
async def test_output_becomes_readings(
    script: Script, params: dict[str, Any], written: str, readings: list[Any]
) -> None:
    """Each format gives its readings."""
    command = script(f"cat <<'END'\n{written}\nEND\n")
    async with context(now=NOW) as ctx:
        result = await one(ctx, command, **params)

    assert list(result["readings"]) == readings


async def test_lines_that_are_none_cost_no_other(script: Script) -> None:
    """The daemon counts what cannot be read."""
    async with context(now=NOW) as ctx:
        result = await one(ctx, script("echo 'what? no'; echo 'a value=1'"), format="influx")

    assert [value for _, _, value, *_ in result["readings"]] == [
        "line 1: expected a field, got 'no='",
        1.0,
    ]


@pytest.mark.parametrize(
    ("body", "params", "told"),
    [
        ("echo oh dear >&2; exit 3", {}, "sh ended with status 3: oh dear"),
        ("echo '{}'; exit 1", RECORD, "sh ended with status 1"),
        ("kill -9 $$", {}, "sh was ended by SIGKILL"),
        ("echo 1", {"exit_codes": {0: "failed"}}, "sh ended with status 0"),
        ("echo 'not at all'", RECORD, "expected JSON"),
        ("head -c 1000000 /dev/zero", {**RECORD, "max_bytes": 1000}, "at most 1000 bytes"),
        ("exec no-such-program", {}, "sh ended with status 127"),
        ("echo up", {"format": "prometheus"}, "expected a line of Prometheus"),
    ],
)
async def test_a_command_that_fails_fails_the_run(
    script: Script, body: str, params: dict[str, Any], told: str
) -> None:
    """What it wrote is not taken, and the error says how it ended."""
    params = params if "series" in params or "format" in params else {**params, "format": "none"}
    async with context(now=NOW) as ctx:
        with pytest.raises(CommandError, match=told):
            await one(ctx, script(body), **params)


async def test_a_program_that_is_not_there_fails_the_run() -> None:
    """The error names it."""
    async with context() as ctx:
        with pytest.raises(CommandError, match=r"no-such-program: No such file or directory"):
            await one(ctx, ["no-such-program"], format="none")


async def test_status_says_what_an_end_means(script: Script) -> None:
    """Try later is no failure, and takes nothing; degraded takes all."""
    command = script("echo 5; echo battery low >&2; exit $1")
    params = {"format": "value", "series": "s", "exit_codes": {1: "degraded", 3: "later"}}
    async with context() as ctx:
        degraded = await one(ctx, [*command, "1"], **params)
        later = [await collect(run, ctx=ctx, command=[*command, n], **params) for n in ("3", "75")]

    assert degraded["script_error"] == "sh ended with status 1: battery low"
    assert list(degraded["readings"]) == [(None, "s", 5.0)]
    assert later == [[], []]
    assert ctx.notes == [
        f"sh ended with status {n}: battery low, which asks for another try later" for n in (3, 75)
    ]


async def test_environment_folder_and_input(script: Script, tmp_path: Any) -> None:
    """Secrets travel in the environment or as input, and the words are given as they stand."""
    command = script("""
        read line
        printf '{"v": "%s|%s|%s|%s"}' "$TOKEN" "$PWD" "$line" "$1"
    """)
    async with context() as ctx:
        result = await one(
            ctx,
            [*command, "a b; echo $HOME {{x}}"],
            env={"TOKEN": "s3cret", "N": 5},
            cwd=str(tmp_path),
            stdin="pass {{word}}\n",
            series="s",
            value="v",
        )

    ((_, _, value),) = result["readings"]
    assert value == f"s3cret|{tmp_path}|pass {{word}}|a b; echo $HOME {{x}}"


async def test_window_stands_in_words_and_input(script: Script) -> None:
    """The position is the newest time that was read, and moves no further than now."""
    command = script("cat >/dev/null; echo '{\"t\": \"2026-07-01T11:00:00Z\", \"v\": 1}'; "
                     "echo '{\"t\": \"2027-01-01T00:00:00Z\", \"v\": 2}'; echo $* >&2")  # fmt: skip
    params = {**RECORD, "lookback": "1d", "overlap": "1h", "format": "ndjson"}
    words = [*command, "--from={since}", "{until:%Y-%m-%d}"]
    async with context(now=NOW) as ctx:
        first = await one(ctx, words, **params)
        echoed = await one(
            ctx, ["sh", "-c", "echo {since:unix}"], format="value", series="s", lookback="1d",
            newest=TEN, overlap="1h",
        )  # fmt: skip

    assert first["newest"] == NOW.timestamp()
    assert list(echoed["readings"]) == [(None, "s", TEN - 3600)]


async def test_times_to_come_without_a_value_do_not_move_the_position(script: Script) -> None:
    """A table of a whole day says nothing of what lies between its last value and now."""
    command = script("echo '2026-07-01T10:00:00Z;5'; echo '2026-07-01T13:00:00Z;'; : $*")
    async with context(now=NOW) as ctx:
        result = await one(
            ctx, [*command, "{since}"], **RECORD, format="csv", fields=["t", "v"], lookback="1d"
        )

    assert result["newest"] == TEN


async def test_backfill_asks_for_its_window(script: Script) -> None:
    """State is left alone."""
    command = ["sh", "-c", 'echo "{\\"v\\": $1, \\"t\\": $2}"', "-", "{since}", "{until}"]
    start, end = (datetime(2026, 6, day, tzinfo=UTC) for day in (1, 2))
    async with context(now=NOW) as ctx:
        result = await one(
            ctx, command, **RECORD, since_format="unix", lookback="1d", newest=TEN,
            start=start, end=end,
        )  # fmt: skip

    assert result == {"readings": [(end.timestamp(), "s", start.timestamp())]}


async def test_missing_in_every_record_is_told(script: Script) -> None:
    """A wrong path is seen."""
    async with context() as ctx:
        result = await one(ctx, script('echo \'[{"w": 1}, {"w": 2}]\''), series="s", value="v")

    assert "value: missing in all of 2 records" in result["script_error"]
