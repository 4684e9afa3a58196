"""The ecobee plugin against a server that forgets a refresh token when it is used."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web

from ingestd.contract.memory import Memory
from ingestd.plugins._answers import AnswerError
from ingestd.plugins._tokens import Tokens, newer
from ingestd.plugins.ecobee import run
from ingestd.plugins.ecobee.reports import rows
from ingestd.testing import collect, context, results
from tests.support.deadline import WITHIN
from tests.support.ecobee import INTERVAL, Ecobee, page, served, status, value_at
from tests.support.remembering import Remembering

NOON: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
ONE: Final = "318324702718"
FIRST: Final = {"api_key": "app-key", "code": "the-code"}


@asynccontextmanager
async def account(
    now: datetime = NOON, **params: Any
) -> AsyncIterator[tuple[Remembering, Ecobee, str]]:
    """Give a collector, a server with the same clock, and the server's address."""
    columns = {"columns": ["zoneAveTemp", "outdoorTemp"]}
    collector = Remembering(run, now, **{**FIRST, **columns, **params})
    ecobee = Ecobee(now=collector.clock)
    async with served(ecobee) as url:
        yield collector, ecobee, url


async def test_first_run_spends_the_code_and_keeps_the_tokens_before_all_else() -> None:
    """They are kept, and the code is asked to be deleted, at once; readings follow."""
    async with account() as (collector, ecobee, url):
        (result,) = await collector.run(url)

    (kept,) = collector.kept
    assert kept["hidden"]["tokens"]["refresh"] == ecobee.refresh
    assert kept["delete_params"] == ["code"]
    assert len(result["readings"]) > 500
    assert "hidden" not in result


def test_times_of_a_report_through_an_hour_that_comes_twice_or_not_at_all() -> None:
    """Lines are of every five minutes; a time that no clock has shown says so."""
    berlin = ZoneInfo("Europe/Berlin")
    begin = datetime(2026, 10, 25, tzinfo=berlin).timestamp()
    written = [begin + INTERVAL * at for at in range(60)]
    lines = [f"{datetime.fromtimestamp(t, berlin):%Y-%m-%d,%H:%M:%S},71.5" for t in written]

    found = rows(lines, ["a"], zone=berlin, begin=begin)
    skipped, good = rows(
        ["2026-03-29,02:30:00,1", "2026-03-29,03:00:00,2"], ["a"], zone=berlin, begin=0
    )

    assert [row.time for row in found] == written
    assert "Europe/Berlin" in str(skipped.time)
    assert good.time == datetime(2026, 3, 29, 1, tzinfo=UTC).timestamp()


async def test_readings_are_named_by_thermostat_column_and_unit() -> None:
    """Their times are those of the intervals; sensors are there with their own names."""
    async with account(lookback="1h") as (collector, ecobee, url):
        await collector.run(url)

    time = ecobee.heard(ONE)
    now = [(series, value) for at, series, value in collector.readings() if at == time]
    assert now == [
        (f"{ONE}_zoneAveTemp_fahrenheit", value_at(time)),
        (f"{ONE}_outdoorTemp_fahrenheit", "20.5"),
        (f"{ONE}_rs_100_1_fahrenheit", value_at(time)),
    ]
    assert collector.memory.state["names"] == {
        ONE: "Hall: 2nd floor",
        f"{ONE}_rs_100_1_fahrenheit": "Bedroom",
    }


async def test_second_run_reads_on_and_renews_nothing_that_is_good() -> None:
    """What is repeated is the overlap; the code is not asked for again."""
    async with account(overlap="10m") as (collector, ecobee, url):
        await collector.run(url)
        newest = collector.memory.state["newest"][ONE]
        collector.now += timedelta(minutes=30)
        (result,) = await collector.run(url)

    times = sorted({time for time, series, _ in result["readings"] if "zoneAve" in series})
    assert times == [newest - 600 + INTERVAL * step for step in range(9)]
    assert result["newest"] == {ONE: newest + 1800}
    assert (ecobee.authorizations, ecobee.renewals) == (1, 0)


async def test_position_does_not_move_over_what_has_not_been_reported() -> None:
    """The weather is there at once; the thermostat's own values follow within the hour."""
    async with account() as (collector, ecobee, url):
        ecobee.thermostats[ONE] = NOON.timestamp() - 7200
        await collector.run(url)

    times = [time for time, series, _ in collector.readings() if "outdoor" in series]
    assert max(times) > NOON.timestamp() - 600
    assert collector.memory.state["newest"] == {ONE: NOON.timestamp() - 7200}


