"""A real daemon in the process of the test, with its API on a free port.

    async def test_...(daemon_folder: DaemonFolder) -> None:
        daemon_folder.plugin("meter", "def run(**_): return {'readings': [(None, 'level', 1)]}")
        async with daemon_folder.daemon("collectors: {m: {plugin: meter, every: 1h}}") as it:
            record = await it.post("collectors/m/run")

Without ``stores:`` its readings go to a file in the state directory.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import aiohttp
import pytest

from ingestd.app import Daemon
from ingestd.config import file as configfile
from ingestd.hosts import HOSTS
from ingestd.logs import Threshold
from ingestd.redaction import Redactor
from ingestd.systemd import Notifier
from ingestd.web.server import serve
from tests.support.deadline import WITHIN


@dataclass
class Answer:
    """What the API answered.

    Attributes:
        body: The parsed JSON, or the text of anything else.
    """

    status: int
    headers: Mapping[str, str]
    body: Any


@dataclass
class RunningDaemon:
    """A daemon that runs.

    Attributes:
        address: As the daemon announces it: ``http://...`` or ``unix:/path``.
        http: A session that leads there; give it paths only.
        done: The daemon's task.
    """

    daemon: Daemon
    address: str
    http: aiohttp.ClientSession = field(repr=False)
    done: asyncio.Task[None] = field(repr=False)

    async def ask(self, method: str, path: str, **options: Any) -> Answer:
        """Send a request; return the answer, whether it is a good one or a refusal."""
        async with self.http.request(method, path, **options) as reply:
            is_json = "json" in reply.content_type
            body = await reply.json(content_type=None) if is_json else await reply.text()
            return Answer(reply.status, reply.headers, body)

    async def get(self, path: str, **query: Any) -> Any:
        """Return what the API has at a path below ``/api/v1/``."""
        answer = await self.ask("GET", f"/api/v1/{path}", params=query)
        assert answer.status == 200, answer
        return answer.body

    async def post(self, path: str, body: Any = None) -> Any:
        """Ask for a change below ``/api/v1/``; return the answer."""
        answer = await self.ask("POST", f"/api/v1/{path}", json=body or {})
        assert answer.status == 200, answer
        return answer.body

    async def until(self, condition: Callable[[], Any]) -> None:
        """Return once something has come true of the daemon."""
        async with asyncio.timeout(WITHIN):
            while not condition():  # noqa: ASYNC110 -- not everything has an event
                await asyncio.sleep(0.01)


class DaemonFolder:
    """Where a daemon's configuration, plugins and state are."""

    def __init__(self, path: Path) -> None:
        self.config_path = path / "ingestd.yaml"
        self.plugins = path / "plugins"
        self.state_dir = path / "state"
        self.plugins.mkdir(exist_ok=True)

    def plugin(self, name: str, text: str) -> Path:
        """Write a plugin."""
        path = self.plugins / f"{name}.py"
        path.write_text(dedent(text))
        return path

    def config(self, text: str = "", **options: str) -> Path:
        """Write the configuration.

        Args:
            text: Everything but the ``daemon:`` section.
            **options: What is to be in that besides the paths; by default the API is on
                a free port.
        """
        section = {
            "state_dir": str(self.state_dir),
            "plugin_dirs": f"[{self.plugins}]",
            "listen": "127.0.0.1:0",
            "grace": "1s",
            "not_before": "1900-01-01",  # tests count from 1970
            **options,
        }
        lines = "".join(f"{name}: {value}\n" for name, value in section.items())
        self.config_path.write_text(f"daemon:\n{indent(lines, '  ')}{dedent(text)}")
        return self.config_path

    def make(self) -> Daemon:
        """Make a daemon that has yet to be run."""
        config = configfile.load(self.config_path, {}, hosts=HOSTS)
        return Daemon(
            config,
            config_path=self.config_path,
            environ={},
            notifier=Notifier(),
            redactor=Redactor(config.secrets),
            threshold=Threshold("info"),
        )

    @asynccontextmanager
    async def daemon(
        self, text: str | None = None, *, headers: Mapping[str, str] | None = None, **options: str
    ) -> AsyncIterator[RunningDaemon]:
        """Run a daemon until the block ends.

        Args:
            text: See ``config``; by default the configuration that is there is used.
            headers: What the session sends with every request.
            **options: See ``config``.
        """
        if text is not None:
            self.config(text, **options)
        daemon = self.make()
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        done = asyncio.create_task(_run(daemon, address))
        try:
            async with asyncio.timeout(WITHIN):
                started = asyncio.ensure_future(daemon.ready.wait())
                await asyncio.wait({started, done}, return_when=asyncio.FIRST_COMPLETED)
                if started.cancel():
                    await done  # it failed
            async with _session(address.result(), headers or {}) as http:
                yield RunningDaemon(daemon, address.result(), http, done)
        finally:
            daemon.stop()
            daemon.stop()
            async with asyncio.timeout(WITHIN):
                await done


async def _run(daemon: Daemon, address: "asyncio.Future[str]") -> None:
    @asynccontextmanager
    async def serve_and_tell(daemon: Daemon) -> AsyncIterator[str]:
        async with serve(daemon) as where:
            address.set_result(where)
            yield where

    await daemon.run(serve_and_tell)


def _session(address: str, headers: Mapping[str, str]) -> aiohttp.ClientSession:
    if address.startswith("unix:"):
        connector = aiohttp.UnixConnector(address.removeprefix("unix:"))
        return aiohttp.ClientSession("http://ingestd", connector=connector, headers=headers)
    return aiohttp.ClientSession(address or None, headers=headers)


@pytest.fixture
def daemon_folder(tmp_path: Path) -> DaemonFolder:
    """Give a folder to run a daemon in."""
    folder = tmp_path / "daemon"
    folder.mkdir()
    return DaemonFolder(folder)
