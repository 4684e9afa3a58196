"""The text format of Prometheus, as exporters write it, and scripts for node_exporter."""

import re
from collections.abc import Iterator
from math import isnan
from typing import Any, Final

from prometheus_client.parser import text_string_to_metric_families

# A comment says of which type a metric is; told so, the parser renames counters.
EXEMPLAR: Final = re.compile(r"\s# \{.*$")
END: Final = "# EOF"  # of OpenMetrics, whose times are in seconds
MILLISECONDS: Final = 1000


def readings(data: bytes) -> list[tuple[Any, ...]]:
    """Return a reading for each sample, with its labels as tags.

    Raises:
        ValueError: A line is none of the format.
    """
    text = data.decode(errors="replace")
    unit = MILLISECONDS if END in text.splitlines() else 1
    return [reading for line in text.splitlines() for reading in _of_line(line, unit)]


def _of_line(line: str, unit: int) -> Iterator[tuple[Any, ...]]:
    bare = EXEMPLAR.sub("", line).strip()
    if not bare or bare.startswith("#"):
        return
    try:
        for family in text_string_to_metric_families(bare):
            for sample in family.samples:
                time = None if sample.timestamp is None else float(sample.timestamp) * unit
                value = None if isnan(sample.value) else sample.value
                yield time, sample.name, value, dict(sample.labels)
    except (ValueError, IndexError, KeyError) as error:
        raise ValueError(
            f"expected a line of Prometheus' format, got {line!r:.80}: {error}"
        ) from None
