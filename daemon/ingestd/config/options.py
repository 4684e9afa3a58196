"""What the text of an option may be: each function reads one kind or says what it expected.

They raise ValueError with the first half of a message, "expected ..."; the section,
which knows the place and the key, adds "got ...", unless the option is a secret.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC
from typing import Final, Protocol, Self, TypeVar
from urllib.parse import urlsplit

from ingestd.plugins._limits import is_time
from ingestd.plugins._times import notation


class Comparable(Protocol):
    """A number of some kind."""

    def __lt__(self, other: Self, /) -> bool: ...


T = TypeVar("T")
C = TypeVar("C", bound=Comparable)
S = TypeVar("S", bound=str)

_ISO: Final = notation("iso", UTC)
_LABEL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_WHOLE: Final = re.compile(r"[+-]?[0-9][0-9_]{0,18}")
_TRUE: Final = frozenset({"true", "yes", "on"})
_FALSE: Final = frozenset({"false", "no", "off"})


def text(value: str) -> str:
    """Accept any text on one line that is not empty."""
    if not value.strip() or _CONTROL.search(value):
        raise ValueError("expected text on one line")
    return value


def label(value: str) -> str:
    """Accept the name of a store or a collector."""
    if not _LABEL.fullmatch(value):
        raise ValueError(
            "expected a name of letters, digits, '_', '-' and '.', "
            "with a letter or digit at its beginning"
        )
    return value


def variable(value: str) -> str:
    """Accept the name of an environment variable."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise ValueError("expected the name of an environment variable")
    return value


def field_name(value: str) -> str:
    """Accept a line protocol field; InfluxDB drops one that is called time."""
    if text(value) == "time":
        raise ValueError("expected a field name other than 'time', which stores reserve")
    return value


def tag_name(value: str) -> str:
    """Accept a tag; ``series`` is ours, and InfluxDB drops one that is called time."""
    if text(value) in {"series", "time"}:
        raise ValueError("expected a tag name other than 'series' and 'time', which are reserved")
    return value


def flag(value: str) -> bool:
    """Read true or false, in any of YAML's spellings."""
    word = value.lower()
    if word not in _TRUE | _FALSE:
        raise ValueError("expected true or false")
    return word in _TRUE


def moment(value: str) -> float:
    """Read a date, or a time in ISO 8601, as Unix seconds; without an offset it is in UTC."""
    found = _ISO.read(value)
    if not isinstance(found, float) or not is_time(found):
        raise ValueError("expected a date such as 2000-01-01, or a time in ISO 8601")
    return found


def whole(value: str) -> int:
    """Read a decimal integer; ``0123`` is 123, not octal as YAML would have it."""
    if not _WHOLE.fullmatch(value):
        raise ValueError("expected a whole number")
    return int(value.replace("_", ""))


def number(value: str) -> float:
    """Read a finite number."""
    try:
        result = float(value)
    except ValueError:
        result = math.nan
    if not math.isfinite(result):
        raise ValueError("expected a number")
    return result


def factor(value: str) -> float:
    """Read a finite number that can be multiplied with."""
    result = number(value)
    if result == 0:
        raise ValueError("expected a number other than 0")
    return result


def one_of(choices: Sequence[S]) -> Callable[[str], S]:
    """Make a reader that accepts only some words."""

    def read(value: str) -> S:
        for choice in choices:
            if choice == value:
                return choice
        raise ValueError(f"expected one of {', '.join(choices)}")

    return read


def bounded(read: Callable[[str], C], low: str, high: str | None = None) -> Callable[[str], C]:
    """Make a reader that refuses what lies outside two bounds, written as the option is."""

    def read_within(value: str) -> C:
        result = read(value)
        if result < read(low):
            raise ValueError(f"expected at least {low}")
        if high is not None and read(high) < result:
            raise ValueError(f"expected at most {high}")
        return result

    return read_within


def url(value: str) -> str:
    """Accept the base URL of a server; return it without a slash at the end."""
    try:
        parts = urlsplit(text(value))
        good = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise ValueError("expected a URL such as http://127.0.0.1:8086")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("expected a URL without user, password, '?' or '#'; those have options")
    return value.rstrip("/")


def listen(value: str) -> str:
    """Accept ``host:port``, ``unix:/path`` or ``off``."""
    if value != "off" and not re.fullmatch(r"unix:/.+", value):
        host, _, port = value.rpartition(":")
        bare = host.removeprefix("[").removesuffix("]")
        if not bare or (":" in bare) != (host != bare) or not _is_port(port):
            raise ValueError("expected host:port, [host]:port, unix:/path or off")
    return text(value)


def is_private(listen: str) -> bool:
    """Return whether only this machine can reach the address."""
    if listen == "off" or listen.startswith("unix:"):
        return True
    host = listen.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _is_port(value: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", value) is not None and int(value) < 65536
