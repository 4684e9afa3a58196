"""The collector's options, checked."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from yarl import URL

from ingestd.plugins._answers import bare
from ingestd.plugins._isotimes import iso_time
from ingestd.plugins._params import duration, whole
from ingestd.plugins._templates import Template, tag_templates, template

from .periods import PERIODS, Calendar, calendar
from .sources import Selection, Source
from .templates import EXAMPLE, FIELDS

INTERPOLATED: Final = 1
RESET: Final = 2
# The legacy API tells it with a flag of its own; the current one gives no such readings.
GENERATED: Final = 65_536
BITS: Final = {"generated": GENERATED, "interpolated": INTERPOLATED, "reset": RESET}
MOST_DECIMALS: Final = 15
LONDON: Final = ZoneInfo("Europe/London")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the operator wrote.

    Attributes:
        root: The address of the API.
        legacy: Whether it is the API of DCS version 3.
        username: The account; None reads what is public.
        password: The account's password, or None.
        selection: Which sources to read.
        since: Gives where a new source begins, from the time that it is now.
        period: One of ``PERIODS``.
        calendar: The periods that windows consist of.
        total: Whether the totals of cumulative registers are wanted.
        consumption: Whether the consumption in each period is.
        calibrated: Whether the server applies calibrations.
        interpolated: Whether it fills gaps with estimates.
        skip: Status bits of readings to leave out.
        status: Whether each series has a second one with the status bits.
        series: Makes the name of a series.
        tags: Make the tags of a series.
        max_window: The longest window to ask for.
        local_time: Whether days begin at midnight in London.
        decimal_places: How many the legacy API gives.
        source: Which readings the legacy API gives: automatic, manual, or merged ones.
        follow: Whether series take over what is renamed at the server.
    """

    root: URL
    legacy: bool
    username: str | None
    password: str | None = field(repr=False)
    selection: Selection
    since: Callable[[datetime], datetime]
    period: str
    calendar: Calendar
    total: bool
    consumption: bool
    calibrated: bool
    interpolated: bool
    skip: int
    status: bool
    series: Template
    tags: Mapping[str, Template]
    max_window: timedelta
    local_time: bool
    decimal_places: int
    source: str
    follow: bool

    def calendar_of(self, source: Source) -> Calendar:
        """Return the periods of a source: samples know half hours only."""
        return calendar("half_hour") if source.instantaneous else self.calendar


def options_of(given: Mapping[str, Any]) -> Options:
    """Check the options, each by itself and against each other.

    Raises:
        ValueError: Says which one is wrong, and what would be right.
    """
    return Options(**{name: read(given) for name, read in READERS.items()})


def refuse_repeated(given: Mapping[str, Any]) -> None:
    """Tell of registers that are asked for more than once, which a run reads once.

    Raises:
        ValueError: There are some.
    """
    repeated = Selection.of(given["registers"]).repeated
    if repeated:
        raise ValueError(f"registers: expected each once, got more of {', '.join(repeated):.80}")


def values_of(given: Mapping[str, Any]) -> str:
    """Return which values are wanted.

    Raises:
        ValueError: There are none of that name.
    """
    return one_of(given, "values", ("auto", "total", "period", "both"))


def in_local_time(given: Mapping[str, Any]) -> bool:
    """Say whether days begin at midnight in London.

    Raises:
        ValueError: It is neither true nor false, or the API does not have it.
    """
    local_time = truth(given, "local_time")
    if local_time and given["api"] != "legacy":
        raise ValueError("local_time: expected only with api: legacy, the current one is in UTC")
    return local_time


def source_of(given: Mapping[str, Any]) -> str:
    """Return which readings are wanted.

    Raises:
        ValueError: The API does not have them.
    """
    source = one_of(given, "source", ("automatic", "manual", "merged"))
    if source != "automatic" and given["api"] != "legacy":
        raise ValueError(
            f"source: expected automatic, the only one that the current API has, got {source!r}"
        )
    return source


def longest_window(given: Mapping[str, Any]) -> timedelta:
    """Return the longest window to ask for.

    Raises:
        ValueError: It is no duration.
    """
    longest = duration(given["max_window"], "max_window")
    if longest <= 0:
        raise ValueError(f"max_window: expected more than nothing, got {given['max_window']!r}")
    return timedelta(seconds=longest)


