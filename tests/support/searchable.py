"""When VictoriaMetrics finds what it has accepted.

It accepts rows into memory, and makes them searchable once a second, in the background.
``/internal/force_flush`` does so at once, but only for rows that wait: it returns while
rows that the background has already taken are still being made searchable, which takes
long on a busy machine (version 1.79.5). Where its goroutines are tells when that is over.
"""

import time
import urllib.request
from typing import Final

from tests.support.deadline import WITHIN

TRIES: Final = 2000
PAUSE: Final = 0.01  # seconds between two tries
# On the stack of the code that turns rows into a part that can be searched, from the moment
# it takes them.
AT_WORK: Final = (b"flushRawRows", b"flushRowsToParts", b"flushRowsToInmemoryParts")


def make_searchable(url: str) -> None:
    """Return once a VictoriaMetrics finds every point that it has accepted so far."""
    _get(f"{url}/internal/force_flush")
    for _ in range(TRIES):
        stacks = _get(f"{url}/debug/pprof/goroutine?debug=2")
        if not any(name in stacks for name in AT_WORK):
            return
        time.sleep(PAUSE)
    raise AssertionError(f"{url}: expected an end of its flush within {TRIES} tries, got none")


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=WITHIN) as reply:
        body: bytes = reply.read()
        return body
