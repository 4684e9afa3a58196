"""``ingestd new-plugin``: a plugin to begin with."""

import re
import shlex
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import click

from ingestd.cli.exitcodes import CommandError
from ingestd.cli.settings import config_option, default_path, load
from ingestd.errors import ConfigError

NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")

FUNCTION: Final = '''\
"""NAME: say here in one line what it reads.

Emits ``NAME_load``: what it means, and its unit.

Parameters: ``factor`` -- what every value is multiplied by (default 1).
State: ``runs`` -- how many times it has run.
"""

import os
import time
from typing import Any


def run(*, factor: float = 1, runs: int = 0, **_: Any) -> dict[str, Any]:
    """Return one reading; replace its source by yours.

    Called with the params of the configuration, and with what it returned last
    time besides the readings. It may block, and may raise: the next run gets
    the same state again.
    """
    value = os.getloadavg()[0]
    return {
        "readings": [(time.time(), "NAME_load", value * factor)],
        "runs": runs + 1,
    }
'''

FUNCTION_TEST: Final = '''\
"""Tests of NAME; run them with ``pytest``."""

import runpy
from pathlib import Path

run = runpy.run_path(str(Path(__file__).parents[1] / "NAME.py"))["run"]


def test_gives_one_reading():
    """A run gives one reading, under the series' name."""
    result = run()

    ((_, series, value),) = result["readings"]
    assert series == "NAME_load"
    assert value >= 0


def test_remembers_how_often_it_ran():
    """What a run returns comes back to the next one."""
    first = run()
    second = run(runs=first["runs"])

    assert second["runs"] == 2
'''

STREAM: Final = '''\
"""NAME: say here in one line what it listens to.

Emits ``NAME_load``: what it means, and its unit.

Parameters: ``pause`` -- seconds from one reading to the next (default 1).
State: ``count`` -- how many readings it has given.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from typing import Any


async def run(*, pause: float = 1, count: int = 0, **_: Any) -> AsyncIterator[dict[str, Any]]:
    """Yield readings for ever; replace their source by yours.

    What it yields besides readings comes back when it is started again, after
    the readings are safe. ``yield`` waits while the daemon has no room. It shares
    the event loop with others: never block, await instead.
    """
    while True:
        count += 1
        value = os.getloadavg()[0]
        yield {"readings": [(time.time(), "NAME_load", value)], "count": count}
        await asyncio.sleep(pause)
'''

STREAM_TEST: Final = '''\
"""Tests of NAME; run them with ``pytest``."""

import asyncio
import runpy
from contextlib import aclosing
from pathlib import Path

from ingestd.testing import results

run = runpy.run_path(str(Path(__file__).parents[1] / "NAME.py"))["run"]


async def first(number, **params):
    """Return the first results of the stream."""
    found = []
    async with aclosing(results(run, **params)) as stream:
        async for result in stream:
            found.append(result)
            if len(found) == number:
                break
    return found


def test_goes_on_counting_where_it_stopped():
    """A stream that is started again gets the state it yielded last."""
    one, two = asyncio.run(first(2, pause=0, count=5))

    assert one["readings"][0][1] == "NAME_load"
    assert (one["count"], two["count"]) == (6, 7)
'''


@click.command("new-plugin", short_help="Write a plugin to begin with, and its test.")
@click.argument("name")
@click.option("--stream", is_flag=True, help="One that listens, instead of being called.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to; the first of daemon.plugin_dirs by default, or else here.",
)
@config_option
def new_plugin(*, name: str, stream: bool, folder: Path | None, config_path: Path) -> None:
    """Write the plugin NAME.py and tests/test_NAME.py, ready to run.

    Prints what to paste into the configuration, and the command to try it with.
    """
    if not NAME.fullmatch(name):
        raise CommandError(f"expected a name of letters, digits and underscores, got {name!r}")
    searched = _plugin_dirs(config_path)
    folder = (folder or next(iter(searched), Path())).resolve()
    plugin, test = folder / f"{name}.py", folder / "tests" / f"test_{name}.py"
    texts = (STREAM, STREAM_TEST) if stream else (FUNCTION, FUNCTION_TEST)
    for path, text in zip((plugin, test), texts, strict=True):
        _write(path, text.replace("NAME", name))
        click.echo(f"wrote {path}")
    used = name if folder in searched else str(plugin)
    click.echo(_advice(name, used, test, config_path, stream=stream))


def _plugin_dirs(config_path: Path) -> list[Path]:
    try:
        return [path.resolve() for path in load(config_path).daemon.plugin_dirs]
    except ConfigError:  # a plugin can be written before there is a configuration
        return []


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x") as file:
            file.write(text)
    except FileExistsError:
        raise CommandError(f"{path}: is there already, and stays as it is") from None
    except OSError as exc:
        raise CommandError(f"{path}: cannot be written: {exc.strerror}") from None


def _advice(name: str, used: str, test: Path, config_path: Path, *, stream: bool) -> str:
    schedule = "" if stream else "    every: 30s\n"
    option = "" if config_path == default_path() else f" --config {config_path}"
    ingestd, pytest = _executable("ingestd"), _executable("pytest")
    install = ""
    if find_spec("pytest") is None:
        pip = f"{shlex.quote(sys.executable)} -m pip"
        install = f"\n(which needs pytest:                     {pip} install pytest pytest-asyncio)"
    return f"""
Paste this below collectors: in {config_path.absolute()}

  {name}:
    plugin: {used}
{schedule}    params: {{}}

Then try it, without storing anything:   {ingestd} once {name} --dry-run{option}
run its test:                            {pytest} {test}{install}
and let a running daemon take it up:     {ingestd} reload{option}"""


def _executable(name: str) -> str:
    """Return how a command is called from here: by name, or by path if a shell would not find it.

    Both come from the virtualenv that runs this, which need not be an activated one.
    """
    ours = Path(sys.executable).parent / name
    found = shutil.which(name)
    if found is not None and Path(found).parent.samefile(ours.parent):
        return name
    if ours.exists() or name != "ingestd":
        return shlex.quote(str(ours))
    return shlex.quote(sys.argv[0])
