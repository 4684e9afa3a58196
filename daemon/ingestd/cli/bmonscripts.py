"""What a script of BMON needs besides us, told from its text without running it."""

import ast
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

STAND_IN: Final = "django.conf"
EXTRA: Final = frozenset({"dateutil", "modbus_tk", "pandas", "pytz", "requests"})


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
    return Needs(tuple(sorted(set(_settings(tree)))), (*_foreign(modules), *_missing(modules)))


def _foreign(modules: Sequence[str]) -> Iterator[str]:
    django = [each for each in modules if _top(each) == "django" and each != STAND_IN]
    if django:
        text = "only django.conf has a stand-in here; install Django or change the script"
        yield f"imports {', '.join(django)}: {text}"


def _missing(modules: Sequence[str]) -> Iterator[str]:
    names = sorted({_top(each) for each in modules} - {"django"} - sys.stdlib_module_names)
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        hint = "; pip install 'ingestd[bmon]'" if EXTRA.intersection(missing) else ""
        yield f"needs {', '.join(missing)}, which is not installed{hint}"


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            deeper = {alias.name for alias in node.names}
            yield STAND_IN if node.module == "django" and deeper == {"conf"} else node.module


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
