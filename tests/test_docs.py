"""What README and docs/ point to is there."""

import re
from configparser import ConfigParser
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [*ROOT.glob("*.md"), *sorted((ROOT / "docs").rglob("*.md"))]
LINK: Final = re.compile(r"\]\((?!\w+:)([^)#\s]+)")
EXTRAS: Final = re.compile(r"pip install '(?:ingestd|\.)\[([^]]+)\]'")
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


def test_extras_that_pages_tell_to_install_are_there() -> None:
    """By the name that a package is built with: older ones of pip find an extra by no other."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    told = {
        extra
        for page in PAGES
        for extras in EXTRAS.findall(page.read_text())
        for extra in extras.split(",")
    }

    assert told
    assert told <= set(config["options.extras_require"])
    assert [each for each in told if re.search(r"[^a-z0-9-]", each)] == []
