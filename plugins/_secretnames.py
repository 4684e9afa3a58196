"""Which values are secrets, told by the names that they stand under.

A name is taken apart into words, so that ``mqttPass``, ``MQTT_PASS`` and ``mqtt-pass``
are one, and ``passive`` is none.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Secret wherever they stand in a word: these are in no other.
_PARTS: Final = re.compile(
    r"passwo?r?d|passphrase|passcode|passkey|secret(?!ar)|token(?!i)|credential|authori[sz]ation|bearer"
)
# Secret as a word of a name.
_WORDS: Final = frozenset(
    {"pass", "pwd", "pw", "psk", "pin", "jwt", "sig", "signature", "session", "auth"}
    | {"cookie", "cookies", "private", "sessionid", "sid", "userpass", "userpwd"}
)
# Secret as the last word of a name: a `key_column` is none.
_KEYS: Final = frozenset({"key", "keys"})
# Written as one word: `apikey`, `storekeys`.
_ONE_WORD_KEY: Final = re.compile(
    r"(?:api|access|store|auth|ssh|signing|encryption|shared|account|app|application|subscription"
    r"|secret|private|device|network|session|master|license|licence)keys?"
)
# What a key, a pass, a pin or an auth is that keeps nothing secret, by the word before it.
_HARMLESS_BEFORE: Final = {
    "key": frozenset(
        {"series", "primary", "foreign", "sort", "partition", "group", "public", "lookup", "map"}
        | {"row", "column", "index", "natural", "json", "dict", "cache", "merge", "order"}
        | {"object", "record", "time", "value", "station", "sensor", "register", "field", "tag"}
    ),
    "auth": frozenset({"client"}),
    "pass": frozenset({"low", "high", "band", "first", "second", "all"}),
    "pin": frozenset(
        {"gpio", "data", "clock", "input", "output", "led", "adc", "dac", "spi", "sensor"}
        | {"relay", "reset", "power", "enable", "tx", "rx", "interrupt"}
    ),
}
# These say something about a secret without being one.
_HARMLESS_ENDINGS: Final = frozenset(
    {"file", "path", "dir", "url", "uri", "endpoint", "name", "type", "ttl", "timeout"}
    | {"expires", "expiry", "expired", "lifetime", "seconds", "count", "length", "size", "limit"}
    | {"method", "mode", "scheme", "server", "host", "port", "required", "enabled", "version"}
    | {"alg", "algorithm", "format", "encoding", "field", "header", "column", "columns", "figs"}
    | {"digits", "number", "filter", "in", "at", "age", "interval", "renewed", "start", "end"}
)
# Members of what holds secrets that are none themselves, such as the type of a token.
_PUBLIC_MEMBERS: Final = frozenset(
    {"type", "scheme", "method", "realm", "scope", "scopes", "user", "username", "login", "url"}
    | {"name", "kind", "algorithm", "client_id", "client_auth", "grant_type", "audience"}
)
# Too common for a name in general; in a URL's query, and among params, these are secrets.
_IN_QUERIES: Final = frozenset({"appid", "code", "authcode", "authorizationcode", "p", "k"})
_IN_PARAMS: Final = frozenset({"code", "authcode", "authorizationcode", "appid"})
# "Authorization: Bearer abc": an error message may hold only the last part.
_SCHEME: Final = re.compile(r"^(?:apikey|basic|bearer|token) +", re.IGNORECASE)


@lru_cache(maxsize=4096)
def looks_secret(key: str) -> bool:
    """Return whether a value under this name should not be shown."""
    words = _words(key)
    if not words or (len(words) > 1 and words[-1] in _HARMLESS_ENDINGS):
        return False
    if words[-1] in _KEYS and (len(words) > 1 or words[-1] == "key"):
        return len(words) == 1 or words[-2] not in _HARMLESS_BEFORE["key"]
    if any(_PARTS.search(word) or _ONE_WORD_KEY.fullmatch(word) for word in words):
        return True
    # A word may have been written as several: `pass_word`.
    return _has_secret_word(words) or _PARTS.search("".join(words[-2:])) is not None


def find_secrets(value: Any) -> set[str]:
    """Return the secrets in a value: by their names, and in the URLs it holds."""
    found: set[str] = set()
    _find(value, found, secret=False)
    return found


def in_url(text: str) -> set[str]:
    """Return the user's secrets in a URL: its password, and query values such as a token."""
    if "://" not in text:
        return set()
    try:
        parts = urlsplit(text)
    except ValueError:
        return set()
    userinfo = parts.netloc.rpartition("@")[0]
    hidden = parts.password or userinfo
    queried = {value for name, value in parse_qsl(parts.query) if _is_secret_query(name)}
    return {each for each in (userinfo, hidden, unquote(hidden), *queried) if each}


def leaf_texts(value: Any) -> Iterator[str]:
    """Yield the text of a leaf that can be a secret; flags, dates and fractions cannot."""
    if isinstance(value, bytes):
        yield value.decode(errors="surrogateescape")
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)


def _words(key: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(key)]


def _has_secret_word(words: list[str]) -> bool:
    return any(
        word in _WORDS and (at == 0 or words[at - 1] not in _HARMLESS_BEFORE.get(word, ()))
        for at, word in enumerate(words)
    )


def _is_secret_query(name: str) -> bool:
    return looks_secret(name) or "".join(_words(name)) in _IN_QUERIES


def _is_secret_param(name: object) -> bool:
    return isinstance(name, str) and (looks_secret(name) or "".join(_words(name)) in _IN_PARAMS)


def _is_public_member(name: object) -> bool:
    if not isinstance(name, str) or looks_secret(name):
        return False
    return name.lower() in _PUBLIC_MEMBERS or _words(name)[-1:] in [[e] for e in _HARMLESS_ENDINGS]


def _find(value: Any, found: set[str], *, secret: bool) -> None:
    if isinstance(value, Mapping):
        for name, each in value.items():
            within = secret and not _is_public_member(name)
            _find(each, found, secret=within or _is_secret_param(name))
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            _find(each, found, secret=secret)
    elif secret:
        for text in leaf_texts(value):
            found |= {text, _SCHEME.sub("", text)} - {""}
    if isinstance(value, str):
        found |= in_url(value)
