"""The modbus plugin where answers carry no number, and come late.

With any timing, a value is right or missing. A late answer here comes ``LATE`` after its
request arrived: after the plugin gave up, and before the line has been still for long enough.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from ingestd.plugins.modbus import ModbusError, run
from ingestd.testing import TestContext, collect, context
from tests.support.idletime import IdleTime
from tests.support.modbus import values
from tests.support.rtu import LINES, Asked, Device, Saying, bit, converter, register, serial

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("idle_time")]

PATIENCE = 0.12  # seconds
LATE = 0.14  # seconds
WORDS = (0, 2, 4)
COILS = (0, 4)

on_each_line = pytest.mark.parametrize("line", LINES.values(), ids=LINES)


@pytest.fixture(autouse=True)
def _in_proportion(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the pause as short, beside the time-out, as it is by default."""
    monkeypatch.setattr("ingestd.plugins.modbus.link.PAUSE", 0.01)


def wanted(
    unit: int = 1, *, words: Iterable[int] = WORDS, coils: Iterable[int] = COILS
) -> dict[str, Any]:
    """Return a device whose series say what is right for them."""
    held = [{"series": f"{unit}-r{a}", "address": a} for a in words]
    bits = [{"series": f"{unit}-c{a}", "address": a, "table": "coil"} for a in coils]
    return {"name": f"m{unit}", "unit": unit, "registers": held + bits}


def right(series: str) -> int:
    """Return the only value that may be stored in a series."""
    unit, _, what = series.partition("-")
    return bit(int(what[1:])) if what[0] == "c" else register(int(unit), int(what[1:]))


async def read(ctx: TestContext, line: Any, *devices: dict[str, Any], **params: Any) -> Any:
    """Run the plugin; give the values, all of which are right, and what it told."""
    options = {"request_timeout": f"{PATIENCE * 1000:g}ms", "devices": devices, **params}
    try:
        (result,) = await collect(run, ctx=ctx, **line.params, **options)
    except ModbusError as error:
        return {}, str(error)
    found = values(result)
    assert found == {series: right(series) for series in found}
    return found, result.get("script_error", "")


def after(*late: float) -> Device:
    """Return a device that answers its requests after these times in turn, over and over."""
    return lambda asked: [(late[asked.number % len(late)], asked.answer)]


def first_late(asked: Asked) -> Saying:
    """Answer late at first, and at once then."""
    return [(0 if asked.number else LATE, asked.answer)]


PATTERNS: dict[str, Device] = {
    "the first": first_late,
    "each": after(LATE),
    "every second": after(LATE, 0),
    "all but every second": after(0, LATE),
    "all of one device": lambda asked: [(LATE if asked.unit == 1 else 0, asked.answer)],
    "in two halves": lambda asked: [(PATIENCE / 2, asked.answer[:4]), (LATE, asked.answer[4:])],
}


@pytest.mark.parametrize(
    ("line", "together"),
    [(converter, False), (converter, True), (serial, False)],
    ids=["converter", "slow converter", "serial"],
)
@pytest.mark.parametrize("retries", [0, 2])
@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
async def test_late_answer_is_never_a_value_of_something_else(
    line: Any, pattern: Device, *, together: bool, retries: int
) -> None:
    """Registers and coils of two devices are right or missing, and the operator is told."""
    devices = wanted(1), wanted(2, words=[0], coils=[])
    async with line(pattern, together=together) as bus, context() as ctx:
        told = [
            (await read(ctx, bus, *devices, retries=retries))[1]
            for _ in range(1 if retries else 2)  # those that give up ask anew in the next run
        ]

    assert "expected" in told[0]


@on_each_line
async def test_answer_that_takes_far_too_long_is_never_a_value_of_something_else(line: Any) -> None:
    """It comes after the last try, or in the middle of one, and all of them are answered."""
    async with line(after(2.6 * PATIENCE)) as bus, context() as ctx:
        _, told = await read(ctx, bus, wanted(words=[0, 2], coils=[]))

    assert "a longer request_timeout would be right" in told


@on_each_line
async def test_late_answers_are_told_with_what_would_be_right(line: Any) -> None:
    """The operator reads which device it is and how long it took."""
    async with line(after(LATE)) as bus, context() as ctx:
        found, told = await read(ctx, bus, wanted(), retries=0)

    assert found == {}
    silence, late = told.split("; ", 1)
    assert silence.endswith("unit 1): expected an answer within 0.12 s, got none")
    place = silence.partition("(")[2].partition(")")[0]
    assert late.startswith(f"{place}: expected each answer within 0.12 s, got one after ")
    assert late.endswith(" s; a longer request_timeout would be right")
    assert float(late.partition("after ")[2].partition(" s")[0]) >= PATIENCE


@on_each_line
async def test_answer_in_time_costs_no_wait(line: Any) -> None:
    """A line on which all is well is asked once for each request, and nothing is told."""
    async with line(after(0)) as bus, context() as ctx:
        found, told = await read(ctx, bus, wanted())

    assert len(found) == len(bus.asked) == len(WORDS) + len(COILS)
    assert told == ""


