"""Paths at the daemon's own address: which are its own, and which a plugin may answer.

Imported by its full name, so that a copy of a plugin works in any folder. The daemon
decides by this, too.
"""

import re
from typing import Any, Final

PREFIX: Final = re.compile(r"(/[A-Za-z0-9._~-]+)+")
# What the daemon answers itself, now or in a later version.
OURS: Final = frozenset(
    {"api", "metrics", "livez", "readyz", "healthz", "openapi.json", "static", "ui"}
)


def is_ours(path: str) -> bool:
    """Say whether a path is one that the daemon answers itself, or might."""
    first = path.split("/")[1:2]
    return first in ([], [""]) or first[0] in OURS


def prefix_problem(prefix: Any) -> str:
    """Say why a plugin cannot answer below a path, or nothing."""
    if not isinstance(prefix, str) or not PREFIX.fullmatch(prefix):
        return f"expected a path such as /push, got {prefix!r:.80}"
    if is_ours(prefix):
        return f"expected a path that the daemon does not answer itself, got {prefix!r}"
    return ""