async def test_thermostat_without_news_is_left_alone() -> None:
    """The vendor asks for it; but what comes late is waited for."""
    async with account() as (collector, ecobee, url):
        ecobee.thermostats[ONE] = NOON.timestamp() - 7200
        await collector.run(url)
        collector.now += timedelta(hours=1)
        await collector.run(url)
        early = ecobee.asked.copy()
        collector.now += timedelta(hours=2)
        await collector.run(url)
        late = ecobee.asked[len(early) :]

    assert [path for path, _ in early].count("/1/runtimeReport") == 2
    assert [path for path, _ in late] == ["/token", "/1/thermostatSummary"]


@pytest.mark.parametrize("daylight_saving", [True, False])
@pytest.mark.parametrize(
    "now", [datetime(2025, 11, 2, 12, tzinfo=UTC), datetime(2026, 3, 8, 12, tzinfo=UTC)]
)
async def test_times_are_right_through_a_change_of_the_clock(
    now: datetime, *, daylight_saving: bool
) -> None:
    """Reports are in the thermostat's time; each interval is there once."""
    async with account(now=now) as (collector, ecobee, url):
        ecobee.location["isDaylightSaving"] = daylight_saving
        await collector.run(url)

    found = {time: value for time, series, value in collector.readings() if "zoneAve" in series}
    times = sorted(found)
    assert times == [times[0] + INTERVAL * step for step in range(len(times))]
    assert len(times) == 287
    assert all(value == value_at(time) for time, value in found.items())


async def test_token_is_renewed_between_two_results() -> None:
    """The position that was reached counts."""
    async with account(lookback="20d", overlap="0s") as (collector, ecobee, url):
        expire = ecobee.faults.setdefault("/1/runtimeReport", [])
        async with context(now=NOON) as ctx:
            seen = []
            async for result in run(ctx=ctx, url=url, **collector.params):
                seen.append((len(ctx.kept), result))
                if len(seen) == 1:
                    expire.append(lambda: status(14, "Authentication token has expired."))

    assert [kept for kept, _ in seen] == [1, 2, 2]
    begins = [min(result["readings"])[0] for _, result in seen]
    assert begins == sorted(begins)


async def test_renewal_waits_for_no_readings() -> None:
    """A store that is away for a day keeps no collector from reading on."""
    async with (
        account(lookback="20d") as (collector, ecobee, url),
        context(now=NOON) as ctx,
        aclosing(results(run, ctx=ctx, url=url, **collector.params)) as found,
    ):
        ctx.safe.clear()
        await anext(found)
        expired = status(14, "Authentication token has expired.")
        ecobee.faults["/1/runtimeReport"] = [lambda: expired]
        await asyncio.wait_for(anext(found), WITHIN)

    assert ecobee.renewals == 1
    assert ctx.kept[-1]["hidden"]["tokens"]["refresh"] == ecobee.refresh


async def test_no_token_is_spent_while_the_daemon_is_stopping() -> None:
    """The daemon may end before the answer comes; the next start renews the token."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        async with context(now=NOON + timedelta(hours=2)) as ctx:
            ctx.stop()
            with pytest.raises(AnswerError, match="while the daemon is stopping"):
                await collect(run, ctx=ctx, url=url, **collector.kwargs())

    assert ecobee.renewals == 0


async def test_token_that_no_renewal_helps_fails_the_run() -> None:
    """It is renewed once, not for ever."""
    async with account() as (collector, ecobee, url):
        ecobee.lifetime = 0
        with pytest.raises(AnswerError, match=r"has expired.*, also with a new token"):
            await collector.run(url)

    assert ecobee.renewals == 1
    assert collector.memory.hidden["tokens"]["refresh"] == ecobee.refresh


async def test_tokens_survive_a_run_that_fails_right_behind_them() -> None:
    """The next run needs no code."""
    async with account() as (collector, ecobee, url):
        ecobee.faults["/1/thermostatSummary"] = [page("<h1>down", 503)]
        with pytest.raises(AnswerError, match="thermostatSummary: expected 200, got 503"):
            await collector.run(url)
        await collector.run(url)

    assert collector.readings()
    assert (ecobee.authorizations, ecobee.renewals) == (1, 0)


async def test_tokens_survive_a_run_that_is_cancelled_while_they_come() -> None:
    """The answer is waited for, and kept although the run can yield nothing any more."""
    async with account() as (collector, ecobee, url):
        asked, answer = asyncio.Event(), asyncio.Event()
        token = ecobee.token

        async def slow(request: web.Request) -> web.StreamResponse:
            reply = await token(request)
            asked.set()
            await answer.wait()
            return reply

        ecobee.token = slow  # type: ignore[method-assign]
        async with served(ecobee) as slow_url:
            running = asyncio.create_task(collector.run(slow_url))
            await asked.wait()
            running.cancel()
            await asyncio.sleep(0)
            answer.set()
            with suppress(asyncio.CancelledError):
                await running
        assert collector.memory.hidden["tokens"]["refresh"] == ecobee.refresh
        assert collector.kwargs()["code"] is None
        collector.process = None  # the next one starts anew
        await collector.run(url)

    assert collector.readings()
    assert (ecobee.authorizations, ecobee.renewals) == (1, 0)


async def test_two_runs_beside_each_other_renew_once() -> None:
    """A backfill that needs newer tokens, too, takes those of the other run."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        collector.now += timedelta(hours=2)
        past = {"start": NOON - timedelta(days=2), "end": NOON - timedelta(days=1)}
        kwargs = collector.kwargs()
        async with context(now=collector.now, beside=collector.process) as ctx:
            live, backfill = await asyncio.gather(
                collect(run, ctx=ctx, url=url, **kwargs),
                collect(run, ctx=ctx, url=url, **kwargs, **past),
            )

    assert ecobee.renewals == 1
    assert len(ctx.kept) == 1
    assert live
    times = {time for each in backfill for time, _, _ in each["readings"]}
    assert (min(times), len(times)) == (past["start"].timestamp(), 288)
    assert all(set(each) == {"readings"} for each in backfill)


