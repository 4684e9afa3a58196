"""The pages on stores, the configuration and plugins, of a real daemon."""

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import pytest

from ingestd.delivery import deadletters
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.html import ReadHtml

METER: Final = '''
"""Reads a <b>meter</b>."""
async def run(**_): return {"readings": [(60, "level", 1)]}
'''
CONFIG: Final = """
    stores: {here: {type: embedded}}
    collectors:
      a: {plugin: meter, every: 1h}
      b: {plugin: meter, every: 1h, params: {password: open-sesame}}
"""


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon with two collectors."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(CONFIG, headers={"Accept": "text/html"}) as running:
        yield running


async def page(it: RunningDaemon, path: str) -> ReadHtml:
    """Return a page without secrets."""
    answer = await it.ask("GET", path)
    assert answer.status == 200, answer
    assert "open-sesame" not in answer.body
    return ReadHtml(answer.body)


async def test_dead_letters_are_grouped_by_reason(it: RunningDaemon) -> None:
    """The reason with most of them comes first, with one as an example, and without secrets."""
    rows = [("here", 5.0, "<b>odd</b> open-sesame", b"level value=1")] * 3
    rows += [("here", 6.0, "too old", b"\xff\x00level value=2"), ("gone", 7.0, "", b"")]
    await it.daemon.database.write(partial(deadletters.insert, rows=rows))

    shown = await page(it, "/ui/stores")

    assert "here embedded" in shown.text
    assert "here 3 <b>odd</b> *** one of them level value=1" in shown.text
    assert shown.text.index("<b>odd</b>") < shown.text.index("too old")


async def test_the_configuration_in_use_is_told(it: RunningDaemon) -> None:
    """Its files, without a look at them."""
    shown = await page(it, "/ui/config")

    assert str(it.daemon.config_path) in shown.text
    assert "Check them now" in shown.text


async def test_the_files_are_checked_on_request(
    daemon_folder: DaemonFolder, it: RunningDaemon
) -> None:
    """What a reload would refuse is told with its line, and the daemon goes on as it was."""
    fine = await page(it, "/ui/config?check=true")
    daemon_folder.config("collectors: {a: {plugin: metre, evry: 1h}}")
    wrong = await page(it, "/ui/config?check=true")

    assert "They are fine." in fine.text
    assert re.search(r"ingestd\.yaml:\d+: collectors\.a\.evry", wrong.text)
    assert "no plugin 'metre'" in wrong.text
    assert it.daemon.config_ok
    assert list(it.daemon.collectors.by_name) == ["a", "b"]


async def test_a_secret_of_a_file_that_is_not_in_use_is_masked(
    daemon_folder: DaemonFolder, it: RunningDaemon
) -> None:
    """It is one from the moment that it is read."""
    params = "{password: brand-new-word, note: brand-new-word}"
    daemon_folder.plugin("strict", "def run(*, password): return {}")
    daemon_folder.config(f"collectors: {{a: {{plugin: strict, every: 1h, params: {params}}}}}")
    answer = await it.ask("GET", "/ui/config", params={"check": "true"})

    assert "note" in answer.body
    assert "brand-new-word" not in answer.body


@pytest.mark.slow  # every plugin that is shipped is loaded
async def test_plugins_are_told_with_who_uses_them(it: RunningDaemon) -> None:
    """What each does, and a link to its collectors."""
    shown = await page(it, "/ui/plugins")

    assert "meter Reads a <b>meter</b>. coroutine 2 collectors" in shown.text
    assert "/ui/collectors?q=meter" in shown.links
    assert "http_json" in shown.text
