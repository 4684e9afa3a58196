"""Finding plugins, reading what they declare, keeping the last good version."""

import asyncio
import inspect
import re
import sys
import threading
from pathlib import Path

import pytest

from ingestd.calling.plugin import check_params
from ingestd.errors import PluginLoadError
from ingestd.loading.check import check_plugins
from ingestd.loading.importprocess import ImportProcess
from ingestd.loading.loader import Loader
from ingestd.worker.importing import Kind, Parameters
from tests.support.config import ConfigFolder
from tests.support.plugins import PluginFolder

FUNCTION = "def run(**_):\n    return {}\n"
COROUTINE = "async def run(**_):\n    return {}\n"
GENERATOR = "async def run(**_):\n    yield {}\n"
WRAPPED = f"""
import functools
def wrapped(f):
    @functools.wraps(f)
    def call(**kwargs): return f(**kwargs)
    return call
{GENERATOR}
run = wrapped(run)
"""
TRIED = f"with open(__file__ + '.tries', 'a') as file:\n    file.write('x')\n1 / 0\n{COROUTINE}"
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
    ("text", "kind"),
    [
        (FUNCTION, Kind.FUNCTION),
        (COROUTINE, Kind.COROUTINE),
        (GENERATOR, Kind.GENERATOR),
        ("def run(**_):\n    def inner():\n        yield\n    return {}\n", Kind.FUNCTION),
        (f"{COROUTINE}    async def inner():\n        yield\n", Kind.COROUTINE),
        (f"def plain(f):\n    return lambda **k: f(**k)\n@plain\n{COROUTINE}", Kind.COROUTINE),
        (f"def plain(f):\n    return lambda **k: f(**k)\n@plain\n{GENERATOR}", Kind.GENERATOR),
        (f"from functools import cache\n@cache\n{FUNCTION}", Kind.FUNCTION),
        (WRAPPED, Kind.GENERATOR),
        (
            f"import functools\n{COROUTINE.replace('run', 'f')}run = functools.partial(f, a=1)\n",
            Kind.COROUTINE,
        ),
        (
            "class Run:\n    async def __call__(self, **_):\n        yield {}\nrun = Run()\n",
            Kind.GENERATOR,
        ),
        (f"try:\n    import x_y_z\nexcept ImportError:\n    pass\n{FUNCTION}", Kind.FUNCTION),
        (f"if True:\n    {FUNCTION.replace(chr(10), chr(10) + '    ')}\n", Kind.FUNCTION),
    ],
)
def test_kind_is_told_however_run_is_made(
    plugin_folder: PluginFolder, text: str, kind: Kind
) -> None:
    """All three shapes are recognised, bare, decorated, wrapped or assigned."""
    plugin = plugin_folder.plugin(text)

    assert plugin.kind is kind
    assert (plugin.run is None) == (kind is Kind.FUNCTION)


SIGNATURE = "run(a, b=1, *, ctx, start=None, end=None, c, d=4, **others)"


@pytest.mark.parametrize(
    "text",
    [
        f"def {SIGNATURE}:\n    return {{}}\n",
        f"async def {SIGNATURE}:\n    return {{}}\n",
        f"def plain(f):\n    return f\n@plain\ndef {SIGNATURE}:\n    return {{}}\n",
    ],
)
def test_parameters_are_the_same_from_text_and_from_import(
    plugin_folder: PluginFolder, text: str
) -> None:
    """What run declares is told without importing it, and correctly."""
    plugin = plugin_folder.plugin(f'"""Read meters.\n\nMore.\n"""\n{text}')

    assert plugin.parameters == Parameters(
        ("a", "b", "ctx", "start", "end", "c", "d"), ("a", "ctx", "c"), accepts_any=True
    )
    assert plugin.wants_ctx
    assert plugin.wants_window
    assert plugin.summary == "Read meters."


def test_start_alone_is_an_ordinary_parameter(plugin_folder: PluginFolder) -> None:
    """Only the pair is special."""
    plugin = plugin_folder.plugin("def run(*, start):\n    return {}\n")

    assert not plugin.wants_window
    assert check_params(plugin, ["start"]).unknown == ()


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
    with pytest.raises(PluginLoadError, match=r"none\.py: cannot be read: No such file"):
        Loader([]).load("none.py", base=tmp_path)


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


