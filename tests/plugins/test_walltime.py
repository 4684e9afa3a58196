"""Local times become instants and instants local times, through every change of a clock."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestd.plugins._times import Bounds, Notation, NoTime, Twice, notation, settle, time_zone
from ingestd.plugins._walltime import instant, shown

ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "Africa/Johannesburg",
    "Africa/Windhoek",
    "America/Anchorage",
    "America/Argentina/Buenos_Aires",
    "America/Asuncion",
    "America/Bogota",
    "America/Caracas",
    "America/Chicago",
    "America/Havana",
    "America/Los_Angeles",
    "America/Mexico_City",
    "America/New_York",
    "America/Nuuk",
    "America/Sao_Paulo",
    "America/Scoresbysund",
    "America/St_Johns",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Asia/Amman",
    "Asia/Gaza",
    "Asia/Kolkata",
    "Asia/Novosibirsk",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Asia/Tokyo",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Istanbul",
    "Europe/London",
    "Europe/Moscow",
    "Pacific/Apia",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "Pacific/Kwajalein",
    "UTC",
]
LOCAL = "%Y-%m-%d %H:%M:%S"
BERLIN = ZoneInfo("Europe/Berlin")
DAY = 86_400
FIRST = int(datetime(1990, 1, 1, tzinfo=UTC).timestamp())
LAST = int(datetime(2028, 1, 1, tzinfo=UTC).timestamp())


def offset(time: int, zone: ZoneInfo) -> timedelta:
    """Return how far a zone is ahead of UTC, as Python's library has it."""
    found = datetime.fromtimestamp(time, zone).utcoffset()
    assert found is not None
    return found


@cache
def changes(name: str) -> tuple[int, ...]:
    """Return when the clocks of a zone were set since 1990, in Unix seconds."""
    return tuple(_changes(ZoneInfo(name)))


def _changes(zone: ZoneInfo) -> Iterator[int]:
    before = offset(FIRST, zone)
    for day in range(FIRST, LAST, DAY):
        low, high = day, day + DAY
        if (after := offset(high, zone)) == before:
            continue
        while high - low > 1:
            middle = (low + high) // 2
            if offset(middle, zone) == before:
                low = middle
            else:
                high = middle
        before = after
        yield high


def nights() -> st.SearchStrategy[tuple[str, int]]:
    """Draw a zone and a change of its clock."""
    return st.sampled_from([name for name in ZONES if changes(name)]).flatmap(
        lambda name: st.tuples(st.just(name), st.sampled_from(changes(name)))
    )


def read_all(
    times: Sequence[float], zone: ZoneInfo, *, bounds: Bounds | None = None
) -> Sequence[object]:
    """Return instants that were written as local times and read again."""
    how = notation(LOCAL, zone)
    found = [how.read(how.write(time)) for time in times]
    return settle(found, ["a"] * len(times), bounds=bounds or Bounds())


@pytest.mark.slow  # reads the nights of up to 76 changes of the clock
@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("step", [900, 3600])
def test_a_log_through_every_change_keeps_its_pace(name: str, step: int) -> None:
    """Whichever end it begins with, and whether the clock is set back or forward."""
    zone = ZoneInfo(name)
    for change in changes(name):
        written = list(range(change - 3 * 3600, change + 3 * 3600, step))

        assert read_all(written, zone) == written, change
        assert read_all(written[::-1], zone) == written[::-1], change


@pytest.mark.slow  # finds every change of the clock in 40 zones
@given(
    st.deferred(nights),  # found only by the worker that runs the test
    st.lists(st.integers(1, 1800), min_size=40, max_size=60),
    st.integers(2 * 3600, 4 * 3600),
    st.sampled_from(["first", "last"]),
    st.integers(1, 3),
)
def test_an_uneven_log_is_read_as_it_was_written(
    where: tuple[str, int], steps: list[int], lead: int, newest: str, series: int
) -> None:
    """Several series side by side, which begin well before a change and end well behind it."""
    name, change = where
    how = notation(LOCAL, ZoneInfo(name))
    steps = [600, *steps, *[600] * 48]
    written = [change - lead + sum(steps[:at]) for at in range(len(steps))]
    written = written[::-1] if newest == "first" else written
    times = [time for time in written for _ in range(series)]
    keys = [key for _ in written for key in range(series)]

    assert settle([how.read(how.write(time)) for time in times], keys) == times


