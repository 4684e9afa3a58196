"""The state directory, taken by a command as a daemon would take it."""

import os
import pwd
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from ingestd.cli.exitcodes import CommandError
from ingestd.disk import Database, StateDirectory


@asynccontextmanager
async def held(state_dir: Path) -> AsyncIterator[Database]:
    """Take a state directory.

    Raises:
        StateDirectoryBusy: A daemon holds it.
        CommandError: It would get files that its owner cannot read.
    """
    refuse_foreign_root(state_dir)
    with StateDirectory.open(state_dir) as directory:
        database = await Database.open(directory.database, ballast=directory.ballast)
        async with database:
            yield database


def refuse_foreign_root(path: Path) -> None:
    """Leave no files of root's where the daemon runs as somebody else."""
    if os.geteuid() != 0 or not path.exists() or path.stat().st_uid == 0:
        return
    raise CommandError(f"{path}: belongs to {_user(path)}; try: sudo -u {_user(path)} ingestd ...")


def _user(path: Path) -> str:
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"#{uid}"
