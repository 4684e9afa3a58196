"""The types of numbers that the modbus plugin knows besides those of every processor."""

from typing import Any

import pytest

from tests.support.modbus import device, read, register, serving, values

pytestmark = pytest.mark.usefixtures("idle_time")


@pytest.mark.parametrize(
    ("options", "words", "value"),
    [
        ({"type": "uint48"}, [0x0001, 0x0000, 0x0002], 2**32 + 2),
        ({"type": "uint48", "word_order": "little"}, [0x0002, 0x0000, 0x0001], 2**32 + 2),
        ({"type": "int48"}, [0xFFFF, 0xFFFF, 0xFFFE], -2),
        ({"type": "uint8"}, [0x12FE], 0xFE),
        ({"type": "int8"}, [0x12FE], -2),
        ({"type": "uint8", "byte_order": "little"}, [0x12FE], 0x12),
        ({"type": "bcd16"}, [0x1234], 1234),
        ({"type": "bcd32", "scale": 0.5}, [0x0012, 0x3456], 61_728),
        ({"type": "bcd32", "word_order": "little"}, [0x3456, 0x0012], 123_456),
        ({"type": "bcd64"}, [0x1234, 0x5678, 0x9012, 0x3456], 1_234_567_890_123_456),
        ({"type": "bcd16"}, [0x12AB], "12ab (not decimal digits)"),
        ({"bits": [4, 7]}, [0x0AB0], 0xB),
        ({"bits": [0, 15]}, [0xFFFF], 0xFFFF),
        ({"type": "uint32", "bits": [16, 17]}, [0x0002, 0xFFFF], 2),
        ({"type": "enum16"}, [0xFFFF], None),
        ({"type": "enum16"}, [7], 7),
        ({"type": "bitfield32", "bit": 31}, [0x8000, 0], 1),
        ({"type": "acc32"}, [0, 0], None),
        ({"type": "acc32", "nothing": []}, [0, 0], 0),
        ({"type": "float32", "nothing": float("nan")}, [0x7FC0, 0], None),
        ({"type": "int64", "nothing": -1}, [0xFFFF] * 4, None),
        ({"type": "int32", "nothing": -0x8000_0000}, [0x8000, 0], None),
    ],
)
async def test_numbers(options: dict[str, Any], words: list[int], value: Any) -> None:
    """What is no number is given as it is, and the daemon counts it as unusable."""
    async with serving(device(1, {8: words})) as server:
        result = await read(port=server.port, registers=[register(8, **options)])

    assert values(result) == {"r8": value}


@pytest.mark.parametrize(
    ("text", "value"),
    [(b"RUN\0\0\0\0\0", 1), (b"stop    ", 0), (b"21.5\0xyz", 21.5), (b"?\0\0\0\0\0\0\0", "?")],
)
async def test_texts_have_numbers(text: bytes, value: Any) -> None:
    """A word, whatever its case, or a number; another word is none."""
    words = [int.from_bytes(text[n : n + 2], "big") for n in range(0, 8, 2)]
    async with serving(device(1, {8: words})) as server:
        result = await read(
            port=server.port,
            registers=[register(8, type="string", length=4, words={"run": 1, "stop": 0})],
        )

    assert values(result) == {"r8": value}


@pytest.mark.parametrize("behind", [True, False])
@pytest.mark.parametrize(
    ("power", "value"), [(-2, 34.56), (0, 3456), (2, 345_600), (-0x8000, None), (11, None)]
)
async def test_power_of_ten_is_read_together_with_its_value(
    power: int, value: float | None, *, behind: bool
) -> None:
    """Both come in one answer, whichever stands first, with what lies between."""
    low, high = (3456, power & 0xFFFF) if behind else (power & 0xFFFF, 3456)
    at, of = (8, 12) if behind else (12, 8)
    async with serving(device(1, {8: [low, 0, 0, 0, high]})) as server:
        result = await read(port=server.port, registers=[register(at, type="int16", scale_from=of)])

    assert values(result) == {f"r{at}": value}
    assert [asked[2:] for asked in server.asked] == [(8, 5)]


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"bits": [7, 4]}, r"bits: expected the lowest and the highest bit, .*, got \[7, 4\]"),
        (
            {"bits": [0, 16]},
            "bits: expected the lowest and the highest bit, such as .*, at most 15",
        ),
        ({"type": "bcd16", "bit": 1}, "bit: expected a type such as uint16, got 'bcd16'"),
        (
            {"type": "string", "words": {}},
            "length: expected a whole number from 1 to 100, got None",
        ),
        ({"type": "string", "length": 4}, "words: expected words and their numbers, such as"),
        ({"length": 4}, "length: expected none but of a string"),
        ({"words": {"a": 1}}, "words: expected none but of a string"),
        ({"scale_from": 200}, "scale_from: expected a register that can be read together with 0"),
        ({"scale_from": -1}, "scale_from: expected a whole number from 0 to 65535, got -1"),
    ],
)
async def test_wrong_options_are_told(entry: dict[str, Any], told: str) -> None:
    """Before anything is asked."""
    with pytest.raises(ValueError, match=rf"registers\[0\]\.{told}"):
        await read(registers=[register(0, **entry)])
