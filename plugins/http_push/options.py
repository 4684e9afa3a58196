"""What the operator wrote, checked."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ingestd.plugins._mounting import prefix_problem
from ingestd.plugins._problems import Gathering

from .keys import is_this_machine
from .listener import Address, Certificate
from .weather import Weather

REPLIES: Final = ("honest", "bmon")


def address_of(listen: Any) -> Address:
    """Return where to listen.

    Raises:
        ValueError: It says nowhere.
    """
    if isinstance(listen, str) and listen.startswith(("unix:", "/")):
        path = listen.removeprefix("unix:")
        if Path(path).is_absolute():
            return Address("", 0, path)
    elif isinstance(listen, str):
        host, colon, port = listen.rpartition(":")
        if colon and host and port.isdecimal() and int(port) < 65536:
            return Address(host.strip("[]"), int(port))
    raise ValueError(
        f"listen: expected host:port, [address]:port or unix:/path, got {listen!r:.200}"
    )


def keys_of(store_keys: Any) -> list[str]:
    """Return the keys.

    Raises:
        ValueError: One is empty, or no text.
    """
    keys = store_keys if isinstance(store_keys, list | tuple) else [store_keys]
    for key in keys:
        if key is not None and not isinstance(key, str | int | float):
            kind = type(key).__name__  # what is in it stays secret
            raise ValueError(f"store_keys: expected texts, got a {kind}")
    found = [str(key) for key in keys if key is not None]
    if not all(found):
        raise ValueError("store_keys: expected texts, got an empty one")
    return found


def keys_for(store_keys: Any, *, formats: Any, routes: Any, weather: Weather) -> list[str]:
    """Return the keys; where only weather stations send, and are named, theirs are enough."""
    keys = keys_of(store_keys)
    if keys or routes or formats not in ("weather", ["weather"]):
        return keys
    return [secret for each in weather.stations for secret in each.secrets.values()]


def certificate_of(tls: Any) -> Certificate | None:
    """Return what to encrypt with, or None.

    Raises:
        ValueError: Files are not named, or are no good.
    """
    if tls is None:
        return None
    if not isinstance(tls, Mapping) or not {"cert_file"} <= set(tls) <= {"cert_file", "key_file"}:
        raise ValueError("tls: expected cert_file: and key_file:, or cert_file: with both in it")
    try:
        return Certificate(str(tls["cert_file"]), tls.get("key_file"))
    except OSError as error:
        raise ValueError(f"tls: expected a certificate and its key: {error}") from None


def check_together(listen: Any, path: Any, tls: Any, replies: Any) -> None:
    """Check the options that depend on each other.

    Raises:
        ValueError: They do not fit.
    """
    with Gathering() as wrong:
        if (listen is None) == (path is None):
            wrong.problems.append("expected either listen: or path:, got both or neither")
        elif path is not None and tls is not None:
            wrong.problems.append(
                "tls: expected listen: beside it; the daemon's own address has none"
            )
        elif path is not None and (problem := prefix_problem(path)):
            wrong.problems.append(f"path: {problem}")
        if replies not in REPLIES:
            wrong.problems.append(f"replies: expected 'honest' or 'bmon', got {replies!r:.80}")


def check_sizes(max_body: int, max_waiting_bytes: int) -> None:
    """Check that a body which is allowed may wait.

    Raises:
        ValueError: It could never be taken.
    """
    if max_body > max_waiting_bytes:
        raise ValueError(
            f"max_waiting_bytes: expected at least max_body, {max_body}, got {max_waiting_bytes}"
        )


def check_keys(where: str, host: str, keys: Sequence[str]) -> None:
    """Check that no other machine may send without a key.

    Args:
        where: The address, for people.
        host: Its host, or an empty string for a socket file.
        keys: Those that the operator chose.

    Raises:
        ValueError: One may.
    """
    if host and not keys and not is_this_machine(host):
        raise ValueError(f"store_keys: expected some, since others can reach {where}, got none")


def rate_of(rate: Any) -> float | None:
    """Return how many requests a second are taken, or None for any number.

    Raises:
        ValueError: It is no such number.
    """
    if rate is None:
        return None
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not rate > 0:
        raise ValueError(f"rate: expected requests a second above 0, got {rate!r:.80}")
    return float(rate)
