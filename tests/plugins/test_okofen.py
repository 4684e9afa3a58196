"""The okofen plugin against a boiler as they stand in cellars."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.okofen import check, run
from ingestd.plugins.okofen.logs import column
from ingestd.testing import collect, context

VIENNA: Final = ZoneInfo("Europe/Vienna")
NOW: Final = datetime(2026, 7, 1, 12, tzinfo=UTC)
HEAD: Final = "Datum ;Zeit ;AT [°C];PE1_BR1 ;PE1 KT[°C];PE1 Modulation[%];Fehler1 ;"
INFO: Final = "Oekofen JSON Interface   V4.00b   http://www.oekofen.at\n\nusage:\n"
ALL: Final[dict[str, Any]] = {
    "system": {
        "system_info": "system global variables",
        "L_ambient": {"val": "-25", "unit": "°C", "factor": "0.1", "min": "-32768"},
        "L_usb_stick": {"val": "false", "format": "0:Aus|1:Ein"},
    },
    "weather": {"L_source": {"val": "http://www.openweathermap.org", "length": "20"}},
    "pe1": {
        "L_temp_act": {"val": 631, "unit": "°C", "factor": 0.1, "min": -32768, "max": 32767},
        "L_ext_temp": {"val": -32768, "unit": "°C", "factor": 0.1},
        "L_br": {"val": "true", "format": "0:Aus|1:Ein"},
        "L_statetext": "Leistungsbrand",
        "storage_fill_today": {"val": 12, "unit": "kg", "factor": 1},
        "mode": {"val": 1, "format": "0:Aus|1:Auto|2:Ein"},
    },
    "error": {},
}


@dataclass
class Cellar:
    """A boiler.

    Attributes:
        files: Path -> what is there.
        hurried: How many requests it will turn away because they come too soon.
        asked: The path of every request, as it was sent.
    """

    files: dict[str, bytes | web.Response] = field(default_factory=dict)
    hurried: int = 0
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer as the boiler does: without a content type, in Latin-1."""
        self.asked.append(request.raw_path)
        if self.hurried:
            self.hurried -= 1
            return web.Response(status=401, text="Wait at least 20ms during requests")
        found = self.files.get(request.raw_path)
        if found is None and request.path.startswith("/pass/"):
            return web.Response(body=INFO.encode())
        if found is None:
            return web.Response(status=404, text="<h1>404</h1>")
        return found if isinstance(found, web.Response) else web.Response(body=found)

    def touch(self, day: str, text: str) -> None:
        """Keep a log where the display keeps it."""
        self.files[f"/logfiles/pelletronic/touch_{day}.csv"] = text.encode("latin-1")


@asynccontextmanager
async def served(cellar: Cellar) -> AsyncIterator[str]:
    """Run the server; give its address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", cellar.answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


async def collected(cellar: Cellar, *, now: datetime = NOW, **params: Any) -> list[Any]:
    """Return the results of one run."""
    given = {"timezone": "Europe/Vienna", "pause": "0s", **params}
    async with served(cellar) as url, context(now=now) as ctx:
        return await collect(run, ctx=ctx, url=url, **given)


def log(*times: datetime, head: str = HEAD) -> str:
    """Return a log with lines at these times, in the boiler's."""
    shown = [each.astimezone(VIENNA) for each in times]
    lines = [f"{at:%d.%m.%Y;%H:%M:%S};18,5;1;{at.minute},5;100;;" for at in shown]
    return "".join(f"{line}\r\n" for line in [head, *lines])


def minutes(count: int, *, since: datetime) -> Sequence[datetime]:
    """Return so many minutes, one after the other."""
    return [since + timedelta(minutes=each) for each in range(count)]


def times_of(results: list[Any], series: str = "okofen_AT_celsius") -> list[float]:
    """Return the times of one series."""
    found = [each for result in results for each in result.get("readings", ())]
    return [time for time, name, _ in found if name == series]


async def test_live_values_are_scaled_and_settings_are_left_out() -> None:
    """Numbers in texts are numbers; texts, and sensors that are not there, are nothing."""
    cellar = Cellar({"/pass/all?": json.dumps(ALL, ensure_ascii=False).encode("latin-1")})

    (result,) = await collected(cellar, password="pass", logs="none", site="haines")

    assert result == {
        "readings": [
            (None, "haines_system_L_ambient", -2.5),
            (None, "haines_system_L_usb_stick", 0),
            (None, "haines_pe1_L_temp_act", 63.1),
            (None, "haines_pe1_L_br", 1),
            (None, "haines_pe1_storage_fill_today", 12),
        ]
    }


