"""What an operator writes for the dcs plugin, and what is made of it."""

import re
import time
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from ingestd.plugins.dcs import check, run
from ingestd.plugins.dcs.errors import DcsError
from ingestd.plugins.dcs.options import beginning, options_of
from ingestd.plugins.dcs.sources import Selection, Source, registers_in, virtual_meters_in
from ingestd.testing import collect

GIVEN: dict[str, Any] = {
    "url": "https://dcs.example.org/DCSWebApi/",
    "api": "current",
    "username": "reader",
    "password": "hush",
    "registers": "all",
    "max_window": "365d",
    "since": "30d",
    "period": "half_hour",
    "values": "auto",
    "calibrated": True,
    "interpolated": False,
    "skip": ["generated"],
    "local_time": False,
    "decimal_places": 15,
    "series": "dcs_{id}_{quantity}",
    "tags": None,
    "status": False,
    "source": "automatic",
    "only": None,
    "renamed": "keep",
}
NOON = datetime(2024, 3, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "dcs.example.org"}, r"url: expected https://…/DCSWebApi or https://…/DCS, got"),
        ({"url": "https://me:hush@dcs.example.org/DCS"}, "url: expected nothing but an address"),
        ({"url": "https://dcs.example.org/DCS?k=hush"}, "url: expected nothing but an address"),
        ({"url": 7}, "url: expected https"),
        ({"api": "v3"}, "api: expected one of current, legacy, got 'v3'"),
        ({"period": "halfHour"}, "period: expected one of half_hour, hour, day, week, month, got"),
        ({"values": "sample"}, "values: expected one of auto, total, period, both"),
        ({"username": "me"}, "username, password: expected both or neither"),
        ({"api": "legacy"}, "username: expected with api: legacy"),
        ({"local_time": True}, "local_time: expected only with api: legacy"),
        ({"calibrated": "yes"}, "calibrated: expected true or false, got 'yes'"),
        ({"decimal_places": 16}, "decimal_places: expected at most 15, got 16"),
        ({"decimal_places": -1}, "decimal_places: expected a whole number of at least 0"),
        ({"skip": ["estimated"]}, "skip: expected a list of generated, interpolated, reset, got"),
        ({"registers": []}, "registers: expected 'all' or a list"),
        ({"registers": [733]}, "registers: expected ids such as 'R733' or 'VM9'"),
        ({"registers": 733}, "registers: expected 'all' or a list, got 733"),
        ({"since": "soon"}, "since: expected a date such as 2020-01-31, or a duration such as 30d"),
        ({"since": 30}, "since: expected a date"),
        ({"max_window": "1y"}, "max_window: expected a duration"),
        ({"max_window": "0s"}, "max_window: expected more than nothing"),
        ({"series": "dcs_{ID}"}, "series: expected fields among id, meter, quantity, register"),
        ({"series": "dcs_{id"}, "series: expected pairs of braces"),
        ({"series": ""}, "series: expected a text"),
        ({"tags": {"site": "{campus}"}}, "tags.site: expected fields among"),
    ],
)
async def test_wrong_option_says_what_is_right(options: dict[str, Any], message: str) -> None:
    """Options are checked before anything is asked, and secrets are not shown."""
    with pytest.raises(ValueError, match=message) as caught:
        await collect(run, **{"url": "http://127.0.0.1:9/DCSWebApi", **options})

    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "api", "root"),
    [
        ("https://h/DCSWebApi/", "current", "https://h/DCSWebApi"),
        ("https://h:8443", "current", "https://h:8443"),
        ("http://h/DCS", "legacy", "http://h/DCS/api"),
        ("http://h/DCS/api/", "legacy", "http://h/DCS/api"),
        ("http://h/dcs/API", "legacy", "http://h/dcs/API"),
    ],
)
def test_address_of_the_api_is_completed(url: str, api: str, root: str) -> None:
    """The legacy one lies below the pages that people use."""
    assert str(options_of({**GIVEN, "url": url, "api": api}).root) == root


def test_password_is_never_shown() -> None:
    """Options may come into a traceback."""
    assert "hush" not in repr(options_of(GIVEN))


