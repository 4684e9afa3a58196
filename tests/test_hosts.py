"""The systems whose plugins run as they are: each is known to its own package and to no other."""

import re
from pathlib import Path
from typing import Final

from ingestd.hosts import HOSTS
from tests.support.config import ConfigFolder

PACKAGE: Final = Path(__file__).parent.parent / "daemon" / "ingestd"
# Beside a host's own package: where hosts are listed, the commands that import from it, the
# plugins that have its formats.
KNOW_HOSTS: Final = ("hosts.py", "cli/importing.py", "cli/bmon", "plugins/")
COLLECTOR: Final = "stores: {a: {type: embedded}}\ncollectors:\n  a: {plugin: system, every: 1m, "


def test_only_its_package_has_the_name_of_a_host() -> None:
    """Identifiers, comments and texts of the core speak of hosts, whichever there are."""
    texts = {
        str(path.relative_to(PACKAGE)): path.read_text()
        for path in PACKAGE.rglob("*.py")
        if path.relative_to(PACKAGE).parts[0] not in HOSTS
    }
    names = "|".join(name for host in HOSTS.values() for name in (host.name, host.title))
    knowing = [
        f"{path}: {line}"
        for path, text in texts.items()
        if not path.startswith(KNOW_HOSTS)
        for line in text.splitlines()
        if re.search(names, line, re.IGNORECASE)
    ]

    assert knowing == []


def test_the_error_of_a_wrong_host_lists_those_there_are(folder: ConfigFolder) -> None:
    """The words that `compat` may have are those of the registry."""
    assert folder.problems(COLLECTOR + "compat: bmom}\n") == [
        "ingestd.yaml:3: collectors.a.compat: expected one of bmon, got 'bmom'"
    ]


def test_settings_without_a_host_are_a_problem(folder: ConfigFolder) -> None:
    """No plugin would read them."""
    assert folder.problems(COLLECTOR + "settings: {KEY: a}}\n") == [
        "ingestd.yaml:3: collectors.a.settings: means nothing without compat: bmon"
    ]
