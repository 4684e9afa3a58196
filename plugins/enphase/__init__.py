"""Enphase solar systems, from the Enlighten API, version 4.

Emits ``enphase_<system>_production_micro_watts`` and ``…_production_micro_wh`` -- what
all microinverters together gave in five minutes; ``…_production_meter_wh`` and
``…_consumption_meter_wh`` -- what the meters counted in fifteen. Times are the ends of
these intervals.

Parameters, access: ``api_key``, ``client_id``, ``client_secret`` -- of the application;
``code`` -- the authorization code of the systems' owner, with ``redirect_uri`` -- where
it was sent; or ``refresh_token`` -- of an account that is authorized already; either
works once, and is deleted from the params when it has.
Parameters, what to read: ``systems`` -- their numbers; ``telemetry`` -- a list of
``production_micro``, ``production_meter`` and ``consumption_meter``; ``lookback`` --
where a new system begins; ``overlap`` -- how far before the newest interval to read
again; ``pause`` -- between two requests with one ``api_key``; ``url`` -- where the API is.
State: ``newest`` -- system and telemetry to the end of the newest interval, in Unix
seconds. Hidden: ``tokens``.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ingestd.plugins._answers import Pace
from ingestd.plugins._checks import Given
from ingestd.plugins._params import duration, http_url
from ingestd.plugins._tokens import Account, first_grants, signed_in

from .api import Api
from .collecting import KINDS, Job, Span, collect, collect_past

__all__ = ["check", "run"]

REDIRECT: Final = "https://api.enphaseenergy.com/oauth/redirect_uri"


# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    api_key: str,
    client_id: str,
    client_secret: str,
    systems: Sequence[int | str],
    code: str | None = None,
    redirect_uri: str = REDIRECT,
    refresh_token: str | None = None,
    telemetry: Sequence[str] | None = None,
    lookback: str = "1d",
    overlap: str = "1h",
    pause: str = "6s",
    url: str = "https://api.enphaseenergy.com",
    tokens: Mapping[str, Any] | None = None,
    newest: Mapping[str, float] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncGenerator[dict[str, Any], None]:
    """Open the account, and read what is new of each system, or, with a window, that."""
    pace = ctx.shared(Pace, duration(pause, "pause"), f"enphase {api_key}")
    api = Api(ctx.http, http_url(url, "url"), api_key, (client_id, client_secret), pace)
    account = Account(
        ctx,
        api.exchange,
        client=f"enphase {client_id}",
        stored=tokens,
        grants=first_grants(
            code=code,
            by_code={"grant_type": "authorization_code", "redirect_uri": redirect_uri},
            refresh_token=refresh_token,
        ),
    )
    now = ctx.now().timestamp()
    job = Job(
        api=api,
        account=account,
        systems=[str(each) for each in listed(systems, "systems")],
        kinds={name: KINDS[name] for name in known_kinds(telemetry)},
        now=now,
        first=now - duration(lookback, "lookback"),
        overlap=duration(overlap, "overlap"),
        newest=dict(newest or {}),
    )
    past = start and Span(start.timestamp(), end.timestamp() if end else now)

    def work() -> AsyncGenerator[dict[str, Any], None]:
        return collect_past(job, past) if past else collect(job)

    async for result in signed_in(account, work):
        yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: http_url(each.url, "url"))
    given.read(lambda each: listed(each.systems, "systems"))
    given.read(lambda each: known_kinds(each.telemetry))
    given.durations("lookback", "overlap", "pause")
    return given.problems


def known_kinds(telemetry: Sequence[str] | None) -> Sequence[str]:
    """Return the telemetry to read.

    Raises:
        ValueError: There is none of that name.
    """
    wanted = ["production_micro"] if telemetry is None else listed(telemetry, "telemetry")
    if not set(wanted) <= set(KINDS):
        raise ValueError(f"telemetry: expected a list of {', '.join(KINDS)}, got {telemetry!r}")
    return wanted


def listed(given: Sequence[Any], where: str) -> Sequence[Any]:
    """Return a list that has something in it.

    Raises:
        ValueError: It is none.
    """
    if isinstance(given, str) or not given:
        raise ValueError(f"{where}: expected a list, got {given!r}")
    return given
