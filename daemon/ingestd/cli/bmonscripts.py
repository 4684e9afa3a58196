"""What a script of BMON needs besides us, told from its text without running it."""

import ast
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Final

STAND_IN: Final = "django.conf"
EXTRA: Final = frozenset({"dateutil", "modbus_tk", "pandas", "pytz", "requests"})
LACKING: Final = ": disabled until that is mended"
# What sensaphone imports is gone from pysnmp 5, and pysnmp 4 needs what Python 3.12 lacks.
SNMP: Final = "pip install 'pysnmp<5' 'pyasn1<0.5', which work up to Python 3.11"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a script needs, as far as its text tells.

    Attributes:
        settings: The names of the Django settings that it reads.
        notes: What the operator should look at.
        runs: Whether it can run here at all.
    """

    settings: Sequence[str] = ()
    notes: tuple[str, ...] = ()
    runs: bool = True


def needs_of(path: Path) -> Needs:
    """Look at a script."""
    try:
        tree = ast.parse(path.read_bytes(), str(path))
    except FileNotFoundError:
        return Needs(notes=(f"no script {path}: disabled until there is one",), runs=False)
    except OSError as exc:
        return Needs(notes=(f"{path}: cannot be read: {exc.strerror}: disabled",), runs=False)
    except (SyntaxError, ValueError) as exc:
        return Needs(notes=(f"{path}: is no Python 3: {exc}: disabled",), runs=False)
    modules = sorted(set(_imports(tree)))
    if any(_top(each) == "bmsapp" for each in modules):
        text = "reads BMON's own database, so only BMON can run it: disabled"
        return Needs(notes=(text,), runs=False)
    notes = [*_foreign(modules), *_missing(sorted(set(_imports(tree, tried=False))))]
    runs = not any(each.endswith(LACKING) for each in notes)
    return Needs(tuple(sorted(set(_settings(tree)))), tuple(notes), runs)


def _foreign(modules: Sequence[str]) -> Iterator[str]:
    django = [each for each in modules if _top(each) == "django" and each != STAND_IN]
    if django:
        lacking = LACKING if PathFinder.find_spec("django") is None else ""
        text = "only django.conf has a stand-in here; install Django or change the script"
        yield f"imports {', '.join(django)}: {text}{lacking}"


def _missing(modules: Sequence[str]) -> Iterator[str]:
    names = sorted({_top(each) for each in modules} - {"django"} - sys.stdlib_module_names)
    missing = [name for name in names if PathFinder.find_spec(name) is None]
    if missing:
        hints = ["pip install 'ingestd[bmon]'"] if EXTRA.intersection(missing) else []
        hints += [SNMP] if "pysnmp" in missing else []
        hint = f" ({'; '.join(hints)})" if hints else ""
        yield f"needs {', '.join(missing)}, which is not installed{hint}{LACKING}"


def _imports(tree: ast.AST, *, tried: bool = True) -> Iterator[str]:
    """Yield the modules that are imported, those that are only tried if wanted."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            deeper = {alias.name for alias in node.names}
            yield STAND_IN if node.module == "django" and deeper == {"conf"} else node.module
        elif tried or not (isinstance(node, ast.Try) and node.handlers):
            yield from _imports(node, tried=tried)


def _settings(tree: ast.Module) -> Iterator[str]:
    """Yield what is read from anything that is called settings: ``settings.NAME``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.isupper():
            owner = node.value
            name = owner.id if isinstance(owner, ast.Name) else getattr(owner, "attr", "")
            if name == "settings":
                yield node.attr


def _top(module: str) -> str:
    return module.partition(".")[0]
