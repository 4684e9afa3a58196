"""From a JSON document to readings: where each part of a reading is found in a record."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from math import isfinite
from typing import Any, Final

from ingestd.plugins._fields import UNIX, Path, compile_path, null_finder, optional_path, parse_time

FIELD: Final = re.compile(r"\{([^{}]*)\}")
# A millisecond count read as seconds lies beyond this year; nothing measured does.
FAR: Final = 100_000_000_000


def compile_template(template: Any, *, where: str) -> Callable[[Any], str]:
    """Return a function that fills ``{path}`` in a text from a record.

    The text is empty as soon as one of its parts is missing: half a name would
    be another series.

    Raises:
        ValueError: It is no text, or holds what is no JMESPath.
    """
    if not isinstance(template, str) or not template:
        raise ValueError(f"{where}: expected a text such as '{{site}}_power', got {template!r}")
    parts = FIELD.split(template)
    texts = parts[::2]
    paths = [compile_path(path, where=where) for path in parts[1::2]]

    def fill(record: Any) -> str:
        values = [path(record) for path in paths]
        if any(value is None or isinstance(value, dict | list) for value in values):
            return ""
        words = [str(value) for value in values]
        return "".join(text + word for text, word in zip(texts, [*words, ""], strict=True))

    return fill


def seconds(time: Any) -> float | None:
    """Return a reading's time in Unix seconds, or None if it has none that can be compared."""
    if isinstance(time, datetime):
        return time.timestamp() if time.tzinfo else None
    usable = type(time) in {int, float} and isfinite(time) and abs(time) < FAR
    return float(time) if usable else None


def format_time(time: float, time_format: str | None) -> str:
    """Return Unix seconds as a source wants to be asked, in UTC."""
    if time_format in UNIX:
        return str(int(time * UNIX[time_format]))
    moment = datetime.fromtimestamp(time, UTC)
    if time_format:
        return moment.strftime(time_format)
    return moment.isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class Shape:
    """Where the parts of readings are found.

    Attributes:
        records: The records of a document.
        time: The time of a record; None if its readings are of now.
        values: Series and value, for each reading that a record makes.
        tags: Tag and its text.
        nulls: For each value, says whether a record has null in its place.
        time_format: See ``parse_time``.
        zone: See ``parse_time``.
    """

    records: Path | None
    time: Path | None
    values: tuple[tuple[Callable[[Any], str], Path], ...]
    tags: tuple[tuple[str, Callable[[Any], str]], ...]
    nulls: tuple[Callable[[Any], bool], ...]
    time_format: str | None
    zone: tzinfo | None

    def records_of(self, document: Any) -> list[Any]:
        """Return the records of a document.

        Raises:
            ValueError: They are not where they were said to be.
        """
        found = self.records(document) if self.records else document
        if isinstance(found, list):
            return found
        if isinstance(found, dict):
            return [found]
        raise ValueError(
            f"records: expected a list or an object there, got {look(found, document)}"
        )

    def has_nothing(self, record: Any) -> bool:
        """Say whether a record has null for a value: there is nothing to tell at the moment."""
        return any(has_null(record) for has_null in self.nulls)

    def readings(self, record: Any) -> Iterator[tuple[Any, ...]]:
        """Yield the readings of a record, the unusable ones too: the daemon counts those."""
        time = None
        if self.time:
            time = parse_time(self.time(record), time_format=self.time_format, zone=self.zone)
        tags = {name: text for name, fill in self.tags if (text := fill(record))}
        for series, value in self.values:
            if tags:
                yield time, series(record), value(record), tags
            else:
                yield time, series(record), value(record)


def shape_of(  # noqa: PLR0913 -- one for each option
    *,
    records: str | None,
    time: str | None,
    series: str | None,
    value: str | None,
    values: Mapping[str, str] | None,
    tags: Mapping[str, str] | None,
    time_format: str | None,
    zone: tzinfo | None,
) -> Shape:
    """Check the options that say where things are, and prepare to look there.

    Raises:
        ValueError: Says which option is wrong.
    """
    if (value is None) == (values is None):
        raise ValueError("value, values: expected one of them, `value` with `series`")
    if (value is None) != (series is None):
        raise ValueError("series: expected beside `value`, and only there")
    pairs = values if values is not None else {series: value}
    if not isinstance(pairs, Mapping) or not pairs:
        raise ValueError(f"values: expected series and path for each value, got {pairs!r}")
    return Shape(
        records=optional_path(records, where="records"),
        time=optional_path(time, where="time"),
        values=tuple(
            (compile_template(name, where="series"), compile_path(path, where=f"value of {name!r}"))
            for name, path in pairs.items()
        ),
        tags=tuple(
            (name, compile_template(text, where=f"tags.{name}"))
            for name, text in (tags or {}).items()
        ),
        nulls=tuple(null_finder(str(path)) for path in pairs.values()),
        time_format=time_format,
        zone=zone,
    )


def look(found: Any, document: Any) -> str:
    """Describe what stands where something else should, for people."""
    if found is not None:
        return shown(found)
    if isinstance(document, dict):
        return f"nothing; the keys beside it are {', '.join(map(str, document))[:200]}"
    return f"nothing in {shown(document)}"


def shown(value: Any) -> str:
    """Return the beginning of a value as Python has it; parsers nest deeper than that can."""
    try:
        return f"{value!r:.80}"
    except RecursionError:
        return "too many levels of nesting"
