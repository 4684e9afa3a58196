"""What BMON does with the value of a sensor before it stores it, as a scale and an offset.

A transform in BMON is the name of a function with parameters, or an expression of
Python over ``val`` that BMON evaluates. Here it is only read: what comes out as
``val`` times one number plus another is told as these two, everything else is not.
"""

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

LONGEST: Final = 200  # characters; BMON's own column is shorter
# Of numbers; BMON's expressions see all of Python's module for mathematics.
FUNCTIONS: Final[Mapping[str, Callable[[float], float]]] = {
    name: getattr(math, name)
    for name in ("sqrt", "exp", "log", "log10", "sin", "cos", "tan", "fabs", "ceil", "floor")
}


@dataclass(frozen=True, slots=True)
class Linear:
    """A value times ``scale``, plus ``offset``."""

    scale: float = 1.0
    offset: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether a value stays as it is."""
        return (self.scale, self.offset) == (1.0, 0.0)


NAMES: Final[Mapping[str, Linear]] = {
    "val": Linear(),
    "pi": Linear(0.0, math.pi),
    "e": Linear(0.0, math.e),
}


# Of the value, too: what they multiply it by.
FACTORS: Final = {"float": 1.0, "radians": math.pi / 180, "degrees": 180 / math.pi}


class _NotLinear(ValueError):
    """An expression is something else."""


def makes_rate(function: str) -> bool:
    """Say whether a transform looks back to the reading before, to make a rate of counts."""
    return "rate" in function.lower()


def read_transform(function: str, parameters: Mapping[str, Any]) -> Linear | None:
    """Return what a transform comes to, or None if that is not linear.

    Args:
        function: The name of a function of BMON, or an expression; empty for none.
        parameters: What BMON gives to it.
    """
    text = function.strip()
    try:
        if not text:
            return Linear()
        if text == "linear":
            return _checked(_numbered(parameters))
        # BMON, too, takes expressions in small letters.
        return _checked(_of(_parsed(text.lower())))
    except (ArithmeticError, ValueError):
        return None


def _numbered(parameters: Mapping[str, Any]) -> Linear:
    if parameters.keys() - {"slope", "offset"}:
        raise _NotLinear
    return Linear(_number(parameters.get("slope", 1.0)), _number(parameters.get("offset", 0.0)))


def _parsed(text: str) -> ast.expr:
    if len(text) > LONGEST:
        raise _NotLinear
    try:
        return ast.parse(text, mode="eval").body
    except (SyntaxError, MemoryError, RecursionError):
        raise _NotLinear from None


def _checked(found: Linear) -> Linear:
    if found.scale == 0 or not (math.isfinite(found.scale) and math.isfinite(found.offset)):
        raise _NotLinear
    return found


def _of(node: ast.expr) -> Linear:
    """Return what an expression comes to; ``scale`` is 0 for a number."""
    match node:
        case ast.Constant(value=value):
            return Linear(0.0, _number(value))
        case ast.Name(id=name) if name in NAMES:
            return NAMES[name]
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=operand):
            sign = Linear(0.0, -1.0 if isinstance(op, ast.USub) else 1.0)
            return _combined(_of(operand), ast.Mult(), sign)
        case ast.BinOp(left=left, op=op, right=right):
            return _combined(_of(left), op, _of(right))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]):
            return _called(name, _of(argument))
    raise _NotLinear


def _combined(left: Linear, op: ast.operator, right: Linear) -> Linear:
    match op:
        case ast.Add():
            return Linear(left.scale + right.scale, left.offset + right.offset)
        case ast.Sub():
            return Linear(left.scale - right.scale, left.offset - right.offset)
        case ast.Mult() if right.scale == 0:
            return Linear(left.scale * right.offset, left.offset * right.offset)
        case ast.Mult() if left.scale == 0:
            return _combined(right, op, left)
        case ast.Div() if right.scale == 0:
            return Linear(left.scale / right.offset, left.offset / right.offset)
        case ast.Pow() if left.scale == 0 and right.scale == 0:
            return Linear(0.0, math.pow(left.offset, right.offset))
    raise _NotLinear


def _called(name: str, argument: Linear) -> Linear:
    if name in FACTORS:
        return _combined(argument, ast.Mult(), Linear(0.0, FACTORS[name]))
    if name not in FUNCTIONS or argument.scale != 0:
        raise _NotLinear
    return Linear(0.0, FUNCTIONS[name](argument.offset))


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _NotLinear
    return float(value)
