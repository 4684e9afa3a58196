"""Which registers the modbus plugin asks for together, and what it makes of a refusal."""

from collections.abc import Sequence
from typing import Any

from pymodbus.constants import ExcCodes

from ingestd.plugins.modbus.registers import Register
from ingestd.plugins.modbus.requests import requests
from tests.support.modbus import device, read, register, serving, values


def spans(addresses: Sequence[int], *, table: str = "holding", **limits: int) -> list[Any]:
    """Return first address and count of the requests for some registers."""
    wanted = [Register(where="", series="", tags={}, table=table, address=a) for a in addresses]
    found = requests(wanted, **{"max_gap": 0, "max_registers": 125, **limits})
    return [(each.address, each.count) for each in found]


def test_neighbours_are_joined_in_any_order() -> None:
    """One request reads them all, and the same register is read once."""
    assert spans([7, 5, 6, 6]) == [(5, 3)]


def test_gap_is_read_only_if_it_is_small() -> None:
    """What is not wanted is not read by default, since reading may have effects in a device."""
    assert spans([1, 3, 6]) == [(1, 1), (3, 1), (6, 1)]
    assert spans([1, 3, 6], max_gap=1) == [(1, 3), (6, 1)]
    assert spans([1, 3, 6], max_gap=2) == [(1, 6)]


def test_requests_stay_within_the_limits() -> None:
    """No request is longer than the protocol, or the device, allows; bits are smaller."""
    assert spans(range(130)) == [(0, 125), (125, 5)]
    assert spans(range(10), max_registers=4) == [(0, 4), (4, 4), (8, 2)]
    assert spans(range(3), max_registers=1) == [(0, 1), (1, 1), (2, 1)]
    assert spans(range(2001), table="coil") == [(0, 2000), (2000, 1)]


def test_values_may_overlap() -> None:
    """The two halves of a number may be wanted as well, and what lies behind all of it."""
    places = [(0, "uint64"), (1, "uint16"), (4, "uint16")]
    wanted = [
        Register(where="", series="", tags={}, table="holding", address=a, type=t)
        for a, t in places
    ]

    (request,) = requests(wanted, max_gap=0, max_registers=125)

    assert (request.address, request.count) == (0, 5)
    assert [value for _, value in request.values([0, 1, 0, 2, 9])] == [2**32 + 2, 1, 9]


def test_wide_value_is_never_parted() -> None:
    """A number that does not fit any more goes to the next request in one piece."""
    wide = [
        Register(where="", series="", tags={}, table="holding", address=a, type="uint64")
        for a in (0, 4, 8)
    ]

    found = requests(wide, max_gap=0, max_registers=6)

    assert [(each.address, each.count) for each in found] == [(0, 4), (4, 4), (8, 4)]


async def test_joined_request_is_parted_where_the_device_has_no_register() -> None:
    """Everything that there is arrives; unwanted registers that are missing are no problem."""
    async with serving(device(1, {0: [1, 2], 6: [7, 8]})) as server:
        result = await read(
            port=server.port, max_gap=10, registers=[register(a) for a in (0, 1, 6, 7)]
        )

    assert values(result) == {"r0": 1, "r1": 2, "r6": 7, "r7": 8}
    assert [asked[2:] for asked in server.asked] == [(0, 8), (0, 2), (6, 2)]
    assert "script_error" not in result


async def test_register_that_is_not_there_is_named_and_leaves_its_neighbours() -> None:
    """The request is parted until the culprit stands alone."""
    async with serving(device(1, {0: [1, 2], 3: [4]})) as server:
        result = await read(port=server.port, registers=[register(a) for a in range(4)])

    assert values(result) == {"r0": 1, "r1": 2, "r3": 4}
    assert result["script_error"] == (
        f"127.0.0.1:{server.port} unit 1: holding 2: refused with 2, illegal data address"
    )


async def test_device_that_takes_few_at_once_is_asked_for_few() -> None:
    """Some say "illegal data value" when asked for more than they can give."""

    async def few(_f: int, _s: int, _address: int, count: int, *_: Any) -> ExcCodes | None:
        return ExcCodes.ILLEGAL_VALUE if count > 2 else None

    async with serving(device(1, action=few)) as server:
        result = await read(port=server.port, registers=[register(a) for a in range(4)])

    assert values(result) == {"r0": 10, "r1": 20, "r2": 30, "r3": 40}


async def test_many_problems_are_told_in_few_words() -> None:
    """A wrong list of registers does not fill the record of the run."""
    async with serving(device(1, {99: [1]})) as server:
        result = await read(port=server.port, registers=[register(a) for a in (*range(9), 99)])

    assert values(result) == {"r99": 1}
    assert result["script_error"].count("illegal") == 5
    assert result["script_error"].endswith("; and 4 more")


async def test_other_refusals_are_told_and_not_repeated() -> None:
    """Illegal function in one table leaves the other tables alone."""

    async def only_holding(function: int, *_: Any) -> ExcCodes | None:
        return None if function == 3 else ExcCodes.ILLEGAL_FUNCTION

    async with serving(device(1, action=only_holding)) as server:
        result = await read(
            port=server.port,
            registers=[register(0), register(5, table="input"), register(1)],
        )

    assert values(result) == {"r0": 10, "r1": 20}
    assert "input 5: refused with 1, illegal function" in result["script_error"]
    assert len(server.asked) == 2


async def test_busy_device_is_asked_again() -> None:
    """Busy is no answer yet."""
    answers = iter([ExcCodes.DEVICE_BUSY, None])

    async def busy(*_: Any) -> ExcCodes | None:
        return next(answers)

    async with serving(device(1, action=busy)) as server:
        result = await read(port=server.port, retries=1, registers=[register(0)])

    assert values(result) == {"r0": 10}
