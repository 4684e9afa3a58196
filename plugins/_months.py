"""Names of months, as exports of portals write them in the language of their users.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

from collections.abc import Iterator
from functools import cache
from typing import Final
from unicodedata import combining, normalize

# January first; without accents. In English, German, French, Spanish, Italian, Portuguese, Dutch,
# Swedish, Danish and Norwegian, with what these shorten in another way than by its end.
NAMES: Final = (
    "january januar januari janvier enero gennaio janeiro",
    "february februar februari fevrier febrero febbraio fevereiro",
    "march marz mars marzo marco maart mrz mrt",
    "april avril abril aprile",
    "may mai mayo maggio maio mei maj",
    "june juni juin junio giugno junho",
    "july juli juillet julio luglio julho",
    "august augusti augustus aout agosto",
    "september septembre septiembre settembre setembro",
    "october oktober octobre octubre ottobre outubro",
    "november novembre noviembre novembro",
    "december dezember decembre diciembre dicembre dezembro desember",
)
SHORTEST: Final = 3  # letters


def month_of(text: str) -> int:
    """Return the month that digits, a name or at least three letters of its beginning mean.

    Raises:
        ValueError: It is none, or two.
    """
    if text.isdigit():
        return int(text)
    letters = "".join(each for each in normalize("NFKD", text.lower()) if not combining(each))
    found = _months().get(letters.rstrip("."))
    if found is None:
        raise ValueError(text)
    return found


@cache
def _months() -> dict[str, int]:
    """Return the months by all beginnings of their names, but for those that two have."""
    found: dict[str, set[int]] = {}
    for beginning, month in _beginnings():
        found.setdefault(beginning, set()).add(month)
    return {each: months.pop() for each, months in found.items() if len(months) == 1}


def _beginnings() -> Iterator[tuple[str, int]]:
    for month, names in enumerate(NAMES, 1):
        for name in names.split():
            yield from ((name[:size], month) for size in range(SHORTEST, len(name) + 1))
