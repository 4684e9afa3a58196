"""The enphase plugin against a server that speaks version 4 of the API."""

import time
from base64 import b64decode
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.enphase import REDIRECT, run
from ingestd.testing import collect, context
from tests.support.dcsreading import patient
from tests.support.remembering import Remembering

NOON: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
WIDTHS: Final = {"15mins": 900, "day": 86_400, "week": 7 * 86_400}
SECONDS: Final = {"production_micro": 300, "production_meter": 900, "consumption_meter": 900}
PARAMS: Final[dict[str, Any]] = {
    "api_key": "app-key",
    "client_id": "app-id",
    "client_secret": "app-secret",
    "code": "the-code",
    "systems": [66],
    "pause": "0s",
}

Fault = Callable[[], web.StreamResponse]


@dataclass
class Enphase:
    """Solar systems that have reported in every interval.

    Attributes:
        now: What time it is, in Unix seconds.
        reported: System -> when it reported last; None: a moment ago.
        began: When all of them began, in Unix seconds.
        longest: What the plan gives at most in one answer, in seconds.
        night: When nothing is produced, and no interval is there: (from, to), in Unix seconds.
        faults: What to answer instead, by the end of the path: each once.
        asked: The path and the query of every request.
    """

    now: Callable[[], float]
    reported: dict[str, float | None] = field(default_factory=lambda: {"66": None})
    began: float = 0.0
    longest: float = 7 * 86_400
    night: tuple[float, float] = (0, 0)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    number: int = 0
    expires: float = 0.0

    async def token(self, request: web.Request) -> web.StreamResponse:
        """Give tokens for a code or a refresh token, each of which works once."""
        self.asked.append((request.path, dict(request.query)))
        if fault := self._fault("token"):
            return fault
        name = b64decode(request.headers["Authorization"].removeprefix("Basic ")).decode()
        query = request.query
        first = {"code": "the-code", "redirect_uri": REDIRECT}
        again = {"refresh_token": f"refresh-{self.number}-token"}
        known = (
            {"grant_type": "refresh_token", **again}
            if self.number
            else {"grant_type": "authorization_code", **first}
        )
        if name != "app-id:app-secret" or dict(query) != known:
            return web.json_response({"error": "invalid_grant"}, status=400)
        self.number += 1
        self.expires = self.now() + 86_393
        return web.json_response(
            {
                "access_token": f"access-{self.number}-token",
                "refresh_token": f"refresh-{self.number}-token",
                "token_type": "bearer",
                "expires_in": 86_393,
                "scope": "read write",
            }
        )

    async def telemetry(self, request: web.Request) -> web.StreamResponse:
        """Answer with the intervals after ``start_at``."""
        system, kind = request.match_info["system"], request.match_info["kind"]
        self.asked.append((f"{system}/{kind}", dict(request.query)))
        if fault := self._fault(kind):
            return fault
        if request.query["key"] != "app-key":
            return refusal(401, "Not Authorized", details="API Key -Client mismatch")
        token = f"Bearer access-{self.number}-token"
        if request.headers["Authorization"] != token or self.now() >= self.expires:
            return refusal(401, "Not Authorized", details="User is not authorized")
        if system not in self.reported:
            return refusal(404, "Not Found", details=f"System not found for {system}")
        begin = max(int(request.query["start_at"]), self.began)
        if begin < self.now() - 730 * 86_400:
            return refusal(422, "Unprocessable Entity", details="older than two years")
        width = min(WIDTHS[request.query["granularity"]], self.longest)
        end, step = min(self.now(), begin + width), SECONDS[kind]
        last = self.reported[system] or self.now() - 120
        ends = range(int(begin) // step * step + step, int(min(end, last)) + 1, step)
        return web.json_response(
            {
                "system_id": int(system),
                "granularity": request.query["granularity"],
                "total_devices": 9,
                "start_at": begin,
                "end_at": int(end),
                "items": "intervals",
                "intervals": [interval(at, kind) for at in ends if not self._dark(at)],
                "meta": {"status": "normal", "last_report_at": int(last)},
            }
        )

    def _dark(self, at: float) -> bool:
        return self.night[0] <= at < self.night[1]

    def _fault(self, what: str) -> web.StreamResponse | None:
        waiting = self.faults.get(what)
        return waiting.pop(0)() if waiting else None


def interval(at: float, kind: str) -> dict[str, Any]:
    """Return what was measured until a time."""
    values = {
        "production_micro": {"powr": at % 1000, "enwh": at % 100},
        "production_meter": {"wh_del": at % 500},
        "consumption_meter": {"enwh": at % 50},
    }
    return {"end_at": at, "devices_reporting": 9, **values[kind]}


def refusal(status: int, message: str, **more: Any) -> web.Response:
    """Return an error as the API tells it."""
    return web.json_response({"message": message, "code": status, **more}, status=status)


@asynccontextmanager
async def account(**params: Any) -> AsyncIterator[tuple[Remembering, Enphase, str]]:
    """Give a collector, a server with the same clock, and the server's address."""
    collector = Remembering(run, NOON, **{**PARAMS, **params})
    enphase = Enphase(now=collector.clock)
    app = web.Application()
    app.router.add_post("/oauth/token", enphase.token)
    app.router.add_get("/api/v4/systems/{system}/telemetry/{kind}", enphase.telemetry)
    async with TestServer(app) as server:
        yield collector, enphase, str(server.make_url("/"))


def times_of(collector: Remembering) -> list[float]:
    """Return the times of the power of system 66 in the newest run."""
    power = "enphase_66_production_micro_watts"
    return [time for time, name, _ in collector.readings() if name == power]


async def test_first_run_spends_the_code_and_reads_a_day() -> None:
    """The code is asked to be deleted together with the tokens that it gave."""
    async with account() as (collector, _, url):
        (result,) = await collector.run(url)

    (kept,) = collector.kept
    assert kept["hidden"]["tokens"]["refresh"] == "refresh-1-token"
    assert kept["delete_params"] == ["code"]
    last = NOON.timestamp() - 300
    assert result["newest"] == {"66_production_micro": last}
    assert result["readings"][-2:] == [
        (last, "enphase_66_production_micro_watts", last % 1000),
        (last, "enphase_66_production_micro_wh", last % 100),
    ]
    assert len(times_of(collector)) == 287


async def test_second_run_reads_on() -> None:
    """It repeats the overlap, and the newest interval at least."""
    async with account(overlap="0s") as (collector, _, url):
        await collector.run(url)
        collector.now += timedelta(minutes=20)
        (result,) = await collector.run(url)

    last = NOON.timestamp() + 900
    assert times_of(collector) == [last - 900, last - 600, last - 300, last]
    assert result["newest"] == {"66_production_micro": last}


async def test_nothing_is_asked_before_there_can_be_something_new() -> None:
    """The free plan has a thousand requests a month."""
    async with account() as (collector, enphase, url):
        await collector.run(url)
        enphase.asked.clear()
        collector.now -= timedelta(minutes=2)
        await collector.run(url)

    assert enphase.asked == []


async def test_meters_have_their_own_series_and_positions() -> None:
    """Their intervals are fifteen minutes long."""
    async with account(telemetry=["production_meter", "consumption_meter"]) as (collector, _, url):
        await collector.run(url)

    last = NOON.timestamp() - 900
    assert collector.memory.state["newest"] == {
        "66_production_meter": last,
        "66_consumption_meter": last,
    }
    assert (last, "enphase_66_production_meter_wh", last % 500) in collector.readings()
    assert (last, "enphase_66_consumption_meter_wh", last % 50) in collector.readings()


@pytest.mark.parametrize("longest", [86_400, 7 * 86_400])
async def test_nothing_is_skipped_however_much_one_answer_holds(longest: int) -> None:
    """A week is asked for, and what the answer says it reached is believed."""
    async with account(lookback="20d") as (collector, enphase, url):
        enphase.longest = longest
        await collector.run(url)

    times = times_of(collector)
    assert times == [times[0] + 300 * step for step in range(len(times))]
    assert times[-1] - times[0] == 20 * 86_400 - 600
    assert len(collector.results) == (20 if longest == 86_400 else 3)


async def test_interval_that_is_late_is_not_skipped() -> None:
    """A system that reports after hours has its position where it fell silent."""
    async with account(overlap="0s") as (collector, enphase, url):
        enphase.reported["66"] = NOON.timestamp() - 7200
        await collector.run(url)
        newest = collector.memory.state["newest"]
        enphase.reported["66"] = None
        await collector.run(url)

    assert newest == {"66_production_micro": NOON.timestamp() - 7200}
    assert times_of(collector)[-1] == NOON.timestamp() - 300
    assert len(times_of(collector)) == 23


async def test_dark_week_is_passed() -> None:
    """Empty answers move nothing, and what is behind them is found."""
    async with account(lookback="20d") as (collector, enphase, url):
        enphase.night = (NOON.timestamp() - 19 * 86_400, NOON.timestamp() - 3 * 86_400)
        await collector.run(url)

    assert [each["newest"]["66_production_micro"] for each in collector.results] == [
        NOON.timestamp() - 19 * 86_400 - 300,
        NOON.timestamp() - 19 * 86_400 - 300,
        NOON.timestamp() - 300,
    ]


async def test_system_that_is_gone_is_not_searched_for_ever() -> None:
    """Its last report says where to stop."""
    async with account(overlap="0s") as (collector, enphase, url):
        enphase.reported["66"] = NOON.timestamp() - 300 * 86_400
        collector.params["lookback"] = "301d"
        await collector.run(url)

    assert len(enphase.asked) == 2


async def test_more_than_two_years_are_not_asked_for() -> None:
    """The API refuses them."""
    async with account(lookback="1000d") as (collector, _, url):
        await collector.run(url)

    assert min(times_of(collector)) >= NOON.timestamp() - 730 * 86_400


async def test_expired_token_is_renewed_in_the_middle() -> None:
    """What was read counts, and is not read again."""
    async with account(lookback="10d") as (collector, enphase, url):
        expired = [lambda: refusal(401, "Not Authorized", details="User is not authorized")]
        async with context(now=NOON) as ctx:
            seen = []
            async for result in run(ctx=ctx, url=url, **collector.params):
                seen.append((len(ctx.kept), min(result["readings"])[0]))
                if len(seen) == 1:
                    enphase.faults["production_micro"] = [*expired]

    assert [kept for kept, _ in seen] == [1, 2]
    assert seen[0][1] < seen[1][1]


async def test_tokens_are_renewed_a_day_later() -> None:
    """The newest refresh token is spent on it, and no code."""
    async with account() as (collector, enphase, url):
        await collector.run(url)
        for _ in range(3):
            collector.now += timedelta(days=1)
            await collector.run(url)

    assert enphase.number == 4
    assert collector.memory.hidden["tokens"]["refresh"] == "refresh-4-token"


async def test_key_of_another_application_is_not_taken_for_an_old_token() -> None:
    """No token is spent on it."""
    async with account(api_key="other") as (collector, enphase, url):
        with pytest.raises(AnswerError, match="does the key belong to this application"):
            await collector.run(url)

    assert enphase.number == 1


async def test_quota_of_the_minute_is_waited_for() -> None:
    """The answer says when it is over, and the session of the daemon keeps to it."""
    async with account() as (_, enphase, url), patient(now=NOON) as ctx:
        over = int(time.time())
        enphase.faults["production_micro"] = [
            lambda: refusal(429, "Too Many Requests", period="minute", period_end=over, limit=10)
        ]
        found = await collect(run, ctx=ctx, url=url, **PARAMS)

    assert found[-1]["readings"]


async def test_quota_of_the_month_ends_the_run() -> None:
    """Nothing else is asked; what was read is kept."""
    month = NOON.timestamp() + 10 * 86_400
    async with account(systems=[66, 67, 68]) as (collector, enphase, url):
        enphase.faults["production_micro"] = [
            lambda: refusal(429, "Too Many", period="month", period_end=month, limit=1000)
        ]
        with pytest.raises(AnswerError, match="the plan allows 1000 requests in a month"):
            await collector.run(url)

    assert [path for path, _ in enphase.asked] == ["/oauth/token", "66/production_micro"]


async def test_one_system_that_fails_does_not_hold_up_the_others() -> None:
    """The run is degraded."""
    async with account(systems=[1, 66]) as (collector, _, url):
        *_, last = await collector.run(url)

    assert "systems/1/telemetry/production_micro: expected 200, got 404" in last["script_error"]
    assert set(collector.memory.state["newest"]) == {"66_production_micro"}


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda: web.Response(text="<html>"), "expected a list of intervals, got 200"),
        (lambda: web.Response(text='{"intervals": [{'), "expected a list of intervals, got 200"),
        (lambda: refusal(403, "Forbidden", details="Not authorized"), "neither the plan nor"),
        (lambda: refusal(422, "Unprocessable", details="Requested date range"), "date range"),
        (lambda: refusal(429, "Too Many Requests"), "the plan allows what requests"),
        (lambda: web.Response(status=503), "expected 200, got 503"),
    ],
)
async def test_what_is_no_answer_fails_the_run(fault: Fault, message: str) -> None:
    """The error says which request it was, and what came; no secret."""
    async with account() as (collector, enphase, url):
        enphase.faults["production_micro"] = [fault]
        with pytest.raises(AnswerError, match=message) as caught:
            await collector.run(url)

    assert "app-key" not in str(caught.value)
    assert collector.memory.hidden["tokens"]["refresh"] == "refresh-1-token"


