"""Which format a document has, and what reads it."""

from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final

from ingestd.plugins._problems import Gathering

from . import entsoe, influx, jsonstat, senml
from .csvoptions import Csv, csv_of
from .csvtext import CsvRows
from .errors import DocumentError
from .feeds import CsvFeed, Feed, JsonFeed, NdjsonFeed
from .jsontext import is_ndjson, is_utf8, json_in, ndjson_in
from .lines import BY_LINES, Lines
from .listed import Headed, Listed
from .members import chosen, pattern_of
from .packing import GZIP, ZIP, unpacked
from .texts import charset_of, decoded
from .xmlfeed import XmlFeed
from .xmltext import misdeclared, xml_in

AUTO: Final = "auto"
KINDS: Final = ("json", "ndjson", "csv", "xml", "entsoe", "influx", "senml", "jsonstat", "text")
FORMATS: Final = (AUTO, *KINDS)
LISTS: Final = frozenset(
    ["csv", "ndjson", "entsoe", "influx", "senml", "jsonstat"]
)  # nothing but records
JSON_BEGINS: Final = (b"{", b"[")
MAYBE_JSON: Final = (AUTO, "json")
# Every plugin that reads documents has them under these names.
OPTIONS: Final = ("format", "csv", "charset", "fields", "member")
# The end of a media type, or of a file's name, and the format that it says.
ENDINGS: Final = {
    "x-ndjson": "ndjson", "ndjson": "ndjson", "jsonl": "ndjson", "json-lines": "ndjson",
    "jsonlines": "ndjson", "json-seq": "ndjson", "json": "json",
    "csv": "csv", "tab-separated-values": "csv", "tsv": "csv", "xml": "xml",
    "html": "json",  # a page to log in at, most likely, and to be told as what it is
}  # fmt: skip

