"""A data logger as BMON's are: a queue on disk, posted until the answer is 200.

What it was told is safe, it forgets; so what it was told must be true.
"""

import json
import sqlite3
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.daemonprocess import eventually
from tests.support.deadline import WITHIN
from tests.support.source import FIRST, value_of

PATIENCE: Final = 5.0  # seconds for one request
PAUSE: Final = 0.05  # seconds before the next attempt; the real ones begin with 15
MOST: Final = 25  # readings in a request


class Poster:
    """Measures all the time and posts what it has measured, oldest first.

    Args:
        folder: Where its queue is.
        url: Where it posts.
        series: What it measures.

    Attributes:
        measured: How many readings there are.
        forgotten: The number of the last reading that it was told is safe.
        answers: What was answered instead of 200, if anything was.
    """

    def __init__(self, folder: Path, url: str, series: str) -> None:
        self.measured = self.forgotten = 0
        self.answers: list[str] = []
        self._path, self._url, self._series = folder / f"{series}.db", url, series
        with closing(sqlite3.connect(self._path)) as db:
            db.execute("CREATE TABLE queue (number INTEGER PRIMARY KEY)")
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._measure),
            threading.Thread(target=self._post),
        ]

    @contextmanager
    def posting(self) -> Iterator[None]:
        """Measure until the block ends, and post until the queue is empty."""
        for thread in self._threads:
            thread.start()
        try:
            yield
            self._stopping.set()
            eventually(lambda: self.forgotten == self.measured, what="an empty queue")
        finally:
            self._stopping.set()
            self.measured = max(self.forgotten, 0)  # lets the thread end in any case
            for thread in self._threads:
                thread.join()

    def _measure(self) -> None:
        with closing(sqlite3.connect(self._path, timeout=WITHIN)) as db:
            while not self._stopping.wait(0.01):
                with db:
                    for number in range(self.measured + 1, self.measured + 4):
                        db.execute("INSERT INTO queue VALUES (?)", (number,))
                self.measured += 3

    def _post(self) -> None:
        with closing(sqlite3.connect(self._path, timeout=WITHIN)) as db:
            while not (self._stopping.is_set() and self.forgotten >= self.measured):
                rows = db.execute("SELECT number FROM queue ORDER BY number LIMIT ?", (MOST,))
                numbers = [number for (number,) in rows]
                if not numbers or not self._send(numbers):
                    self._stopping.wait(PAUSE)
                    continue
                with db:
                    db.execute("DELETE FROM queue WHERE number <= ?", (numbers[-1],))
                self.forgotten = numbers[-1]

    def _send(self, numbers: Sequence[int]) -> bool:
        readings = [[FIRST + n, self._series, value_of(n)] for n in numbers]
        body: dict[str, Any] = {"storeKey": "k", "readings": readings}
        request = urllib.request.Request(
            self._url, json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                text = reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                self.answers.append(f"{error.code} {error.read().decode()}")
            return False
        except OSError:
            return False
        assert text == f"{len(numbers)} readings stored successfully, 0 rejected."
        return True
