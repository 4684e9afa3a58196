"""Bytes become documents: JSON, NDJSON, CSV and XML, also compressed."""

import gzip
import io
import zipfile
from datetime import tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pytest

from ingestd.plugins._documents import DocumentError, format_of


def documents(
    data: bytes,
    content_type: str = "",
    said: str | None = None,
    *,
    zone: tzinfo | None = None,
    most_bytes: int = 10_000,
    **options: Any,
) -> list[Any]:
    """Return the documents in a body."""
    form = format_of(**options, zone=zone)
    return list(form.documents(data, most_bytes=most_bytes, content_type=content_type, said=said))


def zipped(**files: bytes) -> bytes:
    """Return a zip of files, whose names have a dot for the last underscore."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(".".join(name.rsplit("_", 1)), data)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("data", "content_type", "said", "expected"),
    [
        (b'{"a": 1}', "application/json", None, {"a": 1}),
        (b'\xef\xbb\xbf{"a": 1}', "application/json", "utf-8", {"a": 1}),
        ('\ufeff{"a": 1}'.encode("utf-16-le"), "", None, {"a": 1}),
        ('{"ä": 1}'.encode("latin-1"), "application/json", "iso-8859-1", {"ä": 1}),
        (b'{"a": 1}\n{"a": 2}\n', "", None, [{"a": 1}, {"a": 2}]),
        (b'{"a": 1}\n', "application/x-ndjson", None, [{"a": 1}]),
        (b"a,b\n1,2\n", "text/csv; charset=utf-8", "utf-8", [{"a": "1", "b": "2"}]),
        (b"<r><a>1</a></r>", "", None, {"a": "1"}),
        (b"\n<r><a>1</a></r>", "application/vnd.x+xml", None, {"a": "1"}),
        (b'{"a": 1}', "text/plain", "no-such-charset", {"a": 1}),
    ],
)
def test_what_came_is_seen(data: bytes, content_type: str, said: str | None, expected: Any) -> None:
    """The sender says the format, or its first bytes do."""
    assert documents(data, content_type, said) == [expected]


def test_lines_of_json_cost_only_themselves() -> None:
    """A line that was cut off is no record, and its neighbours are; blank lines are nothing."""
    (found,) = documents(b'{"a": 1}\n\n{"a": \r\n[2]\n', format="ndjson")

    assert found == [{"a": 1}, "no JSON: b'{\"a\": '", [2]]
    with pytest.raises(DocumentError, match="expected lines of JSON: line 1: expected JSON"):
        documents(b"<html>\n<body>", format="ndjson")


CSV_EXAMPLES = [
    (b"time;kWh\n2026-07-01;1,5\n2026-07-02;2,5\n", {}, {}),
    (b"time\tkWh\n1\t1.5\n", {}, {}),
    (b"# made by a logger\n# v2\ntime,kWh\n1,2\n# end\n", {"comment": "#"}, {}),
    (b"Report of July\n\ntime|kWh\n1|2\n", {"skip": 2}, {}),
    (b'time,"kWh, total"\n1,"2"\n2,"say ""3"""\n', {}, {}),
    (b"1;2;\n3;4;\n", {"delimiter": ";"}, {"fields": ["time", "kWh"]}),
    (b"time,kWh\r\n1,\r\n\r\n2,5\r\n", {}, {}),
    (b'time,note\n1,"two\nlines"\n', {}, {}),
    ("\ufefftime;Größe\n1;2\n".encode(), {}, {}),
]


@pytest.mark.parametrize(("data", "csv", "others"), CSV_EXAMPLES)
def test_csv_is_read_as_pandas_reads_it(
    data: bytes, csv: dict[str, Any], others: dict[str, Any]
) -> None:
    """Names from the header or the configuration, quotes, comments, lines before the header."""
    (found,) = documents(data, format="csv", csv=csv, **others)

    judge = pd.read_csv(
        io.BytesIO(data),
        sep=csv.get("delimiter") or next(c for c in ";\t|," if c in data.decode()),
        skiprows=csv.get("skip", 0),
        comment=csv.get("comment"),
        names=others.get("fields"),
        usecols=[0, 1],
        encoding="utf-8-sig",
        dtype=str,
        header=None if others else 0,
    )
    expected = judge.astype(object).where(judge.notna(), None).to_dict("records")
    assert found == expected


def test_text_in_another_charset_is_said_so() -> None:
    """Nothing is guessed: a name with wrong letters would be another series."""
    data = "time;Größe\n1;2\n".encode("cp1252")

    with pytest.raises(DocumentError, match="expected text in utf-8, or `charset` beside it, got"):
        documents(data, format="csv")
    assert documents(data, format="csv", charset="cp1252") == [[{"time": "1", "Größe": "2"}]]


