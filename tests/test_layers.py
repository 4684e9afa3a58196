"""Which package may import which, so that each can be read without those above it."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "daemon" / "ingestd"
PLUGINS: Final = ROOT / "plugins"

# What everything is called; every package may import these modules.
WORDS: Final = frozenset(
    {
        *("clock", "errors", "landlock", "logs", "loop", "metrics", "model", "signals"),
        *("systemd", "tasks"),
        "redaction",
    }
)
# Package -> the packages that it may import beside the words.
MAY_IMPORT: Final = {
    "contract": "",
    "config": "",
    "disk": "",
    "health": "",
    "context": "config",
    "records": "contract disk health",
    "bmon": "config contract records",
    "processes": "",
    "worker": "contract",
    "calling": "contract processes worker",
    "loading": "calling config contract processes sinks worker",
    "sinks": "config disk",
    "delivery": "config disk health sinks",
    "collecting": "calling config context contract delivery health loading records worker",
    "backfilling": "calling collecting contract disk sinks",
    "requesting": "calling collecting context contract disk records",
}
# The rules that the daemon shares with the plugins, which may import nothing else of it.
RULES: Final = frozenset(
    [
        "_backoff",
        "_bmonrules",
        "_files",
        "_limits",
        "_linescan",
        "_listening",
        "_mounting",
        "_counts",
        "_days",
        "_isotimes",
        "_months",
        "_timetexts",
        "_patterns",
        "_readings",
        "_retryafter",
        "_secretnames",
        "_times",
        "_units",
        "_walltime",
    ]
)
# The assembly and the faces of the daemon: modules at the top, and two packages.
ASSEMBLY: Final = frozenset(
    ["app", "checking", "filewatch", "hosts", "looplag", "reloading", "upkeep"]
)
FACES: Final = {
    "testing": "calling contract context",
    "views": "calling config contract delivery health records",
    "pages": "health",
    "web": "app backfilling calling requesting collecting config context contract delivery health"
    " pages views",
    "cli": "app hosts views web " + " ".join(MAY_IMPORT),
    "__main__": "cli",
}
MOST_AT_THE_TOP: Final = 20
# What decides is pure.
PURE: Final = frozenset(
    {
        "config",
        "contract",
        "health",
        "pages",
        "requesting.targets",
        "web.openapi",
        "backfilling.gaps",
        "backfilling.windows",
        "collecting.points",
        "collecting.schedule",
        "sinks.linebodies",
        "sinks.lineprotocol",
    }
)
DOES_IO: Final = frozenset({"aiohttp", "socket", "sqlite3", "subprocess"})


def modules() -> dict[str, Path]:
    """Return every module of the package but the plugins: dotted name below it -> file."""
    paths = {path.relative_to(PACKAGE): path for path in PACKAGE.rglob("*.py")}
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): file
        for path, file in paths.items()
        if path.parts[0] != "plugins"
    }


@cache
def parsed(path: Path) -> ast.Module:
    """Parse a module, once for all tests.

    CPython 3.11 fails if the garbage collector runs a finalizer that parses, too,
    in the middle of it (python/cpython issue 106905); it does not do so twice.
    """
    try:
        return ast.parse(path.read_text())
    except SystemError:
        return ast.parse(path.read_text())


def imports(path: Path) -> Iterator[str]:
    """Yield everything that a file imports, wherever in the file, by dotted name."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def our_imports(path: Path, known: dict[str, Path]) -> set[str]:
    """Return which modules of the package a file imports."""
    below = {name.removeprefix("ingestd.") for name in imports(path) if name.startswith("ingestd.")}
    return below & known.keys()


def top(module: str) -> str:
    """Return the package of a module, or the module itself if it stands at the top."""
    return module.partition(".")[0]


def allowed(package: str) -> frozenset[str]:
    """Return what a package may import beside itself."""
    if package in WORDS:
        return WORDS
    if package in ASSEMBLY:
        return WORDS | ASSEMBLY | MAY_IMPORT.keys()
    return WORDS | frozenset((MAY_IMPORT | FACES)[package].split())


def test_every_module_has_its_place() -> None:
    """A package without a row could import anything, and a row without a package is a leftover."""
    found = {top(name) for name in modules()} - {"__init__"}

    assert found == WORDS | ASSEMBLY | MAY_IMPORT.keys() | FACES.keys()


def test_imports_keep_to_the_table() -> None:
    """A package knows itself, the words, and the packages of its row."""
    known = modules()
    outside = [
        f"{name} imports {other}"
        for name, path in known.items()
        if name != "__init__"
        for other in our_imports(path, known)
        if top(other) != top(name) and top(other) not in allowed(top(name))
    ]

    assert outside == []


def test_the_map_has_the_same_table() -> None:
    """Readers of the documentation see the rows that the tests go by."""
    text = (ROOT / "docs" / "architecture.md").read_text()
    told = {
        package: set(filter(None, row.split(", ")))
        for package, row in re.findall(r"^\| `(\w+)/` \| .* \| ?([\w, ]*) \|$", text, re.MULTILINE)
    }
    rows = {
        name: set((MAY_IMPORT | FACES)[name].split()) for name in (*MAY_IMPORT, "views", "pages")
    }

    assert {name: row for name, row in told.items() if name in rows} == rows


