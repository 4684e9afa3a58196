"""Print everything that ingestd and its tests need, for ``pip -r``, in the newest releases.

An upper bound in setup.cfg is left out, so that what will break is found out early: it is
there because that release has not been tried yet. It stays if it has been tried: then a
comment in setup.cfg says what the release no longer does for us, and begins with the package
and the release, as in ``# pandas 3 no longer ...``.
"""

import re
from configparser import ConfigParser
from pathlib import Path

SETUP = Path(__file__).parent.parent / "setup.cfg"


def newest(setup: str) -> list[str]:
    """Return the requirements of a setup.cfg, without the upper bounds that have no reason."""
    config = ConfigParser()
    config.read_string(setup)
    wanted = config["options"]["install_requires"] + config["options.extras_require"]["test"]
    tried = set(re.findall(r"^# (\S+ [\d.]+) ", setup, re.MULTILINE))
    return [_opened(line, tried) for line in wanted.split()]


def _opened(requirement: str, tried: set[str]) -> str:
    bound = re.fullmatch(r"([\w.-]+)(\[.*\])?(>=[\d.]+),<([\d.]+)", requirement)
    if bound is None or f"{bound[1]} {bound[4]}" in tried:
        return requirement
    return f"{bound[1]}{bound[2] or ''}{bound[3]}"


if __name__ == "__main__":
    print("\n".join(newest(SETUP.read_text())))
