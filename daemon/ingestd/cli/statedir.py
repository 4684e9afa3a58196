"""Whose the state directory is."""

import os
import pwd
from pathlib import Path

from ingestd.cli.exitcodes import CommandError
from ingestd.disk import see_that_it_answers


def refuse_foreign_root(path: Path) -> None:
    """Leave no files of root's where the daemon runs as another user.

    Raises:
        CommandError: Says as which user to call the command.
        StateError: It does not answer.
    """
    see_that_it_answers(path)
    if os.geteuid() != 0 or not path.exists() or path.stat().st_uid == 0:
        return
    raise CommandError(f"{path}: belongs to {_user(path)}; try: sudo -u {_user(path)} ingestd ...")


def _user(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
