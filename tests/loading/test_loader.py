"""Finding plugins, listing them, keeping the last good version of each."""

import errno
import os
import threading
from pathlib import Path
from typing import Final

import pytest

from ingestd.calling.access import Protection
from ingestd.errors import PluginLoadError
from ingestd.loading.loader import Loader
from ingestd.worker.description import Kind
from tests.support.plugins import COROUTINE, FUNCTION, PluginFolder, imported

TRIED: Final = (
    f"with open(__file__ + '.tries', 'a') as file:\n    file.write('x')\n1 / 0\n{COROUTINE}"
)


def test_ordinary_plugin_is_not_imported_by_the_daemon(
    plugin_folder: PluginFolder, capfd: pytest.CaptureFixture[str]
) -> None:
    """Loading it neither runs its code nor pulls in its libraries."""
    plugin = plugin_folder.plugin(f"import os\nprint('imported')\nos._exit(3)\n{FUNCTION}")

    assert plugin.kind is Kind.FUNCTION
    assert capfd.readouterr().out == ""


def test_names_are_looked_up_in_order(tmp_path: Path) -> None:
    """Earlier folders win, a module wins over a package, shipped plugins come last."""
    first, second = PluginFolder(tmp_path / "1"), PluginFolder(tmp_path / "2")
    first.write("a", FUNCTION)
    first.write("a/__init__.py", FUNCTION)
    second.write("a", FUNCTION)
    second.write("b/__init__.py", FUNCTION)
    second.write("system", FUNCTION)
    loader = Loader([first.path, second.path])

    found = {name: loader.load(name) for name in ("a", "b", "system")}

    assert found["a"].path == first.path / "a.py"
    assert found["b"].path == second.path / "b" / "__init__.py"
    assert found["b"].name == "b"
    assert found["system"].path == second.path / "system.py"


def test_path_starts_from_the_configs_folder(plugin_folder: PluginFolder) -> None:
    """A path is relative to the base that the caller gives, or absolute, or a package."""
    file = plugin_folder.write("deep/meters.py", FUNCTION)
    package = plugin_folder.write("pack/__init__.py", FUNCTION)
    loader = Loader([])

    assert loader.load("deep/meters.py", base=plugin_folder.path).path == file
    assert loader.load(str(file)).name == "meters"
    assert loader.load("./pack", base=plugin_folder.path).path == package


def test_unknown_name_suggests_a_near_one(plugin_folder: PluginFolder) -> None:
    """The message says where was looked and what may have been meant."""
    plugin_folder.write("meters", FUNCTION)

    with pytest.raises(PluginLoadError) as caught:
        plugin_folder.loader.load("metres")

    assert str(caught.value) == (
        f"no plugin 'metres' in {plugin_folder.path}, the shipped plugins; did you mean 'meters'?"
    )


def test_missing_file_is_a_load_error(tmp_path: Path) -> None:
    """A path that leads nowhere is told with the path."""
    with pytest.raises(
        PluginLoadError, match=rf"none\.py: cannot be read: {os.strerror(errno.ENOENT)}"
    ):
        Loader([]).load("none.py", base=tmp_path)


def test_shipped_plugins_are_imported_by_their_name() -> None:
    """They are part of the package, and change with it only."""
    plugin = Loader([]).load("system")

    assert plugin.path.name in {"system.py", "__init__.py"}
    assert plugin.source.module == "ingestd.plugins.system"
    assert Loader([]).refresh(plugin) is plugin


def test_plugins_are_listed_with_their_errors(plugin_folder: PluginFolder) -> None:
    """The list shows what can be loaded, and why the rest cannot."""
    plugin_folder.write("good", f'"""Say nothing."""\n{COROUTINE}')
    plugin_folder.write("bad", "def run(**_) return 1\n")
    plugin_folder.write("_helper", "x = 1\n")

    listed = {info.name: info for info in plugin_folder.loader.available()}

    assert (listed["good"].kind, listed["good"].summary) == (Kind.COROUTINE, "Say nothing.")
    assert listed["bad"].kind is None
    assert listed["bad"].error == f"{plugin_folder.path / 'bad.py'}:1: expected ':'"
    assert "_helper" not in listed
    assert not listed["system"].error


def test_plugin_is_loaded_once_for_all_its_collectors(plugin_folder: PluginFolder) -> None:
    """Collectors of the same plugin share its module."""
    assert plugin_folder.plugin(COROUTINE) is plugin_folder.loader.load("probe")


