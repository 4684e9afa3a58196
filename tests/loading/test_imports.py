"""Importing plugins: what fails, and what an import leaves behind."""

import sys
from pathlib import Path

import pytest

from ingestd.calling.access import Access, Protection
from ingestd.errors import PluginLoadError
from ingestd.loading.importprocess import ImportProcess
from ingestd.worker.description import Kind
from tests.support.plugins import COROUTINE, FUNCTION, GENERATOR, PluginFolder, imported

NOT_INSTALLED = "{path}:2: needs the module 'x_y_z', which is not installed"


PLAIN_GENERATOR = (
    "{path}:2: run must be a function that returns a dict, or `async def` in order to yield, "
    "got a plain generator"
)


def load_error(folder: PluginFolder, text: str) -> PluginLoadError:
    """Return the error that loading such a plugin ends with."""
    with pytest.raises(PluginLoadError) as caught:
        folder.plugin(text)
    return caught.value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def run(**_) return 1\n", "{path}:1: expected ':'"),
        ("x = 1\n", "{path}: needs a function named run, got none"),
        ("run = 3\n", "{path}: needs a function named run, got 3"),
        (
            "\ndef run(**_):\n    yield {}\n",
            PLAIN_GENERATOR,
        ),
        (
            "def run(a, /):\n    return {}\n",
            "{path}:1: run must take its parameters by name, got the positional-only 'a'",
        ),
        (
            f"import os\nimport x_y_z.deep\n{COROUTINE}",
            NOT_INSTALLED,
        ),
        (
            f"import os\nimport x_y_z.deep\n{FUNCTION}",
            NOT_INSTALLED,
        ),
        (
            f"import sys\nsys.exit(3)\n{COROUTINE}",
            "{path}:2: must not call sys.exit() while it is imported",
        ),
        (
            f"def help():\n    1 / 0\nhelp()\n{COROUTINE}",
            "{path}:2: ZeroDivisionError: division by zero",
        ),
        (
            f"import os\nos._exit(0)\n{FUNCTION}run = run\n",
            "{path}: ended the process that imported it",
        ),
    ],
)
def test_load_errors_say_where_and_what(
    plugin_folder: PluginFolder, text: str, message: str
) -> None:
    """Each names file and line as far as they are known."""
    error = load_error(plugin_folder, text)

    assert str(error) == message.format(path=plugin_folder.path / "probe.py")


def test_details_hold_the_plugins_own_frames(plugin_folder: PluginFolder) -> None:
    """A traceback starts where the plugin does."""
    error = load_error(plugin_folder, f"def help():\n    1 / 0\nhelp()\n{COROUTINE}")

    assert error.details.startswith("Traceback (most recent call last):\n")
    assert error.details.count("File ") == 2
    assert "importlib" not in error.details


def test_failed_import_leaves_no_module_behind(plugin_folder: PluginFolder) -> None:
    """Nothing half-imported can be met later, parts of a package included."""
    plugin_folder.write("pack/__init__.py", f"from . import part\n1 / 0\n{COROUTINE}")
    plugin_folder.write("pack/part.py", "n = 1\n")
    before = set(sys.modules)

    with pytest.raises(PluginLoadError):
        plugin_folder.loader.load("pack")

    assert {name for name in set(sys.modules) - before if "pack" in name} == set()


async def test_packages_may_import_their_own_modules(plugin_folder: PluginFolder) -> None:
    """Relative imports work, at the top and in the middle of a run."""
    plugin_folder.write("pack/__init__.py", "from .a import one\nasync def run(**_):\n    "
        "from .sub import b\n    return {'n': one + b.two}\n")  # fmt: skip
    plugin_folder.write("pack/a.py", "one = 1\n")
    plugin_folder.write("pack/sub/__init__.py", "")
    plugin_folder.write("pack/sub/b.py", "from ..a import one\ntwo = one + 1\n")

    plugin = plugin_folder.loader.load("pack")

    assert plugin.run is not None
    assert await plugin.run() == {"n": 3}
    assert ImportProcess().describe(plugin.source).kind is Kind.COROUTINE


def test_two_plugins_of_one_name_do_not_meet(tmp_path: Path) -> None:
    """Modules are imported under names of their own."""
    first, second = PluginFolder(tmp_path / "1"), PluginFolder(tmp_path / "2")

    one, two = first.plugin(COROUTINE), second.plugin(GENERATOR)

    assert one.run is not None
    assert two.run is not None
    assert one.run.__module__ != two.run.__module__
    assert "probe" not in sys.modules


async def test_an_old_version_goes_when_no_run_uses_it(plugin_folder: PluginFolder) -> None:
    """Until then it can import more of itself; years of edits leave one version behind."""
    plugin_folder.write("edited/part.py", "")
    plugin_folder.write("edited/__init__.py", "async def run():\n    from . import part\n")
    plugin = plugin_folder.loader.load("edited")
    (old,) = imported("edited")
    plugin_folder.write("edited/__init__.py", COROUTINE)

    fresh = plugin_folder.loader.refresh(plugin)

    assert plugin.run is not None
    await plugin.run()
    assert f"{old}.part" in imported("edited")
    del plugin
    (new,) = imported("edited")
    assert new != old
    assert fresh.run is not None


def test_verify_imports_in_another_process(plugin_folder: PluginFolder) -> None:
    """What the text does not show is found before the first run."""
    plugin = plugin_folder.plugin(f"1 / 0\n{FUNCTION}")

    with pytest.raises(PluginLoadError, match=r"probe\.py:1: ZeroDivisionError"):
        plugin_folder.loader.verify(plugin)


def test_what_imports_a_plugin_has_not_the_configs_secrets(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To describe, to verify and to list it takes a process that sees what its collectors name."""
    monkeypatch.setenv("A_TOKEN", "x")
    monkeypatch.setenv("A_PROXY", "x")
    monkeypatch.setenv("LC_TOKEN", "x")
    for name in ("told", "plain"):
        plugin_folder.write(name, FUNCTION)
    access = Access(environment=frozenset({"A_PROXY"}))
    loader = plugin_folder.loader.with_dirs(
        [plugin_folder.path],
        protection=Protection(withheld=frozenset({"LC_TOKEN"})),
        access={"told": access, "plain": access},
    )
    seen = "str({*os.environ} & {'A_TOKEN', 'A_PROXY', 'LC_TOKEN'})"
    plugin_folder.write("told", f"import os\nraise OSError({seen})\n{FUNCTION}run = run\n")
    plugin_folder.write("plain", f"import os\nraise OSError({seen})\n{FUNCTION}")

    with pytest.raises(PluginLoadError, match=r": OSError: {'A_PROXY'}$"):
        loader.load("told")
    with pytest.raises(PluginLoadError, match=r": OSError: {'A_PROXY'}$"):
        loader.verify(loader.load("plain"))
    listed = {info.name: info.error for info in loader.available()}
    assert listed["told"].endswith(": OSError: {'A_PROXY'}")


def test_loading_writes_no_bytecode(plugin_folder: PluginFolder) -> None:
    """Plugin folders are the operator's: nothing appears in them."""
    plugin_folder.write("pack/__init__.py", f"from . import part\n{FUNCTION}")
    plugin_folder.write("pack/part.py", "n = 1\n")
    plugin = plugin_folder.loader.load("pack")

    plugin_folder.loader.verify(plugin)

    assert {each.name for each in plugin.path.parent.iterdir()} == {"__init__.py", "part.py"}
