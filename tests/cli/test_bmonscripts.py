"""What a script needs is told from its text."""

from pathlib import Path

import pytest

from ingestd.cli.bmonscripts import Needs, needs_of


def needs(tmp_path: Path, text: str) -> Needs:
    """Look at a script with this text."""
    path = tmp_path / "script.py"
    path.write_text(text)
    return needs_of(path)


@pytest.mark.parametrize(
    "text",
    [
        "from django.conf import settings\n\ndef run():\n    return settings.API_KEY\n",
        "from django import conf\n\ndef run():\n    return conf.settings.API_KEY\n",
        "import django.conf\n\ndef run():\n    return django.conf.settings.API_KEY\n",
    ],
)
def test_settings_are_found_by_name(text: str, tmp_path: Path) -> None:
    """It does not matter how the script imports them."""
    assert needs(tmp_path, text) == Needs(settings=("API_KEY",))


@pytest.mark.parametrize(
    ("text", "note", "runs"),
    [
        ("from bmsapp.models import Sensor", "reads BMON's own database", False),
        ("import bmsapp.readingdb.bmsdata", "reads BMON's own database", False),
        ("from django.utils import timezone", "imports django.utils: only django.conf", False),
        ("import no_such_module.deeper, json", "needs no_such_module, which is not", False),
        ("def run():\n    import no_such_module", "needs no_such_module, which is not", False),
        ("import pysnmp", "pip install 'pysnmp<5' 'pyasn1<0.5', which work up to", False),
        ("print 'hello'", "is no Python 3", False),
    ],
)
def test_what_is_missing_is_told(
    text: str,
    note: str,
    runs: bool,  # noqa: FBT001 -- a column
    tmp_path: Path,
) -> None:
    """The notes say as well whether the script can run nevertheless."""
    found = needs(tmp_path, text)

    assert [note in each for each in found.notes] == [True]
    assert found.runs is runs


def test_a_module_that_is_only_tried_is_not_needed(tmp_path: Path) -> None:
    """The script says itself what it does without."""
    text = "try:\n    import no_such_module\nexcept ImportError:\n    no_such_module = None\n"

    assert needs(tmp_path, text) == Needs()


def test_a_script_that_needs_nothing_is_left_alone(tmp_path: Path) -> None:
    """The standard library is always there, and so is what we need ourselves."""
    assert needs(tmp_path, "import json, os.path\nimport yaml\nfrom . import sibling\n") == Needs()
