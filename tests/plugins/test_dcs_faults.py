"""The dcs plugin when servers, networks and accounts fail it."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ingestd import tasks
from ingestd.clock import SystemClock
from ingestd.plugins._backoff import Backoff
from ingestd.plugins.dcs import DcsError, collecting, reading, run, session
from ingestd.plugins.dcs.endpoint import Endpoint
from ingestd.testing import TestContext, collect, context, results
from tests.support.dcs import FakeDcs, faults
from tests.support.dcsreading import (
    NOW,
    Result,
    at,
    complaint,
    params,
    patient,
    read,
    state,
    stored,
    used,
)
from tests.support.pipeline import until

SIGNED_IN = ("current", "legacy")
SINCE = at("2024-03-01")


class Impatient(SystemClock):
    """The real time, but nobody sleeps."""

    async def sleep(self, _seconds: float) -> None:
        """Let the others run."""
        await asyncio.sleep(0)


async def outcome(
    dcs: FakeDcs, api: str = "current", *, ctx: TestContext | None = None, **more: Any
) -> tuple[list[Result], str]:
    """Return the results of a run that fails, and what it says."""
    dcs.now = NOW
    found: list[Result] = []
    if ctx is None:
        async with context(now=NOW) as fresh:
            return await outcome(dcs, api, ctx=fresh, **more)
    try:
        async for each in results(run, ctx=ctx, **params(dcs, api, **more)):
            found.append(each)  # noqa: PERF401 -- what came before the error counts
    except DcsError as error:
        return found, str(error)
    pytest.fail("expected a run that fails")


# --- who may not


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_wrong_password_says_who_could_not_sign_in(dcs: FakeDcs, api: str) -> None:
    """Neither the password nor any result comes of it."""
    found, said = await outcome(dcs, api, password="hush-hush")

    assert found == []
    assert re.search(r"expected to be signed in as 'reader', got 40[01] .*incorrect", said)
    assert "hush" not in said


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_rights_missing_for_everything_fails_the_run(dcs: FakeDcs, api: str) -> None:
    """A list that is refused says so."""
    dcs.fail(403, times=0, match="meters", text='{"details": "Your profile does not allow this"}')

    found, said = await outcome(dcs, api)

    assert found == []
    assert "meters: expected 200, got 403 Forbidden: 'Your profile does not allow this'" in said
    assert not dcs.signed_in


@pytest.mark.parametrize("api", SIGNED_IN)
@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("kind", ["meters", "virtualMeters"])
async def test_list_of_one_kind_that_is_refused_leaves_the_other(
    dcs: FakeDcs, api: str, kind: str, status: int
) -> None:
    """An account may have rights for registers and none for virtual meters, or none to list."""
    dcs.fail(status, times=0, match=f"/{kind}$")

    everything = await read(dcs, api, since=SINCE)
    named = await read(dcs, api, registers=["R733", "VM9", "*"], since=SINCE)

    lost = "R" if kind == "meters" else "VM"
    for found in (everything, named):
        assert set(state(found)) == {
            each for each in dcs.campus.ids if not each.startswith(lost)
        } - ({"VM10"} if api == "legacy" else set())
        assert f"{kind}: expected 200, got {status}" in complaint(found)
    assert ("R733: expected the id" in complaint(named)) == (kind == "meters")
    assert ("VM9: expected the id" in complaint(named)) == (kind != "meters")
    assert not dcs.signed_in or status == 401  # which disowns a sign-in that was good


async def test_list_that_is_refused_where_no_other_is_wanted_fails_the_run(dcs: FakeDcs) -> None:
    """There is nothing to read."""
    dcs.fail(403, times=0, match="/virtualMeters$")

    found, said = await outcome(dcs, registers=["VM9"], since=SINCE)

    assert found == []
    assert "virtualMeters: expected 200, got 403" in said


async def test_list_that_the_server_fails_to_give_fails_the_run(dcs: FakeDcs) -> None:
    """That passes; the run would say instead that half of its sources are gone."""
    dcs.fail(500, times=0, match="/virtualMeters$")

    found, said = await outcome(dcs, since=SINCE)

    assert found == []
    assert "virtualMeters: expected 200, got 500" in said


async def test_rights_missing_for_all_sources_fails_the_run(dcs: FakeDcs) -> None:
    """As if there were nothing to read."""
    dcs.rules.refused = {"R733": 403, "R741": 403}

    found, said = await outcome(dcs, registers=["R733", "R741"], since=SINCE)

    assert state(found) == {}
    assert "R741 (Boiler house: Active Energy (import)): expected readings, got 403" in said


@pytest.mark.parametrize("api", SIGNED_IN)
@pytest.mark.parametrize("status", [400, 403, 404])
async def test_one_bad_register_keeps_nobody_waiting(dcs: FakeDcs, api: str, status: int) -> None:
    """The others are read, their positions move, and the run says whom it could not read."""
    dcs.rules.refused = {"R733": status}

    found = await read(dcs, api, registers=["R733", "R741", "VM9"], since=SINCE)

    assert set(state(found)) == {"R741", "VM9"}
    assert f"R733 (Library: Active Energy (import)): expected readings, got {status}" in complaint(
        found
    )


async def test_list_of_bad_registers_is_bounded(dcs: FakeDcs) -> None:
    """A campus of them would fill the page."""
    found = await read(dcs, registers=["R733", *(f"R{n}" for n in range(1, 60))], since=SINCE)

    assert "and 54 more" in complaint(found)
    assert len(complaint(found)) < 600


async def test_certificate_that_nobody_trusts(tmp_path: Path) -> None:
    """It is told; and trusted if the operator says whom to trust."""
    async with FakeDcs(tls=True) as dcs:
        found, said = await outcome(dcs)
        assert dcs.ca is not None
        dcs.ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        async with patient(ca_file=tmp_path / "ca.pem") as ctx:
            trusting = await collect(run, ctx=ctx, **params(dcs, registers=["R733"], since=SINCE))

    assert found == []
    assert "certificate verify failed" in said
    assert len(stored(trusting)["dcs_R733_half_hour"]) > 600


@pytest.mark.parametrize("api", ["current", "legacy", "public"])
@pytest.mark.parametrize("status", [200, 302])
async def test_login_page_in_place_of_the_server(dcs: FakeDcs, api: str, status: int) -> None:
    """No redirect is followed, and what came instead is shown."""
    dcs.add(faults.login_page(status))

    found, said = await outcome(dcs, api)

    assert found == []
    assert "<!DOCTYPE html>" in said
    assert ("got 302 Found to http://127.0.0.1:" in said) == (status == 302)
    assert "returnUrl" not in said


@pytest.mark.parametrize("location", ["http://[::1", "http://h:port/", "//h:99999/?token=hush"])
async def test_redirect_to_what_is_no_address(dcs: FakeDcs, location: str) -> None:
    """It is told like any other, as far as it can be."""
    dcs.fail(302, match="signin", text="-", headers={"Location": location})

    found, said = await outcome(dcs)

    assert found == []
    assert "expected to be signed in as 'reader', got 302 Found to an address that is none" in said
    assert "hush" not in said


async def test_login_page_in_place_of_readings(dcs: FakeDcs) -> None:
    """What was read before it counts."""
    dcs.add(faults.login_page(match="R741"))

    found, said = await outcome(dcs, registers=["R733", "R741"], since=SINCE)

    assert "expected JSON, got '<!DOCTYPE html>" in said
    assert state(found) == {"R733": at("2024-03-15T12:00")}
    assert not dcs.signed_in


async def test_nobody_at_that_address(dcs: FakeDcs) -> None:
    """A server that is away is told as such."""
    found, said = await outcome(dcs, url="http://127.0.0.1:9/DCSWebApi")

    assert found == []
    assert re.search(r"POST http://127.0.0.1:9/DCSWebApi/authentication/signin: .* none", said)


# --- signing in and out


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_sign_in_that_expires_is_renewed_once(dcs: FakeDcs, api: str) -> None:
    """In the middle of a run, for whichever request it comes."""
    dcs.rules.cookie_requests = 3

    found = await read(dcs, api, registers=["R733", "R741", "R740"], since=SINCE, max_window="5d")

    asked = [each.status for each in dcs.asked_for("readings")]
    assert asked.count(200) == 9
    assert asked.count(401) == 3
    assert all(a != 401 or b == 200 for a, b in pairwise(asked))
    assert len(dcs.asked_for("sign")) + len(dcs.asked_for("log")) == 5
    assert complaint(found) == ""


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_request_that_stays_unauthorised_is_not_repeated_for_ever(
    dcs: FakeDcs, api: str
) -> None:
    """One more sign-in, and no more."""
    dcs.fail(401, times=0, match="readings")

    _, said = await outcome(dcs, api, registers=["R733"], since=SINCE)

    assert "expected 200, got 401" in said
    assert len(dcs.asked_for("readings")) == 2
    assert len(dcs.asked_for("signin")) + len(dcs.asked_for("login")) == 2
    assert len(dcs.signed_in) == 1  # which the server had said not to know


def huge(count: int) -> list[bytes]:
    """Return the body of an answer with so many readings, in many pieces."""
    first = at("1970-01-01")
    pieces = [b'{"readings":[']
    for begin in range(0, count, 500):
        some = [
            {"timestamp": f"{first + timedelta(minutes=30 * n):%Y-%m-%dT%H:%M:%SZ}", "value": n}
            for n in range(begin, min(begin + 500, count))
        ]
        text = ",".join(map(json.dumps, some))
        pieces.append(f"{',' if begin else ''}{text}".encode())
    return [*pieces, b'],"name":"Library"}']


def long_answer(dcs: FakeDcs) -> dict[str, Any]:
    """Prepare an answer that takes long; return the params to ask for it."""
    dcs.now, dcs.huge, dcs.rules.gzip, dcs.rules.pause = NOW, huge(80_000), False, 0.001
    return params(dcs, registers=["R733"], since="1970-01-01", max_window="20000d", values="total")


@pytest.mark.slow
async def test_left_in_the_middle_of_an_answer_it_signs_out(dcs: FakeDcs) -> None:
    """As the daemon leaves a generator that it has no more use for."""
    asking = long_answer(dcs)
    async with context(now=NOW) as ctx, aclosing(results(run, ctx=ctx, **asking)) as found:
        first = await anext(found)

    (asked,) = dcs.asked_for("readings")
    assert not asked.whole
    assert len(first["readings"]) == 2000
    assert not dcs.signed_in
    assert dcs.overlaps == []


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_cancelled_while_it_waits_it_signs_out(dcs: FakeDcs, api: str) -> None:
    """As the daemon does at a deadline, or when its grace is over."""
    dcs.now = NOW
    dcs.fail(match="readings", delay=30)
    async with context(now=NOW) as ctx, asyncio.TaskGroup() as group:
        running = group.create_task(collect(run, ctx=ctx, **params(dcs, api, since=SINCE)))
        await until(lambda: bool(dcs.asked_for("readings")))
        assert dcs.signed_in
        running.cancel()

    assert not dcs.signed_in
    assert dcs.overlaps == []


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_cancelled_while_it_signs_in_it_signs_out(dcs: FakeDcs, api: str) -> None:
    """The server has let it in, though the answer has not come to its end."""
    dcs.now, dcs.rules.pause = NOW, 0.3
    async with context(now=NOW) as ctx, asyncio.TaskGroup() as group:
        running = group.create_task(collect(run, ctx=ctx, **params(dcs, api, since=SINCE)))
        await until(lambda: len(ctx.http.cookie_jar) > 0)
        assert dcs.signed_in
        running.cancel()

    assert len(dcs.asked) == 2
    assert not dcs.signed_in


async def drain(found: AsyncIterator[Result]) -> None:
    """Take all that is left."""
    async for _ in found:
        pass


@pytest.mark.slow
@pytest.mark.parametrize("registers", [["R733"], ["R733", "R741"]])
async def test_cancelled_while_others_keep_the_server_it_signs_out_beside_them(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch, registers: list[str]
) -> None:
    """Neither waiting to leave nor waiting to read on may keep a door open."""
    monkeypatch.setattr(session, "TURN_PATIENCE", 0.05)
    monkeypatch.setattr(collecting, "ENOUGH", 0)
    dcs.now = NOW
    async with AsyncExitStack() as stack:
        ctx = await stack.enter_async_context(context(now=NOW))
        other = await stack.enter_async_context(context(now=NOW, beside=ctx))
        asking = params(dcs, registers=registers, since=SINCE)
        mine = await stack.enter_async_context(aclosing(results(run, ctx=ctx, **asking)))
        await anext(mine)
        long = aclosing(results(run, ctx=other, **long_answer(dcs)))
        theirs = await stack.enter_async_context(long)
        await anext(theirs)
        assert len(dcs.signed_in) == 2

        waiting = asyncio.create_task(drain(mine))
        await asyncio.wait([waiting], timeout=0.02)
        assert waiting.cancel()
        await asyncio.wait([waiting])

        assert waiting.cancelled()
        assert len(dcs.signed_in) == 1


def test_signing_out_is_over_before_the_daemon_gives_up() -> None:
    """Which would log that a plugin does not end."""
    assert session.PATIENCE < tasks.ABANDONED - 0.5


async def test_server_is_free_before_anybody_waits_for_the_store(dcs: FakeDcs) -> None:
    """While a result is stored, another collector reads."""
    dcs.now, dcs.huge = NOW, huge(10_000)
    asking = params(dcs, registers=["R733"], since="1970-01-01", max_window="20000d")
    async with (
        context(now=NOW) as ctx,
        context(now=NOW, beside=ctx) as other,
        aclosing(results(run, ctx=ctx, **asking)) as mine,
    ):
        await anext(mine)
        assert dcs.asked_for("readings")[0].whole
        async with asyncio.timeout(5):
            theirs = await collect(run, ctx=other, **asking)

    assert sum(len(each["readings"]) for each in theirs) == 10_000


async def test_stopping_ends_a_run_early_but_no_backfill(dcs: FakeDcs) -> None:
    """A normal run goes on later; the end of a backfill says that all has been read."""
    dcs.now = NOW
    async with context(now=NOW) as ctx:
        ctx.stop()
        found = await collect(run, ctx=ctx, **params(dcs, since=SINCE))
        filled = await collect(run, ctx=ctx, **params(dcs, start=SINCE, end=NOW))

    assert list(state(found)) == ["R733"]
    assert len(stored(filled)) == 7
    assert not dcs.signed_in


# --- limits


@pytest.mark.slow
@pytest.mark.parametrize("api", ["current", "public", "legacy"])
async def test_range_limit_shrinks_the_windows(dcs: FakeDcs, api: str) -> None:
    """It is found out once, and remembered for all sources."""
    rules = dcs.rules
    rules.private_range_days = rules.public_range_days = rules.legacy_range_days = 31

    found = await read(dcs, api, registers=["R733", "R741"], since="2023-01-01")

    asked = [each.status for each in dcs.asked_for("readings")]
    assert asked.count(400) == 3  # of 220, 110 and 55 days
    assert asked[:3] == [400] * 3
    assert stored(found)["dcs_R733_half_hour"] == used(dcs.readings("R733", at("2023-01-01"), NOW))
    assert complaint(found) == ""


async def test_limit_below_a_period_is_the_registers_problem(dcs: FakeDcs) -> None:
    """A month cannot be cut; what was learnt of it is not held against others."""
    dcs.rules.private_range_days = 20

    found = await read(
        dcs, registers=["R733", "R734"], period="month", since="2024-01-01", revisit=timedelta()
    )

    assert "R733" in complaint(found)
    assert "exceeds the maximum range of 20 days" in complaint(found)
    assert "R734" in state(found)


@pytest.mark.slow
async def test_rate_limit_is_kept_to_as_it_is_told(dcs: FakeDcs) -> None:
    """Nobody asks while nothing remains, so nobody is refused."""
    dcs.rules.private_rate, dcs.rules.rate_window = 3, 0.2

    found = await read(dcs, registers=["R733", "R734", "R740"], since=SINCE)

    assert dcs.rate_refusals == 0
    assert len(dcs.asked_for("readings")) == 3
    assert complaint(found) == ""


@pytest.mark.parametrize("retry_after", ["{}s", "{}", ""])
async def test_too_many_requests_are_repeated_when_the_server_says(
    dcs: FakeDcs, retry_after: str
) -> None:
    """Another program has used up the limit that all share."""
    dcs.now, dcs.rules.retry_after = NOW, retry_after
    said = {"Retry-After": retry_after.format(0)} if retry_after else {}
    dcs.fail(
        429,
        times=2,
        match="readings",
        text='{"details": "Too many", "backOffSuggestion": 0}',
        headers={"Content-Type": "application/json", **said},
    )

    async with patient() as ctx:
        found = await collect(run, ctx=ctx, **params(dcs, registers=["R733"], since=SINCE))

    assert [each.status for each in dcs.asked_for("readings")] == [429, 429, 200]
    assert complaint(found) == ""


async def test_server_that_wants_to_be_left_alone_for_long_ends_the_run(dcs: FakeDcs) -> None:
    """Better than to sleep in it; the next run goes on from there."""
    dcs.now = NOW
    dcs.fail(429, times=0, match="R741", headers={"Retry-After": "3000s"})

    async with patient() as ctx:
        found, said = await outcome(dcs, ctx=ctx, registers=["R733", "R741"], since=SINCE)

    assert "expected 200, got 429" in said
    assert set(state(found)) == {"R733"}


@pytest.mark.parametrize("retries", [0, 3])
@pytest.mark.parametrize("match", ["signin", "readings"])
async def test_pause_that_a_body_asks_for_holds_for_everybody(
    dcs: FakeDcs, match: str, retries: int
) -> None:
    """Nobody else asks meanwhile, and people are told what the server says."""
    dcs.now = NOW
    dcs.fail(
        429,
        times=0,
        match=match,
        text='{"details": "Too many of you", "backOffSuggestion": 100}',
        headers={"Content-Type": "application/json"},
    )

    async with patient(retries=retries) as ctx:
        _, said = await outcome(dcs, ctx=ctx, registers=["R733"], since=SINCE)
        pause = ctx.shared(Endpoint, dcs.current_url, "private").pause

    assert "got 429 Too Many Requests: 'Too many of you'" in said
    assert 95 < pause < 101
    assert not dcs.signed_in


@pytest.mark.parametrize("status", [502, 503, 504])
async def test_server_that_is_away_in_passing_is_asked_again(dcs: FakeDcs, status: int) -> None:
    """A restart of its application takes some seconds."""
    dcs.now = NOW
    dcs.fail(status, times=3, match="readings")

    async with patient(clock=Impatient()) as ctx:
        found = await collect(run, ctx=ctx, **params(dcs, registers=["R733"], since=SINCE))

    assert [each.status for each in dcs.asked_for("readings")] == [status] * 3 + [200]
    assert complaint(found) == ""


# --- answers that break off


@pytest.mark.parametrize("api", SIGNED_IN)
@pytest.mark.parametrize("gzip", [True, False])
async def test_answer_that_breaks_off_goes_on_where_it_ended(
    dcs: FakeDcs, api: str, *, gzip: bool
) -> None:
    """Without gaps, and without reading again what has been read."""
    dcs.rules.gzip = gzip
    for cut in (20_000, 5_000, 40):
        dcs.fail(match="readings", cut=cut)

    found = await read(dcs, api, registers=["R733"], since="2023-06-01")

    starts = [
        datetime.fromisoformat(each.query.get("startTime") or each.query["start"])
        for each in dcs.asked_for("readings")
    ]
    assert len(starts) == 4
    assert starts[0] < starts[1] < starts[2] == starts[3]
    wanted = used(dcs.readings("R733", at("2023-06-01"), NOW))
    assert stored(found)["dcs_R733_half_hour"] == wanted
    assert state(found) == {"R733": at("2024-03-15T12:00")}


async def test_answer_that_always_breaks_off_fails_the_run(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a few attempts without any progress."""
    monkeypatch.setattr(reading, "BACKOFF", Backoff(first=0.0, longest=0.0))
    dcs.fail(match="readings", cut=40, times=0)

    found, said = await outcome(dcs, registers=["R733"], since=SINCE)

    assert "the answer broke off" in said
    assert len(dcs.asked_for("readings")) == reading.MOST_BREAKS + 1
    assert state(found) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"details": "none"}', 'expected an array of readings, got \'{"details": "none"}\''),
        ('{"readings": null}', "expected an array of readings"),
        ('{"readings": [{"timestamp": "2024-03-01T00:00:00Z", "value": NaN}]}', "expected JSON"),
    ],
)
async def test_answer_without_readings_is_that_sources_problem(
    dcs: FakeDcs, text: str, message: str
) -> None:
    """As long as others have better ones."""
    dcs.fail(200, match="R733", times=0, text=text)

    found = await read(dcs, registers=["R733", "R741"], since=SINCE)

    assert message in complaint(found)
    assert set(state(found)) == {"R741"}


