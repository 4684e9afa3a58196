"""What can be done on pages, in a real daemon: each asks first, then acts and leads on."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest

from ingestd.delivery import deadletters
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.html import ReadHtml
from tests.support.pageforms import act, form, send
from tests.support.requesting import GATED, begun, ended_id

COUNTS: Final = """
    async def run(*, n=0, **_): return {"readings": [(n, "level", n)], "n": n + 1}
"""
PAST: Final = """
    async def run(*, start=None, end=None, **_): return {"readings": [(60, "level", 1)]}
"""
CONFIG: Final = """
    stores: {here: {type: embedded}}
    collectors:
      m: {plugin: counts, every: 876000h}
      past: {plugin: past, every: 876000h}
      slow: {plugin: gated, every: 876000h, params: {gate: GATE}}
      off: {plugin: counts, every: 1h, enabled: false}
"""


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    """Return the file that the slow collector waits for."""
    return tmp_path / "gate"


@pytest.fixture
async def it(daemon_folder: DaemonFolder, gate: Path) -> AsyncIterator[RunningDaemon]:
    """Run a daemon whose collectors run when they are asked to."""
    for name, text in (("counts", COUNTS), ("past", PAST), ("gated", GATED)):
        daemon_folder.plugin(name, text)
    async with daemon_folder.daemon(CONFIG.replace("GATE", str(gate))) as running:
        yield running


async def shown(it: RunningDaemon, path: str) -> ReadHtml:
    """Return a page."""
    answer = await it.ask("GET", path, headers={"Accept": "text/html"})
    assert answer.status == 200, answer
    return ReadHtml(answer.body)


async def test_a_page_asks_before_anything_is_done(it: RunningDaemon) -> None:
    """To look at it, however often, does nothing."""
    for _ in range(2):
        page = await shown(it, "/ui/act/run?collector=m")

    assert "Run m now?" in page.text
    assert await it.get("runs", requested="true") == []


async def test_a_collector_is_run_now_and_its_position_moves(it: RunningDaemon) -> None:
    """The form leads to the run; the box that keeps what it remembers is ticked at first."""
    answer = await act(it, "/ui/act/run?collector=m")
    done = await ended_id(it, "r-1")

    assert (answer.status, answer.headers["Location"]) == (303, "/ui/runs/r-1")
    assert (done["status"], done["commit"]) == ("SUCCESS", True)
    assert (await it.get("state/m"))["state"] == {"n": 1}


async def test_a_run_leaves_the_position_alone_if_that_is_wanted(it: RunningDaemon) -> None:
    """The box is not ticked."""
    await act(it, "/ui/act/run?collector=m", commit="")
    done = await ended_id(it, "r-1")

    assert (done["status"], done["commit"]) == ("SUCCESS", False)
    assert (await it.get("state/m"))["state"] == {}


async def test_a_form_that_is_sent_twice_asks_for_one_run(it: RunningDaemon) -> None:
    """A double click, or a page that is sent again; opened again or changed it asks anew."""
    given = await form(it, "/ui/act/run?collector=m")
    answers = [await send(it, "/ui/act/run", given) for _ in range(2)]
    other = await act(it, "/ui/act/run?collector=m")
    del given["commit"]
    changed = await send(it, "/ui/act/run", given)

    assert [each.headers["Location"] for each in answers] == ["/ui/runs/r-1"] * 2
    assert other.headers["Location"] == "/ui/runs/r-2"
    assert changed.headers["Location"] == "/ui/runs/r-3"


async def test_a_requested_run_is_cancelled(it: RunningDaemon, gate: Path) -> None:
    """Its page leads there while it has not ended, and no longer."""
    await act(it, "/ui/act/run?collector=slow")
    await begun(gate)
    before = await shown(it, "/ui/runs/r-1")
    answer = await act(it, "/ui/act/cancel-run?id=r-1")
    after = await shown(it, "/ui/runs/r-1")

    assert answer.headers["Location"] == "/ui/runs/r-1"
    assert (await it.get("runs/r-1"))["status"] == "CANCELLED"
    assert "/ui/act/cancel-run?id=r-1" in before.links
    assert "/ui/act/cancel-run?id=r-1" not in after.links


async def test_the_past_is_read_anew(it: RunningDaemon) -> None:
    """Between times as people write them, and the collector's page shows how far it is."""
    answer = await act(it, "/ui/act/backfill?collector=past", start="2020-01-01", end="2020-01-02")
    done = await it.daemon.backfills.ended(1)
    page = await shown(it, "/ui/collectors/past")

    assert answer.headers["Location"] == "/ui/collectors/past"
    assert done is not None
    assert done.spans == ((1577836800.0, 1577923200.0),)
    assert "Backfills" in page.text