@pytest.mark.parametrize("name", ZONES)
def test_times_that_were_skipped_are_none(name: str) -> None:
    """The reason is a word of its own; the second before and the one behind are good."""
    zone = ZoneInfo(name)
    for change in changes(name):
        before = shown(change - 1, zone)
        gap = int((shown(change, zone) - before).total_seconds()) - 1
        assert instant(before, zone) == change - 1 or gap < 0
        for seconds in {1, max(gap // 2, 1), gap} if gap > 0 else ():
            found = instant(before + timedelta(seconds=seconds), zone)

            assert isinstance(found, NoTime)
            assert found.reason == "no_such_time"


@pytest.mark.slow  # asks in the nights of up to 76 changes of the clock
@pytest.mark.parametrize("name", ZONES)
def test_a_request_covers_both_passes(name: str) -> None:
    """Whether the source compares texts, or takes an hour that comes twice for either pass."""
    how = notation(LOCAL, ZoneInfo(name))
    for change in changes(name):
        around = range(change - 9000, change + 9000, 1800)
        texts = [how.write(each) for each in around]
        for at, time in enumerate(around):
            since, until = how.since(time), how.until(time)

            assert since <= min(texts[at:])
            assert max(texts[:at], default="") <= until
            assert _of(how, since) <= time <= _of(how, until)


def _of(how: Notation, text: str) -> float:
    """Return the instant of a local time that comes once."""
    found = how.read(text)
    assert isinstance(found, float)
    return found


@pytest.mark.parametrize(
    "time_format", [LOCAL + " %z", LOCAL + "Z", "iso", "unix", "unix_ms", "rfc2822", "dotnet"]
)
@pytest.mark.slow  # writes in the nights of up to 76 changes of the clock
@pytest.mark.parametrize("name", ZONES)
def test_what_tells_its_zone_comes_back_alone(name: str, time_format: str) -> None:
    """Write, then read: no neighbours are needed."""
    how = notation(time_format, ZoneInfo(name))
    for change in changes(name) or (FIRST,):
        for time in range(change - 7200, change + 7201, 1800):
            for text in (how.write(time), how.since(time), how.until(time)):
                assert how.read(text) == time


@pytest.mark.parametrize("time_format", [LOCAL + " %Z", "dsmr"])
@pytest.mark.parametrize(
    "name", ["Europe/Berlin", "America/New_York", "Europe/London", "Europe/Dublin"]
)
def test_letters_tell_the_pass(name: str, time_format: str) -> None:
    """Summer and winter time have letters of their own, which the zone gives a meaning."""
    how = notation(time_format, ZoneInfo(name))
    for change in changes(name):
        for time in range(change - 7200, change + 7201, 1800):
            assert how.read(how.write(time)) == time


@pytest.mark.parametrize("begin", range(16))
@pytest.mark.parametrize("length", range(1, 8))
def test_an_answer_may_begin_and_end_within_the_hour(begin: int, length: int) -> None:
    """What was asked for and the time of the answer tell the pass where order does not."""
    change = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())
    written = [change - 7200 + 900 * (begin + at) for at in range(length)]
    bounds = Bounds(after=written[0] - 1, now=written[-1] + 60)

    assert read_all(written, BERLIN, bounds=bounds) == written


@pytest.mark.parametrize("length", range(1, 9))
@pytest.mark.parametrize("late", [60, 5400, 10**7])
def test_what_was_read_before_tells_the_pass(length: int, late: int) -> None:
    """A source that is behind has nothing near now, but goes on where it was read before."""
    change = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())
    written = [change - 3600 + 900 * at for at in range(length)]
    for read in range(written[0] - 900, written[-1] + 1, 450):
        bounds = Bounds(after=change - 3601, now=written[-1] + late, read=read)

        assert read_all(written, BERLIN, bounds=bounds) == written


