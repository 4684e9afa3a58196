"""However the JSON is written and arrives, every element is found once."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestd.plugins.dcs import streaming
from ingestd.plugins.dcs.errors import BodyLost, DcsError, ReadError, SourceFailed

# Texts and keys made of what could mislead a search for the end of an element.
TEXTS: Final = st.text('{}[],:" \\\nä"readings"', max_size=8)
# Longer integers become floats where the short way is taken.
NUMBERS: Final = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
PLAIN: Final = st.none() | st.booleans() | NUMBERS | TEXTS
VALUES: Final = st.recursive(
    PLAIN,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(TEXTS.filter(lambda key: key.lower() != "readings"), inner, max_size=3)
    ),
    max_leaves=5,
)
ELEMENTS: Final = st.lists(st.dictionaries(TEXTS, VALUES, max_size=4), max_size=12)
SIMPLE: Final = [{"timestamp": f"2021-09-20T{hour:02}:00:00Z", "value": 0.5} for hour in range(24)]


@dataclass
class Arriving:
    """A body that arrives in pieces, and may break off.

    Attributes:
        data: What arrives.
        sizes: The sizes of the pieces, over and over.
        breaks: Whether the connection is lost instead of ended.
    """

    data: bytes
    sizes: Sequence[int] = (65_536,)
    breaks: bool = False
    _at: int = field(default=0, init=False)
    _piece: int = field(default=0, init=False)

    @property
    def content(self) -> "Arriving":
        """Return what is read, as an answer does."""
        return self

    async def read(self, size: int) -> bytes:
        """Return the next piece."""
        most = min(size, self.sizes[self._piece % len(self.sizes)])
        self._piece += 1
        piece = self.data[self._at : self._at + most]
        self._at += len(piece)
        if self.breaks and not piece:
            raise aiohttp.ClientPayloadError("not enough data")
        return piece


def parsed(reply: Arriving) -> tuple[list[Any], type[ReadError] | None]:
    """Return the elements that were found, and how it ended."""
    found: list[Any] = []

    async def read() -> None:
        async for chunk in streaming.elements(reply, where="GET here"):  # type: ignore[arg-type]
            found.extend(chunk)

    reading = read()
    try:
        while True:
            reading.send(None)  # it waits for nothing, so it needs no event loop
    except StopIteration:
        return found, None
    except ReadError as caught:
        return found, type(caught)


@settings(deadline=None)
@given(
    elements=ELEMENTS,
    before=st.dictionaries(TEXTS.filter(lambda key: key.lower() != "readings"), PLAIN, max_size=2),
    key=st.sampled_from(["readings", "Readings", "READINGS", None]),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=4),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
def test_elements_are_those_of_the_document(
    *,
    elements: list[Mapping[str, Any]],
    before: dict[str, Any],
    key: str | None,
    sizes: list[int],
    indent: int | None,
    ascii_only: bool,
) -> None:
    """This holds for both forms of an answer, pieces of any size, and braces in odd places."""
    document = elements if key is None else {**before, key: elements, "unit": "}],{"}
    body = json.dumps(document, indent=indent, ensure_ascii=ascii_only).encode()

    assert parsed(Arriving(body, sizes)) == (elements, None)


@pytest.mark.parametrize("number", [-(2**63), 2**63, 2**64, -(2**70), 0.1, 1e300, -2.5e-9])
@pytest.mark.parametrize("spacing", ["", "x" * 200])
def test_numbers_of_any_size_are_read(number: float, spacing: str) -> None:
    """They may stand in readings, and in the rest of an answer, before or behind them."""
    elements = [{"value": number, "of": [number, {"is": spacing}]}]
    document = {"id": number, "readings": elements, "to": number}
    body = json.dumps(document).encode()

    found, error = parsed(Arriving(body, [7]))
    short, _ = parsed(Arriving(json.dumps([{"value": number}, {"value": 0}]).encode(), [20]))

    assert error is None
    assert found == elements
    assert all(type(each["value"]) in {int, float} for each in found)
    assert [float(each["value"]) for each in short] == [float(number), 0.0]


@settings(deadline=None)
@given(
    bare=st.booleans(),
    cut=st.floats(0, 1, exclude_max=True),
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=3),
    breaks=st.booleans(),
)
def test_body_that_breaks_off_is_never_taken_for_a_whole_one(
    *, bare: bool, cut: float, sizes: list[int], breaks: bool
) -> None:
    """Its connection may be lost, or end as if all were well."""
    body = json.dumps(SIMPLE if bare else {"readings": SIMPLE, "unit": "kWh"}).encode()

    found, error = parsed(Arriving(body[: int(len(body) * cut)], sizes, breaks))

    assert error is BodyLost
    assert found == SIMPLE[: len(found)]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"<html>Sign in</html>", DcsError),
        (b'{"details": "none of your business"}', SourceFailed),
        (b'{"readings": null}', SourceFailed),
        (b'{"readings": {"0": 1}}', SourceFailed),
        (b'[{"value": 1} {"value": 2}]', SourceFailed),
        (b'[{"value": NaN}]', SourceFailed),
        (b'{"unit": "' + b"x" * 70_000, SourceFailed),
    ],
)
def test_what_is_no_list_of_readings_is_said_to_be_none(
    body: bytes, error: type[ReadError]
) -> None:
    """Nothing is made of it."""
    found, ended = parsed(Arriving(body))

    assert ended is error
    assert len(found) <= 1


def test_ordinary_elements_take_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but those of the last block, whose end ijson has to see."""
    slow: list[bytes] = []
    plain = streaming.Body.read

    async def read(body: streaming.Body, size: int) -> bytes:
        slow.append(data := await plain(body, size))
        return data

    monkeypatch.setattr(streaming.Body, "read", read)
    many = SIMPLE * 1000
    document = json.dumps({"readings": many, "unit": "kWh"}).encode()

    assert parsed(Arriving(document)) == (many, None)
    assert sum(map(len, slow)) < 2 * streaming.BLOCK