def test_columns_of_one_name_have_numbers() -> None:
    """As in pandas, none of them is lost."""
    (found,) = documents(b"t,v,v,v.1,v,,\n1,2,3,4,5,6,7\n", format="csv")

    assert found == [{"t": "1", "v": "2", "v.2": "3", "v.1": "4", "v.3": "5", "": "6", ".1": "7"}]


@pytest.mark.parametrize(
    "data",
    [
        b"sep=;\r\nt;v\r\n1;2\r\n",
        b'\xef\xbb\xbf"sep=;"\nt;v\n1;2\n',
        "sep=|\nt|v\n1|2\n".encode("utf-16"),
    ],
)
def test_what_excel_is_told_is_no_header(data: bytes) -> None:
    """It says what stands between fields."""
    assert documents(data, format="csv") == [[{"t": "1", "v": "2"}]]


def test_quotes_behind_a_blank_are_quotes() -> None:
    """Some programs put a blank behind each comma."""
    data = b't, "a, b", "v"\n1, "x, y", "2"\n'

    assert documents(data, format="csv") == [[{"t": "1", "a, b": "x, y", "v": "2"}]]


XML = b"""<?xml version="1.0" encoding="iso-8859-1"?>
<data xmlns="urn:a" xmlns:x="urn:b" version="2">
  <row id="1"><x:time>2026-07-01T00:00:00Z</x:time><kWh unit="kWh">1.5</kWh></row>
  <row id="2"><x:time>2026-07-01T00:15:00Z</x:time><kWh unit="kWh"> 2.5 </kWh><note/></row>
</data>"""


def test_elements_attributes_and_text_are_reached_by_names() -> None:
    """Without namespaces; elements of one name are a list; an empty one is null."""
    (found,) = documents(XML)

    assert found == {
        "version": "2",
        "row": [
            {"id": "1", "time": "2026-07-01T00:00:00Z", "kWh": {"unit": "kWh", "text": "1.5"}},
            {
                "id": "2",
                "time": "2026-07-01T00:15:00Z",
                "kWh": {"unit": "kWh", "text": "2.5"},
                "note": None,
            },
        ],
    }


def test_an_element_goes_before_an_attribute_of_its_name() -> None:
    """Neither is lost."""
    nil = b'<d xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><v i:nil="true"/></d>'
    mixed = b'<d id="1" text="a">b<id>2</id>c</d>'

    assert documents(mixed) == [{"@id": "1", "id": "2", "text": "a", "#text": "bc"}]
    assert documents(nil) == [{"v": None}]


def test_an_attribute_without_text_is_null() -> None:
    """As an element without text is, and a field of CSV."""
    data = b'<d><r t="1" v=""/><r t="2" v=""/></d>'

    assert documents(data) == [{"r": [{"t": "1", "v": None}, {"t": "2", "v": None}]}]


SAYS_UTF16 = '<?xml version="1.0" encoding="utf-16"?><d><r><v>ä</v></r></d>'


@pytest.mark.parametrize(
    "data",
    [
        SAYS_UTF16.encode(),
        SAYS_UTF16.encode("utf-8-sig"),
        SAYS_UTF16.encode("utf-16"),
        b"<d><r><v>\xc3\xa4</v></r></d>\0\0",
    ],
    ids=["made as a text", "with a mark of UTF-8", "as it says", "a text of C"],
)
def test_xml_of_programs_that_send_a_text(data: bytes) -> None:
    """What it says of its letters was true in memory; C sends the byte that ends the text."""
    assert documents(data) == [{"r": {"v": "ä"}}]
    feed = format_of(zone=None).feed(data, ["r"])
    assert feed is not None
    found = [each for at in range(len(data)) for each in feed.feed(data[at : at + 1])]
    assert [*found, *feed.close()[0]] == [{"v": "ä"}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"<a><b></a>", "expected XML: mismatched tag"),
        (b"<a>", "expected XML: no element found"),
        (
            b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
            "expected XML without definitions of its own, got a DOCTYPE",
        ),
        (b"<a>" * 100 + b"</a>" * 100, "expected at most 64 levels of XML, got more"),
        (b'<?xml version="1.0" encoding="no-such"?><a/>', "expected XML: unknown encoding"),
    ],
)
def test_xml_that_is_none_or_might_be_a_bomb_is_refused(data: bytes, message: str) -> None:
    """There are no entities, and no depth without end."""
    with pytest.raises(DocumentError, match=message):
        documents(data)


