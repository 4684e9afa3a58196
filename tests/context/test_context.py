"""What a plugin gets as ctx."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ingestd.config.model import EmbeddedStore
from ingestd.context.context import Receipts
from ingestd.context.lent import Stopping
from ingestd.contract.functioncontext import FunctionContext
from ingestd.contract.memory import Memory
from ingestd.errors import PluginError, QueryError
from ingestd.model import Receipt, Series, StoredPoint
from ingestd.sinks.embedded import EmbeddedSink
from tests.support.clock import settle
from tests.support.collecting import site
from tests.support.deadline import WITHIN


class FromFile:
    """Reads back from an embedded store."""

    def __init__(self, sink: EmbeddedSink) -> None:
        self.sink = sink

    async def read(
        self, series: str, *, start_us: int, end_us: int, tags: Mapping[str, str]
    ) -> list[StoredPoint]:
        """Return the points of one series."""
        return await self.sink.read(series, start_us=start_us, end_us=end_us, tags=dict(tags))


def receipt() -> tuple[Receipt, list[str]]:
    """Return a receipt for one point, and a list that grows with every hurry."""
    hurries: list[str] = []
    return Receipt(1, stores=1, hurry=lambda: hurries.append("hurry")), hurries


async def test_query_reads_points_back_from_the_store(tmp_path: Path) -> None:
    """A derived series gets the points from start to before end that carry all the tags."""
    sink = EmbeddedSink(EmbeddedStore(name="main", path=tmp_path / "readings.db"))
    series, other = Series("level", tags=(("site", "a"),)), Series("level", tags=(("site", "b"),))
    body = sink.encode(
        [(series, 1_700_000_000_000_001, 1.0), (series, 1_700_000_001_000_000, 2.0),
         (series, 1_700_000_002_000_000, 3.0), (other, 1_700_000_001_000_000, 4.0)]
    ).body  # fmt: skip
    assert body is not None
    await sink.write(body.data)
    async with site(tmp_path, reader=FromFile(sink)) as here:
        collector = await here.start(
            """
            from datetime import UTC, datetime
            async def run(*, ctx, **_):
                found = await ctx.query(
                    "level",
                    start=datetime(2023, 11, 14, 22, 13, 20, 1, tzinfo=UTC),
                    end=datetime(2023, 11, 14, 22, 13, 22, tzinfo=UTC),
                    tags={"site": "a"},
                )
                until_now = await ctx.query("level", start=datetime(2000, 1, 1, tzinfo=UTC))
                return {"found": found, "count": len(until_now)}
            """
        )
        (record,) = await here.ran()

        assert record.error == ""
        assert collector.committer.memory.state == {
            "found": [
                (1_700_000_000.000001, "level", 1.0, {"site": "a"}),
                (1_700_000_001.0, "level", 2.0, {"site": "a"}),
            ],
            "count": 4,
        }
    await sink.close()


async def test_query_that_fails_is_the_plugins_to_catch(tmp_path: Path) -> None:
    """Uncaught, it fails the run in the store's words."""

    class Broken:
        async def read(self, *_: object, **__: object) -> list[StoredPoint]:
            raise QueryError("http://store: HTTP 500")

    async with site(tmp_path, reader=Broken()) as here:
        await here.start(
            """
            from datetime import UTC, datetime
            async def run(*, ctx, **_):
                await ctx.query("level", start=datetime(2000, 1, 1, tzinfo=UTC))
            """
        )
        (record,) = await here.ran()

        assert (record.outcome, record.error) == ("failed", "QueryError: http://store: HTTP 500")


async def test_query_without_a_store_finds_nothing(tmp_path: Path) -> None:
    """A plugin in a dry run meets an empty store."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, ctx, **_):
                return {"found": await ctx.query("level", start=ctx.now())}
            """
        )
        await here.ran()

        assert collector.committer.memory.state == {"found": []}


async def test_now_is_aware_and_the_daemons(tmp_path: Path) -> None:
    """Plugins that use it can be tested in any year."""
    async with site(tmp_path) as here:
        collector = await here.start("async def run(*, ctx, **_):\n    return {'at': ctx.now()}\n")
        await here.ran()

        assert collector.committer.memory.state == {
            "at": datetime(2023, 11, 14, 22, 13, 30, tzinfo=UTC)
        }


async def test_time_left_is_that_of_the_collector(tmp_path: Path) -> None:
    """A run that knows it can end in time; a scheduled one has five minutes if nobody says."""
    plugin = "async def run(*, ctx, **_):\n    return {'left': ctx.time_left()}\n"
    async with site(tmp_path) as here:
        limited = await here.start(plugin, timeout=1000.0)
        usual = await here.start(plugin, name="usual")
        await here.ran()
        await here.ran(name="usual")

        assert 300 < limited.committer.memory.state["left"] <= 1000
        assert 0 < usual.committer.memory.state["left"] <= 300


async def test_hidden_is_kept_although_readings_wait_and_the_run_is_cancelled(
    tmp_path: Path,
) -> None:
    """A token that comes at the last moment is on disk; the position is not ahead of the data."""
    async with site(tmp_path, grace=1.0) as here:
        here.store_up.clear()
        collector = await here.start(
            """
            import asyncio
            async def run(*, ctx, code=None, **_):
                yield {"readings": [(1700000000, "level", 1)], "position": 5}
                try:
                    await asyncio.sleep(1000)
                finally:
                    ctx.keep_hidden({"token": "wonderful"}, delete_params=["code"])
            """,
            params={"code": "once"},
        )
        await here.until(lambda: bool(collector.committer.memory.state))
        await here.remove()
        async with asyncio.timeout(WITHIN):
            while not (kept := await here.on_disk()).hidden:
                await here.clock.drive(here.clock.sleep(0.1))

        assert (kept.state, kept.hidden) == ({}, {"token": "wonderful"})
        assert list(kept.masks) == ["code"]
        assert collector.committer.memory.state == {"position": 5}
        assert here.services.redactor.text("a wonderful day", owner=collector.name) == "a *** day"


