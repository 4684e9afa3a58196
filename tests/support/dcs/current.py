"""The current API: authenticated at the root, and without an account below ``/public``."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn

from tests.support.dcs import periods
from tests.support.dcs.campus import Campus, Meter, Register, VirtualMeter
from tests.support.dcs.periods import Period
from tests.support.dcs.rules import Rules
from tests.support.dcs.values import Query, Reading, readings
from tests.support.dcs.wire import Refusal, Reply, array, as_json, number

DAY: Final = 86_400
BOOLEANS: Final = {"true": True, "false": False}


def meter(found: Meter) -> dict[str, Any]:
    """Return a meter as both APIs list it."""
    return {
        "connectionMethod": "tcp",
        "deviceId": "",
        "id": found.id,
        "name": found.name,
        "meterType": found.type,
        "remoteAddress": "10.8.222.99:5000",
        "serialNumber": found.serial,
        "service": found.service,
        "status": found.status,
        "registers": [
            {
                "address": str(each.id % 200),
                "id": each.id,
                "isInstantaneous": each.instantaneous,
                "name": each.name,
                "scaleFactor": "",
                "defaultScaleFactor": "1",
                "unit": each.unit,
            }
            for each in found.registers
        ],
    }


def listed(campus: Campus, rules: Rules) -> list[dict[str, Any]]:
    """Return the list of meters."""
    return [meter(each) for each in campus.meters] * (2 if rules.twice else 1)


def virtual_meter(found: VirtualMeter) -> dict[str, Any]:
    """Return a virtual meter as both APIs list it."""
    return {
        "id": found.id,
        "name": found.name,
        "expression": "+".join(f"R{at + 1}" for at in range(len(found.registers))),
        "decimalPlaces": 2,
        "isInstantaneous": found.instantaneous,
        "unit": found.unit,
        "registerAliases": [
            {"alias": f"R{at + 1}", "registerId": each, "registerName": ""}
            for at, each in enumerate(found.registers)
        ],
    }


def answer(
    campus: Campus, rules: Rules, place: str, given: Mapping[str, str], *, now: int, days: float
) -> Reply:
    """Answer a question.

    Args:
        campus: What there is.
        rules: How the server is set up.
        place: What is asked, in lower case.
        given: The parameters, their names in lower case.
        now: When, in Unix seconds.
        days: The longest range of readings; 0 is no limit.

    Raises:
        Refusal: It is not answered.
    """
    match place:
        case "meters":
            return as_json(listed(campus, rules))
        case "virtualmeters":
            return as_json([virtual_meter(each) for each in campus.virtual_meters])
        case "readings":
            return told(campus, rules, given, now=now, days=days)
    raise Refusal(404, f"There is nothing at {place}")


def told(campus: Campus, rules: Rules, given: Mapping[str, str], *, now: int, days: float) -> Reply:
    """Answer with readings."""
    source = found(campus, given.get("id", ""))
    complete = chosen(given, "format", ("standard", "complete")) == "complete"
    if complete and isinstance(source, VirtualMeter):
        bad("The complete format is not valid for virtual meters")
    period = period_of(given.get("periodtype", "halfHour"))
    if source.instantaneous and period is not Period.HALF_HOUR:
        bad("periodType must be halfHour for an instantaneous register or virtual meter")
    start, end = span(given, period)
    within(start, end, days, rules)
    query = Query(
        start=start,
        end=end,
        now=now,
        period=period,
        calibrated=flag(given, "calibrated"),
        interpolated=flag(given, "interpolated"),
    )
    if status := rules.refused.get(given["id"].upper()):
        raise Refusal(status, f"You may not read {given['id']}")
    sums = isinstance(source, VirtualMeter) and not source.instantaneous
    header = {
        "startTime": periods.written(start),
        "endTime": periods.written(end),
        "name": campus.full_name(source),
        "periodType": period.value,
        "duration" if rules.duration_slip else "readingDuration": period.value if sums else 0,
        "unit": source.unit,
    }
    elements = written(readings(campus, source, query), complete=complete, rules=rules)
    body = document(header, array(elements, at_once=rules.chunk), rules)
    return Reply(200, body, {"Content-Type": "application/json; charset=utf-8"})


def found(campus: Campus, identity: str) -> Register | VirtualMeter:
    """Return the source with an id."""
    if not identity:
        bad("id is required")
    source = campus.find(identity)
    if source is None:
        raise Refusal(404, f"There is no register or virtual meter {identity}")
    return source


def span(given: Mapping[str, str], period: Period) -> tuple[int, int]:
    """Return the range, from exactly two of three parameters."""
    names = ("starttime", "endtime", "periodcount")
    if sum(name in given for name in names) != 2:
        bad("Exactly two of startTime, endTime and periodCount are required")
    if "periodcount" in given:
        count = counted(given["periodcount"])
        if "starttime" in given:
            start = instant(given["starttime"], period)
            return start, periods.moved(start, count, period)
        end = instant(given["endtime"], period)
        return periods.moved(end, -count, period), end
    start, end = instant(given["starttime"], period), instant(given["endtime"], period)
    if start >= end:
        bad("startTime must be before endTime")
    return start, end


def within(start: int, end: int, days: float, rules: Rules) -> None:
    """Hold a range to its limit."""
    if days and end - start > days * DAY:
        bad(rules.range_text.format(f"{days:g}"))


def instant(text: str, period: Period) -> int:
    """Return a time at which a period begins."""
    try:
        at = periods.read_utc(text)
    except ValueError as error:
        bad(f"Not a valid time: {error}")
    if not periods.aligned(at, period):
        bad(f"{text} is not consistent with the periodType {period.value}")
    return at


def counted(text: str) -> int:
    """Return a number of periods."""
    if not text.isdecimal() or not int(text):
        bad(f"periodCount must be a positive integer, not {text}")
    return int(text)


def period_of(text: str) -> Period:
    """Return the period of that name."""
    try:
        return Period.of(text)
    except ValueError as error:
        bad(f"periodType: {error}")


def chosen(given: Mapping[str, str], name: str, known: tuple[str, ...]) -> str:
    """Return one of the values that a parameter may have, the first by default."""
    value = given.get(name, known[0]).lower()
    if value not in known:
        bad(f"{name} must be one of {', '.join(known)}")
    return value


def flag(given: Mapping[str, str], name: str) -> bool:
    """Return a parameter that is true or false, false by default."""
    return BOOLEANS[chosen(given, name, ("false", "true"))]


def bad(details: str) -> NoReturn:
    """Refuse a bad request."""
    raise Refusal(400, details)


def written(found: Iterator[Reading], *, complete: bool, rules: Rules) -> Iterator[str]:
    """Yield readings as JSON."""
    last = next(found, None)
    while last is not None:
        here, last = last, next(found, None)
        head = f'{{"status":{int(here.status)},"timestamp":"{periods.written(here.at)}"'
        if complete:
            total, used = number(here.total), number(here.used)
            yield f'{head},"totalValue":{total},"periodValue":{used}}}'
        else:
            key = "Value" if last is None and rules.capital_value else "value"
            yield f'{head},"{key}":{number(here.value)}}}'


def document(header: Mapping[str, Any], elements: Iterator[bytes], rules: Rules) -> Iterator[bytes]:
    """Yield an object with readings and what is said about them."""
    key = b'"Readings":' if rules.capital_readings else b'"readings":'
    about = as_json(header)
    (text,) = about.body
    if rules.readings_first:
        yield b"{" + key
        yield from elements
        yield b"," + text[1:]
    else:
        yield text[:-1] + b"," + key
        yield from elements
        yield b"}"
