"""One reading from an ordinary function, which runs in a process of its own.

Emits the series that is named by ``series``.
"""

from typing import Any


def run(*, series: str, **_: Any) -> dict[str, Any]:
    """Return a reading."""
    return {"readings": [(None, series, 1.5)]}
