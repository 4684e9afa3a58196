"""What plugins say of the values of params, and options that suit only some plugins."""

from pathlib import Path

import pytest

from ingestd.errors import ConfigError
from ingestd.loading import check_plugins, with_plugins
from tests.support.config import ConfigFolder
from tests.support.plugins import PluginFolder

PICKY = """
def run(*, url=None, pin=None, devices=(), **_):
    return {}

def check(**params):
    if not str(params.get("url")).startswith("http"):
        yield f"url: expected http://..., got {params.get('url')!r} of {params.get('pin')}"
    for number, each in enumerate(params.get("devices", ())):
        if "port" not in each:
            yield f"devices[{number}].port: expected a port"
    if params.get("url") == "raise":
        raise ValueError("expected better")
"""


def test_problems_are_told_at_the_line_of_their_param(tmp_path: Path, folder: ConfigFolder) -> None:
    """Of ordinary functions and coroutines alike, in one go, and without a secret."""
    plugins = PluginFolder(tmp_path)
    plugins.write("ordinary", PICKY)
    plugins.write("coroutine", PICKY.replace("def run", "async def run"))
    config = folder.load(
        """
        collectors:
          a:
            plugin: ordinary
            every: 1m
            params:
              url: ftp://x
              pin: 987654
              devices:
                - {port: 1}
                - {host: h}
          b:
            plugin: coroutine
            every: 1m
            params:
              url: raise
        """
    )

    found = check_plugins(config, plugins.loader)

    assert found.wrong == []
    assert [
        f"{each.where.rpartition(':')[2]}: {each.key}: {each.message}" for each in found.unable
    ] == [
        "7: collectors.a.params.url: expected http://..., got 'ftp://x' of ***",
        "11: collectors.a.params.devices[1].port: expected a port",
        "15: collectors.b.params: expected better",
    ]


@pytest.mark.parametrize(
    "code",
    [
        "def check(url):\n    1 / 0",
        "from shutil import copy as check",
        "async def check(**params):\n    1 / 0",
        "check = 5",
    ],
)
def test_other_functions_of_the_name_are_left_alone(
    tmp_path: Path, folder: ConfigFolder, code: str
) -> None:
    """A plugin that was written before there were checks may have one for something else."""
    plugins = PluginFolder(tmp_path)
    plugins.write("older", f"{code}\n\ndef run(**_):\n    return {{}}\n")
    config = folder.load("collectors: {a: {plugin: older, every: 1m}}")

    assert check_plugins(config, plugins.loader).unable == []


def test_a_check_that_fails_is_told(tmp_path: Path, folder: ConfigFolder) -> None:
    """And the others are asked all the same."""
    plugins = PluginFolder(tmp_path)
    plugins.write("bad", "def check(**params):\n    1 / 0\n\ndef run(**_):\n    return {}\n")
    plugins.write(
        "dead", "def check(**params):\n    import os; os._exit(3)\n\ndef run(**_):\n    return {}\n"
    )
    config = folder.load("collectors: {a: {plugin: bad, every: 1m}, b: {plugin: dead, every: 1m}}")

    told = [each.message for each in check_plugins(config, plugins.loader).unable]

    assert told[0] == "check failed: ZeroDivisionError: division by zero"
    assert told[1].endswith("ended the process that imported it")


def test_options_that_mean_nothing_for_a_plugin(tmp_path: Path, folder: ConfigFolder) -> None:
    """A plugin that comes to an end needs a schedule; one in the daemon has no memory limit."""
    plugins = PluginFolder(tmp_path)
    plugins.write("function", "def run(**_):\n    return {}\n")
    plugins.write("coroutine", "async def run(**_):\n    return {}\n")
    plugins.write("stream", "async def run(**_):\n    yield {}\n")
    plugins.write("pages", "POLLS = True\n\nasync def run(**_):\n    yield {}\n")
    config = folder.load(
        """
        collectors:
          a: {plugin: function}
          b: {plugin: coroutine, every: 1m, memory_limit: 1GiB}
          c: {plugin: stream}
          d: {plugin: pages}
          e: {plugin: function, enabled: false}
        """
    )

    found = check_plugins(config, plugins.loader)

    assert [each.key for each in found.unable] == ["collectors.a.every", "collectors.d.every"]
    assert [each.key for each in found.wrong] == ["collectors.b.memory_limit"]
    assert [each.key for each in found.suspicious] == ["collectors.e.every"]


def test_plugins_are_told_beside_other_mistakes(tmp_path: Path, folder: ConfigFolder) -> None:
    """All in one go, in the order of their lines."""
    plugins = PluginFolder(tmp_path)
    folder.path.joinpath("ingestd.yaml").write_text(
        "collectors:\n"
        "  a: {plugin: sistem, every: 1m}\n"
        "  b: {plugin: system, evry: 1m, every: 1m}\n"
        "  c: {plugin: system, every: 1m, params: {parts: [x]}}\n"
    )
    with pytest.raises(ConfigError) as raised:
        folder.load()

    error = with_plugins(raised.value, lambda _: plugins.loader)

    assert [each.key for each in error.problems] == [
        "collectors.a.plugin",
        "collectors.b.evry",
        "collectors.c.params.parts",
    ]
