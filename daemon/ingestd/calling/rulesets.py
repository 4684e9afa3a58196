"""The Landlock rulesets of worker processes, each made once for all that may see the same."""

import os
from pathlib import Path
from typing import Final

from ingestd import landlock
from ingestd.calling.access import Access, Grants, Protection, grants

MOST_KEPT: Final = 32  # rulesets, a file descriptor each


class Rulesets:
    """Makes rulesets and keeps them for as long as they are up to date; blocks for some ms."""

    def __init__(self) -> None:
        self._kept: dict[tuple[Access, Protection, Path], tuple[Grants, int]] = {}

    def get(
        self, access: Access, protection: Protection, plugin: Path
    ) -> tuple[Grants, int] | None:
        """Return what a process may do, and a descriptor of the ruleset that the caller closes.

        None if the kernel has no Landlock, or the collector wants none.
        """
        if not access.confined:
            return None
        key = (access, protection, plugin if _may_hide(plugin, access, protection) else Path())
        known = self._kept.get(key)
        if known is None or not known[0].up_to_date:
            if key in self._kept or len(self._kept) >= MOST_KEPT:
                _, old = self._kept.pop(key if key in self._kept else next(iter(self._kept)))
                os.close(old)
            found = grants(access, protection, plugin)
            try:
                known = self._kept[key] = found, landlock.make_ruleset(found.paths)
            except OSError:
                return None
        return known[0], os.dup(known[1])

    def close(self) -> None:
        """Close all rulesets."""
        while self._kept:
            os.close(self._kept.popitem()[1][1])


def _may_hide(plugin: Path, access: Access, protection: Protection) -> bool:
    """Whether a plugin lies where it could be read only by a grant of its own."""
    return access.reads is not None or any(
        plugin.is_relative_to(each) for each in protection.protected
    )


def confinement() -> tuple[bool, str]:
    """Say whether worker processes are kept from the daemon's files, and how or why not."""
    try:
        found = landlock.version()
        os.close(landlock.make_ruleset([]))
    except OSError as error:
        return False, f"not confined, they can read the daemon's files: {error.strerror}"
    rest = "" if found >= landlock.SIGNALS_SINCE else ", but can send it signals"
    return True, f"confined by Landlock {found}, they cannot read the daemon's files{rest}"
