"""Ecobee thermostats and their sensors, from the vendor's five-minute reports.

Emits ``<thermostat>_<column>_<unit>`` for each column of the runtime report, such as
``318324702718_zoneAveTemp_fahrenheit`` or ``318324702718_auxHeat1_seconds``: what was
measured when five minutes began, and how long each stage ran in them; and
``<thermostat>_<sensor>_<unit>`` for each sensor, such as
``318324702718_rs_100_1_fahrenheit``.

Parameters, access: ``api_key`` -- of the application; ``code`` -- the authorization
code that came with a PIN, or ``refresh_token`` -- of an account that is authorized
already; either works once, and is deleted from the params when it has.
Parameters, what to read: ``thermostats`` -- identifiers (default: all of the account);
``columns`` -- of the report; ``sensors`` -- whether to read those, too; ``lookback`` --
where a new thermostat begins; ``overlap`` -- how far before the newest report to read
again, because parts of it come late; ``url`` -- where the API is.
State: ``newest`` -- thermostat to the time of the newest report, in Unix seconds;
``revisions`` -- thermostat to what the vendor called its data when it was last read;
``changed`` -- thermostat to when that was new, in Unix seconds; ``names`` -- what
people call each thermostat and sensor. Hidden: ``tokens``.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from ingestd.plugins._answers import Pace
from ingestd.plugins._checks import Given
from ingestd.plugins._params import duration, http_url
from ingestd.plugins._tokens import Account, first_grants, signed_in

from .api import Api
from .collecting import Job, Position, Span, collect, collect_past
from .reports import COLUMNS, known_columns

__all__ = ["check", "run"]

DEFAULT_COLUMNS: Final = tuple(name for name in COLUMNS if name != "sky")


# It yields, but comes to an end: it is called on a schedule.
POLLS: Final = True


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    api_key: str,
    code: str | None = None,
    refresh_token: str | None = None,
    thermostats: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    sensors: bool = True,
    lookback: str = "1d",
    overlap: str = "1h",
    url: str = "https://api.ecobee.com",
    tokens: Mapping[str, Any] | None = None,
    newest: Mapping[str, float] | None = None,
    revisions: Mapping[str, str] | None = None,
    changed: Mapping[str, float] | None = None,
    names: Mapping[str, str] | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    **_: Any,
) -> AsyncGenerator[dict[str, Any], None]:
    """Open the account, and read what is new of each thermostat, or, with a window, that."""
    api = Api(ctx.http, http_url(url, "url"), api_key, ctx.shared(Pace, 0.0, f"ecobee {api_key}"))
    account = Account(
        ctx,
        api.exchange,
        client=f"ecobee {api_key}",
        stored=tokens,
        grants=first_grants(
            code=code, by_code={"grant_type": "ecobeePin"}, refresh_token=refresh_token
        ),
    )
    now = ctx.now().timestamp()
    job = Job(
        api=api,
        account=account,
        wanted=identifiers(thermostats),
        columns=known_columns(columns_of(columns)),
        sensors=sensors,
        now=now,
        first=now - duration(lookback, "lookback"),
        overlap=duration(overlap, "overlap"),
        position=Position.of(newest, revisions, changed, names),
    )
    past = start and Span(start.timestamp(), end.timestamp() if end else now)
    async for result in signed_in(
        account, lambda: collect_past(job, past) if past else collect(job)
    ):
        yield result


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: http_url(each.url, "url"))
    given.read(lambda each: identifiers(each.thermostats))
    given.read(lambda each: known_columns(columns_of(each.columns)))
    given.durations("lookback", "overlap")
    return given.problems


def columns_of(columns: Sequence[str] | None) -> Sequence[str]:
    """Return the columns that are wanted."""
    return DEFAULT_COLUMNS if columns is None else columns


def identifiers(thermostats: Sequence[str] | None) -> list[str] | None:
    """Return which thermostats are wanted; None means all.

    Raises:
        ValueError: They are no list.
    """
    if thermostats is None:
        return None
    if isinstance(thermostats, str) or not thermostats:
        raise ValueError(f"thermostats: expected a list of identifiers, got {thermostats!r}")
    return [str(each) for each in thermostats]
