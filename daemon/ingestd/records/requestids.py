"""The numbers of requested runs as people see them: ``r-17``, to tell them from those of runs."""

import re
from typing import Final

_ID: Final = re.compile(r"r-([1-9][0-9]{0,15})")


def request_id(number: int) -> str:
    """Return the number of a requested run as people see it."""
    return f"r-{number}"


def number_of(text: str) -> int | None:
    """Return the number that people mean, or None if no requested run can have that one."""
    found = _ID.fullmatch(text)
    return int(found[1]) if found else None