async def test_fields_choose_what_is_read() -> None:
    """They choose among settings and columns of the logs, too."""
    cellar = Cellar({"/pass/all?": b'{"pe1": {"mode": {"val": 1}, "L_br": {"val": 0}}}'})
    cellar.files["/pass/log0"] = log(NOW).encode("latin-1")

    results = await collected(cellar, password="pass", fields=["pe1_mode", "*_celsius"])

    assert [series for each in results for _, series, _ in each["readings"]] == [
        "okofen_pe1_mode",
        "okofen_AT_celsius",
        "okofen_PE1_KT_celsius",
    ]


async def test_json_without_a_quotation_mark_is_read() -> None:
    """One version of the interface forgets it."""
    text = '{"pe1": {"L_statetext:"Zündung", "L_starts":{"val": 7}}}'
    cellar = Cellar({"/pass/all?": text.encode("latin-1")})

    (result,) = await collected(cellar, password="pass", logs="none")

    assert result["readings"] == [(None, "okofen_pe1_L_starts", 7)]


async def test_boiler_that_wants_to_be_left_alone_is_asked_again() -> None:
    """It says for how long."""
    cellar = Cellar({"/pass/all?": b'{"pe1": {"L_starts": {"val": 7}}}'}, hurried=1)

    (result,) = await collected(cellar, password="pass", logs="none")

    assert len(result["readings"]) == 1
    assert len(cellar.asked) == 2


async def test_lines_of_a_log_become_readings() -> None:
    """Decimal commas, local time, titles with units; a fault's text is no number."""
    text = log(NOW - timedelta(hours=1)).replace(";;", ";Zündung!;")
    cellar = Cellar()
    cellar.touch("20260701", text)

    (result,) = await collected(cellar, lookback="2h")

    eleven = NOW.timestamp() - 3600
    assert result == {
        "readings": [
            (eleven, "okofen_AT_celsius", "18.5"),
            (eleven, "okofen_PE1_BR1", "1"),
            (eleven, "okofen_PE1_KT_celsius", "0.5"),
            (eleven, "okofen_PE1_Modulation_percent", "100"),
        ],
        "newest": eleven,
    }


@pytest.mark.parametrize("sign", ["°", "ý", "»", "Â°", "\ufffd"])
def test_degrees_are_degrees_in_any_encoding(sign: str) -> None:
    """Boilers write the sign in several wrong ones."""
    assert column(f"HK1 VL Ist[{sign}C]") == "HK1_VL_Ist_celsius"


async def test_second_run_reads_on_and_repeats_the_newest_line() -> None:
    """The log of the day has grown meanwhile."""
    cellar = Cellar()
    cellar.touch("20260701", log(*minutes(5, since=NOW - timedelta(minutes=20))))
    (first,) = await collected(cellar, lookback="1h")
    cellar.touch("20260701", log(*minutes(8, since=NOW - timedelta(minutes=20))))

    (second,) = await collected(cellar, newest=first["newest"])

    assert len(times_of([first])) == 5
    assert times_of([second]) == [first["newest"] + 60 * each for each in range(4)]


async def test_every_day_is_a_checkpoint_and_days_without_a_log_are_passed() -> None:
    """The boiler may have been off, or the display without power."""
    cellar = Cellar()
    cellar.touch("20260627", log(*minutes(3, since=NOW - timedelta(days=4))))
    cellar.touch("20260628", "")
    cellar.touch("20260701", log(*minutes(3, since=NOW - timedelta(hours=1))))

    results = await collected(cellar, lookback="5d")

    assert [each["newest"] for each in results] == [
        NOW.timestamp() - 4 * 86400 + 120,
        NOW.timestamp() - 3600 + 120,
    ]


async def test_half_a_line_is_read_when_it_is_whole() -> None:
    """The boiler is writing it; that of a day that is over is whole without an end."""
    cellar = Cellar()
    growing = log(*minutes(3, since=NOW - timedelta(minutes=5)))
    cellar.touch("20260630", log(NOW - timedelta(days=1)).rstrip("\r\n"))
    cellar.touch("20260701", growing[:-8])
    results = await collected(cellar, lookback="1d")
    cellar.touch("20260701", growing)

    (again,) = await collected(cellar, newest=results[-1]["newest"])

    first = NOW.timestamp() - 300
    assert times_of(results) == [NOW.timestamp() - 86400, first, first + 60]
    assert times_of([again]) == [first + 60, first + 120]


