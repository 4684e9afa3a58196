"""What plugin authors get for their tests."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestd.errors import ResultError
from ingestd.model import StoredPoint
from ingestd.testing import collect, context, results


def function(*, number: int, **_: Any) -> dict[str, Any]:
    """Be a plugin of the first shape."""
    return {"readings": [(0, "a", number)]}


async def coroutine(*, number: int, ctx: Any, **_: Any) -> dict[str, Any]:
    """Be a plugin of the second shape."""
    ctx.log.info("reading", number=number)
    return {"readings": [(ctx.now().timestamp(), "a", number)]}


async def generator(*, number: int, ctx: Any, **_: Any) -> AsyncIterator[dict[str, Any]]:
    """Be a plugin of the third shape, which would never end."""
    while not ctx.stopping:
        yield {"readings": [(0, "a", number)]}
        await ctx.settled()
        number += 1


async def test_collect_calls_a_function() -> None:
    """What a function returns is the only result."""
    assert await collect(function, number=1) == [{"readings": [(0, "a", 1)]}]


async def test_collect_calls_a_coroutine_with_a_context() -> None:
    """The time and the logs are in the test's hands."""
    async with context(now=datetime(2026, 7, 1, tzinfo=UTC)) as ctx:
        (result,) = await collect(coroutine, number=2, ctx=ctx)

    assert result == {"readings": [(1782864000.0, "a", 2)]}
    assert [(line["event"], line["number"]) for line in ctx.logs] == [("reading", 2)]


async def test_stream_is_read_as_long_as_the_test_wants() -> None:
    """Closing the results closes the plugin."""
    seen = []
    async with aclosing(results(generator, number=1)) as found:
        async for result in found:
            seen += result["readings"]
            if len(seen) == 3:
                break

    assert [value for _, _, value in seen] == [1, 2, 3]


async def test_stream_ends_when_told_to_stop() -> None:
    """A plugin that looks at ``ctx.stopping`` ends by itself."""
    async with context() as ctx, aclosing(results(generator, number=1, ctx=ctx)) as found:
        await anext(found)
        ctx.stop()
        rest = [result async for result in found]

    assert rest == []


async def test_result_that_the_daemon_refuses_is_an_error() -> None:
    """A plugin's own tests find what could not be kept."""
    with pytest.raises(ResultError, match="expected text, numbers"):
        await collect(lambda: {"open_file": object()})


async def test_query_finds_stored_points() -> None:
    """A derived series is tested with the points that the test has stored."""
    async with context(now=datetime(2026, 7, 1, tzinfo=UTC)) as ctx:
        ctx.stored = [
            StoredPoint("a", {"site": "x"}, "reading", "value", 1_782_000_000_000_000, 1.0),
            StoredPoint("a", {"site": "y"}, "reading", "value", 1_782_000_000_000_000, 2.0),
        ]
        found = await ctx.query("a", start=datetime(2026, 6, 1, tzinfo=UTC), tags={"site": "y"})

    assert found == [(1_782_000_000.0, "a", 2.0, {"site": "y"})]


async def test_what_is_kept_at_once_is_in_the_hands_of_the_test() -> None:
    """What the daemon would refuse is refused here."""
    async with context() as ctx:
        ctx.keep_hidden({"token": "x"}, delete_params=["code"])
        with pytest.raises(ResultError, match=r"hidden\.token: cannot be kept"):
            ctx.keep_hidden({"token": object()})

    assert ctx.kept == [{"hidden": {"token": "x"}, "delete_params": ["code"], "readings": []}]
