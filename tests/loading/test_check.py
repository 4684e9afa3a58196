"""Whether params fit the plugin that they are for."""

from pathlib import Path

import pytest

from ingestd.calling.plugin import check_params
from ingestd.loading.check import check_plugins
from tests.support.config import ConfigFolder
from tests.support.plugins import FUNCTION, PluginFolder


def test_params_are_checked_against_the_signature(plugin_folder: PluginFolder) -> None:
    """Misspelt and missing params are told apart."""
    plugin = plugin_folder.plugin("def run(*, ctx, url, site_id, retries=3):\n    return {}\n")

    check = check_params(plugin, ["url", "site_ids", "ctx", "colour"])

    assert check.unknown == (
        "unknown parameter 'site_ids'; did you mean 'site_id'?",
        "'ctx' is passed by the daemon",
        "unknown parameter 'colour'; known here: retries, site_id, url",
    )
    assert check.missing == ("site_id",)


def test_revisit_needs_a_plugin_that_declares_it(tmp_path: Path, folder: ConfigFolder) -> None:
    """Otherwise it would be believed and do nothing."""
    plugins = PluginFolder(tmp_path)
    plugins.write("forgetful", FUNCTION)
    plugins.write("careful", "def run(*, revisit=None, **_):\n    return {}\n")
    config = folder.load(
        """
        collectors:
          a: {plugin: forgetful, every: 1m, revisit: 7d}
          b: {plugin: careful, every: 1m, revisit: 7d}
          c: {plugin: careful, every: 1m, revisit_full: 7d, params: {revisit: 7d}}
        """
    )

    wrong = check_plugins(config, plugins.loader).wrong

    assert [f"{each.key}: {each.message}" for each in wrong] == [
        "collectors.a.revisit: run of 'forgetful' declares no 'revisit'",
        "collectors.c.revisit_full: run of 'careful' declares no 'revisit_full'",
        "collectors.c.params: 'revisit' is passed by the daemon",
    ]


def test_undeclared_param_is_suspicious_even_if_anything_goes(plugin_folder: PluginFolder) -> None:
    """Nearly every plugin takes **_ for its state, which must not hide a typo."""
    plugin = plugin_folder.plugin("def run(*, ctx, registers=(), last_ts=0, **_):\n    return {}\n")

    check = check_params(plugin, ["register", "host"])

    assert check.unknown == ()
    assert check.suspicious == (
        "'register' is not declared by 'probe'; did you mean 'registers'?",
        "'host' is not declared by 'probe'; known here: last_ts, registers",
    )


@pytest.mark.parametrize("rest", ["", ", **_"])
def test_many_undeclared_params_are_one_line(plugin_folder: PluginFolder, rest: str) -> None:
    """A table of a script that became params is one mistake."""
    plugin = plugin_folder.plugin(f"def run(*, registers=(){rest}):\n    return {{}}\n")

    check = check_params(plugin, [f"point_{n:02}" for n in range(34)])

    (told,) = check.suspicious or check.unknown
    assert told.count("'point_") == 10
    assert "'point_09' and 24 more" in told
    assert told.endswith("; known here: registers")


@pytest.mark.parametrize("declared", ["", "*, ctx, start, end, "])
def test_plugin_that_declares_no_param_takes_any(
    plugin_folder: PluginFolder, declared: str
) -> None:
    """It reads them by name from its ``**kwargs``, so its signature does not tell which."""
    plugin = plugin_folder.plugin(f"def run({declared}**params):\n    return {{}}\n")

    check = check_params(plugin, ["anything"])

    assert (check.unknown, check.suspicious) == ((), ())
