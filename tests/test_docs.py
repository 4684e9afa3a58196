"""What README and docs/ point to is there."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
LINK: Final = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
NAMED: Final = re.compile(r"`([\w/]+\.py)`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of ours leads to one."""
    missing = [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]

    assert missing == []


def test_the_map_shows_modules_that_exist() -> None:
    """Every file that it names is in the package."""
    named = set(NAMED.findall((ROOT / "docs" / "architecture.md").read_text()))

    missing = [
        each
        for each in named - {"__init__.py"}
        if not (ROOT / "daemon" / "ingestd" / each).exists() and not (ROOT / each).exists()
    ]

    assert named
    assert missing == []