async def test_odd_intervals_do_not_hurt_the_others() -> None:
    """What is unusable is passed on, for the daemon to count."""
    odd = [{"powr": 5}, "x", {"end_at": None, "enwh": 3}, {"end_at": 1_782_907_200, "powr": None}]
    document = {"intervals": [*odd, interval(NOON.timestamp() - 300, "production_micro")]}
    async with account() as (collector, enphase, url):
        enphase.faults["production_micro"] = [lambda: web.json_response(document)]
        await collector.run(url)

    assert len(collector.readings()) >= 5
    assert collector.memory.state["newest"] == {"66_production_micro": NOON.timestamp() - 300}


async def test_backfill_reads_a_window_and_leaves_the_position() -> None:
    """What lies between its start and its end is given, the start included."""
    start, end = NOON - timedelta(days=12), NOON - timedelta(days=3)
    async with account() as (collector, _, url):
        await collector.run(url)
        kwargs = collector.kwargs()
        async with context(now=NOON, beside=collector.process) as ctx:
            results = await collect(run, ctx=ctx, url=url, start=start, end=end, **kwargs)

    times = [time for each in results for time, name, _ in each["readings"] if "watts" in name]
    assert (min(times), max(times)) == (start.timestamp() + 300, end.timestamp() - 300)
    assert all(set(each) == {"readings"} for each in results)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"systems": []}, r"systems: expected a list, got \[\]"),
        ({"systems": "66"}, "systems: expected a list, got '66'"),
        ({"telemetry": ["production"]}, "telemetry: expected a list of production_micro, "),
        ({"pause": 6}, "pause: expected a duration"),
    ],
)
async def test_wrong_option_says_what_is_wrong(params: dict[str, Any], message: str) -> None:
    """It is told before the code is spent."""
    async with account(**params) as (collector, enphase, url):
        with pytest.raises(ValueError, match=message):
            await collector.run(url)

    assert enphase.asked == []
