"""What a source's value means as a number: one rule for all plugins that read documents.

    reader = value_reader({"decimal": ",", "units": "kWh", "nothing": [-999, "---"]})
    reader.number("1.234,5 kWh")  # 1234.5

The options, which mean the same wherever they can be written:

``words``
    Words and their numbers, whatever their case. ``on``, ``off``, ``true`` and ``false`` are known.
``nothing``
    A value, or a list of them, that says that there is none: a number, or a text.
``decimal``
    ``","`` or ``"."``: what stands before the fraction in a text. If it is written, digits in
    groups of three may be set apart by the other of the two, by spaces or by apostrophes.
``units``
    What may follow a number in a text: one or a list, or each with what to multiply by, such
    as ``{kW: 1000, W: 1}``.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite, isnan
from typing import Any, Final

from ingestd.plugins._limits import LONGEST_NUMBER
from ingestd.plugins._problems import Gathering

OPTIONS: Final = ("words", "nothing", "decimal", "units")
WORDS: Final[Mapping[str, float]] = {"on": 1, "off": 0, "true": 1, "false": 0}
# YAML reads a bare `on` as a truth; it is meant as every word for it.
YES: Final = ("on", "true", "yes")
NO: Final = ("off", "false", "no")
# What sets groups of digits apart, besides the mark that is not before the fraction.
SPACES: Final = "'\u2019 \u00a0\u2009\u202f"
MARKS: Final[Mapping[str, str]] = {",": ".", ".": ","}
# What may stand between the digits of a whole number; U+2212 is the minus of typesetters.
_APART: Final = re.compile(r"[^-+\u2212\d]", re.ASCII)


@dataclass(frozen=True, slots=True)
class ValueReader:
    """Reads values; see this module's options.

    Attributes:
        words: Numbers of words in lower case.
        no_numbers: Numbers that say that there is none.
        no_texts: Texts that do, in lower case.
        nan_is_none: Whether NaN does.
        form: What a number looks like in a text.
        units: What a number is multiplied by for what follows it; longer ones come first.
    """

    words: Mapping[str, float]
    no_numbers: frozenset[float]
    no_texts: frozenset[str]
    nan_is_none: bool
    form: re.Pattern[str]
    units: Mapping[str, float]

    def number(self, value: Any) -> Any:
        """Return a value as a number, None if it says that there is none, or else itself.

        What is returned as it came is no number, and the daemon counts it as unusable.
        """
        found = self._from_text(value) if isinstance(value, str) else value
        return None if self._says_nothing(found) else found

    def _says_nothing(self, value: Any) -> bool:
        if isinstance(value, str):
            return value.strip().lower() in self.no_texts
        if not isinstance(value, int | float) or isinstance(value, bool):
            return False
        return value in self.no_numbers or (self.nan_is_none and isnan(value))

    def _from_text(self, text: str) -> Any:
        bare = text.strip()
        lower = bare.lower()
        if lower in self.no_texts or len(bare) > LONGEST_NUMBER:
            return text
        if lower in self.words:
            return self.words[lower]
        digits, factor = self._without_unit(bare)
        found = self.form.fullmatch(digits)
        if found is None:
            return text if self.form.fullmatch("1.5") else misfit(text)
        digits = _APART.sub("", found["whole"]) + "." + (found["rest"] or "")
        if digits.strip("+-\u2212") == ".":
            return text
        number = float(digits.replace("\u2212", "-") + (found["exponent"] or ""))
        return number if factor == 1 else number * factor

    def _without_unit(self, text: str) -> tuple[str, float]:
        for unit, factor in self.units.items():
            if text.endswith(unit):
                return text.removesuffix(unit).rstrip(), factor
        return text, 1


def misfit(text: str) -> str:
    """Return a text that has no decimal comma, so that it is no number to others either.

    The daemon would read 1.5 as it stands, while three digits behind the point are thousands.
    """
    try:
        passes = isfinite(float(text))
    except ValueError:
        return text
    return f"{text} (without a decimal comma)" if passes else text


@dataclass(frozen=True, slots=True)
class DescribedValue:
    """One entry of a plugin's ``values``.

    Attributes:
        series: The template of the series.
        path: Where the value is.
        reader: What it means.
    """

    series: str
    path: str
    reader: ValueReader


def described_values(values: Any, around: Mapping[str, Any]) -> list[DescribedValue]:
    """Return the entries of ``values``: a path for each series, or a path with options.

    Args:
        values: What the operator wrote.
        around: The options that hold where an entry says nothing else.

    Raises:
        ValueError: Says what is wrong.
    """
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"values: expected series and path for each value, got {values!r:.80}")
    with Gathering() as wrong:
        shared = wrong.read(lambda: value_reader(around))
        return [
            wrong.read(partial(_described, series, entry, around))
            if isinstance(entry, Mapping)
            else DescribedValue(series, entry, shared)
            for series, entry in values.items()
        ]


def _described(series: str, entry: Mapping[str, Any], around: Mapping[str, Any]) -> DescribedValue:
    """Return an entry of ``values`` that has options of its own.

    Raises:
        ValueError: Says what is wrong.
    """
    where, known = f"values.{series}", ("path", *OPTIONS)
    with Gathering() as wrong:
        wrong.problems += [
            f"{where}: expected only {', '.join(known)}, got {name!r}"
            for name in sorted(map(str, set(entry) - set(known)))
        ]
        own = {name: each for name, each in entry.items() if each is not None}
        wrong.read(lambda: value_reader(own, where=where))  # what is around tells its own faults
    reader = value_reader({**around, **own}, where=where)
    return DescribedValue(series, own.get("path", ""), reader)


def value_reader(options: Mapping[str, Any], *, where: str = "") -> ValueReader:
    """Read the options that say what values mean.

    Args:
        options: Those of this module, and perhaps others, which are not looked at; None counts
            as not written.
        where: The path of the place where they stand; empty for the params themselves.

    Raises:
        ValueError: Says which is wrong.
    """
    at = f"{where}." if where else ""
    with Gathering() as wrong:
        nothing = wrong.read(lambda: _nothing(options.get("nothing"), f"{at}nothing"))
        words = wrong.read(lambda: _words(options.get("words"), f"{at}words"))
        form = wrong.read(lambda: _form(options.get("decimal"), f"{at}decimal"))
        units = wrong.read(lambda: _units(options.get("units"), f"{at}units"))
    numbers = [float(each) for each in nothing if not isinstance(each, str)]
    return ValueReader(
        words=words,
        no_numbers=frozenset(numbers),
        no_texts=frozenset(each.strip().lower() for each in nothing if isinstance(each, str)),
        nan_is_none=any(map(isnan, numbers)),
        form=form,
        units=units,
    )


def _words(words: Any, where: str) -> dict[str, float]:
    if words is None:
        return dict(WORDS)
    if not isinstance(words, Mapping):
        message = f"{where}: expected words and numbers, such as open: 1, got {words!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- what an operator wrote is a value
    found = dict(WORDS)
    for word, number in words.items():
        if not is_number(number):
            raise ValueError(f"{where}.{word}: expected a number, got {number!r:.80}")
        for each in (YES if word else NO) if isinstance(word, bool) else (str(word),):
            found[each.strip().lower()] = number
    return found


def _nothing(value: Any, where: str) -> list[int | float | str]:
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    for each in values:
        if type(each) not in {int, float, str}:
            raise ValueError(f"{where}: expected numbers or texts, such as -999, got {each!r:.80}")
    return list(values)


def _form(decimal: Any, where: str) -> re.Pattern[str]:
    """Return what a number looks like: plain digits, or groups of three, set apart alike."""
    if decimal not in (None, *MARKS):
        raise ValueError(f'{where}: expected "," or ".", got {decimal!r:.80}')
    whole = r"\d*"
    if decimal is not None:
        apart = re.escape(MARKS[decimal]) + SPACES
        whole += rf"|\d{{1,3}}([{apart}])\d{{3}}(?:\2\d{{3}})*"
    mark = re.escape(decimal or ".")
    return re.compile(
        rf"(?P<whole>[-+\u2212]?(?:{whole}))(?:{mark}(?P<rest>\d*))?(?P<exponent>[eE][-+]?\d+)?",
        re.ASCII,
    )


def _units(units: Any, where: str) -> dict[str, float]:
    if units is None:
        return {}
    named = units if isinstance(units, Mapping) else dict.fromkeys(_listed(units), 1)
    for unit, factor in named.items():
        if not isinstance(unit, str) or not unit.strip() or not is_number(factor):
            raise ValueError(
                f"{where}: expected what follows a number, such as kWh, or each with what to "
                f"multiply by, such as kW: 1000, got {unit!r:.80}: {factor!r:.80}"
            )
    return {unit.strip(): named[unit] for unit in sorted(named, key=len, reverse=True)}


def numbers(value: Any, where: str) -> list[float]:
    """Return one number, or a list of them, that an operator wrote; none for None.

    Raises:
        ValueError: There is something else.
    """
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    for each in values:
        if not is_number(each):
            raise ValueError(f"{where}: expected numbers, such as 65535, got {each!r:.80}")
    return list(values)


def is_number(value: Any) -> bool:
    """Say whether what an operator wrote is a finite number."""
    return type(value) in {int, float} and isfinite(value)


def _listed(value: Any) -> Iterable[Any]:
    return value if isinstance(value, list | tuple) else [value]
