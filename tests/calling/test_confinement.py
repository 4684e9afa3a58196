"""What a plugin in a worker process can reach of the daemon: it tries, on the real kernel."""

import asyncio
import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ingestd.calling.access import Access, Grants, Protection
from ingestd.calling.plugin import Plugin
from ingestd.calling.pool import Workers
from ingestd.calling.process import Key, WorkerProcess
from ingestd.calling.rulesets import Rulesets, confinement
from tests.support.plugins import PluginFolder, state_of
from tests.support.workers import options_for, until

pytestmark = [
    # Starting a process takes about a tenth of a second, and these tests start many.
    pytest.mark.slow,
    pytest.mark.skipif(not confinement()[0], reason=confinement()[1]),
]
TRIES = """
import os, pathlib, signal
def run(*, tries, **_):
    done = {}
    for name, code in tries.items():
        try:
            exec(code)
            done[name] = "done"
        except OSError as error:
            done[name] = error.strerror
    return {"done": done}
"""
DENIED = os.strerror(errno.EACCES)


class Trying:
    """Lets a plugin try some lines of Python."""

    def __init__(self, workers: Workers, plugin: Plugin) -> None:
        self._workers, self._plugin = workers, plugin

    @property
    def protection(self) -> Protection:
        """What is kept from it."""
        return self._workers.protection

    @protection.setter
    def protection(self, protection: Protection) -> None:
        self._workers.protection = protection

    async def __call__(self, access: Access | None = None, **tries: str) -> dict[str, str]:
        """Say what became of each: "done", or the error of the system."""
        options = options_for(self._workers, access=access or Access())
        finished = await self._workers.call(self._plugin, {"tries": tries}, options)
        done: dict[str, str] = state_of(finished)["done"]
        return done


class Site:
    """The folders of a daemon that has something to hide."""

    def __init__(self, folder: Path) -> None:
        self.config, self.state = folder / "etc" / "ingestd", folder / "var" / "ingestd"
        self.credentials, self.other = folder / "credentials", folder / "other"
        for each in (self.config / "plugins", self.state, self.credentials, self.other):
            each.mkdir(parents=True)
        for each in (self.config / "ingestd.yaml", self.credentials / "token", self.other / "data"):
            each.write_text("geheim")
        with sqlite3.connect(self.state / "state.db") as db:
            db.execute("CREATE TABLE hidden (value)")
        self.protection = Protection(
            protected=frozenset({self.config, self.state, self.credentials}),
            code=frozenset({self.config / "plugins"}),
        )


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """Give a site."""
    return Site(tmp_path / "site")


@pytest.fixture
async def trying(plugin_folder: PluginFolder, site: Site) -> AsyncIterator[Trying]:
    """Give what lets a plugin try some lines of Python, and says what became of each."""
    plugin = plugin_folder.plugin(TRIES)
    async with Workers(2, protection=site.protection) as workers:
        yield Trying(workers, plugin)


async def test_the_daemons_files_are_out_of_reach(site: Site, trying: Trying) -> None:
    """They cannot be read, written, replaced or added to, also on other ways to them."""
    state, config = site.state / "state.db", site.config / "ingestd.yaml"
    (site.other / "link").symlink_to(state)

    done = await trying(
        state=f"open({str(state)!r})",
        link=f"open({str(site.other / 'link')!r})",
        beside=f"open({str(site.state / 'state.db-wal')!r}, 'w')",
        config=f"open({str(config)!r})",
        credential=f"open({str(site.credentials / 'token')!r})",
        write=f"open({str(config)!r}, 'a')",
        truncate=f"os.truncate({str(state)!r}, 0)",
        replace=f"os.replace({str(site.other / 'data')!r}, {str(config)!r})",
        remove=f"os.unlink({str(config)!r})",
        add=f"open({str(site.config / 'more.yaml')!r}, 'w')",
    )

    assert done.pop("replace") in {DENIED, os.strerror(errno.EXDEV)}
    assert set(done.values()) == {DENIED}
    assert config.read_text() == "geheim"