async def test_run_that_began_with_what_is_old_by_now_takes_the_newest_tokens() -> None:
    """A backfill that was called just before another run renewed them, for one."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        collector.now += timedelta(hours=2)
        kwargs = collector.kwargs()
        await collector.run(url)
        async with context(now=collector.now, beside=collector.process) as ctx:
            found = await collect(run, ctx=ctx, url=url, **kwargs)

    assert found
    assert ecobee.renewals == 1


async def test_tokens_on_disk_may_be_newer_than_those_of_the_process() -> None:
    """Another version of the plugin may have renewed them, for one."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        first, collector.process = collector.process, None
        collector.now += timedelta(hours=2)
        await collector.run(url)
        collector.process = first
        collector.now += timedelta(hours=2)
        await collector.run(url)

    assert collector.readings()
    assert (ecobee.authorizations, ecobee.renewals) == (1, 2)


async def test_tokens_of_the_process_are_kept_again_when_the_disk_has_none() -> None:
    """An operator has reset the state; a code that was used is not asked for again."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        collector.memory = Memory()
        await collector.run(url)

    assert ecobee.authorizations == 1
    assert collector.memory.hidden["tokens"]["refresh"] == ecobee.refresh
    assert collector.kept[0]["delete_params"] == ["code"]


@pytest.mark.parametrize("swap", [False, True])
def test_newer_tokens_are_those_that_were_issued_later(*, swap: bool) -> None:
    """Wherever they stand; some are better than none."""
    old, new = (Tokens("a", "r", expires=9.0, issued=issued) for issued in (1.0, 2.0))

    assert newer(*((new, old) if swap else (old, new))) == new
    assert newer(*((old, None) if swap else (None, old))) == old
    assert newer(None, None) is None


async def test_token_server_that_is_down_costs_nothing() -> None:
    """The old token is kept, and tried again."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        collector.now += timedelta(hours=2)
        before = collector.memory
        ecobee.faults["/token"] = [page("busy", 503), page("<html>maintenance"), page("", 200)]
        for message in ("got 503", "got text/html", "got text/html"):
            with pytest.raises(AnswerError, match=message):
                await collector.run(url)
        assert collector.memory == before
        await collector.run(url)

    assert collector.readings()


async def test_answer_without_a_new_refresh_token_keeps_the_old_one() -> None:
    """Some servers let it be used again."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        collector.now += timedelta(hours=2)
        ecobee.expires = collector.now.timestamp() + 3600
        answer = {"access_token": ecobee.access, "expires_in": "soon"}
        ecobee.faults["/token"] = [lambda: web.json_response(answer)]
        old = ecobee.refresh
        await collector.run(url)

    assert collector.memory.hidden["tokens"]["refresh"] == old
    assert collector.readings()


async def test_code_whose_pin_is_not_entered_yet_is_kept() -> None:
    """The run fails and says why."""
    async with account(code="pending") as (collector, _, url):
        with pytest.raises(AnswerError, match="authorization_pending"):
            await collector.run(url)

    assert collector.memory == Memory()


async def test_lost_tokens_are_told() -> None:
    """The error says what to do about it, and does not show them."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        collector.now += timedelta(hours=2)
        ecobee.refresh = "another program has it"
        with pytest.raises(AnswerError, match="the account has to be authorized again") as caught:
            await collector.run(url)

    assert "refresh-1-token" not in str(caught.value)
    assert "access-1-token" not in str(caught.value)


