"""The pages on series, of a real daemon."""

import json
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.html import ReadHtml

METER: Final = """
    async def run(*, ctx, n=3, of="b", **_):
        now = ctx.now().timestamp()
        values = [(now - 60 * at, 99.5 if at == 1 else 1.0) for at in range(3)]
        return {"readings": [
            (at, f"<b>level {of} {number:03}", value, {"site": "a&b"})
            for number in range(n) for at, value in values
        ]}
"""
CONFIG: Final = """
    stores: {here: {type: embedded, batch: {linger: 10ms}}}
    collectors:
      a: {plugin: meter, every: 1h, params: {n: 250, of: a}}
      b: {plugin: meter, every: 1h}
      dumb: {plugin: dumb, every: 1h}
"""


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon whose readings are in its store."""
    daemon_folder.plugin("meter", METER)
    daemon_folder.plugin("dumb", "async def run(**_): return {}")
    async with daemon_folder.daemon(CONFIG, headers={"Accept": "text/html"}) as running:
        for each in running.daemon.collectors.by_name.values():
            await each.run_now()
        delivery = running.daemon.deliveries.by_store["here"]
        await running.until(lambda: delivery.account.stored == 253 * 3)
        yield running


async def page(it: RunningDaemon, path: str, /, status: int = 200, **query: str) -> ReadHtml:
    """Return a page, and expect that it has no element of anybody else's."""
    answer = await it.ask("GET", path, params=query)
    assert answer.status == status, answer
    found = ReadHtml(answer.body)
    assert "b" not in {tag for tag, _ in found.elements}
    return found


async def test_series_are_found_by_name_and_collector(it: RunningDaemon) -> None:
    """A hundred on a page; each says who gives it, and leads to its chart."""
    everything = await page(it, "/ui/series")
    third = await page(it, "/ui/series", collector="a", page="3")
    one = await page(it, "/ui/series", q="EL B 002", collector="b")
    none = await page(it, "/ui/series", late="true")

    assert "253 found" in everything.text
    assert len([each for each in everything.links if each.startswith("/ui/chart?")]) == 100
    assert len([each for each in third.links if each.startswith("/ui/chart?")]) == 50
    assert "1 found" in one.text
    assert "/ui/collectors/b" in one.links
    assert "No series is like that." in none.text


async def test_collectors_that_have_given_nothing_are_named(it: RunningDaemon) -> None:
    """They have no series that could be in the table."""
    shown = await page(it, "/ui/series")

    assert "These collectors have never given a reading: dumb" in shown.text


async def test_a_late_series_comes_first(it: RunningDaemon) -> None:
    """Before those that are first by name, and alone if only late ones are wanted."""
    watch = it.daemon.collectors.by_name["b"].setup.watch
    key = next(each for each in watch.keys() if each.name.endswith("001"))  # noqa: SIM118
    watch._paces[key].moved -= 3 * 86_400
    watch._late = None

    shown = await page(it, "/ui/series")
    late = await page(it, "/ui/series", late="true")

    first = next(each for each in shown.links if each.startswith("/ui/chart?"))
    assert "level+b+001" in first
    assert "collector=b" in first
    assert "1 found" in late.text


async def test_the_chart_of_a_series(it: RunningDaemon) -> None:
    """Its lowest and highest values are told, and the spans beside it."""
    listed = await page(it, "/ui/series", collector="b")
    address = next(each for each in listed.links if each.startswith("/ui/chart?"))
    shown = await page(it, address)

    assert "<b>level" in shown.text
    assert "highest: 99.5" in shown.text
    assert "lowest: 1" in shown.text
    assert "points: 3" in shown.text
    assert "svg" in {tag for tag, _ in shown.elements}
    assert [each for each in shown.links if "span=30d" in each]


async def test_any_span_can_be_drawn(it: RunningDaemon) -> None:
    """Up to any moment; one without points says so."""
    tags = json.dumps({"site": "a&b"})
    empty = await page(
        it, "/ui/chart", series="<b>level b 001", tags=tags, span="36h", until="1000000000"
    )
    other = await page(it, "/ui/chart", series="<b>level b 001")

    assert "There is nothing in this span." in empty.text
    assert "2001-09-07 13:46:40 UTC" in empty.text
    assert "There is nothing in this span." in other.text


async def test_what_cannot_be_drawn_is_told(it: RunningDaemon) -> None:
    """It is the caller's mistake, and no bug."""
    asked: list[tuple[dict[str, str], int]] = [
        ({}, 400),
        ({"series": "a", "span": "soon"}, 400),
        ({"series": "a", "span": "90000d"}, 400),
        ({"series": "a", "until": "1e300"}, 400),
        ({"series": "a", "until": "nan"}, 400),
        ({"series": "a", "tags": "["}, 400),
        ({"series": "a", "tags": '{"a": 1}'}, 400),
        ({"series": "a", "store": "<b>none"}, 404),
    ]
    for query, status in asked:
        answer = await it.ask("GET", "/ui/chart", params=query)

        assert answer.status == status, query
        assert "<b>" not in answer.body