def test_gzip_and_zip_may_be_around_any_format() -> None:
    """The files of a zip are documents, each in the format of its name."""
    packed = gzip.compress(b'{"a":') + gzip.compress(b" 1}")
    several = zipped(a_json=b'{"a": 1}', sub_csv=b"a\n1\n", b_xml=b"<r><a>1</a></r>")

    assert documents(packed, "application/gzip") == [{"a": 1}]
    assert documents(several, "application/zip") == [{"a": 1}, [{"a": "1"}], {"a": "1"}]


@pytest.mark.parametrize(
    ("options", "others", "expected"),
    [
        ({}, {"README_txt": b"Read: me, first", "terms_html": b"<p>"}, [[{"a": "1"}]]),
        ({"format": "csv"}, {"README_txt": b"x" * 20_000, "meta_json": b"{}"}, [[{"a": "1"}]]),
        ({"member": "*.json"}, {"meta_json": b'{"b": 2}'}, [{"b": 2}]),
        ({}, {"__MACOSX/data_csv": b"\x00\x05", ".DS_Store_csv": b"\x00"}, [[{"a": "1"}]]),
        ({"format": "csv", "member": "*.dat"}, {"sub/more_dat": b"b\n2\n"}, [[{"b": "2"}]]),
        ({"format": "csv", "member": "sub/*"}, {"sub/more_dat": b"b\n2\n"}, [[{"b": "2"}]]),
    ],
)
def test_files_of_a_zip_are_taken_by_their_names(
    options: dict[str, Any], others: dict[str, bytes], expected: list[Any]
) -> None:
    """Those that say a format, or that one; what systems leave in archives is no document."""
    packed = zipped(**others, data_csv=b"a\n1\n")

    assert documents(packed, "application/zip", **options) == expected


def test_files_of_a_zip_that_say_no_format_must_be_alike() -> None:
    """Otherwise it is not known which of them are data, and a text would be read as such."""
    alike = zipped(a_txt=b"a\n1\n", b_txt=b"a\n2\n")
    unlike = zipped(a_txt=b"a\n1\n", b_dat=b"a\n2\n")

    assert documents(alike, format="csv") == [[{"a": "1"}], [{"a": "2"}]]
    with pytest.raises(DocumentError, match=r"files of one kind .*, or `member`, got a\.txt"):
        documents(unlike, format="csv")
    with pytest.raises(DocumentError, match=r"file \*\.csv in the zip \(member\), got a\.txt"):
        documents(unlike, format="csv", member="*.csv")
    assert documents(zipped(), "application/zip") == []


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gzip.compress(b" " * 20_000), "at most 10000 bytes when unpacked, got more"),
        (zipped(a_csv=b" " * 6000, b_csv=b" " * 6000), "at most 10000 bytes when unpacked"),
        (gzip.compress(b"{}")[:-4], "expected all of what was compressed with gzip, got its"),
        (b"\x1f\x8bnonsense", "expected gzip: "),
        (b"PK\x03\x04nonsense", "expected a zip file: "),
    ],
    ids=["a gzip bomb", "a zip bomb", "half a gzip", "no gzip", "no zip"],
)
def test_what_unpacks_to_too_much_or_nothing_is_refused(data: bytes, message: str) -> None:
    """A few bytes cannot fill the memory."""
    with pytest.raises(DocumentError, match=message):
        documents(data, format="csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"format": "yaml"},
            "^format: expected one of auto, json, ndjson, csv, xml, entsoe, influx, senml",
        ),
        ({"charset": "utf-9"}, "^charset: expected a name such as utf-8 or cp1252, got 'utf-9'"),
        (
            {"csv": {"sep": ";"}},
            "^csv: expected some of delimiter, skip, comment, header, below, got",
        ),
        (
            {"csv": {"delimiter": ";;"}},
            "^csv.delimiter: expected one character, or whitespace, got",
        ),
        ({"csv": {"delimiter": '"'}}, "^csv.delimiter: expected one that stands in no text"),
        ({"csv": {"skip": -1}}, "^csv.skip: expected a whole number of at least 0, got -1"),
        ({"member": ["a"]}, r"^member: expected a pattern of names such as data_\*.csv, got"),
        ({"csv": {"comment": ""}}, "^csv.comment: expected what a comment begins with"),
        ({"csv": {"comment": ["#", 5]}}, "^csv.comment: expected what a comment begins with"),
    ],
)
def test_options_that_are_wrong_are_named(options: dict[str, Any], message: str) -> None:
    """Before anything is read."""
    with pytest.raises(ValueError, match=message):
        format_of(**options, zone=None)


# -- ENTSO-E


