"""``check``, ``once``, ``reload`` and ``run``: they take and refuse the same configurations.

Each is asked for its judgement on every line of one table. ``check`` and ``once`` are
processes; ``reload`` and ``run`` are daemons in the process of the test.
"""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import pytest

from ingestd.errors import ConfigError
from tests.support.daemon import DaemonFolder
from tests.support.ingestdprocess import PIPE, IngestdProcess

pytestmark = pytest.mark.slow  # two processes and two daemons for each configuration


class Verdict(Enum):
    """What is to become of a configuration."""

    RIGHT = "all take it"
    ODD = "all take it, and warn"
    UNABLE = "a daemon warns, and runs the other collectors; what asks for this one refuses"
    WRONG = "all refuse it"


@dataclass(frozen=True)
class Case:
    """A configuration, and what all are to say of it.

    Attributes:
        text: Everything but the ``daemon:`` section; ``once`` runs the collector m.
        says: Texts that the problems contain, one for each, in any order.
        beside: More files of ``conf.d``, by name.
        daemon: Options for the ``daemon:`` section.
    """

    verdict: Verdict
    text: str
    says: Sequence[str] = ()
    beside: dict[str, str] = field(default_factory=dict)
    daemon: dict[str, str] = field(default_factory=dict)


M: Final = "collectors: {{m: {{plugin: meter, every: 1h{}}}}}\n"
PLUGINS: Final = {
    "meter": "def run(*, host='here', **_): return {'readings': [(None, 'level', 1)]}\n",
    "needy": "def run(*, host, **_): return {}\n",
    "strict": "def run(*, host='here'): return {}\n",
    "broken": "import nothing_of_that_name\n\nasync def run(**_): return {}\n",
    "garbled": "def run(:\n",
}
# An ordinary function that does not import is not among them: a daemon leaves it to a worker
# process, which imports it for the first run.
CASES: Final = {
    "one collector": Case(Verdict.RIGHT, M.format("")),
    "a cron": Case(
        Verdict.RIGHT,
        "collectors: {m: {plugin: meter, cron: 0 3 * * *, timezone: America/Anchorage}}\n",
    ),
    "a variable with a default": Case(
        Verdict.RIGHT,
        "collectors: {m: {plugin: meter, every: 1h, params: {host: '${NOWHERE_SET:-here}'}}}\n",
    ),
    "collectors in two files": Case(
        Verdict.RIGHT,
        M.format(""),
        beside={"more.yaml": "collectors: {n: {plugin: meter, every: 1h}}\n"},
    ),
    "a disabled collector without a plugin": Case(
        Verdict.ODD,
        "collectors:\n  m: {plugin: meter, every: 1h}\n"
        "  off: {plugin: nowhere, every: 1h, enabled: false}\n",
        ["collectors.off.plugin: no plugin 'nowhere'"],
    ),
    "a param that only **_ takes": Case(
        Verdict.ODD, M.format(", params: {hots: a}"), ["did you mean 'host'?"]
    ),
    "a plugin folder that is not there": Case(
        Verdict.ODD,
        M.format(""),
        ["daemon.plugin_dirs: ", "/nowhere' is no folder"],
        daemon={"plugin_dirs": "[plugins, nowhere]"},
    ),
    "a plugin that is not there": Case(
        Verdict.UNABLE,
        "collectors: {m: {plugin: metre, every: 1h}}\n",
        ["collectors.m.plugin: no plugin 'metre'"],
    ),
    "a plugin that does not import": Case(
        Verdict.UNABLE,
        "collectors: {m: {plugin: broken, every: 1h}}\n",
        ["nothing_of_that_name"],
    ),
    "a plugin that is no Python": Case(
        Verdict.UNABLE,
        "collectors: {m: {plugin: garbled, every: 1h}}\n",
        ["collectors.m.plugin: "],
    ),
    "a required param that is missing": Case(
        Verdict.UNABLE,
        "collectors: {m: {plugin: needy, every: 1h}}\n",
        ["collectors.m.params: 'host' is required"],
    ),
    "a param that the plugin cannot take": Case(
        Verdict.WRONG,
        "collectors: {m: {plugin: strict, every: 1h, params: {hots: a}}}\n",
        ["collectors.m.params: ", "did you mean 'host'?"],
    ),
    "a revisit that the plugin does not declare": Case(
        Verdict.WRONG,
        "collectors: {m: {plugin: strict, every: 1h, revisit: 7d}}\n",
        ["declares no 'revisit'"],
    ),
    "an unknown key": Case(Verdict.WRONG, M.format(", evry: 2h"), ["collectors.m.evry: "]),
    "an unknown section": Case(Verdict.WRONG, M.format("") + "collector: {}\n", ["collector: "]),
    "a wrong duration": Case(
        Verdict.WRONG, M.format(", timeout: 5 sec"), ["collectors.m.timeout: "]
    ),
    "a cron of six fields": Case(
        Verdict.WRONG,
        "collectors: {m: {plugin: meter, cron: 0 0 3 * * *}}\n",
        ["collectors.m.cron: "],
    ),
    "a misspelt zone": Case(
        Verdict.WRONG,
        "collectors: {m: {plugin: meter, cron: 0 3 * * *, timezone: America/Anchorag}}\n",
        ["collectors.m.timezone: "],
    ),
    "two names that are the same": Case(
        Verdict.WRONG,
        "collectors:\n  m: {plugin: meter, every: 1h}\n  m: {plugin: meter, every: 2h}\n",
        ["m"],
    ),
    "one name in two files": Case(
        Verdict.WRONG,
        M.format(""),
        ["m"],
        beside={"more.yaml": "collectors: {m: {plugin: meter, every: 2h}}\n"},
    ),
    "a store without url": Case(
        Verdict.WRONG, "stores: {vm: {type: victoriametrics}}\n" + M.format(""), ["stores.vm"]
    ),
    "a store of an unknown type": Case(
        Verdict.WRONG, "stores: {vm: {type: victoria}}\n" + M.format(""), ["stores.vm.type: "]
    ),
    "a variable that is not set": Case(
        Verdict.WRONG, "collectors: {m: {plugin: '${NOWHERE_SET}', every: 1h}}\n", ["NOWHERE_SET"]
    ),
    "no YAML": Case(Verdict.WRONG, "collectors: [\n", ["ingestd.yaml"]),
    "two wrongs": Case(
        Verdict.WRONG, M.format(", evry: 2h, offset: soon"), ["m.evry: ", "m.offset: "]
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_all_judge_alike(daemon_folder: DaemonFolder, name: str) -> None:
    """The same are taken, and the same problems are told at the same lines."""
    case = CASES[name]
    for plugin, text in PLUGINS.items():
        daemon_folder.plugin(plugin, text)
    async with daemon_folder.daemon(M.format("")) as it:
        write(daemon_folder, case)
        answer = await it.ask("POST", "/api/v1/reload", json={})
    refused_reload = [told(each) for each in answer.body.get("problems", ())]
    reload_warns = answer.body.get("warnings", [])
    refused_run, run_warns = await run(daemon_folder)
    check, once = await asyncio.gather(
        command(daemon_folder, "check"), command(daemon_folder, "once", "m")
    )

    assert without_doubt(reload_warns) == without_doubt(run_warns)
    assert sorted(refused_reload) == sorted(refused_run)
    problems = without_doubt(refused_run or run_warns)
    assert len(problems) >= bool(case.says)
    assert all(any(text in problem for problem in problems) for text in case.says)
    lines = sorted(line.removeprefix("warning: ") for line in check.problems)
    assert lines == problems
    of_m = [each for each in problems if "collectors.off." not in each]
    assert sorted(line.removeprefix("warning: ") for line in once.problems) == of_m
    codes = {
        Verdict.RIGHT: (0, 0, False),
        Verdict.ODD: (0, 0, False),
        Verdict.UNABLE: (78, 78, False),
        Verdict.WRONG: (78, 78, True),
    }
    assert (check.code, once.code, bool(refused_run)) == codes[case.verdict]
    assert bool(problems) == (case.verdict is not Verdict.RIGHT)


@dataclass(frozen=True)
class Judgement:
    """How a command ended, and the lines on its standard error."""

    code: int
    problems: Sequence[str]


async def command(folder: DaemonFolder, *args: str) -> Judgement:
    """Run a command to its end."""
    environ = {name: value for name, value in os.environ.items() if name != "JOURNAL_STREAM"}
    config = ("--config", str(folder.config_path))
    with IngestdProcess(*args, *config, environ=environ, stderr=PIPE) as process:
        _, err = await asyncio.to_thread(process.read)
        return Judgement(await asyncio.to_thread(process.wait), err.splitlines())


async def run(folder: DaemonFolder) -> tuple[list[str], list[str]]:
    """Start a daemon; return why that was refused, and what it warns of."""
    try:
        async with folder.daemon() as it:
            return [], it.daemon.warnings
    except ConfigError as error:
        return [str(each) for each in error.problems], []


def write(folder: DaemonFolder, case: Case) -> None:
    """Write a configuration."""
    dirs = case.daemon.get("plugin_dirs", "[plugins]")
    for name in ("plugins", "nowhere"):
        dirs = dirs.replace(name, str(folder.plugins.with_name(name)))
    folder.config(case.text, plugin_dirs=dirs)
    (folder.config_path.parent / "conf.d").mkdir()
    for name, text in case.beside.items():
        (folder.config_path.parent / "conf.d" / name).write_text(text)


def told(problem: dict[str, str]) -> str:
    """Return a problem of the API as the commands print it."""
    return ": ".join(filter(None, (problem["where"], problem["key"], problem["message"])))


def without_doubt(problems: Sequence[str]) -> list[str]:
    """Return problems in order; only a daemon cannot know what a state will hold."""
    return sorted(each.removesuffix(", unless state holds it") for each in problems)