@pytest.mark.parametrize(
    ("beginning", "names"),
    [
        ("| the modules at the top |", WORDS),
        ("| `app.py`, ", ASSEMBLY),
        ("Plugins (in `plugins`", RULES | {"_fields"}),
    ],
    ids=["words", "assembly", "rules"],
)
def test_the_map_names_the_modules_of_each_row(beginning: str, names: frozenset[str]) -> None:
    """A module that moves or comes takes its place on the map with it."""
    lines = (ROOT / "docs" / "architecture.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith(beginning))

    assert set(re.findall(r"`(?:plugins/(?=\w))?(\w+)(?:\.py|/)`", line)) == names


def test_the_table_has_no_circle() -> None:
    """Each row names only packages of rows that can be read before it."""
    rows = {name: set(row.split()) - ASSEMBLY for name, row in (MAY_IMPORT | FACES).items()}
    while ready := {name for name, row in rows.items() if not row}:
        rows = {name: row - ready for name, row in rows.items() if name not in ready}

    assert rows == {}


def test_modules_of_a_package_form_no_circle() -> None:
    """Within a package, too, there is an order in which its modules can be read."""
    known = modules()
    rows = {
        name: {each for each in our_imports(path, known) if each != name and "." in each}
        for name, path in known.items()
        if "." in name
    }
    while ready := {name for name, row in rows.items() if not row & rows.keys()}:
        rows = {name: row for name, row in rows.items() if name not in ready}

    assert rows == {}


def test_few_modules_stand_at_the_top() -> None:
    """A listing of the top shows packages, the words and the assembly, and little else."""
    at_the_top = [name for name, path in modules().items() if path.parent == PACKAGE]

    assert len(at_the_top) <= MOST_AT_THE_TOP


def test_no_class_name_comes_twice() -> None:
    """A name that is searched for leads to one class, and needs no package to be understood."""
    places: dict[str, list[str]] = {}
    for name, path in modules().items():
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(name)

    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def public_names(package: str) -> set[str]:
    """Return what the ``__init__`` of a package lists as public."""
    for node in parsed(PACKAGE.joinpath(*package.split("."), "__init__.py")).body:
        match node:
            case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
                return set(ast.literal_eval(value))
    return set()


def past_the_door(path: Path, name: str) -> Iterator[str]:
    """Yield what a module imports of other packages and is not among their public names."""
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        package = node.module.removeprefix("ingestd.")
        if package == node.module or top(package) not in MAY_IMPORT | FACES.keys():
            continue
        if top(package) == top(name) or not (PACKAGE / top(package)).is_dir():
            continue
        is_package = PACKAGE.joinpath(*package.split(".")).is_dir()
        public = public_names(package) if is_package else set()
        yield from (f"{package}.{each.name}" for each in node.names if each.name not in public)


def test_packages_are_entered_by_the_door() -> None:
    """What a package offers is what its ``__init__`` lists; the rest may change unseen."""
    past = [
        f"{name} imports {each}"
        for name, path in modules().items()
        for each in past_the_door(path, name)
    ]

    assert past == []


def test_each_package_says_in_a_sentence_what_it_is_for() -> None:
    """The first thing that a package shows is its purpose."""
    for name, path in modules().items():
        if path.name == "__init__.py":
            first = (ast.get_docstring(parsed(path)) or "").splitlines()[:1]

            assert first, name
            assert first[0].endswith("."), name


def test_rules_do_no_io() -> None:
    """What decides is pure, and is tested as a table."""
    doing = [
        f"{name} imports {other}"
        for name, path in modules().items()
        for other in imports(path)
        if PURE & {name, top(name)} and other.partition(".")[0] in DOES_IO
    ]

    assert doing == []


@pytest.mark.parametrize(
    "path", sorted(PLUGINS.rglob("*.py")), ids=lambda path: str(path.relative_to(PLUGINS))
)
def test_plugins_need_nothing_of_the_daemon(path: Path) -> None:
    """A plugin runs and is tested alone; it may import its own package, and what plugins share."""
    package = f"ingestd.plugins.{path.relative_to(PLUGINS).parts[0]}"
    foreign = {
        name
        for name in imports(path)
        if name.partition(".")[0] == "ingestd"
        and not name.startswith((package, "ingestd.plugins._"))
    } - {"ingestd.plugins"}

    assert sorted(foreign) == []


def test_the_daemon_knows_no_plugin() -> None:
    """Of what is shipped beside it, it imports the rules that it shares with plugins."""
    beyond = [
        f"{name} imports {other}"
        for name, path in modules().items()
        for other in imports(path)
        if other.startswith("ingestd.plugins.") and other.split(".")[2] not in RULES
    ]

    assert beyond == []


@pytest.mark.parametrize("name", sorted(RULES))
def test_a_shared_rule_stands_on_nothing(name: str) -> None:
    """It is below every package, so that a worker may import it at no cost."""
    foreign = {
        other
        for each in imports(PLUGINS / f"{name}.py")
        if (other := each.partition(".")[0]) not in sys.stdlib_module_names
        if each.removeprefix("ingestd.plugins.").partition(".")[0] not in RULES
    }

    assert foreign == set()


def test_a_forbidden_import_would_be_noticed(tmp_path: Path) -> None:
    """The test of the table sees every way to write an import."""
    path = tmp_path / "module.py"
    path.write_text(
        "import ingestd.app\n"
        "def late():\n    from ingestd.cli import main\n    from ingestd import web\n"
        "    from ingestd.sinks import influxdb\n"
    )

    found = our_imports(path, modules())

    assert found >= {"app", "cli", "web", "sinks", "sinks.influxdb"}
