"""CSV with columns that are aligned, notes among its lines, or lines that do not fit its names."""

import io
from typing import Any

import pandas as pd  # type: ignore[import-untyped]  # ships no types
import pytest
from aiohttp import web

from ingestd.plugins._answers import AnswerError
from ingestd.plugins._documents import DocumentError, format_of
from tests.support.jsonsource import answers

ALIGNED = (
    "#YY  MM DD WDIR  WSPD\n#yr  mo dy degT   m/s\n2026 07  1  310   8.0\n2026 07  2   MM  10.5  \n"
)
NAMES = ["YY", "MM", "DD", "WDIR", "WSPD"]


def records(text: str, **options: Any) -> list[object]:
    """Return the records in a text."""
    form = format_of("csv", zone=None, **options)
    (found,) = form.documents(text.encode(), most_bytes=10_000)
    return list(found)


def test_columns_may_be_aligned_with_blanks() -> None:
    """However many there are, also at the ends of a line; pandas reads the same."""
    found = records(ALIGNED, csv={"delimiter": "whitespace", "comment": "#"}, fields=NAMES)

    judge = pd.read_csv(io.StringIO(ALIGNED), sep=r"\s+", comment="#", names=NAMES, dtype=str)
    assert found == judge.to_dict("records")
    assert found[1] == {"YY": "2026", "MM": "07", "DD": "2", "WDIR": "MM", "WSPD": "10.5"}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blanks_that_align_fields_are_no_part_of_them(end: str) -> None:
    """As in the archives of DWD, with the lines that came in each part; pandas reads the same."""
    lines = [
        "ID;DATE;QN; TT",
        "  44;2026070100;    3;  15.2",
        "  44;2026070101;    3; \t ",
        "44;1;3;4",
    ]
    text = end.join([*lines, ""])

    found = records(text, csv={"delimiter": ";"})
    below = records(
        text.partition(end)[2], csv={"delimiter": ";"}, fields=["ID", "DATE", "QN", "TT"]
    )

    judge = pd.read_csv(io.StringIO(text), sep=r"\s*;\s*", dtype=str, engine="python")
    same = judge.rename(columns=str.strip).apply(lambda column: column.str.strip())
    assert found == [
        {name: value if isinstance(value, str) and value else None for name, value in each.items()}
        for each in same.to_dict("records")
    ]
    assert found[1] == {"ID": "44", "DATE": "2026070101", "QN": "3", "TT": None}
    assert below == found


@pytest.mark.parametrize(
    "text",
    [
        '{"error": "quota exceeded", "code": 7}',
        "[{}]",
        "<?xml version='1.0'?><error/>",
        "<html><body>",
        "<r><e>no, nothing</e></r>",
        "<!DOCTYPE html>",
    ],
)
def test_what_begins_like_another_format_is_no_header(text: str) -> None:
    """An error on one line would be names without lines, and nothing would be told."""
    with pytest.raises(DocumentError, match="expected CSV, got what begins like XML or JSON"):
        records(text)


@pytest.mark.parametrize("header", ["<DATE>,<CLOSE>", "[t],[v]", "t,{v}", "a</b,c"])
def test_names_may_have_brackets(header: str) -> None:
    """As programs of traders and databases write them."""
    assert list(records(f"{header}\n1,2\n")[0].values()) == ["1", "2"]  # type: ignore[attr-defined]


def test_names_may_be_aligned_with_blanks_too() -> None:
    """In the first line, as everywhere."""
    found = records("t     v\n\n1   2.5\n", csv={"delimiter": "whitespace"})

    assert found == [{"t": "1", "v": "2.5"}]


def test_lines_to_leave_out_may_begin_in_several_ways() -> None:
    """As the line of formats below the names, in the tables of USGS."""
    text = "# notes\nsite\tv\n5s\t14n\n01646500\t4210\n"

    found = records(text, csv={"comment": ["#", "5s"]})

    assert found == [{"site": "01646500", "v": "4210"}]


def test_a_line_with_more_fields_than_names_is_no_record() -> None:
    """Its values have moved; a delimiter at its end is no field, nor are blanks."""
    text = "time,kWh\n10:00,1,5\n10:15,2\n10:30,3,\n10:45,4, \n11:00\n"

    found = records(text)

    assert found == [
        "3 fields for 2 names: ['10:00', '1', '5']",
        {"time": "10:15", "kWh": "2"},
        {"time": "10:30", "kWh": "3"},
        {"time": "10:45", "kWh": "4"},
        {"time": "11:00"},
    ]


