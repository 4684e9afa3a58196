"""Sources whose archives grow while they are read, one for each way in which http_json goes on.

Each has a list of readings from the beginning, but shows only those that have come in so far: one
more with each request, up to a bound that a test raises. What it is asked against its rules is
refused, and noted.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest

from tests.support.deadline import WITHIN
from tests.support.jsonserver import answer_with, serving

MINUTE: Final = 60
MANY: Final = 240  # readings of each series
PAGE: Final = 7
ZONE: Final = ZoneInfo("America/St_Johns")  # west of UTC: what is asked for in UTC skips readings
LOCAL: Final = "%Y-%m-%d %H:%M:%S"
# Half an hour before the hour that comes twice; long ago, so that the source is far behind.
NIGHT: Final = datetime(2024, 11, 3, 0, 30, tzinfo=ZONE).timestamp()
LONGEST: Final = 45 * MINUTE  # of what a source gives at once
LATEST: Final = 20  # by how many readings a value may come later than its time

Query = Mapping[str, str]
RECORDS: Final = {"records": "data", "time": "t", "series": "{id}", "value": "v"}
BY_UNIX: Final = {"since_param": "from", "since_format": "unix"}


class RefusedError(Exception):
    """What was asked is against the rules of the source."""


@dataclass(frozen=True)
class Growing:
    """A source.

    Attributes:
        times: Of all its readings, in Unix seconds, the oldest first.
        series: What it measures.
        params: What the plugin is told of it, but for the address.
        answer: Returns the document for a query, from how many readings have come in.
    """

    times: Sequence[float]
    series: tuple[str, ...]
    params: Mapping[str, Any]
    answer: Callable[[Query, int], Any]

    def readings(self, *, until: float) -> dict[str, dict[int, list[float]]]:
        """Return what a store must hold: for each series, Unix microseconds to values.

        Args:
            until: The latest time, in Unix seconds.
        """
        return {
            series: {
                round(each * 1e6): [value_of(series, number)]
                for number, each in enumerate(self.times)
                if each <= until
            }
            for series in self.series
        }


def value_of(series: str, number: int) -> float:
    """Return the value of a reading, from which series and number can be told."""
    return number + len(series) / 100


def sources(now: float) -> dict[str, Growing]:
    """Return a source of each kind; their readings come from the night, or end now."""
    night = [NIGHT + 1.5 * MINUTE * number for number in range(MANY)]
    begin = now // MINUTE * MINUTE - MINUTE * (MANY + 2 * LONGEST // MINUTE)
    recent = [begin + MINUTE * number for number in range(MANY)]
    # Two windows in its midst have no reading at all.
    broken = [each if each < recent[MANY // 2] else each + 2 * LONGEST for each in recent]
    return {
        "local": in_local_time(night),
        "newest_first": newest_first(recent),
        "oldest_first": oldest_first(recent),
        "windows": in_windows(broken),
        "columns": in_columns(recent),
    }


def in_local_time(times: Sequence[float]) -> Growing:
    """Return a source that takes and gives local times."""

    def answer(query: Query, there: int) -> Any:
        since = NIGHT
        if "from" in query:  # in the hour that comes twice, it takes the later pass
            asked = datetime.strptime(query["from"], LOCAL).replace(tzinfo=ZONE, fold=1)
            since = asked.timestamp()
        found = numbers(times, since, there)
        return records(
            "local", [(f"{datetime.fromtimestamp(times[n], ZONE):{LOCAL}}", n) for n in found]
        )

    zone = {"since_param": "from", "since_format": LOCAL, "timezone": ZONE.key}
    return Growing(times, ("local",), {**RECORDS, **zone}, answer)


def newest_first(times: Sequence[float]) -> Growing:
    """Return a source with numbered pages; each reading that comes moves all others."""

    def answer(query: Query, there: int) -> Any:
        found = numbers(times, float(query.get("from", 0)), there)[::-1]
        skip = PAGE * (int(query["page"]) - 1)
        return records("newest_first", [(times[n], n) for n in found[skip : skip + PAGE]])

    paging = {"paging": {"type": "page", "param": "page"}}
    return Growing(times, ("newest_first",), {**RECORDS, **BY_UNIX, **paging}, answer)


def oldest_first(times: Sequence[float]) -> Growing:
    """Return a source whose pages lead on with a token, in the order of time."""

    def answer(query: Query, there: int) -> Any:
        skip = int(query.get("token", 0))
        found = numbers(times, float(query.get("from", 0)), there)[skip:]
        more = {"token": skip + PAGE} if len(found) > PAGE else {}
        return records("oldest_first", [(times[n], n) for n in found[:PAGE]]) | more

    paging = {"type": "token", "path": "token", "param": "token"}
    params = {**RECORDS, **BY_UNIX, "order": "oldest_first", "paging": paging}
    return Growing(times, ("oldest_first",), params, answer)


def in_windows(times: Sequence[float]) -> Growing:
    """Return a source that wants both ends, close enough to each other; it gives neither."""

    def answer(query: Query, there: int) -> Any:
        since, until = float(query["from"]), float(query["to"])
        if until - since > LONGEST:
            raise RefusedError(f"expected at most {LONGEST} s, got {until - since:g}")
        found = [n for n in numbers(times, since, there) if since < times[n] < until]
        return records("windows", [(times[n], n) for n in found])

    span = {"until_param": "to", "span": f"{LONGEST}s", "lookback": "1d"}
    return Growing(times, ("windows",), {**RECORDS, **BY_UNIX, **span}, answer)


def in_columns(times: Sequence[float]) -> Growing:
    """Return a source with two columns, of which one is null until its values come."""
    late = random.Random("late").choices(range(LATEST), k=len(times))

    def answer(query: Query, there: int) -> Any:
        # At the end what is late comes, too.
        came = there if there < len(times) else there + LATEST
        found = numbers(times, float(query.get("from", 0)), there)
        return {
            "time": [times[n] for n in found],
            "power": [value_of("power", n) for n in found],
            "energy": [value_of("energy", n) if n + late[n] < came else None for n in found],
        }

    shape = {
        "layout": "columns",
        "time": "time",
        "values": {"power": "power", "energy": "energy"},
    }
    return Growing(times, ("power", "energy"), {**shape, **BY_UNIX}, answer)


def numbers(times: Sequence[float], since: float, there: int) -> list[int]:
    """Return the numbers of the readings from a time on that have come in."""
    return [number for number in range(there) if times[number] >= since]


def records(series: str, found: Sequence[tuple[Any, int]]) -> dict[str, Any]:
    """Return readings as records, from time and number of each."""
    return {"data": [{"id": series, "t": t, "v": value_of(series, n)} for t, n in found]}


class GrowingServer(ThreadingHTTPServer):
    """Serves the sources, each at its name.

    Attributes:
        bound: How many readings may come in.
        there: How many have, at each source.
        refused: What was asked against the rules.
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.sources = sources(time.time())
        self.bound = 0
        self.there = dict.fromkeys(self.sources, 0)
        self.refused: list[str] = []
        self._asked = 0
        self._news = threading.Condition()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing when the daemon that asked was killed."""

    def collectors(self, *, every: str) -> dict[str, dict[str, Any]]:
        """Return ``collectors:`` that read every source."""
        host = f"http://127.0.0.1:{self.server_address[1]}"
        return {
            name: {
                "plugin": "http_json",
                "params": {"url": f"{host}/{name}", **source.params},
                "every": every,
            }
            for name, source in self.sources.items()
        }

    def raise_bound(self, bound: int) -> None:
        """Let more readings come in; those up to the last bound have, asked for or not."""
        with self._news:
            self.there = dict.fromkeys(self.sources, self.bound)
            self.bound = bound

    def document(self, name: str, query: Query) -> Any:
        """Return the answer to a query, behind which one more reading comes in."""
        with self._news:
            there = self.there[name]
            self.there[name] = max(there, min(there + 1, self.bound))
            self._asked += 1
            self._news.notify_all()
        return self.sources[name].answer(query, there)

    def wait_for_requests(self, count: int) -> None:
        """Return when so many more requests have come."""
        with self._news:
            wanted = self._asked + count
            assert self._news.wait_for(lambda: self._asked >= wanted, WITHIN), "too few requests"


class Handler(BaseHTTPRequestHandler):
    """Answers requests such as ``/<source>?from=1700000000``."""

    protocol_version = "HTTP/1.1"
    server: GrowingServer

    def do_GET(self) -> None:
        """Answer with what the source has, or refuse."""
        parts = urlsplit(self.path)
        query = {name: texts[-1] for name, texts in parse_qs(parts.query).items()}
        try:
            document = self.server.document(parts.path.strip("/"), query)
        except (RefusedError, LookupError, ValueError) as error:
            self.server.refused.append(f"{self.path}: {error!r}")
            self.send_error(400)
            return
        answer_with(self, document)

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def growing() -> Iterator[GrowingServer]:
    """Give a server of sources without any readings yet."""
    with GrowingServer() as server, serving(server):
        yield server
    assert not server.refused