async def test_what_was_kept_is_the_runs_own(tmp_path: Path) -> None:
    """What it returns afterwards replaces it, and forgets what is not in there."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            async def run(*, ctx, token="old", **_):
                ctx.keep_hidden({"token": "new", "other": 1})
                return {"hidden": {"token": token}}
            """
        )
        await here.ran()

        assert collector.committer.memory.hidden == {"token": "old"}


async def test_what_cannot_be_kept_is_an_error_of_the_plugin(tmp_path: Path) -> None:
    """It leaves the memory as it was."""
    async with site(tmp_path) as here:
        collector = await here.start(
            "async def run(*, ctx, **_):\n    ctx.keep_hidden({'token': object()})\n    return {}\n"
        )
        (record,) = await here.ran()

        assert "hidden.token: cannot be kept" in record.error
        assert collector.committer.memory == Memory()


def test_function_gives_what_it_hides_with_its_result() -> None:
    """An ordinary function learns why it cannot have this."""
    with pytest.raises(PluginError, match="keep_hidden needs `async def run`"):
        FunctionContext(lambda *_: None).keep_hidden({"token": "x"})


SHARING = """
class Server:
    def __init__(self, url):
        self.url, self.visits = url, 0
async def run(*, ctx, url, **_):
    server = ctx.shared(Server, url)
    server.visits += 1
    return {"visits": server.visits, "url": server.url}
"""


async def test_collectors_share_what_they_ask_for_by_the_same_key(tmp_path: Path) -> None:
    """A server has one object, however many collectors there are and however often they run."""
    async with site(tmp_path) as here:
        here.plugins.write("probe", SHARING)
        for name, url in (("one", "a"), ("two", "a"), ("three", "b")):
            await here.restart(name, plugin="probe", params={"url": url})
            await here.ran(name=name)

        visits = {
            name: each.committer.memory.state["visits"]
            for name, each in here.collectors.by_name.items()
        }
        runs = {name: len(here.ended(name)) for name in visits}
        assert visits["three"] == runs["three"]
        assert max(visits["one"], visits["two"]) == runs["one"] + runs["two"]


async def test_new_version_of_a_plugin_shares_nothing_with_the_old(tmp_path: Path) -> None:
    """Its objects may be of another shape."""
    async with site(tmp_path) as here:
        collector = await here.start(SHARING, params={"url": "a"})
        await here.ran(2)
        here.plugins.write("probe", SHARING + "# edited\n")
        await here.ran(3)

        assert collector.committer.memory.state["visits"] == 1


async def test_revisits_are_given_to_a_plugin_that_declares_them(tmp_path: Path) -> None:
    """They are durations, or None where the operator has not said any."""
    async with site(tmp_path) as here:
        collector = await here.start(
            """
            def run(*, revisit, revisit_full, **_):
                return {"days": [each and each.days for each in (revisit, revisit_full)]}
            """,
            revisit=7 * 86400.0,
        )
        await here.ran()

        assert collector.committer.memory.state == {"days": [7, None]}


async def test_stopping_is_a_flag_and_an_event() -> None:
    """A stream may look at it, or wait for it."""
    event = asyncio.Event()
    stopping = Stopping(event)
    waiting = asyncio.create_task(stopping.wait())
    assert not stopping

    event.set()

    await asyncio.wait_for(waiting, WITHIN)
    assert stopping


async def test_settled_waits_for_all_receipts_and_hurries_the_open_ones() -> None:
    """Those that are settled are forgotten."""
    receipts = Receipts()
    some = [receipt() for _ in range(3)]
    for each, _ in some:
        receipts.add(each)
    some[1][0].settle(1)
    waiting = asyncio.create_task(receipts.settled())
    await settle()
    assert not waiting.done()

    some[0][0].settle(1)
    await settle()
    assert not waiting.done()
    some[2][0].settle(1)

    await asyncio.wait_for(waiting, WITHIN)
    assert [len(hurries) for _, hurries in some] == [1, 0, 1]


async def test_run_waits_until_few_enough_of_its_points_are_open() -> None:
    """Those that are settled count no longer, and the oldest open one is hurried."""
    receipts = Receipts()
    some = [receipt() for _ in range(4)]
    for each, _ in some:
        receipts.add(each)
    some[0][0].settle(1)
    await asyncio.wait_for(receipts.at_most(3), WITHIN)
    waiting = asyncio.create_task(receipts.at_most(1))
    await settle()
    some[1][0].settle(1)
    await settle()
    assert not waiting.done()

    some[2][0].settle(1)

    await asyncio.wait_for(waiting, WITHIN)
    assert receipts.points == 1
    assert [len(hurries) for _, hurries in some] == [0, 1, 1, 0]


@pytest.mark.timeout(WITHIN)
@pytest.mark.slow  # tens of thousands of receipts
def test_receipts_of_a_long_stream_are_few_in_memory() -> None:
    """A stream yields for years; and adding one is quick however many are open."""
    receipts = Receipts()
    still_open = [receipt()[0] for _ in range(20_000)]
    for each in still_open:
        receipts.add(each)
    for each in still_open:
        each.settle(1)
    receipts.add(receipt()[0])

    assert len(receipts._open) == 1
