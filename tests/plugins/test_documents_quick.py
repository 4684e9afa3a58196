"""Short cuts through documents of many records alike give what the long ways give."""

from itertools import product
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.plugins._documents import DocumentError
from ingestd.plugins._documents.csvoptions import csv_of
from ingestd.plugins._documents.csvtext import CsvRows
from ingestd.plugins._documents.xmlfeed import XmlFeed
from ingestd.plugins._documents.xmltext import XmlRecords

ERROR = "an error"
ROW = '<row id="m1"><time>2026-07-01T10:00:00Z</time><v>1.5</v></row>'
VALUES = [
    "<v/>",
    "<v> 2 </v>",
    "<v>2</v>3",
    "<v>2</v><v>3</v>",
    "<v></v>",
    "<v><x/></v>",
    "<w>2</w>",
]
TEXTS = [
    "é",
    "x y",
    "2 ",
    "~",
    "]",
    "]]>",
    "\x01",
    "\ufffe",
    "2\r\n3",
    "&amp;",
    "&none;",
    ">",
    "<![CDATA[1]]>",
]
ATTRIBUTES = [
    '""',
    "'m'",
    '"a\nb"',
    '"&amp;"',
    '"]"',
    '">"',
    '"é"',
    '"m" x:nil="1"',
    '"m" xmlns="u"',
]
LIKE_IT = [
    *(f'<row id="m"><time>t</time>{each}</row>' for each in VALUES),
    *(f'<row id="m"><time>t</time><v>{each}</v></row>' for each in TEXTS),
    *(f"<row id={each}><time>t</time><v>2</v></row>" for each in ATTRIBUTES),
    '<row id="m"><v>2</v><time>t</time></row>',
]
AROUND = [
    *["\n", " ", "\r\n\t", "\x0b", "\ufffe", "text", "&lt;", "&none;", "]", "]]>", "<![CDATA["],
    *[
        "<!-- ",
        " -->",
        "<?p ",
        "?>",
        "<other>",
        "</other>",
        "</list><list>",
        "</row>",
        "<row>",
        "<",
    ],
]
HEADS = (
    "<d><list>",
    '<?xml version="1.0" encoding="iso-8859-1"?><d><list>',
    '<?xml version="1.0" encoding="hz"?><d><list>',  # a tilde is no letter there
    '\ufeff<d xmlns="u"><list>',
    '<d xmlns:x="u"><list a=">">',
)
OTHERS = (
    '<row time="1" v="2"/>',
    "<row time=\"1\" v='2' />\n",
    "<row>\n  <time>1</time>\n  <v>2</v>\n</row>\n",
    '<x:row xmlns:x="u"><x:time>1</x:time></x:row>',
    "<row><a><b>1</b></a><c>2</c></row>",
    '<row xsi:nil="true" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><a>1</a></row>',
    "<row/>",
    "<row>7</row>",
    '<row><text>1</text><v u="W">2</v></row>',
    '<row a="1"><a>2</a></row>',
)


def elements(reader: XmlFeed | XmlRecords, data: bytes, size: int) -> list[Any]:
    """Return what is read of a document in pieces; the last is an error, if there is one."""
    found: list[Any] = []
    try:
        for at in range(0, len(data), size):
            found += reader.feed(data[at : at + size])
        found += reader.close()[0]
    except DocumentError:
        found.append(ERROR)
    return found


def alike(data: bytes, *, size: int, charset: str | None = None) -> None:
    """See that elements are read as by a parser alone, and those before an error as well."""
    found = elements(XmlFeed(("list", "row"), charset), data, size)

    judge = elements(XmlRecords(("list", "row"), charset), data, 1)
    assert found[-1:].count(ERROR) == judge[-1:].count(ERROR)
    known = found[:-1] if found[-1:] == [ERROR] else [*found, ...]
    assert repr(known) == repr([*judge, ...][: len(known)])


@pytest.mark.parametrize("head", HEADS)
def test_elements_that_are_alike_are_read_as_by_a_parser(head: str) -> None:
    """Whatever stands once between them."""
    for other in ("", *LIKE_IT, *AROUND, *OTHERS):
        alike(f"{head}{ROW * 9}{other}{ROW * 9}</list></d>".encode(), size=300)


