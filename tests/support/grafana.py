"""What Grafana would do with the dashboards: fill in variables, ask the store, read the answer.

Each store answers in its own way; here an answer is a list of lines, as a chart draws them.
"""

import json
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import urlopen

from tests.support.deadline import WITHIN

FOLDER: Final = Path(__file__).parents[2] / "conf" / "grafana"
BOARDS: Final = sorted(path.name for path in (FOLDER / "dashboards").glob("*.json"))
MACHINES: Final = [name for name in BOARDS if name.startswith("machine-")]
VARIABLE: Final = re.compile(r"\$\{(\w+)\}|\$(\w+)")
RANGE: Final = 600  # seconds that a chart shows
STEP: Final = 10

Json = Mapping[str, Any]
Variables = Mapping[str, str]


@dataclass(frozen=True)
class Line:
    """One line of a chart, or one number.

    Attributes:
        labels: What tells it from the others.
        values: All but the missing ones.
    """

    labels: Mapping[str, str]
    values: list[float]


@dataclass(frozen=True)
class Source:
    """A data source of Grafana.

    Attributes:
        ask: Returns the lines of a panel's query.
        choices: Returns what the query of a variable offers.
    """

    ask: Callable[[Json, Variables], list[Line]]
    choices: Callable[[Json, Variables], list[str]]


def load(name: str) -> Any:
    """Return a dashboard."""
    return json.loads((FOLDER / "dashboards" / name).read_text())


def variables(board: Json) -> dict[str, Any]:
    """Return a dashboard's variables by name."""
    return {each["name"]: each for each in board["templating"]["list"]}


def targets(board: Json) -> Iterator[tuple[str, Json]]:
    """Yield every query with the name of its panel."""
    for panel in board["panels"]:
        for target in panel["targets"]:
            yield f"{panel['title']} {target['refId']}", target


def filled(text: str, chosen: Variables) -> str:
    """Put variables and macros in; an unknown one is an error."""
    now_ms = int(time.time() * 1000)
    from_ms = now_ms - RANGE * 1000
    values = {
        "timeFilter": f"time >= {from_ms}ms and time <= {now_ms}ms",
        "__from": str(from_ms),
        "__to": str(now_ms),
        "__interval": f"{STEP}s",
        "__interval_ms": str(STEP * 1000),
        "__rate_interval": "4m",
        **chosen,
    }
    return VARIABLE.sub(lambda found: values[found[1] or found[2]], text)


def defaults(board: Json) -> dict[str, str]:
    """Return what the variables are when the dashboard is opened."""
    return {
        name: each["allValue"] if each.get("includeAll") else each["current"]["value"]
        for name, each in variables(board).items()
    }


def prometheus(url: str) -> Source:
    """Return a server that answers as Prometheus does."""

    def ask(target: Json, chosen: Variables) -> list[Line]:
        query = filled(target["expr"], chosen)
        now = int(time.time())
        if target["instant"]:
            found = fetched(f"{url}/api/v1/query", query=query, time=now)
        else:
            start = now - RANGE
            asked = {"query": query, "start": start, "end": now, "step": STEP, "nocache": 1}
            found = fetched(f"{url}/api/v1/query_range", **asked)
        return [
            Line(each["metric"], [float(v) for _, v in each.get("values", [each.get("value")])])
            for each in found["data"]["result"]
        ]

    def choices(variable: Json, chosen: Variables) -> list[str]:
        query = filled(variable["query"]["query"], chosen)
        match = re.fullmatch(r"label_values\((.+), (\w+)\)", query)
        assert match, query
        asked = {"match[]": match[1], "start": int(time.time()) - RANGE}
        found: list[str] = fetched(f"{url}/api/v1/label/{match[2]}/values", **asked)["data"]
        return found

    return Source(ask, choices)


def influxql(url: str, database: str) -> Source:
    """Return a database of InfluxDB 1."""

    def series(query: str) -> list[Any]:
        (result,) = fetched(f"{url}/query", db=database, epoch="ms", q=query)["results"]
        assert "error" not in result, result
        return list(result.get("series", ()))

    def ask(target: Json, chosen: Variables) -> list[Line]:
        return [
            Line(each.get("tags", {}), [v for _, v in each["values"] if v is not None])
            for each in series(filled(target["query"], chosen))
        ]

    def choices(variable: Json, chosen: Variables) -> list[str]:
        return [
            value
            for each in series(filled(variable["query"], chosen))
            for _, value in each["values"]
        ]

    return Source(ask, choices)


def sqlite(path: Path) -> Source:
    """Return a file of the embedded store."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
            plan = db.execute(f"EXPLAIN QUERY PLAN {query}").fetchall()
            # Charts are drawn again and again, and the history is long.
            assert not [step for *_, step in plan if "SCAN readings" in step], plan
            return db.execute(query).fetchall()

    def ask(target: Json, chosen: Variables) -> list[Line]:
        found = rows(filled(target["rawQueryText"], chosen))
        if target["queryType"] == "table":
            return [Line({}, [value for (value,) in found if value is not None])]
        assert target["timeColumns"] == ["time"]
        # What the plugin makes lines of: in the order of time, once for each name.
        times = [at for at, _, _ in found]
        assert times == sorted(times)
        assert len({(at, name) for at, name, _ in found}) == len(found)
        assert all(time.time() - RANGE - STEP <= at <= time.time() for at in times)
        names = {name for _, name, _ in found}
        return [Line({"name": n}, [v for _, name, v in found if name == n]) for n in names]

    def choices(variable: Json, chosen: Variables) -> list[str]:
        return [value for (value,) in rows(filled(variable["query"], chosen))]

    return Source(ask, choices)


def fetched(url: str, **query: Any) -> Any:
    """Return the JSON that a server answers."""
    with urlopen(f"{url}?{urlencode(query)}", timeout=WITHIN) as reply:
        return json.load(reply)
