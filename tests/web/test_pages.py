"""The pages that a browser sees, of a real daemon."""

import re
from collections.abc import AsyncIterator
from typing import Final

import pytest

from tests.redaction.test_names import SECRET_NAMES
from tests.support.daemon import DaemonFolder, RunningDaemon
from tests.support.html import ReadHtml

METER: Final = '''
"""Reads a <b>meter</b>.

Parameters: ``n``, where it begins.
"""
async def run(*, n=0, **_):
    return {"readings": [(60, "level", 1), (61, "<b>odd</b>", "x")], "seen": "<b>state</b>"}
'''
BAD: Final = 'async def run(*, password=None, **_): raise OSError(f"<b>no</b> & {password}")'
CONFIG: Final = """
    collectors:
      good: {plugin: meter, every: 1h, tags: {site: "<b>hall</b>"}, params: {n: 3}}
      bad.one: {plugin: bad, every: 1h, params: {password: open-sesame}}
      off: {plugin: meter, every: 1h, enabled: false}
"""
ADDRESS: Final = "/ui/collectors/bad.one"
LIVE: Final = [("script", "src", "/static/live.js"), ("script", "defer", "")]
AS_BROWSERS: Final = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon with a collector that is well, one that fails and one that is disabled."""
    daemon_folder.plugin("meter", METER)
    daemon_folder.plugin("bad", BAD)
    async with daemon_folder.daemon(CONFIG, headers=AS_BROWSERS) as running:
        for each in running.daemon.collectors.by_name.values():
            await each.run_now()
        yield running


async def page(it: RunningDaemon, path: str, status: int = 200) -> ReadHtml:
    """Return a page, and expect that it has no element of anybody else's."""
    answer = await it.ask("GET", path)
    assert answer.status == status, answer
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "open-sesame" not in answer.body
    found = ReadHtml(answer.body)
    assert found.unclosed == []
    assert not {"b", "style"} & {tag for tag, _ in found.elements}
    scripts = [each for each in found.attributes if each[0] == "script"]
    assert scripts in ([], LIVE)
    return found


async def test_the_overview_says_first_what_is_wrong(it: RunningDaemon) -> None:
    """The sentence, the collector in trouble, and how stores and configuration are."""
    shown = await page(it, "/")

    assert "1 of 2 collectors needs attention" in shown.text
    assert shown.text.index("Needs attention") < shown.text.rindex("Stores")
    assert "OSError: <b>no</b> & ***" in shown.text
    assert ADDRESS in shown.links
    assert str(it.daemon.config_path) in shown.text


async def test_a_refused_configuration_is_told_on_the_overview(
    daemon_folder: DaemonFolder, it: RunningDaemon
) -> None:
    """It says so and why, with file and line."""
    daemon_folder.config("collectors: {good: {plugin: meter, evry: 1h}}")
    refused = await it.ask("POST", "/api/v1/reload", json={})
    shown = await page(it, "/")

    assert refused.status == 422
    assert "The configuration on disk was refused" in shown.text
    assert re.search(r"ingestd\.yaml:\d+: collectors\.good\.evry", shown.text)


async def test_collectors_in_trouble_come_first(it: RunningDaemon) -> None:
    """The disabled ones are last."""
    shown = await page(it, "/ui/collectors")

    links = [each for each in shown.links if each.startswith("/ui/collectors/")]
    assert links == [ADDRESS, "/ui/collectors/good", "/ui/collectors/off"]
    assert ("span", "aria-label", "last runs: 1 failed") in shown.attributes


async def test_collectors_are_found(it: RunningDaemon) -> None:
    """By a part of the name or of the plugin, and by their state."""
    for query, names in {
        "q=GOO": ["good"],
        "q=meter": ["good", "off"],
        "state=disabled": ["off"],
        "q=f&state=disabled": ["off"],
        "q=good&state=disabled": [],
        "q=<b>none": [],
        "page=2": [],
        "utm_source=mail": ["bad.one", "good", "off"],
    }.items():
        shown = await page(it, f"/ui/collectors?{query}")
        links = [each for each in shown.links if each.startswith("/ui/collectors/")]

        assert [each.rpartition("/")[2] for each in links] == names, query


async def test_a_collector_is_told_with_config_state_runs_and_plugin(it: RunningDaemon) -> None:
    """All that is known of it, with where each option stands."""
    shown = await page(it, "/ui/collectors/good")

    config = str(it.daemon.config_path)
    assert re.search(rf"params\.n 3 {re.escape(config)}:\d+", shown.text)
    assert f"tags.site <b>hall</b> {config}" in shown.text
    assert '"seen": "<b>state</b>"' in shown.text
    assert "Reads a <b>meter</b>." in shown.text
    assert any(re.fullmatch(r"/ui/runs/\d+", each) for each in shown.links)


async def test_the_last_error_is_told_with_its_traceback_folded(it: RunningDaemon) -> None:
    """The line is seen at once, the traceback when it is asked for."""
    shown = await page(it, ADDRESS)

    assert "Last error OSError: <b>no</b> & ***" in shown.text
    assert "Traceback (most recent call last)" in shown.text
    assert "details" in {tag for tag, _ in shown.elements}
    assert "params.password ***" in shown.text