@pytest.mark.slow  # hundreds of documents
def test_elements_that_only_look_like_some_are_read_as_by_a_parser() -> None:
    """In comments and the like, in other elements, or behind something that is wrong."""
    for begin, end in product(AROUND, AROUND):
        alike(f"<d><list>{ROW * 5}{begin}{ROW}{end}{ROW * 5}</list></d>".encode(), size=300)


@pytest.mark.slow  # 100 documents
@given(
    rows=st.lists(st.sampled_from([ROW] * 40 + [*LIKE_IT, *AROUND, *OTHERS]), max_size=30),
    tail=st.sampled_from(["</list></d>", "</list>\n</d>\n<!-- -->", "</list>", "</d>", ""]),
    size=st.sampled_from([70, 150, 400, 4000]),
)
def test_elements_of_many_forms_are_read_as_by_a_parser(
    rows: list[str], tail: str, size: int
) -> None:
    """Wherever pieces are cut."""
    alike(f"<d><list>{ROW}{''.join(rows)}{tail}".encode(), size=size)


@pytest.mark.parametrize("between", ["", "\r\n ", "<!-- -->", "<x><row/></x>", "</list><list>"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "cp037"])
def test_elements_of_any_form_are_read_as_by_a_parser(between: str, encoding: str) -> None:
    """Whatever is learnt from the first, and however all is written."""
    for row in (ROW, *LIKE_IT, *OTHERS):
        text = f"<d><list>{between.join([row] * 9)}{between}<row><x>1</x></row></list></d>"

        alike(text.encode(encoding, "replace"), size=300, charset=encoding)


@pytest.mark.parametrize("row", [ROW, LIKE_IT[7], *OTHERS[:3]])
@pytest.mark.parametrize("odd", [LIKE_IT[0], OTHERS[-1]])
def test_elements_are_cut_out_between_others(row: str, odd: str) -> None:
    """So the parser sees few of them."""
    reader = XmlFeed(("list", "row"), None)
    reader.feed(f"<d><list>{row}".encode())

    found = [*reader.feed(f"{f'{row * 9}{odd}' * 3}<ro".encode())]

    assert len(found) == 30
    assert reader.skipped >= 27 * len(row.strip().encode())


def test_what_is_wrong_behind_elements_that_were_cut_out_has_its_place() -> None:
    """In bytes of the document, since nobody has counted lines."""
    reader = XmlFeed(("row",), None)
    reader.feed(f"<d>{ROW * 200}".encode())

    reader.feed(f"{ROW * 200}</e></d>".encode())

    with pytest.raises(DocumentError, match=f"byte {len(ROW) * 400 + 5}"):
        reader.close()


FIELD = st.sampled_from(
    ["1", "1.5", "", " ", "a b", "é", "\0", "'", "\u2028", '"a"', '"b,\n"', '"']
)
LINE = st.one_of(
    st.tuples(FIELD, FIELD, FIELD).map(",".join),
    st.lists(FIELD, max_size=5).map(",".join),
    st.sampled_from(["1,2,3"] * 9),
)


@given(
    lines=st.lists(st.one_of(LINE, st.just("1,2,3")), max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    last=st.sampled_from(["", "\n", "\r\n"]),
    names=st.sampled_from(["a,b,c", "a,,", "a,b", "a", "a,a,b"]),
)
@example(["1", "2"], "\n", "", "a,b,c")
@example(["1,2,3", "", "4,5,6"], "\n", "\n", "a,b,c")
@example(["1,2,3", "4,5", "6,7,8,9"], "\n", "\n", "a,b,c")
def test_lines_without_quotes_are_read_as_by_the_long_way(
    lines: list[str], end: str, last: str, names: str
) -> None:
    """Whatever they lack, or have too many of."""
    text = end.join(lines) + last
    short, long = (CsvRows(csv_of({"delimiter": ","}, names=tuple(names.split(",")))) for _ in "12")

    found = short.records(text)

    judge = long.records('"quoted",\n' + text)
    assert [*found] == [*judge][1:]
