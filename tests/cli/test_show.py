"""How times, sizes and numbers are printed, and tables and JSON."""

import json
import re
from typing import Final

import pytest

from ingestd.cli import show
from ingestd.cli.once import differences
from ingestd.contract.memory import Memory
from ingestd.redaction import Redactor
from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess

ANSI: Final = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("when", "text"),
    [
        (None, "-"),
        (1000.0, "now"),
        (997.0, "3s ago"),
        (1007.0, "in 7s"),
        (1000.0 - 119, "119s ago"),
        (1000.0 - 3600, "60m ago"),
        (1000.0 - 40 * 3600, "40h ago"),
        (1000.0 + 5 * 86400, "in 5d"),
    ],
)
def test_ago_has_about_two_digits(when: float | None, text: str) -> None:
    """A time in a table is read at a glance."""
    assert show.ago(when, now=1000.0) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0s"), (0.0421, "42ms"), (1.4, "1s"), (300.0, "5m")]
)
def test_span_goes_down_to_milliseconds(seconds: float, text: str) -> None:
    """Many runs take less than a second."""
    assert show.span(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (2**31, "2.0 GiB"),
        (250 * 2**20, "250 MiB"),
        (2**60, "1,048,576 TiB"),
    ],
)
def test_size_has_a_unit(count: int, text: str) -> None:
    """Its powers are of 1024, as in the configuration."""
    assert show.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (1234567, "1,234,567"),
        (4.25, "4.25"),
        (84949659650.0, "84,949,659,650"),
        (0.1 + 0.2, "0.3"),
    ],
)
def test_numbers_are_for_people(value: float | None, text: str) -> None:
    """They are rounded; JSON has them exactly."""
    assert show.number(value) == text


def test_no_text_moves_the_cursor() -> None:
    """A series or an error may hold anything."""
    assert show.visible("a\x1b[2Jb\nc") == r"a\x1b[2Jb\nc"
    assert show.clipped("first\nsecond", 60) == "first"
    assert show.clipped("x" * 100, 10) == "xxxxxxx..."


def test_differences_tell_what_came_went_and_changed() -> None:
    """Of what is hidden they tell only that it changed."""
    before = Memory(state={"a": 1, "b": [1], "c": 3}, hidden={"t": "geheimnis"})
    after = Memory(
        state={"a": 2, "c": 3, "d": {"x": "neues"}, "note": "geheimnis"},
        hidden={"t": "neues"},
        masks={"password": "mark"},
    )

    assert differences(before, after, Redactor(["geheimnis"])) == [
        "state:",
        "  - b: [1]",
        "  ~ a: 1 -> 2",
        "  + d: {x: neues}",
        "  + note: '***'",
        "  ~ hidden: 1 key, changed, not shown",
        "  + masked param: password",
    ]
    assert differences(after, after, Redactor()) == ["state: unchanged"]


@pytest.mark.slow  # a process for each command
def test_on_a_terminal_tables_fit_and_have_colours(site: DaemonProcess, cli: CommandLine) -> None:
    """NO_COLOR takes the colours away; in a pipe there are neither."""
    cli("once", "good")
    cli("once", "bad")

    coloured = cli.on_terminal("runs")
    plain = cli.on_terminal("runs", NO_COLOR="1")
    piped = cli("runs")

    assert "\x1b[" in coloured
    assert "\x1b[3" not in plain  # bold may stay
    assert max(len(ANSI.sub("", line)) for line in plain.splitlines()) <= 80
    assert "\x1b" not in piped.out
    assert all(line == line.rstrip() for line in piped.lines)


@pytest.mark.slow  # a process for each command
def test_json_is_for_programs(site: DaemonProcess, cli: CommandLine) -> None:
    """Nothing but JSON goes to standard output, on a terminal too."""
    cli("once", "good")

    shown = cli.on_terminal("runs", "--json")

    assert json.loads(shown)[0]["collector"] == "good"