async def test_half_a_number_is_not_taken_for_one() -> None:
    """A line may break off inside its last cell."""
    cellar = Cellar()
    text = "Datum ;Zeit ;AT [°C]\r\n01.07.2026;13:00:00;18,5\r\n01.07.2026;13:01:00;-1"
    cellar.touch("20260701", text)

    (result,) = await collected(cellar, lookback="2h")

    assert [value for _, _, value in result["readings"]] == ["18.5"]
    assert result["newest"] == NOW.timestamp() - 3600


async def test_broken_lines_are_passed_and_told_once() -> None:
    """A power cut leaves them; no run repeats what the one before has said."""
    whole = log(*minutes(4, since=NOW - timedelta(minutes=5))).splitlines(keepends=True)
    cellar = Cellar()
    cellar.touch("20260701", "".join([*whole[:2], "01.07.20\r\n", "\0\0;\0\r\n", *whole[2:]]))
    logs = []
    newest = None
    async with served(cellar) as url:
        for _ in range(2):
            async with context(now=NOW) as ctx:
                given: dict[str, Any] = {"timezone": "Europe/Vienna", "lookback": "1h"}
                (result,) = await collect(run, ctx=ctx, url=url, newest=newest, **given)
                newest = result["newest"]
                logs.append([each["lines"] for each in ctx.logs])

    assert logs == [[2], []]
    assert newest == NOW.timestamp() - 120


@pytest.mark.parametrize(
    "day", [datetime(2025, 10, 26, tzinfo=VIENNA), datetime(2026, 3, 29, tzinfo=VIENNA)]
)
async def test_times_are_right_through_a_change_of_the_clock(day: datetime) -> None:
    """Each minute of the day is there once."""
    start = day.astimezone(UTC)
    written = minutes(22 * 60, since=start)
    cellar = Cellar()
    cellar.touch(f"{day:%Y%m%d}", log(*written))

    results = await collected(cellar, now=written[-1], lookback="22h")

    assert times_of(results) == [each.timestamp() for each in written]


async def test_a_time_that_was_skipped_is_handed_on_once() -> None:
    """A boiler that does not know summer time shows it; the daemon counts the reading."""
    text = log(datetime(2026, 3, 29, 1, 59, tzinfo=VIENNA), datetime(2026, 3, 29, 3, tzinfo=VIENNA))
    lines = text.splitlines(keepends=True)
    lines.insert(2, lines[1].replace("01:59:00", "02:30:00"))
    cellar = Cellar()
    cellar.touch("20260329", "".join(lines))
    now = datetime(2026, 3, 29, 4, tzinfo=VIENNA)

    (first,) = await collected(cellar, now=now, lookback="6h", fields=["AT*"])
    (again,) = await collected(cellar, now=now, newest=first["newest"], fields=["AT*"])

    before, skipped, after = times_of([first])
    assert after - before == 60
    assert "a clock in Europe/Vienna shows" in str(skipped)
    assert times_of([again]) == [after]


async def test_position_does_not_follow_a_clock_that_is_wrong() -> None:
    """One line of next year must not hide all others until then."""
    cellar = Cellar()
    wrong = NOW + timedelta(days=365)
    cellar.touch("20260701", log(NOW - timedelta(minutes=2), wrong, NOW - timedelta(minutes=1)))

    (result,) = await collected(cellar, lookback="1h")

    assert len(times_of([result])) == 3
    assert result["newest"] == NOW.timestamp() - 60


async def test_classic_logs_have_numbered_columns_and_one_cell_for_the_time() -> None:
    """The older display writes them so."""
    head = "Time;P112 Status;P241 Pump;Boiler 1;\n"
    text = head + "2026-07-01 13:00;4;0;61,5;\n2026-07-01 13:01;4;1;61,7;\n"
    cellar = Cellar({"/csv/2026-07-01_00-00.csv": text.encode()})

    (result,) = await collected(cellar, logs="classic", lookback="1d", site="haines")

    eleven = NOW.timestamp() - 3600
    assert result["readings"][:3] == [
        (eleven, "haines_P112", "4"),
        (eleven, "haines_P241", "0"),
        (eleven, "haines_Boiler_1", "61.5"),
    ]
    assert result["newest"] == eleven + 60


async def test_logs_of_the_json_interface_are_read_back_to_the_newest_line() -> None:
    """It counts days backwards; what is read already is not asked for."""
    cellar = Cellar()
    for back in range(3):
        some = minutes(3, since=NOW - timedelta(days=back, hours=1))
        cellar.files[f"/pass/log{back}"] = log(*some).encode("latin-1")
    given: dict[str, Any] = {"password": "pass", "live": False}

    first = await collected(cellar, lookback="3d", **given)
    cellar.asked.clear()
    second = await collected(cellar, newest=first[-1]["newest"], **given)

    assert times_of(first) == sorted(times_of(first))
    assert len(times_of(first)) == 9
    assert len(times_of(second)) == 1
    assert cellar.asked == ["/pass/log0"]