async def test_ordinary_files_are_not(site: Site, trying: Trying, tmp_path: Path) -> None:
    """What plugins and libraries read and write every day, and plugins beside the config."""
    (site.config / "plugins" / "table.csv").write_text("1")

    done = await trying(
        read=f"open({str(site.other / 'data')!r})",
        plugins=f"open({str(site.config / 'plugins' / 'table.csv')!r})",
        write=f"open({str(site.other / 'new')!r}, 'w').write('x')",
        move=f"os.replace({str(site.other / 'new')!r}, {str(site.other / 'newer')!r})",
        passwd="open('/etc/passwd').read()",
        null="open('/dev/null', 'w').write('x')",
        stat="open('/proc/stat').read(); open('/proc/self/status').read()",
        python="import json.tool, sqlite3, ssl; ssl.create_default_context()",
        program="import subprocess; subprocess.run(['ls', '/'], check=True, capture_output=True)",
        temporary="import tempfile; tempfile.TemporaryFile().write(b'x')",
        zone="import zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin')",
    )

    assert set(done.values()) == {"done"}, done


async def test_plugins_cannot_be_changed(site: Site, trying: Trying) -> None:
    """Neither their own code nor that of others, wherever it lies, also where all else may be."""
    shared = site.other / "plugins"
    shared.mkdir()
    (shared / "meters.py").write_text("VALUE = 1")
    (shared / "linked.py").symlink_to(site.other / "data")
    (site.other / "link").symlink_to(shared)
    code = {site.config / "plugins", site.other / "link"}
    trying.protection = replace(site.protection, code=frozenset(code))
    meters, link = str(shared / "meters.py"), str(site.other / "link")

    done = await trying(
        write=f"open({meters!r}, 'a')",
        truncate=f"os.truncate({meters!r}, 0)",
        remove=f"os.unlink({meters!r})",
        add=f"open({str(shared / 'more.py')!r}, 'w')",
        beside=f"open({str(site.config / 'plugins' / 'more.py')!r}, 'w')",
        bytecode=f"os.mkdir({str(shared / '__pycache__')!r})",
        link=f"os.unlink({link!r})",
        folder=f"os.rename({str(shared)!r}, {str(site.other / 'moved')!r})",
        data=f"open({str(site.other / 'data')!r}, 'a')",
        read=f"open({meters!r}).read()",
        imported=(
            "import subprocess, sys\n"
            "command = [sys.executable, '-c', 'import meters']\n"
            f"subprocess.run(command, cwd={str(shared)!r}, check=True)"
        ),
        temporary="import tempfile; tempfile.TemporaryFile().write(b'x')",
    )

    usable = {name: done.pop(name) for name in ("data", "read", "imported", "temporary")}
    assert set(usable.values()) == {"done"}, usable
    assert set(done.values()) == {DENIED}, done
    assert [each.name for each in sorted(shared.iterdir())] == ["linked.py", "meters.py"]


async def test_operator_may_let_a_plugin_write_among_plugins(site: Site, trying: Trying) -> None:
    """`writes` opens what it names, and nothing beside that."""
    cache = site.config / "plugins" / "cache"
    cache.mkdir()
    tries = {
        "cache": f"open({str(cache / 'new')!r}, 'w')",
        "beside": f"open({str(site.config / 'plugins' / 'more.py')!r}, 'w')",
        "outside": f"open({str(site.other / 'data')!r}, 'a')",
    }

    done = await trying(Access(writes=(Path("/"), cache)), **tries)

    assert done == {"cache": "done", "beside": DENIED, "outside": "done"}


async def test_the_daemon_cannot_be_signalled(trying: Trying) -> None:
    """Neither it nor others outside; what the plugin itself has started can."""
    if "signals" in confinement()[1]:
        pytest.skip(confinement()[1])

    done = await trying(
        daemon=f"os.kill({os.getpid()}, signal.SIGCONT)",
        supervisor="os.kill(os.getppid(), signal.SIGCONT)",
        init="os.kill(1, 0)",
        child="import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nchild.kill()",
    )

    assert done == {
        "daemon": "Operation not permitted",
        "supervisor": "Operation not permitted",
        "init": "Operation not permitted",
        "child": "done",
    }


@pytest.mark.parametrize("whose", [str(os.getpid()), "os.getppid()"], ids=["daemon", "supervisor"])
async def test_the_daemon_cannot_be_traced(trying: Trying, whose: str) -> None:
    """Its memory and descriptors are closed; its environment too, unless root has its way."""
    libc = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"

    done = await trying(
        attach=f"{libc}if libc.ptrace(16, {whose}, 0, 0):"
        " raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))",
        memory=f"open(f'/proc/{{{whose}}}/mem', 'r+b')",
        descriptors=f"os.readlink(f'/proc/{{{whose}}}/fd/0')",
        environment=f"os.setuid(65534)\nopen(f'/proc/{{{whose}}}/environ').read()"
        if os.getuid() == 0
        else f"open(f'/proc/{{{whose}}}/environ').read()",
    )

    assert done.pop("attach") == "Operation not permitted"
    assert set(done.values()) == {DENIED}


