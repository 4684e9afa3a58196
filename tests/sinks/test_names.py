"""Names that a store would not read back the same are refused, and no others."""

import json
import urllib.parse
import urllib.request
from typing import Final

import pytest

from ingestd.config.model import InfluxStore, VictoriaStore
from ingestd.errors import ReadingError
from ingestd.model import Series
from ingestd.sinks.influxdb import InfluxSink1
from ingestd.sinks.lineprotocol import Dialect, prefix
from ingestd.sinks.victoriametrics import VictoriaSink
from tests.support.deadline import WITHIN
from tests.support.searchable import make_searchable

AT_US: Final = 1_700_000_000_000_000


def replaced(role: str, name: str) -> Series:
    """Return a series with such a measurement or field."""
    if role == "field":
        return Series("level", field=name)
    return Series("level", measurement=name)


INFLUXDB, VICTORIAMETRICS = Dialect(), Dialect(doubles_backslashes=True)


@pytest.mark.parametrize("name", ['a\\"b', "a\\ b", "a\\,b", "a\\=b", 'a\\\\"b', "a\\\\ b"])
@pytest.mark.parametrize("role", ["measurement", "field"])
def test_influxdb_loses_a_backslash_before_a_special_character(role: str, name: str) -> None:
    """Each was tried with InfluxDB 1.6, which stored another name or refused the line."""
    with pytest.raises(ReadingError, match=f"a {role} must not have a backslash"):
        prefix(replaced(role, name), INFLUXDB)


@pytest.mark.parametrize("name", ['a"b', "a b", "a,b", "a=b", "a\\b", "a\\\\b", "a'b"])
@pytest.mark.parametrize("role", ["measurement", "field"])
def test_what_reads_back_the_same_is_sent(role: str, name: str) -> None:
    """Each was tried with InfluxDB 1.6, too."""
    assert prefix(replaced(role, name), INFLUXDB)


def test_victoriametrics_takes_a_quote_in_a_field_for_a_text() -> None:
    """It would store 0 at the time of arrival, and say that all is well."""
    with pytest.raises(ReadingError, match="a field must not have a"):
        prefix(Series("level", field='a"b'), VICTORIAMETRICS)


SAYABLE: Final = [
    "plain",
    "a b",
    "a,b",
    "a=b",
    "a\\b",
    "a\\\\b",
    "a'b",
    "grün",
    "°C",
    "a.b-c:d",
    "{a}",
]


def named(unique: str, name: str, role: str) -> Series:
    """Return a series of its own with such a measurement or field."""
    if role == "field":
        return Series(f"{unique}-field-{name}", field=name)
    return Series(f"{unique}-measurement-{name}", measurement=name)


@pytest.mark.parametrize("role", ["measurement", "field"])
async def test_influxdb_reads_back_what_is_not_refused(
    influxdb_url: str, unique: str, role: str
) -> None:
    """Every name comes back from a real server, with its value."""
    sink = InfluxSink1(
        InfluxStore(name="s", url=influxdb_url, version=1, database=unique, create=True)
    )
    every = [named(unique, name, role) for name in [*SAYABLE, 'a"b']]
    try:
        await sink.open()
        body = sink.encode([(each, AT_US, 1.0) for each in every]).body
        assert body is not None
        await sink.write(body.data)
    finally:
        await sink.close()

    query = urllib.parse.urlencode({"db": unique, "q": 'SELECT * FROM /.*/ GROUP BY "series"'})
    (result,) = json.loads(got(f"{influxdb_url}/query?{query}"))["results"]
    found = {
        (each["tags"]["series"], each["name"], column)
        for each in result["series"]
        for column, value in zip(each["columns"], each["values"][0], strict=True)
        if column != "time" and value is not None
    }
    assert found == {(each.name, each.measurement, each.field) for each in every}


@pytest.mark.parametrize("role", ["measurement", "field"])
async def test_victoriametrics_reads_back_what_is_not_refused(
    victoriametrics_url: str, unique: str, role: str
) -> None:
    """The name of its metric is that of the measurement and of the field."""
    sink = VictoriaSink(VictoriaStore(name="s", url=victoriametrics_url))
    names = [*SAYABLE, "a\\ b", "ends\\", *(['a"b'] if role == "measurement" else [])]
    every = [named(unique, name, role) for name in names]
    try:
        await sink.open()
        body = sink.encode([(each, AT_US, 1.0) for each in every]).body
        assert body is not None
        await sink.write(body.data)
    finally:
        await sink.close()
    make_searchable(victoriametrics_url)

    query = urllib.parse.urlencode(
        {"match[]": f'{{series=~"{unique}.*"}}', "start": f"{AT_US // 1_000_000 - 1}"}
    )
    lines = got(f"{victoriametrics_url}/api/v1/export?{query}").splitlines()
    found = [json.loads(line) for line in lines]
    assert {(each["metric"]["series"], each["metric"]["__name__"]) for each in found} == {
        (each.name, f"{each.measurement}_{each.field}") for each in every
    }
    assert all(each["values"] == [1] for each in found)
    assert all(each["timestamps"] == [AT_US // 1000] for each in found)


def got(url: str) -> bytes:
    """Return what is at an address."""
    with urllib.request.urlopen(url, timeout=WITHIN) as reply:
        body: bytes = reply.read()
        return body
