"""The real databases that tests read from: PostgreSQL and MariaDB, each in a folder of its own.

A session fixture gives one that runs for the whole test session. Neither runs as root: where
tests do, they run as the user of their package, or as nobody.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil  # type: ignore[import-untyped]  # ships no types
import psycopg
import pymysql
import pytest
from psycopg.sql import SQL, Identifier

from tests.support.deadline import WITHIN
from tests.support.ports import free_port
from tests.support.servers import RealServer, accepts, program

# Nothing of what tests write needs to survive a power cut.
HASTY: Final = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
FRUGAL: Final = ("shared_buffers=8MB", "max_connections=20", "autovacuum=off")
USER: Final = "reader"
PASSWORD: Final = "a/secret:of@the#reader"


@dataclass(frozen=True, slots=True)
class Database:
    """An empty database of a server.

    Attributes:
        name: Its name.
        server: What runs it.
    """

    name: str
    server: RealServer

    @property
    def params(self) -> dict[str, Any]:
        """What the plugin is given to reach it."""
        return {"url": f"{self.server.url}/{self.name}", "user": USER, "password": PASSWORD}


class PostgreSQL(RealServer):
    """A server that ends at once, whoever is connected."""

    def stop(self) -> None:
        """End it in good order."""
        self._end(lambda process: process.send_signal(signal.SIGINT))

    def kill(self) -> None:
        """End it as a power cut would, with its processes, which would keep its data."""
        children = psutil.Process(self.pid).children(recursive=True) if self.running() else []
        super().kill()
        for each in children:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(children, WITHIN)


@contextmanager
def folder_of(*users: str) -> Iterator[tuple[Path, str | None]]:
    """Give a folder that the first of some users owns whom there is, if tests run as root.

    Folders of tests themselves are open to nobody else.
    """
    root = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    with tempfile.TemporaryDirectory(prefix="ingestd-db-", dir=root) as name:
        folder, user = Path(name), None
        if os.geteuid() == 0:
            known = {each.pw_name for each in pwd.getpwall()}
            user = next(each for each in users if each in known)
            shutil.chown(folder, user)
        yield folder, user


def call(argv: Sequence[str | Path], user: str | None) -> None:
    """Call a program, and show what it said if it fails."""
    made = subprocess.run(
        argv, user=user, group=None, cwd="/", capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr


def postgresql(folder: Path, user: str | None) -> PostgreSQL:
    """Return a server with the user of the tests, not yet started.

    Args:
        folder: An empty folder that the user owns.
        user: Who runs it; None: whoever runs the tests.
    """
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    binaries = found[-1].parent if found else Path(program("postgres", "postgresql")).parent
    (folder / "password").write_text(PASSWORD)
    (folder / "password").chmod(0o644)
    data, port = folder / "data", free_port()
    call(
        [
            *(binaries / "initdb", "--pgdata", data, "--username", USER, "--no-sync"),
            *("--auth", "scram-sha-256", "--pwfile", folder / "password", "--encoding", "UTF8"),
            *("--locale", "C"),
        ],
        user,
    )
    argv = [str(binaries / "postgres"), "-D", str(data), "-p", str(port)]
    for each in ("listen_addresses=127.0.0.1", "unix_socket_directories=", *HASTY, *FRUGAL):
        argv += ["-c", each]
    url = f"postgresql://127.0.0.1:{port}"
    return PostgreSQL(argv, url=url, folder=folder, ready=answers_postgresql, user=user)


def answers_postgresql(url: str) -> bool:
    """Whether the server lets the user of the tests in."""
    try:
        psycopg.connect(f"{url}/postgres", user=USER, password=PASSWORD).close()
    except psycopg.Error:
        return False
    return True


def mariadb(folder: Path, user: str | None) -> RealServer:
    """Return a server with the user of the tests, not yet started.

    Args:
        folder: An empty folder that the user owns.
        user: Who runs it; None: whoever runs the tests.
    """
    argv0 = program("mariadbd", "mariadb-server")
    data, port = folder / "data", free_port()
    small = ["--innodb-log-file-size=4M", "--innodb-buffer-pool-size=8M"]
    small += ["--innodb-flush-log-at-trx-commit=0"]
    call(
        [
            *(program("mariadb-install-db", "mariadb-server"), "--no-defaults"),
            *(f"--datadir={data}", "--auth-root-authentication-method=normal"),
            *("--skip-test-db", "--skip-name-resolve", *small),
        ],
        user,
    )
    (folder / "init.sql").write_text(
        f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO '{USER}'@'%';\n"
    )
    (folder / "init.sql").chmod(0o644)
    argv = [
        *(argv0, "--no-defaults", f"--datadir={data}", f"--port={port}", *small),
        *("--bind-address=127.0.0.1", f"--socket={folder}/socket", f"--pid-file={folder}/pid"),
        *("--skip-name-resolve", f"--init-file={folder}/init.sql"),
    ]
    url = f"mysql://127.0.0.1:{port}"
    return RealServer(argv, url=url, folder=folder, ready=accepts, user=user)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[RealServer]:
    """Give a PostgreSQL that all tests of the session share."""
    with folder_of("postgres", "nobody") as where, postgresql(*where) as server:
        yield server


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[RealServer]:
    """Give a MariaDB that all tests of the session share."""
    with folder_of("mysql", "nobody") as where, mariadb(*where) as server:
        yield server


@pytest.fixture
def postgres(postgresql_server: RealServer) -> Iterator[tuple[Database, Any]]:
    """Give an empty database of PostgreSQL, and a connection to it that commits at once."""
    name = f"t{secrets.token_hex(6)}"

    def connected(database: str) -> psycopg.Connection[Any]:
        url = f"{postgresql_server.url}/{database}"
        return psycopg.connect(url, user=USER, password=PASSWORD, autocommit=True)

    with closing(connected("postgres")) as admin:
        admin.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    with closing(connected(name)) as connection:
        yield Database(name, postgresql_server), connection


@pytest.fixture
def maria(mariadb_server: RealServer) -> Iterator[tuple[Database, Any]]:
    """Give an empty database of MariaDB, and a cursor in it that commits at once."""
    name = f"t{secrets.token_hex(6)}"
    server = mariadb_server
    connection = pymysql.connect(
        host=server.host, port=server.port, user=USER, password=PASSWORD, autocommit=True
    )
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
        cursor.execute(f"USE {name}")
        yield Database(name, server), cursor
