"""What a plugin's syntax tree says about its ``run``, without importing anything."""

import ast
import importlib.util
from collections.abc import Iterator
from typing import Final

from ingestd.errors import PluginLoadError
from ingestd.worker import (
    Description,
    Kind,
    Parameters,
    Source,
    load_failure,
    plain_generator,
    positional_only,
)

_SCOPES: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
_Function = ast.FunctionDef | ast.AsyncFunctionDef


def read_description(source: Source) -> Description | None:
    """Describe a plugin from its text, or return None where only an import can tell.

    Raises:
        PluginLoadError: It is no Python, has no ``run``, or one of the wrong kind.
    """
    content = source.files[""][1] if source.files else source.path.read_bytes()
    try:
        tree = ast.parse(content, str(source.path))
    except (SyntaxError, ValueError) as exc:
        raise load_failure(exc, path=source.path, root=source.root) from None
    except (RecursionError, SystemError):  # too deep, or CPython's gh-106905: let a process try
        return None
    bound = [node for node in _own(tree) if _binds_run(node)]
    if not bound:
        raise PluginLoadError(f"{source.path}: needs a function named run, got none")
    run = bound[-1]
    if len(bound) > 1 or run not in tree.body or not isinstance(run, _Function):
        return None
    if isinstance(run, ast.FunctionDef) and (run.decorator_list or _seems_incomplete(tree)):
        return None
    return Description(
        _kind(run, f"{source.path}:{run.lineno}"),
        _parameters(run.args, f"{source.path}:{run.lineno}"),
        ast.get_docstring(tree) or "",
    )


def defines_check(source: Source) -> bool:
    """Return whether there may be a function that looks at params: ``check(**params)``."""
    content = source.files[""][1] if source.files else b""
    return b"def check(" in content


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """Yield everything below a node that is not in a scope of its own."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, _SCOPES):
            yield from _own(child)


def _binds_run(node: ast.AST) -> bool:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return node.name == "run"
        case ast.Name(id="run", ctx=ast.Store()):
            return True
        case ast.alias():
            return (node.asname or node.name) in {"run", "*"}
    return False


def _kind(run: _Function, where: str) -> Kind:
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own(run))
    if isinstance(run, ast.AsyncFunctionDef):
        return Kind.GENERATOR if yields else Kind.COROUTINE
    if yields:
        raise PluginLoadError(plain_generator(where))
    return Kind.FUNCTION


def _parameters(args: ast.arguments, where: str) -> Parameters:
    if args.posonlyargs:
        raise PluginLoadError(positional_only(where, args.posonlyargs[0].arg))
    plain = [each.arg for each in args.args]
    without_default = plain[: len(plain) - len(args.defaults)]
    keyword_only = [
        each.arg
        for each, default in zip(args.kwonlyargs, args.kw_defaults, strict=True)
        if default is None
    ]
    return Parameters(
        (*plain, *(each.arg for each in args.kwonlyargs)),
        (*without_default, *keyword_only),
        accepts_any=args.kwarg is not None,
    )


def _seems_incomplete(tree: ast.Module) -> bool:
    """Whether a module that it imports at its top is nowhere in sight."""
    names = set[str]()
    for node in tree.body:
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
    return not all(_is_in_sight(name.partition(".")[0]) for name in names)


def _is_in_sight(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ValueError:  # a module that was put together by hand
        return True
