"""The legacy API: a path for each kind of source, bare arrays, its own defaults."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, tzinfo
from itertools import count

from tests.support.dcs import periods
from tests.support.dcs.campus import Campus, VirtualMeter
from tests.support.dcs.current import bad, chosen, flag, found, listed, meter, virtual_meter, within
from tests.support.dcs.current import period_of as named_period
from tests.support.dcs.periods import LONDON, Period
from tests.support.dcs.rules import Rules
from tests.support.dcs.values import Query, Reading, Status, readings
from tests.support.dcs.wire import Refusal, Reply, array, as_json, number

DATE = re.compile(r"\d{4}-\d\d-\d\d")
SOURCES = ("automatic", "manual", "merged")


def answer(
    campus: Campus, rules: Rules, place: str, given: Mapping[str, str], *, now: int
) -> Reply:
    """Answer a question; ``place`` and the names of parameters are in lower case.

    Raises:
        Refusal: It is not answered.
    """
    match place.split("/"):
        case ["meters"]:
            return as_json(listed(campus, rules))
        case ["meters", number]:
            return one([meter(each) for each in campus.meters], number)
        case ["virtualmeters"]:
            return as_json([virtual_meter(each) for each in campus.virtual_meters])
        case ["virtualmeters", number]:
            return one([virtual_meter(each) for each in campus.virtual_meters], number)
        case ["registerreadings", "list"]:
            return told(campus, rules, f"R{given.get('registerid', '')}", given, now=now)
        case ["virtualmeterreadings", "list"]:
            return told(campus, rules, f"VM{given.get('virtualmeterid', '')}", given, now=now)
    raise Refusal(404, f"No HTTP resource was found that matches {place}")


def one(listed: list[dict[str, object]], number: str) -> Reply:
    """Answer with the object that has a number."""
    for each in listed:
        if str(each["id"]) == number:
            return as_json(each)
    raise Refusal(404, f"There is no {number}")


def told(
    campus: Campus, rules: Rules, identity: str, given: Mapping[str, str], *, now: int
) -> Reply:
    """Answer with readings."""
    source = found(campus, identity)
    period = named_period(given.get("integrationperiod", "halfHour"))
    zone = LONDON if flag(given, "uselocaltime") else UTC
    places = decimal_places(given.get("decimalplaces", "1"))
    chosen(given, "source", SOURCES)
    if rules.dates_only and not all(
        DATE.fullmatch(given.get(each, "")) for each in ("start", "end")
    ):
        bad("Dates must have the form yyyy-MM-dd")
    start, end = span(given, period, zone)
    within(start, end, rules.legacy_range_days, rules)
    query = Query(
        start=start,
        end=end,
        now=now,
        period=period,
        zone=zone,
        calibrated=flag(given, "calibrated"),
        interpolated=flag(given, "interpolated"),
        padded=rules.padded,
        padded_ahead=rules.padded_ahead,
    )
    if status := rules.refused.get(identity):
        raise Refusal(status, f"You may not read {identity}")
    rounded = (each.rounded(places) for each in readings(campus, source, query))
    virtual = isinstance(source, VirtualMeter)
    elements = written(rounded, period, zone, slip=rules.hour_slip, whole_total=virtual)
    body = array(elements, at_once=rules.chunk)
    return Reply(200, body, {"Content-Type": "application/json; charset=utf-8"})


def span(given: Mapping[str, str], period: Period, zone: tzinfo) -> tuple[int, int]:
    """Return the range; without an end it is one day, or one week or month of those."""
    if "start" not in given:
        bad("start is required")
    start = instant(given["start"], period, zone)
    default = period if period in {Period.WEEK, Period.MONTH} else Period.DAY
    if "end" not in given:
        return start, periods.following(start, default, zone)
    end = instant(given["end"], period, zone)
    if start >= end:
        bad("start must be before end")
    return start, end


def instant(text: str, period: Period, zone: tzinfo) -> int:
    """Return a time at which a period begins."""
    try:
        at = periods.read_lenient(text, zone)
    except ValueError:
        bad(f"Not a valid date: {text}")
    if not periods.aligned(at, period, zone):
        bad(f"{text} is not the start of a {period.value}")
    return at


def decimal_places(text: str) -> int:
    """Return how many decimal places are wanted."""
    if not text.isdecimal() or int(text) > 15:
        bad(f"decimalPlaces must be from 0 to 15, not {text}")
    return int(text)


def written(
    found: Iterator[Reading], period: Period, zone: tzinfo, *, slip: bool, whole_total: bool
) -> Iterator[str]:
    """Yield readings as JSON."""
    for each, identity in zip(found, count(26_167_735), strict=False):
        minutes = (periods.following(each.at, period, zone) - each.at) // 60
        estimated = bool(each.status & Status.INTERPOLATED)
        generated = bool(each.status & Status.GENERATED)
        yield (
            f'{{"id":{identity},"startTime":"{periods.written(each.at, zone)}",'
            f'"duration":{30 if slip else minutes},'
            f'"totalValue":{"0" if whole_total else number(each.total)},'
            f'"periodValue":{number(each.used)},'
            f'"isGenerated":{str(generated).lower()},"isInterpolated":{str(estimated).lower()}}}'
        )
