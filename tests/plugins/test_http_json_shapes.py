"""What http_json makes of documents in other shapes and formats than lists of records."""

import gzip
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from tests.support.jsonsource import PLAIN, answers


def at(hour: int, minute: int = 0) -> float:
    """Return a time of the first of July."""
    return datetime(2026, 7, 1, hour, minute, tzinfo=UTC).timestamp()


async def test_columns_have_a_reading_for_each_index() -> None:
    """As Open-Meteo answers: lists side by side, with a null where nothing is known yet."""
    document = {
        "utc_offset_seconds": 0,
        "hourly_units": {"time": "iso8601", "temperature_2m": "°C"},
        "hourly": {
            "time": ["2026-07-01T06:00", "2026-07-01T07:00", "2026-07-01T08:00"],
            "temperature_2m": [17.5, None, 19.0],
        },
    }

    (result,) = await answers(
        document,
        records="hourly",
        layout="columns",
        time="time",
        timezone="UTC",
        series="celsius",
        value="temperature_2m",
    )

    assert result == {
        "readings": [(at(6), "celsius", 17.5), (at(7), "celsius", None), (at(8), "celsius", 19.0)]
    }


async def test_keys_are_times_or_names() -> None:
    """An object may be keyed by either; its values may be numbers."""
    by_time = {"2026-07-01 06:00:00": 310, "2026-07-01 06:15:00": 320}
    by_name = {"1": {"w": 5}, "2": {"w": 7}}

    times = await answers(
        by_time, records="*", time="key", timezone="UTC", series="watts", value="@"
    )
    names = await answers(by_name, records="*", series="inverter_{key}", value="w")

    assert times == [{"readings": [(at(6), "watts", 310), (at(6, 15), "watts", 320)]}]
    assert names == [{"readings": [(None, "inverter_1", 5), (None, "inverter_2", 7)]}]


async def test_fields_of_what_is_around_are_used_for_each_child() -> None:
    """A site has meters, and they have rows; both have fields that a reading needs."""
    document = {"site": "a", "ts": 5, "meters": [{"id": 1, "rows": [{"v": 2}, {"v": 3}]}]}

    (result,) = await answers(
        document,
        records="meters.rows",
        time="parent.parent.ts",
        series="{parent.parent.site}_{parent.id}",
        value="v",
    )

    assert result["readings"] == [(5, "a_1", 2), (5, "a_1", 3)]


async def test_a_byte_order_mark_is_no_fault_with_a_charset() -> None:
    """Both say the same."""
    body = b'\xef\xbb\xbf{"data": [{"id": "a", "t": 1, "v": 2}]}'
    reply = web.Response(body=body, headers={"Content-Type": "application/json; charset=utf-8"})

    assert await answers(reply, **PLAIN) == [{"readings": [(1, "a", 2)]}]


async def test_csv_is_read_as_pandas_reads_it() -> None:
    """With semicolons, decimal commas, local times, and a quote that spans lines."""
    body = (
        b'Zeit;Zaehler;"kWh;gesamt";Notiz\r\n'
        b'01.07.2026 08:00;"a";1.234,5;"zwei\r\nZeilen"\r\n01.07.2026 08:15;b;;\r\n'
    )

    (result,) = await answers(
        web.Response(body=body, content_type="text/csv"),
        time="Zeit",
        time_format="%d.%m.%Y %H:%M",
        timezone="Europe/Berlin",
        series="{Zaehler}_kwh",
        value='"kWh;gesamt"',
        decimal=",",
    )

    judge = pd.read_csv(BytesIO(body), sep=";", decimal=",", thousands=".")
    assert result["readings"] == [(at(6), "a_kwh", 1234.5), (at(6, 15), "b_kwh", None)]
    assert judge["kWh;gesamt"][0] == 1234.5


async def test_xml_is_read_as_pandas_reads_it() -> None:
    """Attributes and elements of each record, below elements with a namespace."""
    rows = "".join(
        f'<m:row id="{each}"><m:t>2026-07-01T0{each}:00:00Z</m:t><m:v>{each}.5</m:v></m:row>'
        for each in (6, 7)
    )
    body = f'<m:data xmlns:m="urn:m"><m:rows>{rows}</m:rows></m:data>'.encode()

    (result,) = await answers(
        web.Response(body=body, content_type="application/xml"),
        records="rows.row",
        time="t",
        series="row_{id}",
        value="v",
    )

    judge = pd.read_xml(BytesIO(body), xpath=".//m:row", namespaces={"m": "urn:m"}, parser="etree")
    assert result["readings"] == [
        (datetime.fromisoformat(row.t).timestamp(), f"row_{row.id}", row.v)
        for row in judge.itertuples()
    ]


async def test_ndjson_in_gzip_is_read() -> None:
    """A server may give a file as it lies on its disk."""
    body = gzip.compress(b'{"id": "a", "t": 1, "v": 2}\n{"id": "a", "t": 2, "v": 3}\n')
    options = {**PLAIN, "records": None}

    (result,) = await answers(web.Response(body=body, content_type="application/gzip"), **options)

    assert result["readings"] == [(1, "a", 2), (2, "a", 3)]


async def test_missing_positions_of_entsoe_repeat_the_value_before() -> None:
    """Curve type A03; the positions are an hour apart, through the end of the period."""
    points = "".join(
        f"<Point><position>{at}</position><quantity>{value}</quantity></Point>"
        for at, value in ((1, 5), (3, 7))
    )
    body = (
        "<GL_MarketDocument xmlns='urn:x'><TimeSeries><curveType>A03</curveType><Period>"
        "<timeInterval><start>2026-07-01T06:00Z</start><end>2026-07-01T10:00Z</end></timeInterval>"
        f"<resolution>PT60M</resolution>{points}</Period></TimeSeries></GL_MarketDocument>"
    )

    (result,) = await answers(
        web.Response(text=body, content_type="text/xml"),
        format="entsoe",
        time="time",
        series="load",
        value="value",
    )

    assert result["readings"] == [
        (at(hour), "load", value) for hour, value in ((6, 5), (7, 5), (8, 7), (9, 7))
    ]


@pytest.mark.parametrize(
    ("reply", "options", "message"),
    [
        (
            web.Response(text="time;kWh\n1;2\n", content_type="text/plain"),
            {},
            r"expected JSON, got 200 OK: text/plain: 'time;kWh 1;2'",
        ),
        (
            web.Response(body="t;ä\n".encode("latin-1"), content_type="text/csv"),
            {},
            "expected text in utf-8, or `charset` beside it, got 200 OK: text/csv:",
        ),
        (
            web.Response(text='{"a": [1]}', content_type="application/json"),
            {"layout": "columns", "records": "b"},
            "page 1: records: expected a list or an object there, got nothing; .* a$",
        ),
    ],
)
async def test_what_is_no_such_document_says_what_it_is(
    reply: web.Response, options: dict[str, Any], message: str
) -> None:
    """The message has the request, what was expected, and the beginning of what came."""
    with pytest.raises(AnswerError, match=message):
        await answers(reply, series="s", value="v", **options)