async def test_new_code_is_used_although_there_are_tokens() -> None:
    """An operator authorizes the account again in this way."""
    async with account() as (collector, ecobee, url):
        await collector.run(url)
        ecobee.refresh, ecobee.code = "another program has it", "another-code"
        collector.params["code"] = "another-code"
        collector.now += timedelta(hours=2)
        await collector.run(url)

    assert ecobee.authorizations == 2
    assert collector.readings()


async def test_refresh_token_of_another_program_goes_on() -> None:
    """One that an import has left among the hidden state does, too, and is then forgotten."""
    async with account(code=None) as (collector, ecobee, url):
        collector.memory = Memory(hidden={"access_token": "x", "refresh_token": "refresh-0"})
        await collector.run(url)
        assert collector.memory.hidden["refresh_token"] is None
        collector.now += timedelta(hours=2)
        await collector.run(url)

    assert ecobee.renewals == 2


async def test_account_without_any_grant_says_what_is_missing() -> None:
    """It does so before anything is asked for."""
    async with account(code=None) as (collector, ecobee, url):
        with pytest.raises(AnswerError, match="code or refresh_token: expected for the first auth"):
            await collector.run(url)

    assert ecobee.asked == []


async def test_one_thermostat_that_fails_does_not_hold_up_the_others() -> None:
    """The run is degraded, and what failed is due again although nothing has changed."""
    async with account(thermostats=["other", 318324702718, "gone"]) as (collector, ecobee, url):
        ecobee.thermostats["other"] = None
        ecobee.faults["/1/runtimeReport"] = [lambda: status(3, "Processing error.")]
        *_, last = await collector.run(url)

    assert "runtimeReport: expected 200, got 500" in last["script_error"]
    assert "got 'gone'" in last["script_error"]
    assert len(collector.memory.state["newest"]) == 1
    assert len(collector.memory.state["revisions"]) == 1


@pytest.mark.parametrize(
    ("path", "fault", "message"),
    [
        (
            "thermostatSummary",
            page("<html>log in"),
            "a list of revisionList, got 200 OK: text/html",
        ),
        ("thermostat", page("{}"), "a list of thermostatList, got 200"),
        ("runtimeReport", page('{"reportList": [{"rowLi'), "a list of reportList, got 200"),
        ("runtimeReport", lambda: status(2, "Not authorized."), "may not read this"),
        ("thermostatSummary", lambda: status(16, "Deauthorized."), "has removed the application"),
    ],
)
async def test_what_is_no_answer_fails_the_run(path: str, fault: Any, message: str) -> None:
    """The error says which request it was, and what came."""
    async with account() as (collector, ecobee, url):
        ecobee.faults[f"/1/{path}"] = [fault]
        with pytest.raises(AnswerError, match=message):
            await collector.run(url)

    assert not collector.readings()


async def test_odd_lines_of_a_report_do_not_hurt_the_others() -> None:
    """A cut line, a time that is none, a missing sensor list."""
    lines = [
        "2026-07-01,07:00:00,70.1,20",
        "2026-07-01",
        "soon,07:05:00,1,2",
        5,
        "2026-07-01,07:10:00,70.2",
    ]
    document = {"reportList": [{"thermostatIdentifier": ONE, "rowList": lines}]}
    async with account() as (collector, ecobee, url):
        ecobee.faults["/1/runtimeReport"] = [lambda: web.json_response(document)]
        await collector.run(url)

    eleven = NOON.timestamp() - 3600
    assert [(time, value) for time, _, value in collector.readings()] == [
        (eleven, "70.1"),
        (eleven, "20"),
        (eleven + 600, "70.2"),
    ]


async def test_unknown_column_is_an_error_that_names_those_there_are() -> None:
    """Columns that hold words are among them."""
    async with account(columns=["zoneAveTemp", "hvacMode"]) as (collector, _, url):
        with pytest.raises(ValueError, match="columns: expected a list of auxHeat1, "):
            await collector.run(url)


async def test_no_token_stands_in_the_state() -> None:
    """What operators see is free of secrets."""
    async with account() as (collector, _, url):
        await collector.run(url)

    shown = json.dumps(collector.memory.state)
    assert "token" not in shown
    assert "app-key" not in shown