def test_pages_go_on_where_the_one_before_ended() -> None:
    """The last time of a page is the neighbour of the first one of the next."""
    change = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())
    written = [change - 7200 + 900 * at for at in range(16)]
    how = notation(LOCAL, BERLIN)
    for order in (written, written[::-1]):
        for size in (3, 5):
            found: list[float] = []
            for at in range(0, len(order), size):
                page = [how.read(how.write(time)) for time in order[at : at + size]]
                before = {"a": found[-1]} if found else {}
                found += settle(page, ["a"] * len(page), before=before)

            assert found == order


@pytest.mark.parametrize("delay", [0, 5, 300, 1500])
def test_the_time_of_arrival_tells_the_pass(delay: int) -> None:
    """A reading that is pushed has no neighbours, and is not of the future."""
    change = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())
    how = notation(LOCAL, BERLIN)
    for time in range(change - 3600, change + 3600, 300):
        bounds = Bounds(now=time + delay, live=True)

        assert settle([how.read(how.write(time))], ["a"], bounds=bounds) == [time]


def test_lines_of_one_time_stay_together() -> None:
    """They do in the hour that comes twice, too, where the second would be an hour later."""
    twice = instant(datetime(2025, 10, 26, 2, 30), BERLIN)  # noqa: DTZ001 -- a local time
    assert isinstance(twice, Twice)

    assert settle([twice] * 3, "aaa") == [twice.first] * 3
    assert settle([twice] * 2, "aa", bounds=Bounds(after=twice.first + 1)) == [twice.second] * 2


def test_a_clock_that_is_set_back_is_believed() -> None:
    """Outside of that hour an earlier time is an earlier time."""
    noon = datetime(2025, 7, 1, 12)  # noqa: DTZ001 -- a local time
    times = [instant(noon - timedelta(minutes=each), BERLIN) for each in (0, 5)]

    one, other = settle(times, "aa")

    assert one - other == 300


@pytest.mark.parametrize("name", ["", "America", "../etc/passwd", "AKST9", "zone.tab", "a" * 999])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    """Folders and files beside the zones are none, either."""
    with pytest.raises(ValueError, match=r"^expected a time zone such as America/Anchorage"):
        time_zone(name)


@pytest.mark.parametrize("name", ["America/Ancorage", "america/anchorage", "America/Anchorage\0"])
def test_a_misspelt_zone_is_recognised(name: str) -> None:
    """The nearest name is suggested."""
    with pytest.raises(ValueError, match=r" \(did you mean America/Anchorage\?\)$"):
        time_zone(name)


@pytest.mark.slow  # looks for the nearest of 600 names
@given(st.text(max_size=30))
def test_arbitrary_text_is_a_zone_or_refused(text: str) -> None:
    """What the system's tables hold beside zones never lets another error out."""
    try:
        assert time_zone(text).key == text
    except ValueError as error:
        assert str(error).startswith("expected")  # noqa: PT017 -- either way is fine


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize(
    ("minutes", "now"),
    [
        ((-30, -15), -10),
        ((-30, -15, 0), 1),
        ((-15, 0), 2),
        ((0, 15), 20),
        ((-60, -45, -30, -15, 0, 15), 600),
        ((-45, -30, -15, 0), 3000),
        ((-75, -60), -58),
        ((45, 60), 62),
    ],
)
def test_first_answer_of_all_that_lies_in_the_hour(
    minutes: tuple[int, ...], now: int, order: int
) -> None:
    """Its own order is what tells first, and then the time at which it came."""
    change = int(datetime(2026, 10, 25, 1, tzinfo=UTC).timestamp())
    how = notation(LOCAL, BERLIN)
    written = [change + 60 * each for each in minutes][::order]
    bounds = Bounds(now=change + 60 * now)

    found = settle(
        [how.read(how.write(time)) for time in written], ["a"] * len(written), bounds=bounds
    )

    assert found == written
