"""Documents that are read while they arrive give what they give as a whole."""

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from ingestd.plugins._documents import DocumentError, Feed, format_of
from ingestd.plugins._shapes import description_of

RECORDS: list[dict[str, Any]] = [
    {"id": f"a{at}", "v": at / 4, "in": {"x": [{"y": 1}, {"y": at}], "z": {}}, "s": '}, {"[],'}
    for at in range(60)
]
ROWS = "".join(f'{at},"a ""{at}"", b","two\nlines, {at}"\n' for at in range(60))
ELEMENTS = "".join(f'<r id="{at}"><v>{at}.5</v><v>é</v><o/></r>\n' for at in range(60))
CASES: list[tuple[str, bytes, str]] = [
    (
        "data",
        json.dumps({"n": {"data": [1]}, "data": RECORDS, "next": [{"a": 1}]}).encode(),
        "json",
    ),
    ("a.b", json.dumps({"c": "[", "a": {"b": RECORDS}}, indent=1).encode(), "json"),
    ("@", b"\xef\xbb\xbf" + json.dumps(RECORDS).encode(), "json"),
    ("@", json.dumps([*RECORDS[:9], float("nan"), *RECORDS]).encode(), "json"),
    ("@", json.dumps([[{"a": 1}, {"b": 2}]] * 50).encode(), "json"),
    ("data", json.dumps({"data": []}).encode(), "json"),
    ("data", json.dumps({"k" * 70_000: 1, "data": RECORDS}).encode(), "json"),
    ("@", "\n".join(map(json.dumps, RECORDS)).encode(), "ndjson"),
    ("@", b'{"a": 1}\r\n\r\n1, 2\n{"b": \n{"a": 2}', "ndjson"),
    ("@", f"n,t,u\n{ROWS}".encode(), "csv"),
    ("@", f"\ufeffn;ü;u\n{ROWS.replace(',', ';')}".encode(), "csv"),
    ("@", f"\n\nn,t,u\r\n1,ä,\r\n{ROWS}".encode("utf-16"), "csv"),
    ("d.r", f"<x><e><r/></e><d>{ELEMENTS}</d><d>{ELEMENTS}</d></x>".encode(), "xml"),
    ("r", f"<m:x xmlns:m='u'>{ELEMENTS.replace('r', 'm:r')}</m:x>".encode(), "xml"),
]


def reader_of(path: str) -> Any:
    """Return what finds records at a path."""
    return description_of({"records": path, "series": "s", "value": "v"}, zone=None).reader()


def fed(feed: Feed, data: bytes, sizes: Iterator[int], reader: Any) -> list[Any]:
    """Return the records that a feed gives of a body that comes in pieces."""
    found: list[Any] = []
    while data:
        size = next(sizes)
        found += feed.feed(data[:size])
        data = data[size:]
    left, document = feed.close()
    return [*found, *left, *([] if document is None else reader.records_of(document))]


@pytest.mark.parametrize("most", [1, 100, 65536])
@pytest.mark.parametrize(("path", "data", "name"), CASES, ids=range(len(CASES)))
def test_pieces_give_the_records_of_the_whole(path: str, data: bytes, name: str, most: int) -> None:
    """Wherever a body is cut, also within a letter, a text or a record."""
    chance = random.Random(most)
    sizes = iter(lambda: chance.randint(1, most), None)
    form, reader = format_of(format=name, zone=None), reader_of(path)
    feed = form.feed(data[:most], reader.steps)
    assert feed is not None

    found = fed(feed, data, sizes, reader)

    assert found == reader.records_of(form.document(data))


@pytest.mark.parametrize("at", [0, 1, 7, 9, 13])
def test_records_come_before_the_body_has_ended(at: int) -> None:
    """Memory does not grow with the body: what is whole is given, and not kept."""
    path, data, name = CASES[at]
    feed = format_of(format=name, zone=None).feed(data[:100], reader_of(path).steps)
    assert feed is not None

    assert len(feed.feed(data[:-100])) > 50


@pytest.mark.parametrize(
    ("path", "data", "name", "message"),
    [
        ("@", b'[{"a": 1}, {"a": 2}, {"a"', "json", "expected JSON"),
        ("@", b'[{"a": 1}, {"a": 2}] x', "json", "expected JSON"),
        ("r", b"<d><r/><r/>", "xml", "expected XML: no element found"),
        ("r", b"<d><s/></d>", "xml", "expected elements r, got s"),
        ("@", b"<html>\n<body>\n", "ndjson", "expected lines of JSON"),
        ("@", b"a,b\n\xe4,1\n", "csv", "expected text in utf-8"),
        ("@", b"a,b\n1,\xc3", "csv", "expected text in utf-8"),
    ],
)
def test_a_body_that_breaks_off_or_is_none_is_told(
    path: str, data: bytes, name: str, message: str
) -> None:
    """At the latest at its end."""
    feed = format_of(format=name, zone=None).feed(data[:9], reader_of(path).steps)
    assert feed is not None

    with pytest.raises(DocumentError, match=message):
        fed(feed, data, iter(lambda: 5, 0), reader_of(path))


@pytest.mark.parametrize(
    ("options", "start", "name"),
    [
        ({"records": "*"}, b"{", "auto"),
        ({"records": "d[]"}, b"{", "auto"),
        ({"records": "d", "layout": "rows"}, b"{", "auto"),
        ({"records": "d", "series": "{parent.x}"}, b"{", "auto"),
        ({"records": "d"}, b"\x1f\x8b", "auto"),
        ({"records": "d"}, b"PK\x03\x04", "csv"),
        ({}, b"<d", "auto"),
        ({"records": "d"}, b"t,d", "csv"),
        ({}, b"<d", "entsoe"),
    ],
)
def test_what_needs_more_than_a_record_is_read_as_a_whole(
    options: dict[str, Any], start: bytes, name: str
) -> None:
    """Keys, columns, rows, what is around a record, and what is compressed."""
    described = {"series": "s", "value": "v", **options}
    steps = description_of(described, zone=None).reader().steps

    assert steps is None or format_of(format=name, zone=None).feed(start, steps) is None


def test_lines_of_json_are_seen() -> None:
    """Without a word of the sender: the first line is a whole object, and another follows."""
    feed = format_of(zone=None).feed(b'{"a": 1}\n{"a"', ())
    assert feed is not None

    assert fed(feed, b'{"a": 1}\n{"a": 2}\n', iter(lambda: 4, 0), None) == [{"a": 1}, {"a": 2}]