@pytest.mark.parametrize("text", [FUNCTION, COROUTINE])
def test_changed_file_is_loaded_anew(plugin_folder: PluginFolder, text: str) -> None:
    """An edit shows at the next refresh, even one of the same length within a second."""
    plugin = plugin_folder.plugin(f'"""One."""\n{text}')
    assert plugin_folder.loader.refresh(plugin) is plugin
    plugin_folder.write("probe", f'"""Two."""\n{text}')

    fresh = plugin_folder.loader.refresh(plugin)

    assert (plugin.summary, fresh.summary) == ("One.", "Two.")
    assert plugin_folder.loader.refresh(fresh) is fresh


def test_changed_module_of_a_package_is_noticed(plugin_folder: PluginFolder) -> None:
    """All the files of a package count."""
    plugin_folder.write("pack/__init__.py", f"from . import part\n{COROUTINE}")
    plugin_folder.write("pack/part.py", "n = 1\n")
    plugin = plugin_folder.loader.load("pack")

    plugin_folder.write("pack/part.py", "n = 22\n")

    assert plugin_folder.loader.changed(plugin)
    assert plugin_folder.loader.refresh(plugin) is not plugin


@pytest.mark.parametrize("text", [FUNCTION, COROUTINE])
async def test_broken_edit_leaves_the_last_good_version(
    plugin_folder: PluginFolder, text: str
) -> None:
    """A new version that does not import is refused; the old one still works."""
    plugin = plugin_folder.plugin(text)
    plugin_folder.write("probe", f"1 / 0\n{text}")

    for _ in range(2):
        with pytest.raises(PluginLoadError, match=r"probe\.py:1: ZeroDivisionError"):
            plugin_folder.loader.refresh(plugin)

    if plugin.run is not None:
        assert await plugin.run() == {}
    plugin_folder.write("probe", f"x = 1\n{text}")
    assert plugin_folder.loader.refresh(plugin) is not plugin


def test_broken_edit_is_tried_once(plugin_folder: PluginFolder) -> None:
    """Ten collectors that ask every second do not import it again and again."""
    plugin = plugin_folder.plugin(COROUTINE)
    plugin_folder.write("probe", TRIED)

    for _ in range(3):
        with pytest.raises(PluginLoadError):
            plugin_folder.loader.refresh(plugin)

    assert (plugin_folder.path / "probe.py.tries").read_text() == "x"


def test_version_that_was_broken_once_is_loaded_when_it_comes_back(
    plugin_folder: PluginFolder, tmp_path: Path
) -> None:
    """What it lacked may have been installed meanwhile, and an edit taken back with its time."""
    installed = tmp_path / "installed"
    path = plugin_folder.write("probe", f"import os\nos.stat({str(installed)!r})\n{COROUTINE}")
    first = path.stat()
    with pytest.raises(PluginLoadError, match="FileNotFoundError"):
        plugin_folder.loader.load("probe")
    installed.touch()
    plugin = plugin_folder.loader.load("probe")
    backup = path.rename(path.with_suffix(".bak"))
    edited = plugin_folder.loader.refresh(plugin_folder.plugin(COROUTINE))
    backup.rename(path)

    again = plugin_folder.loader.refresh(edited)

    assert path.stat().st_mtime_ns == first.st_mtime_ns
    assert again.fingerprint == plugin.fingerprint != edited.fingerprint


def test_vanished_file_leaves_the_last_good_version(plugin_folder: PluginFolder) -> None:
    """A plugin whose file is gone says so, and the loaded one stays."""
    plugin = plugin_folder.plugin(COROUTINE)
    plugin.path.unlink()

    with pytest.raises(PluginLoadError, match="cannot be read"):
        plugin_folder.loader.refresh(plugin)


def test_loaders_of_other_folders_import_nothing_again(
    plugin_folder: PluginFolder, tmp_path: Path
) -> None:
    """A reload, which may name other folders, goes on with the plugins that are loaded."""
    plugin = plugin_folder.plugin(COROUTINE, "shared")

    other = plugin_folder.loader.with_dirs(
        [tmp_path, plugin_folder.path], protection=Protection(), access={}
    )

    assert other.load("shared") is plugin
    assert len(imported("shared")) == 1


def test_plugins_can_be_loaded_from_several_threads(plugin_folder: PluginFolder) -> None:
    """All who ask at once get the same module."""
    plugin_folder.write("probe", f"import time\ntime.sleep(0.05)\n{COROUTINE}")
    loaded = []
    threads = [
        threading.Thread(target=lambda: loaded.append(plugin_folder.loader.load("probe")))
        for _ in range(4)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(loaded) == 4
    assert len(set(map(id, loaded))) == 1
