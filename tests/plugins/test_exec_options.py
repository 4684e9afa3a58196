"""What may stand in a command, and what may not."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.plugins import exec as commands
from ingestd.plugins import execd

NONE: Final = {"format": "none"}
RUN: Final = {"format": "run"}
SHAPE: Final = {"series": "s", "value": "v", "time": "t"}


@pytest.mark.parametrize(
    "words",
    [
        ["--password=x"],
        ["--api-key", "x"],
        ["-token", "x"],
        ["PASSWORD=x", "prog"],
        ["-H", "Authorization: Bearer x"],
        ["https://user:pass@example.org/"],
        ["https://example.org/?token=x"],
        ["prefix-hunter22"],
    ],
)
def test_secrets_among_arguments_are_refused(words: list[str]) -> None:
    """By the name that they stand under, in addresses, and what stands elsewhere as a secret."""
    params: dict[str, Any] = {"command": ["prog", *words], "env": {"PASSWORD": "hunter22"}}

    (found,) = commands.check(**params, **NONE)

    assert "expected no secret" in found
    assert execd.check(**params) == [found]
    assert "hunter22" not in found


@pytest.mark.parametrize(
    "words",
    [
        ["--keyboard=x"],
        ["--password-file", "/etc/x"],
        ["--token-file=/etc/x"],
        ["--password", "--verbose"],
        ["https://example.org/?meter=7"],
        ["https://example.org/token=x"],
        ["--from={since}", "{until:%Y-%m-%d}", "{last:unix}", "{{print}}", "{a b}", "$x {}"],
    ],
)
def test_other_arguments_are_not(words: list[str]) -> None:
    """Files with secrets may be named, and braces are letters unless they hold one name."""
    params: dict[str, Any] = {"command": ["prog", *words], "lookback": "1d"}

    assert commands.check(**params, **NONE) == []


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ({"command": "ls -l"}, "command: expected a list such as"),
        ({"command": [["ls"]]}, "command: expected a list of texts"),
        ({"command": [""]}, "command: expected the name"),
        ({"command": ["/no/such/program"]}, "command[0]: expected a program, got"),
        ({"command": ["/etc/passwd"]}, "may not be executed"),
        ({"command": ["/etc"]}, "a folder"),
        ({"command": ["a", "{x}"]}, "command[1]: expected {since}, {until} or {last}, or {{x}} to"),
        ({"command": ["a", "{since}"]}, "lookback: expected"),
        (
            {
                "command": ["a", "{since}"],
                "format": "jsonstat",
                "lookback": "1d",
                "series": "s",
                "value": "value",
            },
            "time: expected beside {since}",
        ),
        ({"command": ["a"], "stdin": "{x}"}, "stdin: expected {since}"),
        ({"command": ["a"], "env": {"A=B": "x"}}, "env.A=B: expected a name and a text"),
        ({"command": ["a"], "env": {"A": [1]}}, "env.A: expected a name and a text"),
        ({"command": ["a"], "cwd": "here"}, "cwd: expected the full path"),
        ({"command": ["a"], "series": "s"}, "series: means nothing with format: none"),
        ({"command": ["a"], "initial": {"a": 1}}, "initial: means nothing but with format: run"),
        ({"command": ["a"], "exit_codes": {300: "ok"}}, "exit_codes.300: expected a status"),
        ({"command": ["a", "{y}"], **RUN, "initial": {"x": 1}}, "command[1]: expected {x}, or"),
        ({"command": ["a", "{x:%Y}"], **RUN, "initial": {"x": 1}}, "without a notation"),
        ({"command": ["a"], **RUN, "value": "v"}, "value: means nothing with format: run"),
        ({"command": ["a"], "format": "value"}, "series: expected the name of the value's"),
        ({"command": ["a"], "format": "influx", "tags": {}, "time": "t"}, "time: means nothing"),
    ],
)
def test_what_is_wrong_is_told(params: dict[str, Any], told: str) -> None:
    """Each is told with what would be right."""
    found = commands.check(**{**NONE, **params})

    assert any(told in each for each in found), found


@pytest.mark.parametrize(
    ("params", "told"),
    [
        (NONE, ["command: expected {since} in it for a backfill, or in stdin, got none"]),
        (RUN, ["backfills: expected true, from a command that reads from start to end"]),
        ({**RUN, "backfills": True}, []),
        ({"command": ["a", "{since}"], "format": "json", "lookback": "1d", **SHAPE}, []),
    ],
)
def test_a_past_that_cannot_be_asked_for_is_refused(
    params: dict[str, Any], told: list[str]
) -> None:
    """When a backfill is asked for, and not before."""
    given = {"command": ["a"], **params}
    start = datetime(2026, 7, 1, tzinfo=UTC)

    assert commands.check(**given) == []
    assert commands.check(**given, start=start, end=start) == told


def test_a_program_that_is_there_is_taken(tmp_path: Path) -> None:
    """By its full path."""
    program = tmp_path / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)

    assert commands.check(command=[str(program)], cwd=str(tmp_path), **NONE) == []