def market(begin: str, end: str, resolution: str, points: dict[int, float], curve: str) -> bytes:
    """Return a document as ENTSO-E's transparency platform has it."""
    told = "".join(
        f"<Point><position>{at}</position><price.amount>{value}</price.amount></Point>"
        for at, value in points.items()
    )
    return (
        '<?xml version="1.0"?><Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3">'
        f"<TimeSeries><mRID>1</mRID><in_Domain.mRID codingScheme='A01'>10Y</in_Domain.mRID>"
        f"<curveType>{curve}</curveType><Period><timeInterval><start>{begin}</start>"
        f"<end>{end}</end></timeInterval><resolution>{resolution}</resolution>{told}</Period>"
        "</TimeSeries></Publication_MarketDocument>"
    ).encode()


@pytest.mark.parametrize(
    ("begin", "end", "resolution", "points", "curve", "expected"),
    [
        (
            *("2026-07-01T22:00Z", "2026-07-01T23:00Z", "PT15M", {1: 5, 3: 6}, "A03"),
            ["22:00 5", "22:15 5", "22:30 6", "22:45 6"],
        ),
        (
            *("2026-07-01T22:00Z", "2026-07-01T23:00Z", "PT15M", {1: 5, 3: 6}, "A01"),
            ["22:00 5", "22:30 6"],
        ),
        (
            *("2026-07-01T22:00Z", "2026-07-01T23:00Z", "PT15M", {3: 6}, "A03"),
            ["22:30 6", "22:45 6"],
        ),
        (
            # The clocks go back: the day has 25 hours, and its last position is the 25th.
            *("2026-10-24T22:00Z", "2026-10-25T23:00Z", "PT60M", {1: 1, 25: 2}, "A01"),
            ["22:00 1", "22:00 2"],
        ),
        (
            # The clocks go forward: the second day begins an hour earlier in UTC.
            *("2026-03-27T23:00Z", "2026-03-30T22:00Z", "P1D", {1: 1, 2: 2, 3: 3}, "A01"),
            ["23:00 1", "23:00 2", "22:00 3"],
        ),
    ],
    ids=["A03", "A01", "A03 without its first", "PT60M in autumn", "P1D in spring"],
)
def test_positions_of_a_time_series_have_times(
    begin: str,
    end: str,
    resolution: str,
    points: dict[int, float],
    curve: str,
    expected: list[str],
) -> None:
    """Missing ones repeat the value before with curve type A03 alone; days are days of a zone."""
    data = market(begin, end, resolution, points, curve)

    (found,) = documents(data, format="entsoe", zone=ZoneInfo("Europe/Berlin"))

    assert [f"{each['time']:%H:%M} {each['value']}" for each in found] == expected
    assert {each["in_Domain.mRID"]["text"] for each in found} == {"10Y"}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("price.amount", "imbalance_Price.amount"),
        ("price.amount", "activation_Price.amount"),
        ("price.amount", "procurement_Price.amount"),
        ("Period>", "Available_Period>"),
    ],
)
def test_prices_and_periods_have_longer_names_elsewhere(old: str, new: str) -> None:
    """Documents on balancing say what is paid for, those on outages what a period is of."""
    data = market("2026-07-01T22:00Z", "2026-07-01T23:00Z", "PT30M", {1: 5, 2: 6}, "A01")
    assert old.encode() in data

    (found,) = documents(data.replace(old.encode(), new.encode()), format="entsoe")

    assert [each["value"] for each in found] == ["5", "6"]
    assert not any(name.endswith("Period") for name in found[0])


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (market("2026-07-01T22:00Z", "2026-07-03T22:00Z", "P1D", {1: 5}, "A01"), "`timezone`"),
        (market("2026-07-01T22:00Z", "2026-07-01T23:00Z", "PT60M", {2: 5}, "A01"), "before 2026"),
        (market("2026-07-01T22:00Z", "2026-07-01T23:00Z", "1 h", {1: 5}, "A01"), "a Period"),
        (market("2026-07-01T22:00Z", "2026-07-01T23:00Z", "PT0S", {1: 5}, "A01"), "above zero"),
        (b"<A><Reason><code>401</code><text>Unauthorized</text></Reason></A>", "Unauthorized"),
        (
            b"<A><TimeSeries><Period><a/></Period></TimeSeries></A>",
            "a Period with the start",
        ),
        (b"<A>5</A>", "elements TimeSeries, got none"),
    ],
)
def test_a_time_series_that_cannot_be_understood_is_refused(data: bytes, message: str) -> None:
    """A position that means no time, or a day without a zone, is told and not guessed."""
    with pytest.raises(DocumentError, match=message):
        documents(data, format="entsoe")


def test_an_acknowledgement_that_there_is_no_data_has_no_records() -> None:
    """The platform says so with a reason of its own."""
    data = b"<A><Reason><code>999</code><text>No matching data found for X</text></Reason></A>"

    assert documents(data, format="entsoe") == [[]]