async def test_answer_that_a_converter_kept_is_not_a_value_of_the_next_run() -> None:
    """It hands over what came while no connection was open, to the next one."""

    def silent_first(asked: Asked) -> Saying:
        return [(PATIENCE / 2, asked.answer)] if asked.number else []

    async with converter(silent_first) as bus, context() as ctx:
        await read(ctx, bus, wanted(words=[0], coils=[]), retries=0)
        await bus.gone.wait()
        bus.say(bus.asked[0].answer)

        found, told = await read(ctx, bus, wanted(words=[2, 4], coils=[]), retries=0)

    assert set(found) == {"1-r2", "1-r4"}
    assert "unit 1: expected each answer within 0.12 s, got one that nothing waited for" in told


@on_each_line
@pytest.mark.parametrize("restarted", [False, True])
async def test_answer_to_a_cancelled_run_is_not_a_value_of_the_next(
    line: Any, *, restarted: bool
) -> None:
    """The deadline comes in the middle of a request, or the daemon stops and starts again."""
    async with line(after(PATIENCE / 2)) as bus, context() as ctx, context() as anew:
        running = asyncio.create_task(read(ctx, bus, wanted(words=[0], coils=[])))
        await bus.heard.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

        again = anew if restarted else ctx
        found, _ = await read(again, bus, wanted(words=[2, 4], coils=[]), retries=0)

    assert set(found) <= {"1-r2", "1-r4"}


@on_each_line
@pytest.mark.parametrize("code", [5, 6])
async def test_answer_behind_a_busy_one_is_not_a_value_of_something_else(
    line: Any, code: int
) -> None:
    """The device does what it was asked all the same, and answers when it is asked again."""
    said: list[bytes] = []

    def busy(asked: Asked) -> Saying:
        said.append(asked.answer)
        if asked.number == 0:
            return [(0, asked.refusal(code))]
        return [(0, each) for each in (said if asked.number == 1 else said[-1:])]

    async with line(busy) as bus, context() as ctx:
        found, _ = await read(ctx, bus, wanted())

    assert len(found) == len(WORDS) + len(COILS)


@on_each_line
@pytest.mark.parametrize("retries", [0, 2])
async def test_late_refusal_is_not_taken_for_that_of_a_part(line: Any, retries: int) -> None:
    """A request is halved once the line is at rest, so no part is refused for the whole."""

    def one_at_a_time(asked: Asked) -> Saying:
        return [(LATE, asked.refusal(2) if asked.count > 1 else asked.answer)]

    async with line(one_at_a_time) as bus, context() as ctx:
        _, told = await read(ctx, bus, wanted(words=range(3), coils=[]), retries=retries)

    assert "refused" not in told
    assert "a longer request_timeout" in told


@on_each_line
async def test_late_answer_to_one_collector_is_not_a_value_of_another(line: Any) -> None:
    """Both wait for the line to rest, although only one of them asked for what comes on it."""
    async with line(after(LATE)) as bus, context() as ctx, context(beside=ctx) as other:
        await asyncio.gather(
            *(
                read(each, bus, wanted(words=words, coils=[]), retries=retries)
                for each, words, retries in [(ctx, [0, 2], 0), (other, [4, 6], 1), (ctx, [8], 0)]
            )
        )


async def test_device_that_ignores_the_first_request_is_read_on_the_same_connection() -> None:
    """A new connection would have a first request, too."""

    def deaf_at_first(asked: Asked) -> Saying:
        return [] if asked.first else [(0, asked.answer)]

    async with converter(deaf_at_first) as bus, context() as ctx:
        found, told = await read(ctx, bus, wanted(), retries=1)

    assert len(found) == len(WORDS) + len(COILS)
    assert told == ""


@on_each_line
async def test_daemon_that_is_held_up_does_not_take_that_for_stillness(
    line: Any, idle_time: IdleTime
) -> None:
    """Nothing is heard while something else keeps the event loop busy; what came is heard then."""

    def hold_up(asked: Asked) -> Saying:
        if asked.number:
            yield 0, asked.answer
        if asked.number == 1:
            yield PATIENCE / 4, b""
            idle_time.hold_up(3 * PATIENCE)
            yield PATIENCE / 4, asked.answer

    async with line(hold_up) as bus, context() as ctx:
        found, _ = await read(ctx, bus, wanted(), retries=1)

    assert len(found) == len(WORDS) + len(COILS)


@on_each_line
async def test_line_that_never_rests_is_given_up(line: Any) -> None:
    """Something babbles on it; no device on it can be read, and the run says why."""

    def babble(_: Asked) -> Saying:
        return [(n * 0.001, b"\0") for n in range(100_000)]

    async with line(babble) as bus, context() as ctx:
        found, told = await read(ctx, bus, wanted(1), wanted(2), retries=0)

    assert found == {}
    assert "unit 2): expected 0.18 s without anything on the line before the next request" in told


@pytest.mark.parametrize("line", [converter, serial], ids=["converter", "serial"])
async def test_answer_that_comes_behind_all_stillness_is_not_a_value_of_something_else(
    line: Any,
) -> None:
    """The first is lost on its way for longer than any before it, and comes in place of another."""

    def lost_for_long(asked: Asked) -> Saying:
        late = {0: 3 * PATIENCE, 1: 0.0}.get(asked.number, PATIENCE / 2)
        return [(late, asked.answer)]

    async with line(lost_for_long, together=True) as bus, context() as ctx:
        found, _ = await read(ctx, bus, wanted(words=[0, 2, 4], coils=[]), retries=1)

    assert set(found) == {"1-r0", "1-r2", "1-r4"}
