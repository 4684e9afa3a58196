"""What an operator may write for the modbus plugin, and how mistakes are told."""

from typing import Any

import pytest

from tests.support.modbus import read, register

ONE = [register(0)]


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"host": None}, "host: expected `host` or `serial`, got neither"),
        ({"serial": "/dev/ttyS0"}, "host: expected `host` or `serial`, got both"),
        ({"port": "502"}, "port: expected a whole number from 1 to 65535, got '502'"),
        ({"framing": "bits"}, "framing: expected tcp or rtu or ascii, got 'bits'"),
        ({"unit": 256}, "unit: expected a whole number from 0 to 255, got 256"),
        ({"max_registers": 126}, "max_registers: expected a whole number from 1 to 125, got 126"),
        (
            {"sunspec": True, "max_registers": 3},
            "max_registers: expected a whole number from 4 to 125, got 3",
        ),
        (
            {"max_registers": 1, "registers": [register(0, type="uint32")]},
            r"registers\[0\].type: expected at most 1 registers \(max_registers\), got 'uint32'",
        ),
        (
            {
                "max_registers": 4,
                "registers": [register(0, type="string", length=5, words={"a": 1})],
            },
            r"registers\[0\].length: expected at most 4 registers \(max_registers\), got 5",
        ),
        ({"max_gap": True}, "max_gap: expected a whole number from 0 to 125, got True"),
        ({"word_order": "ABCD"}, "word_order: expected big or little, got 'ABCD'"),
        ({"nothing": "none"}, "nothing: expected numbers, such as 65535, got 'none'"),
        ({"nothing": {"int15": 1}}, "nothing: expected only uint16, .*, got 'int15'"),
        ({"nothing": {"int16": [None]}}, "nothing.int16: expected numbers, .*, got None"),
        ({"retries": -1}, "retries: expected a whole number of at least 0, got -1"),
        ({"request_timeout": 3}, "request_timeout: expected a duration such as .*, got 3"),
        ({"request_timeout": "0s"}, "request_timeout: expected more than nothing, got '0s'"),
        ({"registers": None}, "registers: expected a list of registers, got None"),
        ({"registers": {"a": 1}}, "registers: expected a list of registers, got {'a': 1}"),
        ({"devices": []}, r"devices: expected a list of devices, got \[\]"),
        ({"devices": ["a"]}, r"devices\[0\]: expected options such as name: …, .* got 'a'"),
        ({"devices": [{"hots": "a"}]}, r"devices\[0\].hots: unknown option; known here: baudrate,"),
        ({"devices": [{"unit": -1}]}, r"devices\[0\].unit: expected a whole .* 0 to 255, got -1"),
        ({"devices": [{"name": ""}]}, r"devices\[0\].name: expected a text, got ''"),
        ({"devices": [{"tags": ["a"]}]}, r"devices\[0\].tags: expected names with texts, got \["),
        (
            {"devices": [{"serial": "/dev/ttyS0", "unit": 0}]},
            r"devices\[0\].unit|unit: expected a whole number from 1 to 247, got 0",
        ),
        (
            {"devices": [{"serial": "/dev/ttyS0", "parity": "E"}]},
            r"devices\[0\].parity: expected none or even or odd, got 'E'",
        ),
        (
            {"devices": [{"name": "a"}, {"name": "a"}], "registers": ONE},
            r"devices\[1\].name: expected another than that of devices\[0\], got 'a'",
        ),
        (
            {"devices": [{"name": "a"}, {"name": "b", "unit": 2}], "registers": ONE},
            r"registers\[0\].series: expected a name that nothing else has .*, got 'r0'",
        ),
        (
            {
                "devices": [
                    {"serial": "/dev/ttyS0", "registers": ONE},
                    {"serial": "/dev/ttyS0", "baudrate": 19200, "registers": [register(1)]},
                ]
            },
            r"devices\[1\].baudrate: expected 9600, as devices\[0\] has it on .*, got 19200",
        ),
    ],
)
async def test_wrong_options_are_told_by_their_path(params: dict[str, Any], told: str) -> None:
    """The message has the path, what was expected and what was got, before anything is asked."""
    with pytest.raises(ValueError, match=f"^{told}"):
        await read(**{"registers": ONE, **params})


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"address": 70_000}, "address: expected a whole number from 0 to 65535, got 70000"),
        ({"address": "40001"}, "address: expected a whole number from 0 to 65535, got '40001'"),
        ({"address": 65_535, "type": "uint32"}, "address: expected at most 65534 for a uint32"),
        ({"series": ""}, "series: expected a text, got ''"),
        ({"series": "{host}_x"}, "series: expected no other field than {device}, got '{host}_x'"),
        ({"series": "{device}_x"}, "series: expected a device with a `name`, got none for"),
        ({"table": "holdings"}, "table: expected holding or input or coil or discrete, got"),
        ({"type": "int9"}, "type: expected uint16 or .*, got 'int9'"),
        ({"bit": 16}, "bit: expected a whole number from 0 to 15, got 16"),
        ({"bit": 0, "type": "float32"}, "bit: expected a type such as uint16, got 'float32'"),
        ({"bit": 0, "bits": [1, 2]}, "bit: expected `bit` or `bits`, got both"),
        ({"table": "coil", "type": "int16"}, "type: expected none, because a coil is one bit"),
        ({"scale": "val / 10"}, "scale: expected a number, got 'val / 10'"),
        ({"offset": float("inf")}, "offset: expected a number, got inf"),
        ({"transform": "val / 10"}, "transform: unknown option; known here: address, bit,"),
        ({"tags": {"a": None}}, "tags: expected names with texts, got {'a': None}"),
    ],
)
async def test_wrong_registers_are_told_by_their_path(entry: dict[str, Any], told: str) -> None:
    """The path has the number of the entry."""
    with pytest.raises(ValueError, match=rf"^registers\[1\]\.{told}"):
        await read(registers=[register(7), {**register(0), **entry}])