PAGES: Final = (".htm", ".html")
OF_KIND: Final = {
    "entsoe": "xml",
    "senml": "json",
    "jsonstat": "json",
}  # what the names of files call a format


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """What the options say of a document's format.

    Attributes:
        name: One of ``FORMATS``.
        csv: How CSV is read.
        charset: How text is encoded; None: as the sender says.
        zone: What days of a series are days of.
        member: A pattern of the files of a zip that are wanted, or None.
    """

    name: str
    csv: Csv
    charset: str | None
    zone: tzinfo | None
    member: str | None = None

    def documents(
        self, data: bytes, *, most_bytes: int, content_type: str = "", said: str | None = None
    ) -> Iterable[Any]:
        """Return the documents in a body: one, unless it is a zip of several.

        Args:
            data: The body.
            most_bytes: How large it may become when it is unpacked.
            content_type: What its sender says that it is, or an empty text.
            said: How its sender says that it is encoded.

        Raises:
            DocumentError: It is no such document.
        """
        if not content_type and data[:1] in JSON_BEGINS and self.name in MAYBE_JSON:
            return (self.document(data, kind="json", said=said),)  # as nearly all messages are
        return (
            self.document(each, kind=kind_of(name) or kind_of(content_type), said=said)
            for name, each in unpacked(data, most_bytes=most_bytes, choose=self.chosen)
        )

    @property
    def quick(self) -> bool:
        """Whether what begins like an object of JSON, and is one in UTF-8, is the document."""
        return self.name in MAYBE_JSON and self.charset is None

    def chosen(self, names: Sequence[str]) -> Sequence[str]:
        """Return which of the files in a zip are documents, by their names.

        Raises:
            DocumentError: None is, or that cannot be told.
        """
        return chosen(names, pattern=self.member, says=self._is_said_by)

    def _is_said_by(self, name: str) -> bool:
        """Say whether the name of a file says that it is what is wanted."""
        said = kind_of(name)
        if self.name == AUTO:
            return bool(said) and not name.lower().endswith(PAGES)
        return said == OF_KIND.get(self.name, self.name)

    def feed(
        self, start: bytes, steps: Sequence[str], *, content_type: str = "", said: str | None = None
    ) -> Feed | None:
        """Return what reads a document while it arrives; None: it has to be read as a whole.

        Args:
            start: How it begins.
            steps: The names on the path to its records.
            content_type: What its sender says that it is, or an empty text.
            said: How its sender says that it is encoded.
        """
        if start.startswith((GZIP, *ZIP)):
            return None
        kind = self.name if self.name != AUTO else kind_of(content_type) or kind_in(start)
        if kind == "csv" and not steps:
            return CsvFeed(self.csv, charset=self.charset, said=said)
        if kind == "xml" and steps:
            return XmlFeed(steps, self.charset or said or misdeclared(start))
        if kind not in {"json", "ndjson"} or not is_utf8(self.charset or said or "utf-8"):
            return None
        if not steps and (kind == "ndjson" or (self.name == AUTO and is_ndjson(start))):
            return NdjsonFeed()
        return JsonFeed(steps) if kind == "json" else None

    def by_lines(
        self, start: bytes, *, name: str, growing: bool, time: str | None = None
    ) -> Lines | None:
        """Return what reads the lines of a file; None: lines are no records there.

        Args:
            start: How it begins.
            name: What it is called.
            growing: Whether lines are added to it, so that they are records in any case.
            time: The name of the column that has the time of each record, if that is one column.
        """
        kind = self.name if self.name != AUTO else kind_of(name)
        text = bare(start)
        if kind in {"", "json"} and text[:1] in JSON_BEGINS and self.name == AUTO:
            kind = "ndjson" if growing or is_ndjson(start) else "json"
        kind = kind or ("xml" if text.startswith(b"<") else "csv")
        if kind not in BY_LINES:
            return None
        return Lines(kind, csv=self.csv, charset=self.charset, start=start, time=time)

    def document(self, data: bytes, *, kind: str = "", said: str | None = None) -> Any:
        """Return the document in a body that is not compressed.

        Args:
            data: The body.
            kind: The format that its sender says, or an empty text.
            said: How its sender says that it is encoded.

        Raises:
            DocumentError: It is no such document.
        """
        name = self.name if self.name != AUTO else kind or kind_in(data)
        if name in LISTS:
            return self._listed(name, data, said)
        if name == "xml":
            return xml_in(data, charset=self.charset, said=said)
        if name == "text":
            return decoded(data, charset=self.charset, said=said).strip()
        try:
            return json_in(data, charset=self.charset, said=said)
        except DocumentError:
            if self.name == AUTO and is_ndjson(data):
                return Listed(ndjson_in(data, charset=self.charset, said=said))
            raise

    def _listed(self, name: str, data: bytes, said: str | None) -> Listed:
        if name != "csv":
            return Listed(self._records(name, data, said))
        rows = CsvRows(self.csv)
        found = Listed(rows.records(decoded(data, charset=self.charset, said=said)))
        rows.close()
        return found or Headed(rows.names)

    def _records(self, name: str, data: bytes, said: str | None) -> Iterable[Any]:
        if name == "ndjson":
            return ndjson_in(data, charset=self.charset, said=said)
        if name == "senml":
            return senml.records(json_in(data, charset=self.charset, said=said))
        if name == "jsonstat":
            return jsonstat.records(json_in(data, charset=self.charset, said=said))
        if name == "entsoe":
            return entsoe.records(xml_in(data, charset=self.charset, said=said), zone=self.zone)
        return influx.records(decoded(data, charset=self.charset, said=said))


def kind_of(said: str) -> str:
    """Return the format that a media type or the name of a file says, or an empty text."""
    last = said.partition(";")[0].strip().lower().replace("+", "/").replace(".", "/")
    return ENDINGS.get(last.rpartition("/")[2], "")


def kind_in(data: bytes) -> str:
    """Return the format that a body begins like."""
    return "xml" if bare(data).startswith(b"<") else "json"


def bare(data: bytes) -> bytes:
    """Return how a body begins, without what does not count, in ASCII."""
    if data.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        data = data[:64].decode("utf-16", errors="replace").encode("ascii", errors="replace")
    return data[:64].removeprefix(BOM_UTF8).lstrip()


def format_of(
    format: Any = AUTO,  # noqa: A002 -- the option's name
    *,
    csv: Any = None,
    charset: Any = None,
    fields: Any = None,
    member: Any = None,
    zone: tzinfo | None,
) -> Format:
    """Read the options ``format``, ``csv``, ``charset``, ``fields`` and ``member``.

    Raises:
        ValueError: Says what is wrong with them.
    """
    names = tuple(fields) if isinstance(fields, list | tuple) else None
    with Gathering() as wrong:
        if format not in FORMATS:
            known = ", ".join(FORMATS)
            wrong.problems.append(f"format: expected one of {known}, got {format!r:.80}")
        rows = wrong.read(lambda: csv_of(csv, names=names))
        encoding = wrong.read(lambda: charset_of(charset))
        pattern = wrong.read(lambda: pattern_of(member))
    return Format(name=format, csv=rows, charset=encoding, zone=zone, member=pattern)