async def test_no_descriptor_of_the_daemon_is_inherited(site: Site, trying: Trying) -> None:
    """Not even one that is inheritable, such as the daemon never has."""
    with (site.other / "data").open() as file:
        os.set_inheritable(file.fileno(), True)
        name = str(site.other / "data")
        done = await trying(
            found=f"if {name!r} in [os.path.realpath(f'/proc/self/fd/{{n}}') "
            "for n in os.listdir('/proc/self/fd')]: raise OSError(0, 'found')"
        )

    assert done == {"found": "done"}


async def test_collector_may_see_less_or_more(site: Site, trying: Trying) -> None:
    """`reads` and `writes` narrow what is outside and open what they name inside."""
    config, outside = str(site.config / "ingestd.yaml"), str(site.other / "data")
    tries = {
        "config": f"open({config!r})",
        "outside": f"open({outside!r})",
        "write": f"open({outside!r}, 'a')",
        "system": "open('/etc/passwd')",
    }

    narrow = await trying(Access(reads=(), writes=()), **tries)
    wide = await trying(Access(reads=(Path("/"), Path(config)), writes=()), **tries)
    open_ = await trying(Access(confined=False), **tries)
    there = await trying(Access(reads=(), writes=(site.other,)), **tries)

    # pytest's folders lie below /tmp, which may be read and written in any case.
    assert narrow["config"] == there["config"] == DENIED
    assert wide["config"] == "done"
    assert set(open_.values()) == {"done"}
    assert narrow["system"] == there["write"] == "done"


async def test_a_file_that_comes_later_can_be_read(site: Site, trying: Trying) -> None:
    """A process that was started before is replaced: a ruleset knows only what was there."""
    folder = site.state.parent
    before = await trying(pid=f"open({str(folder / 'who')!r}, 'w')")
    (folder / "late.csv").write_text("1")

    done = await trying(late=f"open({str(folder / 'late.csv')!r}).read()")

    assert before == {"pid": DENIED}  # a folder above what is protected takes no new files
    assert done == {"late": "done"}


async def test_process_lives_on_while_nothing_changes(plugin_folder: PluginFolder) -> None:
    """Starting one for each call would cost a tenth of a second."""
    plugin = plugin_folder.plugin("import os\ndef run(**_): return {'pid': os.getpid()}\n")
    pids = set()
    # Beside folders that other tests do not change.
    protection = Protection(protected=frozenset({Path("/var/lib/ingestd-of-a-test")}))
    async with Workers(2, protection=protection) as workers:
        for _ in range(2):
            finished = await workers.call(plugin, {}, options_for(workers))
            pids.add(finished.result["pid"])
        workers.protection = replace(protection, withheld=frozenset({"LC_TOKEN"}))
        finished = await workers.call(plugin, {}, options_for(workers))

    assert len(pids) == 1
    assert finished.result["pid"] not in pids
    await until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


class SlowRulesets(Rulesets):
    """Makes a ruleset and gives it only once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.made, self.may_give = threading.Event(), threading.Event()

    def get(
        self, access: Access, protection: Protection, plugin: Path
    ) -> tuple[Grants, int] | None:
        """See ``Rulesets``."""
        found = super().get(access, protection, plugin)
        self.made.set()
        self.may_give.wait()
        return found


async def test_a_start_that_is_cancelled_leaves_no_ruleset_open(
    plugin_folder: PluginFolder,
) -> None:
    """A thread may still be making it, for nobody."""
    source = plugin_folder.plugin(TRIES).source
    key = Key(source.root, source.fingerprint, "", Access(), Protection())
    rulesets = SlowRulesets()
    before = rulesets_open()
    with ThreadPoolExecutor(1) as pool:
        start = WorkerProcess.start(key, rulesets=rulesets, mark="test", pool=pool)
        starting = asyncio.create_task(start)
        await asyncio.to_thread(rulesets.made.wait)
        starting.cancel()
        await asyncio.wait([starting])
        rulesets.may_give.set()
    rulesets.close()

    assert starting.cancelled()
    assert rulesets_open() == before


def rulesets_open() -> int:
    """Return how many descriptors of this process are Landlock rulesets."""
    links = []
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the descriptor of the listing itself
            links.append(str(each.readlink()))
    return links.count("anon_inode:[landlock-ruleset]")
