"""What the page about documents shows is what the plugins read."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from aiohttp import web

from tests.support.jsonsource import answers

PAGE: Final = Path(__file__).parents[2] / "docs" / "documents.md"
EXAMPLE: Final = re.compile(
    r"^### (?P<title>[^\n]*)\n(?:(?!^#|```)[^\n]*\n)*"
    r"```yaml\n(?P<options>.*?)```\n+```(?P<kind>\w+)\n(?P<document>.*?)```\n+"
    r"```text\n(?P<readings>.*?)```",
    re.MULTILINE | re.DOTALL,
)
EXAMPLES: Final = [found.groupdict() for found in EXAMPLE.finditer(PAGE.read_text())]
TYPES: Final = {"json": "application/json", "csv": "text/csv", "xml": "application/xml"} | {
    "influx": "text/plain"
}


def test_the_page_has_an_example_of_each_shape_and_format() -> None:
    """What has no example is hard to find out."""
    assert len(EXAMPLES) == 13


@pytest.mark.parametrize("example", EXAMPLES, ids=[each["title"] for each in EXAMPLES])
async def test_http_json_reads_what_the_page_shows(example: dict[str, str]) -> None:
    """Each example gives the readings below it."""
    options: dict[str, Any] = yaml.safe_load(example["options"])
    reply = web.Response(text=example["document"], content_type=TYPES[example["kind"]])

    (result,) = await answers(reply, **options)

    lines = [
        f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}  {series}  {value}"
        for time, series, value in result["readings"]
    ]
    assert lines == example["readings"].splitlines()
