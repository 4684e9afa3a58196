"""What an entry of ``registers`` says of the meaning of a number, or of a text."""

from collections.abc import Mapping
from math import isnan, nan
from typing import Any, Final

from ingestd.plugins._values import ValueReader, numbers, value_reader

from .numbers import TYPES
from .options import Options

LAST: Final = 65_535
LONGEST: Final = 100  # registers of a text


def nothing(options: Options) -> frozenset[float]:
    """Return which numbers say that there is no value: written once, or for each type.

    Raises:
        ValueError: There is something else than numbers, or an unknown type.
    """
    said, where = options.find("nothing")
    type_ = options.choice("type", TYPES, default="uint16")
    if type_ == "string":
        return frozenset()
    if said is None:
        return frozenset(TYPES[type_].nothing)
    if not isinstance(said, Mapping):
        return frozenset(numbers_or_nan(said, where))
    if unknown := sorted(map(str, set(said) - set(TYPES))):
        raise ValueError(f"{where}: expected only {', '.join(TYPES)}, got {unknown[0]!r}")
    by_type = {name: numbers_or_nan(each, f"{where}.{name}") for name, each in said.items()}
    return frozenset(by_type.get(type_, TYPES[type_].nothing))


def numbers_or_nan(value: Any, where: str) -> list[float]:
    """Return the numbers that an operator wrote, among them `.nan` for what is no number.

    Raises:
        ValueError: There is something else.
    """
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    others = [each for each in values if not (isinstance(each, float) and isnan(each))]
    return [*numbers(others, where), *([nan] if len(others) < len(values) else [])]


def bits(options: Options) -> tuple[int, int] | None:
    """Return the lowest bit to take and how many, or None for the whole number.

    Raises:
        ValueError: The type has no such bits, or both options say which.
    """
    if options.has("bit") and options.has("bits"):
        raise ValueError(f"{options.path('bit')}: expected `bit` or `bits`, got both")
    name = next(filter(options.has, ("bit", "bits")), None)
    if name is None:
        return None
    type_ = options.choice("type", TYPES, default="uint16")
    if not TYPES[type_].bits:
        raise ValueError(f"{options.path(name)}: expected a type such as uint16, got {type_!r}")
    most = 16 * TYPES[type_].count - 1
    if name == "bit":
        return options.whole("bit", least=0, most=most), 1
    return span(options.given["bits"], options.path("bits"), most=most)


def span(value: Any, where: str, *, most: int) -> tuple[int, int]:
    """Return the lowest of some bits, and how many they are, of a list of the lowest and highest.

    Raises:
        ValueError: It is none.
    """
    if (
        not isinstance(value, list | tuple)
        or [type(each) for each in value] != [int, int]
        or not 0 <= value[0] <= value[1] <= most
    ):
        raise ValueError(
            f"{where}: expected the lowest and the highest bit, such as [4, 7], at most {most}, "
            f"got {value!r}"
        )
    return value[0], value[1] - value[0] + 1


def length(options: Options) -> int:
    """Return how many registers a text takes, or 0 for numbers.

    Raises:
        ValueError: It is missing, or is told of a number.
    """
    if options.choice("type", TYPES, default="uint16") == "string":
        return options.whole("length", least=1, most=LONGEST)
    if options.has("length"):
        raise ValueError(f"{options.path('length')}: expected none but of a string")
    return 0


def words(options: Options) -> ValueReader | None:
    """Return what texts mean, or None for numbers.

    Raises:
        ValueError: They are missing of a text, or told of a number.
    """
    text = options.choice("type", TYPES, default="uint16") == "string"
    if text != options.has("words"):
        expected = "words and their numbers, such as {run: 1}" if text else "none but of a string"
        raise ValueError(f"{options.path('words')}: expected {expected}")
    return value_reader(dict(options.given), where=options.where) if text else None


def scale_from(options: Options) -> int | None:
    """Return the address of the register that holds a power of ten, or None.

    Raises:
        ValueError: There is no such address.
    """
    if not options.has("scale_from"):
        return None
    return options.whole("scale_from", least=0, most=LAST)
