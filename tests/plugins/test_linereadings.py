"""Lines that are taken apart many at a time give what each of them gives alone."""

from random import Random
from typing import Any

import pytest

from ingestd.plugins._linereadings import PLAIN, LineReadings, readings_of_line
from ingestd.plugins._lines import parsed
from tests.support.linefuzz import Lines

PLAIN_LINES = "\n".join(f"m,id=R{n % 3} kwh={n}.5,n={n}i,value=-1e3 {n}000000000" for n in range(9))


def one_by_one(text: str) -> list[Any]:
    """Return the readings of a text, line by line."""
    found: list[Any] = []
    for number, line in parsed(text):
        if isinstance(line, str):
            found.append((None, "", f"line {number}: {line}"))
        else:
            found += readings_of_line(line, per_second=1e9, now=None)
    return found


@pytest.mark.parametrize("seed", range(40))
def test_together_is_as_one_by_one(seed: int) -> None:
    """Whether a line is met for the first time or not, and whatever stands beside it."""
    chance, made, lines = Random(seed), Lines(seed), LineReadings(1e9)
    pool = [made.line() for _ in range(20)] + PLAIN_LINES.split("\n")
    for _ in range(30):
        text = "\n".join(chance.choices(pool, k=chance.randrange(1, 4)))
        for _ in range(2):
            assert lines.readings(text) == one_by_one(text), text
        alone = [line for line in text.split("\n") if PLAIN.fullmatch(line)]
        if alone:
            assert lines.readings("\n".join(alone)) == one_by_one("\n".join(alone)), alone


@pytest.mark.parametrize(
    "line", ["a time=1 5", "time,time=x v=1 5", "a,b=1,b=2 v=1 5", "a,b= v=1 5", "a v=1,time=2 5",
     "a v=1,w=3,v=2 5"],
)  # fmt: skip
def test_lines_that_only_look_plain(line: str) -> None:
    """Names that mean something else, and heads that are none."""
    lines = LineReadings(1e9)

    assert lines.readings(line) == lines.readings(line) == one_by_one(line)


def test_known_lines_are_taken_together() -> None:
    """The same heads and fields need no second look."""
    lines = LineReadings(1e9)
    first = lines.readings(PLAIN_LINES)

    assert lines._plain(PLAIN.findall(PLAIN_LINES)) == first == one_by_one(PLAIN_LINES)
