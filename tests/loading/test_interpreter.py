"""A plugin for another interpreter is described and checked by that one."""

import sys
from pathlib import Path

import pytest

from ingestd.errors import ConfigError, PluginLoadError
from ingestd.loading.check import check_plugins
from ingestd.worker import Kind
from tests.support.config import ConfigFolder
from tests.support.plugins import COROUTINE, FUNCTION, PluginFolder
from tests.support.pythons import TOO_OLD, Environment, interpreter

# Starting a process takes about a tenth of a second, and these tests start many.
pytestmark = pytest.mark.slow
HAS_GONE = "what it was made from has gone; expected an environment that is made anew"
SILENT = "expected a Python interpreter, got one that is silent"


def test_it_describes_the_plugin(plugin_folder: PluginFolder, environment: Environment) -> None:
    """Decorators and imports that only it has are no obstacle; our own says what it lacks."""
    environment.install("meters", "def metered(run):\n    return run\n")
    plugin_folder.write(
        "probe", "import meters\n@meters.metered\ndef run(*, host, **_):\n    return {}\n"
    )

    plugin = plugin_folder.loader.load("probe", python=environment.python)
    with pytest.raises(PluginLoadError, match="needs the module 'meters', which is not installed"):
        plugin_folder.loader.load("probe")

    assert (plugin.kind, plugin.parameters.names) == (Kind.FUNCTION, ("host",))
    assert plugin.python == environment.python


def test_it_checks_the_params(
    plugin_folder: PluginFolder, environment: Environment, folder: ConfigFolder
) -> None:
    """Each collector's are looked at by its own interpreter."""
    environment.install("meters", "KNOWN = ('a',)\n")
    plugin_folder.write(
        "probe",
        "def check(**params):\n"
        "    import meters\n"
        "    return [] if params['meter'] in meters.KNOWN else ['meter: is none']\n"
        "def run(*, meter):\n    return {}\n",
    )
    config = folder.load(
        f"""
        collectors:
          good: {{plugin: probe, every: 1m, python: {environment.python}, params: {{meter: a}}}}
          bad: {{plugin: probe, every: 1m, python: {environment.python}, params: {{meter: b}}}}
        """
    )

    found = check_plugins(config, plugin_folder.loader)

    assert [(each.key, each.message) for each in found.unable] == [
        ("collectors.bad.params.meter", "is none")
    ]


def test_one_that_cannot_run_keeps_its_own_collector_only(
    plugin_folder: PluginFolder, tmp_path: Path, folder: ConfigFolder
) -> None:
    """Missing, a folder, no program, no Python, or broken: each is told at its line."""
    plugin_folder.write("probe", FUNCTION)
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho no standard library >&2\nexit 1\n")
    broken.chmod(0o755)
    plain = tmp_path / "plain"
    plain.write_text("nothing")
    dangling = tmp_path / "dangling"
    dangling.symlink_to("python3.0")
    collectors = {
        "gone": tmp_path / "gone",
        "dangling": dangling,
        "folder": tmp_path,
        "plain": plain,
        "none": "/bin/true",
        "broken": broken,
    }
    lines = [
        f"  {name}: {{plugin: probe, every: 1m, python: {path}}}\n"
        for name, path in collectors.items()
    ]
    config = folder.load(f"collectors:\n  good: {{plugin: probe, every: 1m}}\n{''.join(lines)}")

    found = check_plugins(config, plugin_folder.loader)

    assert found.wrong == []
    assert [(each.key, each.message) for each in found.unable] == [
        ("collectors.gone.python", f"{collectors['gone']}: No such file or directory"),
        ("collectors.dangling.python", f"{dangling}: {HAS_GONE}"),
        (
            "collectors.folder.python",
            f"{tmp_path}: expected an interpreter, such as {tmp_path}/bin/python, got a folder",
        ),
        ("collectors.plain.python", f"{plain}: Permission denied"),
        (
            "collectors.none.python",
            f"/bin/true: {SILENT}",
        ),
        ("collectors.broken.python", f"{broken}: no standard library"),
    ]


@pytest.mark.parametrize("version", TOO_OLD)
def test_one_that_is_too_old_says_so(plugin_folder: PluginFolder, version: str) -> None:
    """With what would do."""
    plugin_folder.write("probe", FUNCTION)
    python = interpreter(version)

    with pytest.raises(PluginLoadError, match=r"expected Python 3\.9 or later, got 3\."):
        plugin_folder.loader.load("probe", python=python)


def test_a_plugin_on_the_event_loop_has_no_interpreter_of_its_own(
    plugin_folder: PluginFolder, environment: Environment
) -> None:
    """Where it would not run either way, the error says which kind would."""
    plugin_folder.write("probe", COROUTINE)

    with pytest.raises(PluginLoadError, match=r"must be an ordinary function, .* got a corout"):
        plugin_folder.loader.load("probe", python=environment.python)


def test_what_is_installed_makes_a_new_version(
    plugin_folder: PluginFolder, environment: Environment
) -> None:
    """As an edit of the plugin's own file does, for the plugin of that interpreter alone."""
    plugin_folder.write("probe", FUNCTION)
    loader = plugin_folder.loader
    ours, other = loader.load("probe"), loader.load("probe", python=environment.python)
    before = loader.changed(other)
    environment.install("meters", "LEVEL = 4.5\n")

    assert not before
    assert loader.refresh(other).fingerprint != other.fingerprint
    assert loader.refresh(ours) is ours


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("isolation: thread", "a thread runs in the daemon's own interpreter"),
        ("compat: bmon", "expected none: what compat: bmon gives is in the daemon's interpreter"),
    ],
)
def test_options_that_contradict_it(folder: ConfigFolder, option: str, text: str) -> None:
    """They are told by the configuration alone."""
    collector = f"{{plugin: x, every: 1m, python: {sys.executable}, {option}}}"

    with pytest.raises(ConfigError, match=text):
        folder.load(f"collectors: {{a: {collector}}}")