async def test_runs_are_listed_and_told(it: RunningDaemon) -> None:
    """Those of all or of one, and of each what could not be used."""
    everything = await page(it, "/ui/runs")
    failed = await page(it, "/ui/runs?failing=true")
    (good,) = await it.get("runs", collector="good")
    run = await page(it, f"/ui/runs/{good['id']}")

    assert len([each for each in everything.links if each.startswith("/ui/runs/")]) == 2
    assert len([each for each in failed.links if each.startswith("/ui/runs/")]) == 1
    assert "Run 1 of good" in run.text
    assert "<b>odd</b>" in run.text


async def test_a_requested_run_is_told(it: RunningDaemon) -> None:
    """It leads to its record."""
    asked = await it.ask("POST", "/api/v1/runs", json={"collector": "good", "params": {"n": 7}})
    shown = await page(it, f"/ui/runs/{asked.body['id']}")

    assert "Requested run r-1" in shown.text
    assert '"n": 7' in shown.text


async def test_what_is_not_there_is_a_page_too(it: RunningDaemon) -> None:
    """People get a page, and programs a problem in JSON."""
    for path in ("/ui/collectors/nobody", "/ui/runs/99", "/ui/<b>nowhere"):
        shown = await page(it, path, status=404)
        told = await it.ask("GET", path, headers={"Accept": "application/json"})

        assert "Not Found" in shown.text
        assert told.headers["Content-Type"] == "application/problem+json"


async def test_pages_may_load_nothing_from_elsewhere_and_be_in_no_frame(
    it: RunningDaemon,
) -> None:
    """The browser is told so with every answer; what pages refer to is there."""
    answer = await it.ask("GET", "/ui/collectors")
    policy = answer.headers["Content-Security-Policy"]
    found = ReadHtml(answer.body)
    files = [value for tag, name, value in found.attributes if (tag, name) == ("link", "href")]

    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert {(await it.ask("GET", each)).status for each in files} == {200}


async def test_pages_that_change_keep_themselves_up_to_date(it: RunningDaemon) -> None:
    """By a script of the daemon's own; what costs much or never changes is shown once."""
    live = ("/", "/ui/collectors", "/ui/collectors/good", "/ui/runs", "/ui/series", "/ui/stores")
    still = ("/ui/runs/1", "/ui/config", "/ui/plugins", "/ui/act/run?collector=good", "/ui/login")
    script = await it.ask("GET", "/static/live.js")

    assert [LIVE[0] in (await page(it, path)).attributes for path in live] == [True] * len(live)
    assert [LIVE[0] in (await page(it, path)).attributes for path in still] == [False] * len(still)
    assert (script.status, script.headers["Content-Type"]) == (
        200,
        "text/javascript; charset=utf-8",
    )


async def test_a_page_needs_the_token(daemon_folder: DaemonFolder) -> None:
    """Where there is one, no page is shown without it, nor under a name that is not ours."""
    async with daemon_folder.daemon("", token="open-sesame", headers=AS_BROWSERS) as it:
        for path in ("/", "/ui/collectors", "/ui/runs"):
            await page(it, path, status=401)
            headers = {"Authorization": "Bearer open-sesame"}
            assert (await it.ask("GET", path, headers=headers)).status == 200
            assert (await it.ask("GET", path, headers={"Host": "evil.org"})).status == 421


async def test_no_secret_is_on_a_page(daemon_folder: DaemonFolder) -> None:
    """Whatever a secret is called, its value stands on no page, also in a state and in errors."""
    names = sorted({re.sub(r"\W", "_", each) for each in SECRET_NAMES.split()})
    secrets = {name: f"hush{number:04}" for number, name in enumerate(names)}
    daemon_folder.plugin(
        "teller",
        """
        async def run(*, ctx, told=False, **params):
            print(params)
            if told:
                raise OSError(repr(params))
            return {"readings": [(60, str(params), "x")], "told": True, "hidden": params,
                    "state": params, "script_error": str(params)}
        """,
    )
    params = ", ".join(f"{name}: {secret}" for name, secret in secrets.items())
    paths = ("/", "/ui/collectors", "/ui/collectors/m", "/ui/runs", "/ui/runs/1")
    address = "https://reader:hush9999@example.org/x"
    text = (
        f"collectors: {{m: {{plugin: teller, every: 1h, params: {{{params}, url: '{address}'}}}}}}"
    )
    async with daemon_folder.daemon(text, headers=AS_BROWSERS) as it:
        pages = []
        for _ in range(2):
            await it.daemon.collectors.by_name["m"].run_now()
            pages += [(await it.ask("GET", path)).body for path in paths]

    assert "params.url" in pages[2]
    assert [found for each in pages for found in re.findall(r"hush\d{4}", each)] == []


async def test_names_with_numbers_are_in_the_order_of_the_numbers(
    daemon_folder: DaemonFolder,
) -> None:
    """Those in the same state, however long their numbers are."""
    daemon_folder.plugin("meter", METER)
    names = ["m2", "m10", "m10-a", f"m{'9' * 40}", "n"]
    meters = ", ".join(f"{each}: {{plugin: meter, every: 1h}}" for each in reversed(names))
    async with daemon_folder.daemon(f"collectors: {{{meters}}}", headers=AS_BROWSERS) as it:
        shown = await page(it, "/ui/collectors")

    links = [each for each in shown.links if each.startswith("/ui/collectors/")]
    assert [each.rpartition("/")[2] for each in links] == names