def one_of(given: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    """Return an option that is one of a few words.

    Raises:
        ValueError: It is another.
    """
    value = given[name]
    if value not in known:
        raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
    return str(value)


def truth(given: Mapping[str, Any], name: str) -> bool:
    """Return an option that is true or false.

    Raises:
        ValueError: It is neither.
    """
    value = given[name]
    if not isinstance(value, bool):
        raise ValueError(f"{name}: expected true or false, got {value!r}")  # noqa: TRY004 -- an option
    return value


def decimals(number: Any) -> int:
    """Return how many decimal places are wanted.

    Raises:
        ValueError: The server knows no so many.
    """
    if whole(number, "decimal_places", least=0) > MOST_DECIMALS:
        raise ValueError(f"decimal_places: expected at most {MOST_DECIMALS}, got {number!r}")
    return int(number)


def bits(names: Any) -> int:
    """Return the status bits of the readings to leave out.

    Raises:
        ValueError: There is no such kind of reading.
    """
    wanted = [names] if isinstance(names, str) else list(names or ())
    if unknown := [each for each in wanted if each not in BITS]:
        got = ", ".join(map(repr, unknown))
        raise ValueError(f"skip: expected a list of {', '.join(BITS)}, got {got}")
    return sum(BITS[each] for each in dict.fromkeys(wanted))


def account(given: Mapping[str, Any], *, legacy: bool) -> tuple[str | None, str | None]:
    """Return username and password, or None twice where no account is needed.

    Raises:
        ValueError: There is but one of them, or none where they are needed.
    """
    username, password = given["username"], given["password"]
    if (username is None) != (password is None):
        raise ValueError("username, password: expected both or neither")
    if username is None:
        if legacy:
            raise ValueError("username: expected with api: legacy, which has nothing public")
        return None, None
    return str(username), str(password)


def address(url: Any, *, legacy: bool) -> URL:
    """Return the address of the API.

    Raises:
        ValueError: It is none.
    """
    found = URL(url) if isinstance(url, str) else URL()
    if found.scheme not in {"http", "https"} or not found.host:
        raise ValueError(f"url: expected https://…/DCSWebApi or https://…/DCS, got {bare(found)!r}")
    if found.user is not None or found.password is not None or found.query_string:
        raise ValueError(f"url: expected nothing but an address, got more than {bare(found)!r}")
    path = found.path.rstrip("/")
    if legacy and not path.lower().endswith("/api"):
        path += "/api"
    return found.with_path(path)


def beginning(since: Any) -> Callable[[datetime], datetime]:
    """Return what tells where a new source begins; a time without a zone is the machine's.

    Raises:
        ValueError: It is neither a date, nor a time, nor a duration.
    """
    with suppress(ValueError):
        back = timedelta(seconds=duration(since, "since"))
        return lambda now: now - back
    moment = since
    if isinstance(since, str):
        try:
            moment = iso_time(since)
        except ValueError:
            moment = None
    if isinstance(moment, date) and not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    if not isinstance(moment, datetime):
        message = (
            f"since: expected a date such as 2020-01-31, or a duration such as 30d, got {since!r}"
        )
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    fixed = moment.astimezone()  # as the times of commands are, it is local unless it says more
    return lambda _: fixed


# How each of the options is read from what was given; a check goes on to the next one.
READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "root": lambda given: address(given["url"], legacy=given["api"] == "legacy"),
    "legacy": lambda given: one_of(given, "api", ("current", "legacy")) == "legacy",
    "username": lambda given: account(given, legacy=given["api"] == "legacy")[0],
    "password": lambda given: account(given, legacy=given["api"] == "legacy")[1],
    "selection": lambda given: Selection.of(given["registers"], given["only"]),
    "since": lambda given: beginning(given["since"]),
    "period": lambda given: one_of(given, "period", PERIODS),
    "calendar": lambda given: calendar(
        one_of(given, "period", PERIODS), zone=LONDON if in_local_time(given) else UTC
    ),
    "total": lambda given: values_of(given) in {"total", "both"},
    "consumption": lambda given: values_of(given) != "total",
    "calibrated": lambda given: truth(given, "calibrated"),
    "interpolated": lambda given: truth(given, "interpolated"),
    "skip": lambda given: bits(given["skip"]),
    "status": lambda given: truth(given, "status"),
    "series": lambda given: template(
        given["series"], where="series", known=FIELDS, example=EXAMPLE
    ),
    "tags": lambda given: tag_templates(given["tags"] or {}, known=FIELDS, example=EXAMPLE),
    "max_window": longest_window,
    "local_time": in_local_time,
    "decimal_places": lambda given: decimals(given["decimal_places"]),
    "source": source_of,
    "follow": lambda given: one_of(given, "renamed", ("keep", "follow")) == "follow",
}
