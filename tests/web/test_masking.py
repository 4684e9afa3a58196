"""What plugins hide and what passwords are made of leaves answers readable."""

from tests.support.daemon import DaemonFolder

OAUTH = """
    async def run(**_):
        return {
            "readings": [(None, "level", 1), ("bad Bearer 2026", "level", 1)],
            "hidden": {"token_type": "Bearer", "scope": "readings", "error": "outcome", "at": 2026},
        }
"""


async def test_ordinary_words_that_a_plugin_hides(daemon_folder: DaemonFolder) -> None:
    """Keys and our own words stay; the collector's own texts are masked, and no other's."""
    daemon_folder.plugin("oauth", OAUTH)
    daemon_folder.plugin("other", "async def run(**_): raise OSError('Bearer of readings')")
    collectors = "collectors: {a: {plugin: oauth, every: 1h}, b: {plugin: other, every: 1h}}"
    async with daemon_folder.daemon(collectors) as it:
        hiding = await it.post("collectors/a/run")
        other = await it.post("collectors/b/run")
        runs = await it.get("runs")

    assert (hiding["outcome"], hiding["readings"]) == ("ok", 2)
    assert "*** ***" in hiding["samples"][0]
    assert "Bearer" not in hiding["samples"][0]
    assert other["error"] == "OSError: Bearer of readings"
    assert {each["collector"]: each["readings"] for each in runs} == {"a": 2, "b": 0}


async def test_passwords_that_are_our_own_words(daemon_folder: DaemonFolder) -> None:
    """A password `error`, `state` or `failed` costs no answer a key or an outcome."""
    daemon_folder.plugin("meter", "async def run(**_): raise OSError('error of failed')")
    params = "params: {password: error, token: failed, secret: state}"
    async with daemon_folder.daemon(
        f"collectors: {{m: {{plugin: meter, every: 1h, {params}}}}}"
    ) as it:
        record = await it.post("collectors/m/run")
        state = await it.get("state/m")
        (collector,) = await it.get("collectors")

    assert (record["outcome"], record["error"]) == ("failed", "OSError: *** of ***")
    assert state["state"] == {}
    assert collector["name"] == "m"