@pytest.mark.parametrize(
    ("since", "moment"),
    [
        ("30d", NOON - timedelta(days=30)),
        ("1d12h", NOON - timedelta(days=1.5)),
        ("2020-01-31", datetime(2020, 1, 31, tzinfo=UTC)),
        (datetime(2020, 1, 31).date(), datetime(2020, 1, 31, tzinfo=UTC)),  # noqa: DTZ001
        ("2020-01-31T12:00:00", datetime(2020, 1, 31, 12, tzinfo=UTC)),
        ("2020-01-31T12:00:00+02:00", datetime(2020, 1, 31, 10, tzinfo=UTC)),
        (datetime(2020, 1, 31, 12, tzinfo=timezone(timedelta(hours=1))),
         datetime(2020, 1, 31, 11, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_since_is_a_time_or_a_duration(since: Any, moment: datetime) -> None:
    """A time without a zone is the machine's."""
    wanted = moment.replace(tzinfo=None).astimezone() if is_naive(since) else moment
    assert beginning(since)(NOON) == wanted


def is_naive(since: Any) -> bool:
    """Say whether a date or time is without a zone."""
    if isinstance(since, str):
        return re.fullmatch(r"\d{4}-\d\d-\d\d([T ][\d:]+)?", since) is not None
    return isinstance(since, date) and getattr(since, "tzinfo", None) is None


def test_since_means_what_the_times_of_commands_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """A date that is copied from one to the other begins at the same midnight."""
    monkeypatch.setenv("TZ", "America/Anchorage")
    time.tzset()
    try:
        found = beginning("2024-01-31")(NOON)
    finally:
        monkeypatch.undo()
        time.tzset()

    assert found == datetime(2024, 1, 31, 9, tzinfo=UTC)


# --- sources


def test_lists_are_read_however_they_are_spelt() -> None:
    """Keys in any case, texts missing, meters without registers."""
    meters = [
        {"ID": 1, "Name": " Library ", "SerialNumber": None, "Registers": [
            {"Id": 7, "name": "Energy", "ISINSTANTANEOUS": False, "future": {}},
            {"id": 8, "isInstantaneous": True},
        ]},
        {"id": 2, "registers": None},
    ]  # fmt: skip

    assert registers_in(meters, where="GET /meters") == [
        Source("R7", 7, False, False, "Library", "Energy", "", ""),
        Source("R8", 8, False, True, "Library", "", "", ""),
    ]
    (virtual,) = virtual_meters_in([{"id": 9, "name": "All"}], where="")
    assert (virtual.id, virtual.name, virtual.unit) == ("VM9", "All", "")


@pytest.mark.parametrize("document", [{}, None, "x", [7], [{"name": "x"}], [{"id": "7"}]])
def test_list_that_is_none_says_what_came(document: Any) -> None:
    """An answer of another shape is an error, not an empty campus."""
    with pytest.raises(DcsError, match=r"GET /meters: expected"):
        registers_in(document, where="GET /meters")


def source(name: str, meter: str, register: str = "") -> Source:
    """Return a source."""
    number = int("".join(filter(str.isdigit, name)))
    return Source(name, number, name.startswith("VM"), False, meter, register, "kWh", "")


KNOWN = [
    source("R1", "Library", "Active Energy"),
    source("R2", "Library", "Active Power"),
    source("R12", "Gym [old]", "Active Energy"),
    source("VM1", "Library and gym"),
]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ("all", ["R1", "R2", "R12", "VM1"]),
        (["vm01", "r2", "R2"], ["VM1", "R2"]),
        (["library: *"], ["R1", "R2"]),
        (["*ENERGY"], ["R1", "R12"]),
        (["Library*"], ["R1", "R2", "VM1"]),
        (["R12", "*: Active Energy"], ["R12", "R1"]),
        ("Library and gym", ["VM1"]),
    ],
)
def test_sources_are_chosen_by_id_and_by_pattern(wanted: Any, chosen: list[str]) -> None:
    """Case does not matter, and no source comes twice."""
    found, problems = Selection.of(wanted).choose(KNOWN)

    assert [each.id for each in found] == chosen
    assert problems == {}


@pytest.mark.parametrize(
    ("wanted", "registers", "virtual"),
    [("all", True, True), (["R1"], True, False), (["VM1"], False, True), (["x*"], True, True)],
)
def test_selection_knows_which_lists_it_needs(
    wanted: Any, *, registers: bool, virtual: bool
) -> None:
    """An account may lack the right to the other."""
    selection = Selection.of(wanted)

    assert (selection.registers, selection.virtual_meters) == (registers, virtual)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"source": "manual"}, "source: expected automatic, the only one"),
        ({"source": "typed", "api": "legacy"}, "source: expected one of automatic, manual, merged"),
        ({"renamed": "yes"}, "renamed: expected one of keep, follow"),
        ({"only": "gas"}, "only: expected a mapping such as"),
        ({"only": {"colour": "red"}}, "only: expected meter, serial, service, status, type"),
        ({"only": {"service": 5}}, r"only\.service: expected a pattern or a list of them, got 5"),
        ({"tags": {"x": "{status}"}}, r"tags\.x: expected fields among"),
    ],
)
def test_choice_and_source_are_checked(wrong: dict[str, Any], message: str) -> None:
    """What a meter's status is at the moment is no part of a series."""
    with pytest.raises(ValueError, match=message):
        options_of({**GIVEN, **wrong})


def test_check_tells_everything_at_once() -> None:
    """Each wrong option once, and what is asked for twice, which a run reads once."""
    told = check(
        url="ftp://dcs",
        api="old",
        registers=["R733", "vm9", "r0733", "Library: *", "Library: *"],
        since="last week",
        values="none",
        decimal_places=99,
        skip=["zeros"],
        calibrated="yes",
    )

    # What is of the wrong kind is told before.
    assert [each.partition(":")[0] for each in told] == [
        "calibrated", "url", "api", "since", "values", "skip", "decimal_places", "registers",
    ]  # fmt: skip
    assert told[-1] == "registers: expected each once, got more of R733, Library: *"
    assert check(url=GIVEN["url"], registers=["R733", "R734"]) == []
