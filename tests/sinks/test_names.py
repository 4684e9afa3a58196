"""Names that a store would not read back the same are refused, and no others."""

import pytest

from ingestd.errors import ReadingError
from ingestd.model import Series
from ingestd.sinks.lineprotocol import Dialect, prefix


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