async def test_times_that_are_none_are_refused(it: RunningDaemon) -> None:
    """The page says what was expected."""
    given = await form(it, "/ui/act/backfill?collector=past")
    wrong = {("yesteryear", "now"): 400, ("9e9d", "now"): 400, ("", "now"): 400, ("1d", "2d"): 422}
    for (start, end), status in wrong.items():
        answer = await send(it, "/ui/act/backfill", {**given, "start": start, "end": end})

        assert (start, answer.status, "expected" in answer.body) == (start, status, True)
    assert await it.get("backfills") == []


async def test_a_backfill_is_cancelled(it: RunningDaemon) -> None:
    """The overview and the collector's page lead there."""
    await it.post("backfills", {"collector": "past", "spans": [[0, 1.7e9]], "rate": 1e-6})
    links = [(await shown(it, path)).links for path in ("/", "/ui/collectors/past")]
    answer = await act(it, "/ui/act/cancel-backfill?id=1")

    assert all("/ui/act/cancel-backfill?id=1" in each for each in links)
    assert answer.headers["Location"] == "/ui/collectors/past"
    assert (await it.get("backfills/1"))["status"] == "cancelled"


async def test_a_state_is_reset(it: RunningDaemon) -> None:
    """The collector forgets it."""
    await it.post("collectors/m/run")
    before = (await it.get("state/m"))["state"]
    answer = await act(it, "/ui/act/reset?collector=m")

    assert (answer.status, answer.headers["Location"]) == (303, "/ui/collectors/m")
    assert (before, (await it.get("state/m"))["state"]) == ({"n": 1}, {})


async def test_dead_letters_are_sent_again_or_deleted(it: RunningDaemon) -> None:
    """Those of one store; what a former store refused can only be deleted."""
    rows = [("here", 5.0, "odd", b"x"), ("gone", 5.0, "odd", b"x")]
    await it.daemon.database.write(partial(deadletters.insert, rows=rows))
    page = await shown(it, "/ui/stores")
    answers = [
        await act(it, "/ui/act/purge?store=gone"),
        await act(it, "/ui/act/retry?store=here"),
        await act(it, "/ui/act/purge?store=here"),
    ]

    links = [each for each in page.links if "/act/" in each]
    assert links == [f"/ui/act/{each}" for each in WANTED]
    assert [each.headers["Location"] for each in answers] == ["/ui/stores"] * 3
    assert await it.get("dead-letters") == []


WANTED: Final = ("purge?store=gone", "retry?store=here", "purge?store=here")


NOT_THERE: Final = (
    *(f"/ui/act/{each}?collector=none" for each in ("run", "backfill", "reset")),
    *(f"/ui/act/cancel-run?id={each}" for each in ("r-9", "9", "x")),
    "/ui/act/cancel-backfill?id=9",
    "/ui/act/retry?store=none",
    "/ui/act/nothing",
)


async def test_what_is_not_there_cannot_be_asked_about(it: RunningDaemon) -> None:
    """The page says so."""
    for path in NOT_THERE:
        answer = await it.ask("GET", path, headers={"Accept": "text/html"})

        assert (path, answer.status, "Not Found" in answer.body) == (path, 404, True)


async def test_a_disabled_collector_offers_nothing(it: RunningDaemon) -> None:
    """It has no runs to ask for, and whoever asks all the same is told."""
    page = await shown(it, "/ui/collectors/off")
    answer = await act(it, "/ui/act/run?collector=off")

    assert [each for each in page.links if "/act/" in each] == []
    assert answer.status == 409
