"""What a source's value means as a number: one rule for all plugins that read documents.

    reader = value_reader({"decimal": ",", "units": "kWh", "nothing": [-999, "---"]})
    reader.number("1.234,5 kWh")  # 1234.5

The options, which mean the same wherever they can be written:

``words``
    Words and their numbers, whatever their case. ``on``, ``off``, ``true`` and ``false`` are known.
    A number may be one, too, and the words for true and false hold for truths.
``nothing``
    A value, or a list of them, that says that there is none: a number, a text, true or false.
``decimal``
    ``","`` or ``"."``: what stands before the fraction in a text. If it is written, digits in
    groups of three may be set apart by the other of the two, by spaces or by apostrophes, and a
    minus may stand behind.
``units``
    What may stand behind a number in a text, or before it: one or a list, or each with what to
    multiply by, such as ``{kW: 1000, W: 1}``.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
SIGNS: Final = ("-", "+", "\u2212")
MARKS: Final[Mapping[str, str]] = {",": ".", ".": ","}
# What may stand between the digits of a whole number; U+2212 is the minus of typesetters.
_APART: Final = re.compile(r"[^-+\u2212\d]", re.ASCII)


@dataclass(frozen=True, slots=True)
class ValueReader:
    """Reads values; see this module's options.

    Attributes:
        words: Numbers of words in lower case.
        known: Numbers of what is a number or a truth, and is told like a word.
        no_numbers: Numbers that say that there is none.
        no_texts: Texts that do, in lower case.
        no_truths: Truths that do.
        nan_is_none: Whether NaN does.
        form: What a number looks like in a text.
        units: What a number is multiplied by for what follows it; longer ones come first.
    """

    words: Mapping[str, float]
    known: Mapping[tuple[bool, float], float]
    no_numbers: frozenset[float]
    no_texts: frozenset[str]
    no_truths: frozenset[bool]
    nan_is_none: bool
    form: re.Pattern[str]
    units: Mapping[str, float]

    def number(self, value: Any) -> Any:
        """Return a value as a number, None if it says that there is none, or else itself.

        What is returned as it came is no number, and the daemon counts it as unusable.
        """
        if isinstance(value, str):
            return self._from_text(value)
        if not isinstance(value, int | float):
            return value
        truth = isinstance(value, bool)
        if value in self.no_truths if truth else self._says_nothing(value):
            return None
        return self.known.get((truth, value), value) if self.known else value

    def _says_nothing(self, number: float) -> bool:
        return number in self.no_numbers or (self.nan_is_none and isnan(number))

    def _from_text(self, text: str) -> Any:
        bare = text.strip()
        lower = bare.lower()
        if lower in self.no_texts:
            return None
        if len(bare) > LONGEST_NUMBER:
            return text
        if lower in self.words:
            return self.words[lower]
        digits, factor = self._without_unit(bare)
        found = self.form.fullmatch(digits)
        if found is None:
            return self._from_odd(text, bare)
        return self._from_number(text, found, factor)

    def _from_number(self, text: str, found: re.Match[str], factor: float) -> Any:
        """Return the number in a text, or what it stands for; itself if it has no digits."""
        digits = _APART.sub("", found["whole"]) + "." + (found["rest"] or "")
        if found["behind"]:
            digits = f"-{digits}"
        if digits.lstrip("+-\u2212") == "." or digits[1:2] in SIGNS:
            return text
        number = float(digits.replace("\u2212", "-") + (found["exponent"] or ""))
        if self._says_nothing(number):  # in the unit of the source
            return None
        if self.known and (told := self.known.get((False, number))) is not None:
            return told
        return number if factor == 1 else number * factor

    def _from_odd(self, text: str, bare: str) -> Any:
        """Return what a text means when only its letters are looked at, or why it means nothing."""
        if (bare_letters := letters(text)) != text:
            return self._from_text(bare_letters)
        word = spaced(bare)
        if word in self.no_texts:
            return None
        if word in self.words:
            return self.words[word]
        return text if self.form.fullmatch("1.5") else misfit(text)

    def _without_unit(self, text: str) -> tuple[str, float]:
        """Return a text without the unit behind its number, or before it, and the factor."""
        sign = text[:1] if text[:1] in SIGNS else ""
        for unit, factor in self.units.items():
            if text.endswith(unit):
                return text.removesuffix(unit).rstrip(), factor
            rest = text[len(sign) + len(unit) :]
            # F12 is the name of a fault, and no temperature.
            if text.startswith(unit, len(sign)) and (not unit[-1].isalpha() or rest[:1].isspace()):
                return sign + rest.lstrip(), factor
        return text, 1


def letters(text: str) -> str:
    """Return a text up to the NUL that ends it in C, without byte order marks.

    One whose every other letter is NUL is UTF-16 that was read as if it were not.
    """
    if len(text) > 2:
        for odd in (0, 1):
            if not text[odd::2].strip("\0"):
                return text[1 - odd :: 2]
    return text.partition("\0")[0].replace("\ufeff", "")


def spaced(text: str) -> str:
    """Return a text as words are compared: in lower case, with one blank between words."""
    return " ".join(text.lower().split())


def misfit(text: str) -> str:
    """Return a text that has no decimal comma, so that it is no number to others either.

    The daemon would read 1.5 as it stands, while three digits behind the point are thousands.
    """
    try:
        passes = isfinite(float(text))
    except ValueError:
        return text
    return f"{text} (without a decimal comma)" if passes else text


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
    numbers = [float(each) for each in nothing if not isinstance(each, bool) and is_float(each)]
    return ValueReader(
        words=words,
        known=_known(words),
        no_numbers=frozenset(numbers),
        no_texts=frozenset(text for each in nothing for text in _texts_of(each)),
        no_truths=frozenset(each for each in nothing if isinstance(each, bool)),
        nan_is_none=any(map(isnan, numbers)),
        form=form,
        units=units,
    )


def is_float(value: Any) -> bool:
    """Say whether a number, or a text, is a number to Python; a source may leave quotes out."""
    try:
        float(value)
    except ValueError:
        return False
    return True


def _texts_of(nothing: Any) -> Iterable[str]:
    """Return the texts that say nothing where a value does."""
    if isinstance(nothing, bool):
        return YES if nothing else NO
    return [spaced(nothing)] if isinstance(nothing, str) else []


def _known(words: Mapping[str, float]) -> dict[tuple[bool, float], float]:
    """Return what is told like a word where it is a number or a truth; mostly there is nothing."""
    numbers = {float(word): each for word, each in words.items() if is_float(word)}
    found = {(False, number): each for number, each in numbers.items() if isfinite(number)}
    truths = {(True, 1): words["true"], (True, 0): words["false"]}
    return found | ({} if truths == {(True, 1): 1, (True, 0): 0} else truths)


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
            found[spaced(each)] = number
    return found


def _nothing(value: Any, where: str) -> list[int | float | str]:
    values = value if isinstance(value, list | tuple) else [] if value is None else [value]
    for each in values:
        if type(each) not in {int, float, str, bool}:
            raise ValueError(
                f"{where}: expected numbers, texts, true or false, such as -999, got {each!r:.80}"
            )
    return list(values)


def _form(decimal: Any, where: str) -> re.Pattern[str]:
    """Return what a number looks like: plain digits, or groups, set apart alike."""
    if decimal not in (None, *MARKS):
        raise ValueError(f'{where}: expected "," or ".", got {decimal!r:.80}')
    whole = r"\d*"
    if decimal is not None:
        apart = re.escape(MARKS[decimal]) + SPACES
        whole += rf"|\d{{1,3}}([{apart}])\d{{3}}(?:\2\d{{3}})*"
        # In India only the last group has three.
        whole += r"|\d{1,2}(?:,\d{2})+,\d{3}" if decimal == "." else ""
    mark = re.escape(decimal or ".")
    behind = r"[-\u2212]?" if decimal else ""  # where accounts have it
    return re.compile(
        rf"(?P<whole>[-+\u2212]?(?:{whole}))(?:{mark}(?P<rest>\d*))?(?P<exponent>[eE][-+]?\d+)?"
        rf"(?P<behind>{behind})",
        re.ASCII,
    )


def _units(units: Any, where: str) -> dict[str, float]:
    if units is None:
        return {}
    named = units if isinstance(units, Mapping) else dict.fromkeys(_listed(units), 1)
    for unit, factor in named.items():
        if not isinstance(unit, str) or not unit.strip() or not is_number(factor):
            raise ValueError(
                f"{where}: expected what stands beside a number, such as kWh, or each with what to "
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