@pytest.mark.parametrize("paging", [None, {"type": "page", "param": "page", "size": 100}])
async def test_such_a_line_costs_its_own_reading(paging: object) -> None:
    """Whether the answer is read while it arrives or as a whole."""
    reply = web.Response(text="t,v\n1,1,5\n2,2\n", content_type="text/csv")

    (result,) = await answers(
        reply, time="t", time_format="unix", series="s", value="v", paging=paging
    )

    assert [value for _, _, value in result["readings"]] == [None, 2]
    assert result["readings"][0][0].endswith("got nothing")


async def test_a_document_of_such_lines_is_told() -> None:
    """As where blanks stand between columns and one was said to."""
    reply = web.Response(text="t v\n1   5\n", content_type="text/csv")

    (result,) = await answers(
        reply, csv={"delimiter": " "}, time="t", time_format="unix", series="s", value="v"
    )

    assert "4 fields for 2 names: ['1', '', '', '5']" in result["script_error"]


@pytest.mark.parametrize("paging", [None, {"type": "page", "param": "page", "size": 100}])
@pytest.mark.parametrize("text", ["Your API key is invalid\n", "error: key, invalid", "x;y\r\n"])
async def test_names_without_lines_and_without_the_column_are_no_table(
    text: str, paging: object
) -> None:
    """A text that says why there is none would be a table that has nothing new."""
    reply = web.Response(text=text, content_type="text/csv")
    with pytest.raises(AnswerError, match="records: expected lines with v, got none below"):
        await answers(reply, format="csv", time="t", series="a", value="v", paging=paging)


@pytest.mark.parametrize("paging", [None, {"type": "page", "param": "page", "size": 100}])
@pytest.mark.parametrize("text", ["t,v\n", "t,v", "", "# none\nt,v\n"])
async def test_names_without_lines_are_a_table_that_has_nothing_new(
    text: str, paging: object
) -> None:
    """So it is each night for some, and for ever where nothing is measured."""
    reply = web.Response(text=text, content_type="text/csv")

    found = await answers(
        reply, csv={"comment": "#"}, time="t", series="a", value="v", paging=paging
    )

    assert [each["readings"] for each in found] == [[]]


PREAMBLE = "Anlage 17; Mittelwerte\nvon;bis\n\n"


@pytest.mark.parametrize("header", ["Zeit", ["Zeit", "kWh"]])
@pytest.mark.parametrize("before", ["", PREAMBLE, '"Zeit, kWh","x"\n'])
def test_a_header_is_found_by_its_names(header: Any, before: str) -> None:
    """Whatever stands above it, with whatever between fields."""
    form = format_of("csv", csv={"header": header}, zone=None)
    data = f"{before}Zeit;kWh\n10:00;5\n".encode()

    assert list(form.document(data)) == [{"Zeit": "10:00", "kWh": "5"}]


@pytest.mark.parametrize("size", range(1, 40))
def test_a_header_is_found_while_a_document_arrives(size: int) -> None:
    """In pieces of any size, with lines below it that are none."""
    form = format_of("csv", csv={"header": "Zeit", "below": 2}, zone=None)
    data = f"{PREAMBLE}Zeit;kWh\nh;kWh\n;\n10:00;5\n10:15;6\n".encode()
    feed = form.feed(data, ())
    assert feed is not None
    found = [each for at in range(0, len(data), size) for each in feed.feed(data[at : at + size])]
    left, _ = feed.close()

    assert [*found, *left] == [{"Zeit": "10:00", "kWh": "5"}, {"Zeit": "10:15", "kWh": "6"}]


def test_a_header_that_is_not_there_is_told() -> None:
    """The names may be misspelt, or the letters be in another encoding."""
    form = format_of("csv", csv={"header": "Zeit"}, zone=None)

    with pytest.raises(
        DocumentError, match=r"expected a header with Zeit \(csv.header\), got none"
    ):
        form.document(b"Time;kWh\n10:00;5\n")
    feed = form.feed(b"Time;kWh\n", ())
    assert feed is not None
    feed.feed(b"Time;kWh\n10:00;5\n")
    with pytest.raises(DocumentError, match="expected a header with Zeit"):
        feed.close()


@pytest.mark.parametrize("option", [{"header": "a"}, {"below": 1}])
def test_a_header_and_names_for_its_columns_contradict_each_other(option: dict[str, Any]) -> None:
    """One of them is meant."""
    with pytest.raises(ValueError, match=r"^csv\.header, csv\.below: expected no `fields` beside"):
        format_of("csv", csv=option, fields=["a", "b"], zone=None)


def test_a_quote_that_nothing_closes_is_told() -> None:
    """It swallows the lines below it, and a line with fewer fields would be a record."""
    found = records('t;note;v\n1;"a\nb";2\n3;"c;4\n5;d;6\n')

    assert found[0] == {"t": "1", "note": "a\nb", "v": "2"}
    assert [str(each)[:26] for each in found[1:]] == ["a quote that nothing close"]