async def test_fault_of_the_server_at_one_register_is_told(dcs: FakeDcs) -> None:
    """Some answer 500 for a single value that is no number."""
    dcs.fail(500, match="R733", times=0)

    found = await read(dcs, registers=["R733", "R741"], since=SINCE)

    assert "R733 (Library: Active Energy (import)): expected readings, got 500" in complaint(found)
    assert set(state(found)) == {"R741"}


async def test_fault_of_the_server_at_all_registers_fails_the_run(dcs: FakeDcs) -> None:
    """Nobody asks thousands of registers in vain: three, and the one that was read last."""
    dcs.fail(500, match="readings", times=0)
    known: dict[str, Any] = {"VM9": at("2024-03-15T12:00"), "R742": at("2024-03-14")}

    _, said = await outcome(dcs, since=SINCE, **known)

    assert "3 sources in a row failed" in said
    asked = [(each.query["id"], each.query["startTime"]) for each in dcs.asked_for("readings")]
    assert len(asked) == 4
    assert asked[-1] == ("VM9", "2024-03-15T12:00:00Z")


@pytest.mark.parametrize("known", [{}, {"R741": at("2024-03-15T11:30")}])
async def test_neighbours_that_fail_do_not_stop_those_behind_them(
    dcs: FakeDcs, known: dict[str, Any]
) -> None:
    """As long as another source gives readings, the server works."""
    failing = ["R733", "R734", "R740", "VM9"]
    dcs.fail(500, match=f"id=({'|'.join(failing)})&", times=0)

    found = await read(dcs, registers=[*failing, "R741", "R742"], since=SINCE, **known)

    assert set(state(found)) == {"R741", "R742"}
    assert all(each in complaint(found) for each in failing)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody wait before a backfill asks again."""
    monkeypatch.setattr(collecting, "AGAIN", (0.0, 0.0))


@pytest.mark.usefixtures("hasty")
async def test_backfill_asks_again_for_what_failed_in_passing(dcs: FakeDcs) -> None:
    """When it has all the others, and twice; then all is there."""
    dcs.fail(500, match="R733", times=2)

    found = await read(dcs, registers=["R733", "R741", "VM9"], start=SINCE, end=at("2024-03-02"))

    assert complaint(found) == ""
    asked = [each.query["id"] for each in dcs.asked_for("readings")]
    assert asked == ["R733", "R741", "VM9", "R733", "R733"]
    assert stored(found)["dcs_R733_half_hour"] == used(
        dcs.readings("R733", SINCE, at("2024-03-02"))
    )


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", [500, 403])
async def test_backfill_goes_on_without_what_always_fails(dcs: FakeDcs, fault: int) -> None:
    """And says so: a chunk that is never done would keep all behind it from being read."""
    dcs.fail(fault, match="R733", times=0)

    found = await read(dcs, registers=["R733", "R741"], start=SINCE, end=at("2024-03-02"))

    assert f"got {fault}" in complaint(found)
    assert set(stored(found)) == {"dcs_R741_half_hour"}


@pytest.mark.usefixtures("hasty")
async def test_backfill_of_one_register_goes_on_past_what_it_does_not_give(dcs: FakeDcs) -> None:
    """If the server gives its newest reading, it is not the server that fails."""
    dcs.fail(500, match="startTime=2024-03-01", times=0)
    window: dict[str, Any] = {"registers": ["R733"], "start": SINCE, "end": at("2024-03-02")}

    found = await read(dcs, **window, R733=at("2024-03-15T12:00"))
    _, said = await outcome(dcs, **window)
    dcs.heal()
    dcs.fail(500, match="readings", times=0)
    _, still = await outcome(dcs, **window, R733=at("2024-03-15T12:00"))

    assert "R733" in complaint(found)
    assert "got 500" in complaint(found)
    assert stored(found) == {}
    assert "1 sources in a row failed: R733" in said
    assert "1 sources in a row failed: R733" in still


# --- sharing a server


@asynccontextmanager
async def beside(ctx: TestContext, number: int) -> AsyncIterator[list[TestContext]]:
    """Give the contexts of so many collectors in the same daemon."""
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(context(now=NOW, beside=ctx)) for _ in range(number)]


@pytest.mark.slow
async def test_collectors_and_a_backfill_take_turns(dcs: FakeDcs) -> None:
    """Never two transactions at a time, and the live ones first."""
    dcs.now, dcs.rules.latency = NOW, 0.002

    async def reading_of(ctx: TestContext, **more: Any) -> list[Result]:
        return await collect(run, ctx=ctx, **params(dcs, **more))

    async with context(now=NOW) as first, asyncio.TaskGroup() as group:
        past = group.create_task(
            reading_of(first, start=at("2015-01-01"), end=at("2020-01-01"), max_window="30d")
        )
        await until(lambda: len(dcs.asked_for("readings")) >= 3)
        async with beside(first, 5) as others, asyncio.TaskGroup() as live:
            running = [live.create_task(reading_of(each, since=SINCE)) for each in others]
        unfinished = not past.done()
        past.cancel()

    assert dcs.overlaps == []
    assert unfinished
    assert not dcs.signed_in
    for each in running:
        assert len(stored(each.result())) == 7
    during = [each.query["startTime"] for each in dcs.asked_for("readings")]
    begun, ended = during.index("2024-03-01T00:00:00Z"), len(during)
    backfilled = [start for start in during[begun:ended] if start < "2024"]
    assert len(backfilled) <= 6