def test_vanished_file_leaves_the_last_good_version(plugin_folder: PluginFolder) -> None:
    """A plugin whose file is gone says so, and the loaded one stays."""
    plugin = plugin_folder.plugin(COROUTINE)
    plugin.path.unlink()

    with pytest.raises(PluginLoadError, match="cannot be read"):
        plugin_folder.loader.refresh(plugin)


def test_shipped_plugins_are_imported_by_their_name() -> None:
    """They are part of the package, and change with it only."""
    plugin = Loader([]).load("system")

    assert plugin.path.name in {"system.py", "__init__.py"}
    assert plugin.source.module == "ingestd.plugins.system"
    assert Loader([]).refresh(plugin) is plugin


def test_verify_imports_in_another_process(plugin_folder: PluginFolder) -> None:
    """What the text does not show is found before the first run."""
    plugin = plugin_folder.plugin(f"1 / 0\n{FUNCTION}")

    with pytest.raises(PluginLoadError, match=r"probe\.py:1: ZeroDivisionError"):
        plugin_folder.loader.verify(plugin)


def test_what_imports_a_plugin_has_not_the_configs_secrets(
    plugin_folder: PluginFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To describe, to verify and to list it takes a process that sees the rest only."""
    monkeypatch.setenv("A_TOKEN", "x")
    monkeypatch.setenv("A_PROXY", "x")
    loader = plugin_folder.loader.with_dirs([plugin_folder.path], withheld=frozenset({"A_TOKEN"}))
    seen = "str({*os.environ} & {'A_TOKEN', 'A_PROXY'})"
    plugin_folder.write("told", f"import os\nraise OSError({seen})\n{FUNCTION}run = run\n")
    plugin_folder.write("plain", f"import os\nraise OSError({seen})\n{FUNCTION}")

    with pytest.raises(PluginLoadError, match=r": OSError: {'A_PROXY'}$"):
        loader.load("told")
    with pytest.raises(PluginLoadError, match=r": OSError: {'A_PROXY'}$"):
        loader.verify(loader.load("plain"))
    listed = {info.name: info.error for info in loader.available()}
    assert listed["told"].endswith(": OSError: {'A_PROXY'}")


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


def imported(name: str) -> list[str]:
    """Return the modules that plugins of a name were imported as."""
    return [each for each in sys.modules if re.match(rf"ingestd_plugin_\d+_{name}\b", each)]


def test_loaders_of_other_folders_import_nothing_again(
    plugin_folder: PluginFolder, tmp_path: Path
) -> None:
    """A reload, which may name other folders, goes on with the plugins that are loaded."""
    plugin = plugin_folder.plugin(COROUTINE, "shared")

    other = plugin_folder.loader.with_dirs([tmp_path, plugin_folder.path], withheld=frozenset())

    assert other.load("shared") is plugin
    assert len(imported("shared")) == 1


async def test_an_old_version_goes_when_nobody_uses_it(plugin_folder: PluginFolder) -> None:
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

    wrong, _ = check_plugins(config, plugins.loader)

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


@pytest.mark.parametrize("declared", ["", "*, ctx, start, end, "])
def test_plugin_that_declares_no_param_takes_any(
    plugin_folder: PluginFolder, declared: str
) -> None:
    """It reads them by name from its ``**kwargs``, and nobody can know which."""
    plugin = plugin_folder.plugin(f"def run({declared}**params):\n    return {{}}\n")

    check = check_params(plugin, ["anything"])

    assert (check.unknown, check.suspicious) == ((), ())


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


async def test_decorated_coroutine_can_be_called(plugin_folder: PluginFolder) -> None:
    """A plain wrapper gives an awaitable, whose result the caller waits for."""
    plugin = plugin_folder.plugin(
        f"def plain(f):\n    return lambda **k: f(**k)\n@plain\n{COROUTINE}"
    )

    assert plugin.run is not None
    result = plugin.run()
    assert inspect.isawaitable(result)
    assert await asyncio.wait_for(result, 5) == {}


def test_loading_writes_no_bytecode(plugin_folder: PluginFolder) -> None:
    """Plugin folders are the operator's: nothing appears in them."""
    plugin_folder.write("pack/__init__.py", f"from . import part\n{FUNCTION}")
    plugin_folder.write("pack/part.py", "n = 1\n")
    plugin = plugin_folder.loader.load("pack")

    plugin_folder.loader.verify(plugin)

    assert {each.name for each in plugin.path.parent.iterdir()} == {"__init__.py", "part.py"}
