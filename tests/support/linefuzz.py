"""Lines of line protocol at random, most of them nearly right, and what an InfluxDB has kept.

made = Lines(seed)
text = made.line()
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from random import Random
from typing import Any, Final

BASE: Final = 1_600_000_000_000_000_000  # nanoseconds since the Unix epoch
ODD: Final = ("\\,", "\\ ", "\\=", "\\\\", '"', "é", '\\"', "#", "\\n", ",", "=", " ", "\\")
NUMBERS: Final = (
    *("1", "1.5", "-2", "0", "-0", "1.", ".5", ".", "-", "-.5", "+1", "1e5", "1E5", "1e+5"),
    *("1e-5", "1e400", "1e", "e5", ".e5", "1.e5", "1e5i", "nan", "NaN", "inf", "0x10", "1_0"),
    *("=1", "1=2", "", "1 ", "1\\", "00012", "--1", "1-2", "1e5.", "1e-400", "n", "N", "1\\,"),
    *("1.0.0", "123456789012345678901234567890", "0.1", "1e22", "5e-324", "1\t", "yes"),
)
INTEGERS: Final = (
    *("1i", "-7i", "9223372036854775807i", "9223372036854775808i", "-9223372036854775808i"),
    *("-9223372036854775809i", "007i", "-i", "i", "1i2", "1.5i", "1u", "-1u", "u"),
)
TRUTHS: Final = (
    "t",
    "T",
    "true",
    "True",
    "TRUE",
    "f",
    "F",
    "false",
    "False",
    "FALSE",
    "tRUE",
    "fa",
)
TEXTS: Final = ('"x"', '""', '"a b"', '"a,b=c"', '"a\\"b"', '"a\\\\"', '"a\\b"', '"a"b', '"a\nb"')
TIMES: Final = (
    "",
    " ",
    "  ",
    " 12a",
    " 1.5",
    " -",
    " 1 1",
    "\t5",
    " +5",
    f"  {BASE} ",
    f" \t{BASE}",
)
# What InfluxDB 1.6 takes and finds no more: the docs say so.
LOST: Final = re.compile(r'(?:^|\n)[ \t]*(?:[^, \n]|(?<=\\)[, ])*?(?:\\\\[, ="]|\\["=])', re.DOTALL)
# What it answers 500 to: a name before a text that ends in two backslashes.
BROKEN: Final = re.compile(r'\\\\="')


class Lines:
    """Makes lines.

    Args:
        seed: Of the same seed come the same lines.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)

    def line(self) -> str:
        """Return a line, or two, that InfluxDB can read back if it takes them."""
        while True:
            text = self._line()
            if self._random.random() < 0.1 and '"' not in text:  # what nothing closes goes on
                text += "\n" + self._line()
            if not LOST.search(text) and not BROKEN.search(text):
                return text

    def _line(self) -> str:
        some = self._random
        head = (
            self._word("mn") if some.random() < 0.97 else some.choice(["", "#m", "=", "m=1", " m"])
        )
        for _ in range(some.choice([0, 0, 1, 1, 2, 3])):
            head += f",{self._word('kl')}{self._equals()}{self._word('vw')}"
        head += (
            some.choice(["", "", "", "", "", ",k=v,k=w", ",time=x"]) if some.random() < 0.1 else ""
        )
        fields = ",".join(self._field() for _ in range(some.choice([1, 1, 1, 2, 3])))
        if some.random() < 0.03:
            fields = some.choice(["time=1", "time=1,f=2", 's="x",time=1'])
        time = some.choice(TIMES) if some.random() < 0.15 else f" {BASE + some.randrange(5) * 1000}"
        blank = some.choice([" "] * 15 + ["  ", " \t", ""])
        return f"{head}{blank}{fields}{time}"

    def _word(self, first: str) -> str:
        some = self._random
        letters = [*"ab", *ODD[:9], *some.choices(ODD, k=1)]
        rest = some.choices(
            letters, [8, 8] + [0.7] * (len(letters) - 2), k=some.choice([0, 1, 2, 3])
        )
        return some.choice(first) + "".join(rest)

    def _equals(self) -> str:
        return self._random.choice(["="] * 30 + ["==", "", "\\=", "=\\"])

    def _field(self) -> str:
        """Return a field; its first letter says of which kind it is, as no field can be of two."""
        some = self._random
        letter, odd, plain = some.choice(
            (("f", NUMBERS, "2.5"), ("i", INTEGERS, "7i"), ("z", TRUTHS, "t"), ("s", TEXTS, '"x"'))
        )
        value = some.choice(odd) if some.random() < 0.25 else plain
        return f"{self._word(letter)}{self._equals()}{value}"


def ask(url: str, path: str, body: bytes = b"", **query: str) -> tuple[int, str]:
    """Post to an InfluxDB; return status and text."""
    address = f"{url}{path}?{urllib.parse.urlencode(query)}"
    try:
        with urllib.request.urlopen(urllib.request.Request(address, body, method="POST")) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


Kept = dict[tuple[str, tuple[tuple[str, str], ...], str, int], float]


def kept(url: str, database: str) -> Kept:
    """Return the numbers that an InfluxDB has, by measurement, tags, field and nanoseconds."""
    found: Kept = {}
    for (name,) in rows(url, database, "SHOW MEASUREMENTS"):
        quoted = name.replace("\\", "\\\\").replace('"', '\\"')
        for series in asked(url, database, f'SELECT * FROM "{quoted}" GROUP BY *'):
            tags = tuple(sorted((k, v) for k, v in (series.get("tags") or {}).items() if v))
            for time, *values in series["values"]:
                for field, value in zip(series["columns"][1:], values, strict=True):
                    if value is not None and not isinstance(value, str):
                        found[series["name"], tags, field, time] = float(value)
    return found


def rows(url: str, database: str, query: str) -> list[list[str]]:
    """Return the rows of a query's first series."""
    series = asked(url, database, query)
    return series[0]["values"] if series else []


def asked(url: str, database: str, query: str) -> list[dict[str, Any]]:
    """Return what a query finds."""
    _, text = ask(url, "/query", db=database, epoch="ns", q=query)
    found: list[dict[str, Any]] = json.loads(text)["results"][0].get("series", [])
    return found
