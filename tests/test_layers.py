"""Imports go down or sideways, never up; so each layer can be read without those above it."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parent.parent
PACKAGE: Final = ROOT / "daemon" / "ingestd"
PLUGINS: Final = ROOT / "plugins"

# A package stands for everything in it. A new module is added where it belongs:
# as low as its imports allow, unless it does I/O (then it is a stage at least).
LAYERS: Final = {
    "words": "__init__ clock errors model tally",
    "rules": """
        bmonconfig bmonexport catalogue config configfile configparse contract gaps limits
        linebodies lineprotocol localcron metrics nodes options readings reload schedule secrets
        section units variables windows yamlvalues
    """,
    "stages": """
        backfill backfillrecords backfills bmonrecord buffer collector collectors context
        currentplugin database deadletters deliveries delivery draining failures foreign
        headroom httpclient isolation keeper lane loader looplag mounts outage outputtail plugin
        plugincheck reporting results run runcontext runrecords schema sending seriesnotes
        sinks slots spool standin state statedir staterows syntax tasks threads windowrun wire
        worker workerprocess writer
    """,
    "daemon": "app logs switch systemd watching web",
    "commands": "__main__ cli testing",
}
RANKS: Final = {name: rank for rank, names in enumerate(LAYERS.values()) for name in names.split()}
CONCRETE_SINKS: Final = frozenset(
    {"sinks.embedded", "sinks.influxdb", "sinks.kairosdb", "sinks.victoriametrics"}
)
NOT_FOR_RULES: Final = frozenset({"aiohttp", "socket", "sqlite3", "subprocess"})


def modules() -> dict[str, Path]:
    """Return every module of the package but the plugins: dotted name below it -> file."""
    paths = {path.relative_to(PACKAGE): path for path in PACKAGE.rglob("*.py")}
    return {
        ".".join(path.with_suffix("").parts).removesuffix(".__init__"): file
        for path, file in paths.items()
        if path.parts[0] != "plugins"
    }


def parsed(path: Path) -> ast.Module:
    """Parse a module.

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


def rank(module: str) -> int:
    """Return the layer of a module, counted from the bottom."""
    return RANKS[module.partition(".")[0]]


def test_every_module_has_its_layer() -> None:
    """A module in no layer could import anything, and a name without a module is a leftover."""
    names = " ".join(LAYERS.values()).split()
    found = {name.partition(".")[0] for name in modules()}

    assert sorted(found - set(names)) == []
    assert len(names) == len(set(names))


def test_imports_never_go_up() -> None:
    """A module knows its own layer and those below."""
    known = modules()
    upwards = [
        f"{name} imports {other}"
        for name, path in known.items()
        for other in our_imports(path, known)
        if rank(other) > rank(name)
    ]

    assert upwards == []


def test_only_the_assembly_names_concrete_sinks() -> None:
    """Everything else knows the protocol, so that a new store touches one file."""
    known = modules()
    naming = {
        name
        for name, path in known.items()
        if our_imports(path, known) & CONCRETE_SINKS and not name.startswith("sinks")
    }

    assert naming <= {"app"}


def test_rules_do_no_io() -> None:
    """What decides is pure, and is tested as a table."""
    doing = [
        f"{name} imports {other}"
        for name, path in modules().items()
        for other in imports(path)
        if rank(name) <= RANKS["config"] and other.partition(".")[0] in NOT_FOR_RULES
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


def test_an_upward_import_would_be_noticed(tmp_path: Path) -> None:
    """The test of the layers sees every way to write an import."""
    path = tmp_path / "module.py"
    path.write_text(
        "import ingestd.app\n"
        "def late():\n    from ingestd.cli import main\n    from ingestd import web\n"
        "    from ingestd.sinks import influxdb\n"
    )

    found = our_imports(path, modules())

    assert found >= {"app", "cli", "web", "sinks", "sinks.influxdb"}