async def test_live_values_are_there_when_the_logs_are_not() -> None:
    """The other way round, too: the run is degraded, and what came is kept."""
    cellar = Cellar({"/pass/all?": b'{"pe1": {"L_starts": {"val": 7}}}'})
    values, problem = await collected(cellar, password="pass")

    cellar = Cellar({"/pass/all?": b"<html>", "/pass/log0": log(NOW).encode("latin-1")})
    lines, other = await collected(cellar, password="pass", lookback="1h")

    assert len(values["readings"]) == 1
    assert "expected a log of any day" in problem["script_error"]
    assert lines["newest"] == NOW.timestamp()
    assert "/***/all?: expected a JSON object" in other["script_error"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (web.Response(text="<html>;please log in", content_type="text/html"), "a table with semi"),
        (web.Response(status=500, text="a;b"), "expected a table with semicolons, got 500"),
        (web.Response(status=302, headers={"Location": "/login.cgi"}), "got 302 Found"),
        (web.Response(status=404), "expected a log of any day, got 404"),
    ],
)
async def test_what_is_no_log_fails_the_run(reply: web.Response, message: str) -> None:
    """The error says which one, and what came instead."""
    cellar = Cellar({"/logfiles/pelletronic/touch_20260701.csv": reply})

    with pytest.raises(AnswerError, match=message) as caught:
        await collected(cellar, lookback="1h")

    assert "touch_20260701.csv" in str(caught.value)


async def test_password_is_in_no_error() -> None:
    """Although it is a part of the address."""
    with pytest.raises(AnswerError, match=r"is the password right\?") as caught:
        await collected(Cellar(), password="pass")

    assert "/pass/" not in str(caught.value)


async def test_failure_in_the_middle_keeps_the_days_before() -> None:
    """The days behind it wait, so that none is skipped."""
    cellar = Cellar()
    cellar.touch("20260629", log(NOW - timedelta(days=2)))
    cellar.files["/logfiles/pelletronic/touch_20260630.csv"] = web.Response(status=500)
    cellar.touch("20260701", log(NOW))
    async with served(cellar) as url, context(now=NOW) as ctx:
        results = run(ctx=ctx, url=url, timezone="Europe/Vienna", lookback="2d")
        first = await anext(results)
        with pytest.raises(AnswerError, match=r"touch_20260630.csv: expected a table"):
            await anext(results)

    assert first["newest"] == NOW.timestamp() - 2 * 86400
    assert "/logfiles/pelletronic/touch_20260701.csv" not in cellar.asked


async def test_backfill_reads_a_window_and_leaves_the_position() -> None:
    """What is measured now does not belong to it."""
    cellar = Cellar()
    cellar.touch("20260629", log(*minutes(60, since=NOW - timedelta(days=2))))
    start = NOW - timedelta(days=2) + timedelta(minutes=10)

    results = await collected(
        cellar, password="pass", logs="touch", start=start, end=start + timedelta(minutes=5)
    )

    assert times_of(results) == [start.timestamp() + 60 * each for each in range(5)]
    assert all(set(each) == {"readings"} for each in results)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"logs": "json"}, "logs: expected a password beside 'json', got none"),
        ({"logs": "tuch"}, "logs: expected json, touch, classic, none or a path with %Y"),
        ({"timezone": None}, "timezone: expected a time zone such as America/Anchorage, got None"),
        ({"fields": "AT*"}, r"fields: expected a list of patterns, got 'AT\*'"),
        ({"pause": "3"}, "pause: expected a duration"),
    ],
)
async def test_wrong_option_says_what_is_wrong(params: dict[str, Any], message: str) -> None:
    """It does so before anything is asked for."""
    cellar = Cellar()

    with pytest.raises(ValueError, match=message):
        await collected(cellar, **params)

    assert cellar.asked == []


async def test_backfill_without_logs_is_refused() -> None:
    """What is measured now has no past: each window would be read, and empty."""
    window: dict[str, Any] = {"start": datetime(2026, 7, 1, tzinfo=UTC), "end": NOW}
    live: dict[str, Any] = {"url": "http://h:4321", "password": "pass", "logs": "none"}
    told = "logs: expected for a backfill, which reads nothing else, got none"
    with pytest.raises(ValueError, match=told):
        await collected(Cellar(), password="pass", logs="none", **window)

    assert check(**live, **window) == [told]
    assert check(**live) == []
