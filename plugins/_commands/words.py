"""The words of a command: a program and its arguments, and no secret among them."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ingestd.plugins._places import PLACE, places_in
from ingestd.plugins._problems import Problems
from ingestd.plugins._secretnames import find_secrets, in_url, looks_secret

SHORTEST: Final = 4  # characters of a secret that is looked for; shorter ones are met by chance
# ``--password=x``, ``PASSWORD=x`` and ``Authorization: x``.
NAMED: Final = re.compile(r"-{0,2}(?P<name>[A-Za-z][\w.-]*)(?:=|:\s*)(?P<value>.+)", re.DOTALL)
# ``--password``, and what follows is it.
OPTION: Final = re.compile(r"--?(?P<name>[A-Za-z][\w.-]+)")
HINT: Final = "because everyone on the machine can see arguments: use `env` or `stdin`"


def words_of(command: Any, where: str = "command") -> list[str]:
    """Return a command as a list of texts, in which numbers may stand as well.

    Raises:
        ValueError: It is none.
    """
    if isinstance(command, str):
        raise ValueError(  # noqa: TRY004 -- what an operator wrote is a value
            f"{where}: expected a list such as [/usr/bin/meter, --all], or [sh, -c, …] for what "
            "a shell is to read, got a text"
        )
    good = isinstance(command, list | tuple) and command
    if not good or not all(type(each) in {str, int, float} for each in command):
        raise ValueError(f"{where}: expected a list of texts, a program and its arguments")
    words = [str(each) for each in command]
    if not words[0] or any("\0" in each for each in words):
        raise ValueError(f"{where}: expected the name or the path of a program, got nothing")
    return words


def check_words(
    words: Sequence[str], *, known: Collection[str], beside: Mapping[str, Any]
) -> Iterator[str]:
    """Yield what is wrong with the words of a command.

    Args:
        words: The program and its arguments.
        known: The names that may stand in braces.
        beside: Other params, which may hold secrets.
    """
    yield from _program_problems(words[0])
    secrets = [each for each in find_secrets(beside) if len(each) >= SHORTEST]
    for number, word in enumerate(words):
        where = f"command[{number}]"
        try:
            list(places_in(word, where=where, known=known))
        except ValueError as error:
            yield str(error)
        before = OPTION.fullmatch(words[number - 1]) if number else None
        if _tells(word, before, secrets):
            yield f"{where}: expected no secret, {HINT}"


def _program_problems(program: str) -> Iterator[str]:
    """Yield what is wrong with a program that is named by its path."""
    path = Path(program)
    if not path.is_absolute() or PLACE.search(program):
        return
    if not path.is_file():
        got = "a folder" if path.is_dir() else "nothing there"
        yield f"command[0]: expected a program, got {program!r:.200}, {got}"
    elif not path.stat().st_mode & 0o111:
        yield f"command[0]: expected a program, got {program!r:.200}, which may not be executed"


def _tells(word: str, before: re.Match[str] | None, secrets: Sequence[str]) -> bool:
    """Say whether a word of a command is a secret, or has one in it."""
    named = NAMED.fullmatch(word)
    if named is not None and looks_secret(named["name"]) and "://" not in word:
        return True
    if before is not None and looks_secret(before["name"]) and not word.startswith("-"):
        return True
    return bool(in_url(word)) or any(each in word for each in secrets)


def texts_by_name(given: Any, where: str) -> dict[str, str]:
    """Return variables of an environment.

    Raises:
        ValueError: They are none. The message has no value: it may be a secret.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise ValueError(f"{where}: expected a mapping of texts")  # noqa: TRY004 -- likewise
    wrong = [
        f"{where}.{name}: expected a name and a text"
        for name, value in given.items()
        if not isinstance(name, str)
        or not re.fullmatch(r"[^=\0]+", name)
        or type(value) not in {str, int, float}
        or "\0" in str(value)
    ]
    if wrong:
        raise Problems(wrong)
    return {name: str(value) for name, value in given.items()}
