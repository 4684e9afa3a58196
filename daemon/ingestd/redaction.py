"""What must never be shown, and how it is kept out of sight.

Secrets are found in two ways: by the name they stand under, and by their text
wherever it turns up later. The daemon holds one `Redactor` at each border that
people look through: logs, run records, the API.
"""

import json
import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

MASK: Final = "***"
_SHORTEST: Final = 4  # shorter ones would blank out half of every message
_REMEMBERED: Final = 1000  # for each owner; a token that is renewed hourly lasts six weeks
_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SECRET: Final = re.compile(
    r"passwo?r?d|passphrase|secret|token|credential|private|cookie|authori[sz]ation|bearer"
    r"|(?:api|access|store|auth|ssh|signing|encryption|shared|account|app|subscription)key"
)
_SECRET_WORDS: Final = frozenset({"key", "pwd", "pw", "pass"})
# "Authorization: Bearer abc": an error message may hold only the last part.
_SCHEME: Final = re.compile(r"^(?:apikey|basic|bearer|token) +", re.IGNORECASE)
# These say something about a secret without being one.
_HARMLESS_ENDINGS: Final = frozenset(
    {"file", "path", "dir", "url", "uri", "endpoint", "name", "type", "ttl", "timeout"}
    | {"expires", "expiry", "lifetime", "seconds", "count", "length"}
)


@lru_cache(maxsize=4096)
def looks_secret(key: str) -> bool:
    """Return whether a value under this name should not be shown."""
    words = [word.lower() for word in _WORD.findall(key)]
    if not words or (len(words) > 1 and words[-1] in _HARMLESS_ENDINGS):
        return False
    if len(words) == 1 and words[0] in _SECRET_WORDS:
        return True
    return _SECRET.search("".join(words)) is not None


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
    queried = {value for name, value in parse_qsl(parts.query) if looks_secret(name)}
    return {each for each in (userinfo, hidden, unquote(hidden), *queried) if each}


class Redactor:
    """Keeps known secrets out of texts and values; safe to share between threads."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._lock = threading.Lock()
        self._owned: dict[str, dict[str, None]] = {}
        self._pattern: re.Pattern[str] | None = None
        self.add(values)

    def add(self, values: Iterable[Any], *, owner: str = "") -> None:
        """Learn secrets.

        Args:
            values: Texts, bytes and numbers, or containers of them, as deep as they go.
            owner: Whose they are. Of one owner only the latest thousand are
                remembered, or a daemon that runs for years would hold every
                token it ever had; without an owner, all are.
        """
        fresh = {text: None for value in values for text in _texts(value)}
        with self._lock:
            known = self._owned.setdefault(owner, {})
            if not fresh.keys() - known.keys():
                return
            for text in fresh:
                known.pop(text, None)  # what is still in use moves to the end
            known.update(fresh)
            if owner:
                for text in list(known)[:-_REMEMBERED]:
                    del known[text]
            self._pattern = None

    def text(self, text: str) -> str:
        """Return the text with every known secret masked."""
        pattern = self._pattern or self._compile()
        return pattern.sub(MASK, text)

    def value(self, value: Any) -> Any:
        """Return a copy that can be shown: masked by name, and redacted everywhere else."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            shown = self.text(value.decode(errors="surrogateescape"))
            return shown.encode(errors="surrogateescape")
        if isinstance(value, Mapping):
            return {self.value(name): self._member(name, each) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            kind = type(value) if type(value) in {list, tuple, set, frozenset} else list
            return kind(self.value(each) for each in value)
        if isinstance(value, int) and self.text(str(value)) == MASK:
            return MASK
        return value

    def _member(self, name: object, value: Any) -> Any:
        if isinstance(name, str) and looks_secret(name) and value not in (None, True, False, ""):
            return MASK
        return self.value(value)

    def _compile(self) -> re.Pattern[str]:
        with self._lock:
            texts = {text for known in self._owned.values() for text in known}
            self._pattern = re.compile(_any_of({form for text in texts for form in _forms(text)}))
            return self._pattern


def _find(value: Any, found: set[str], *, secret: bool) -> None:
    if isinstance(value, Mapping):
        for name, each in value.items():
            _find(each, found, secret=secret or (isinstance(name, str) and looks_secret(name)))
    elif isinstance(value, list | tuple | set | frozenset):
        for each in value:
            _find(each, found, secret=secret)
    elif secret:
        for text in _leaf(value):
            found |= {text, _SCHEME.sub("", text)} - {""}
    if isinstance(value, str):
        found |= in_url(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for each in value:
            yield from _texts(each)
    else:
        yield from (text for text in _leaf(value) if len(text) >= _SHORTEST)


def _leaf(value: Any) -> Iterator[str]:
    """Yield the text of a leaf that can be a secret; flags, dates and fractions cannot."""
    if isinstance(value, bytes):
        yield value.decode(errors="surrogateescape")
    elif isinstance(value, str | int) and not isinstance(value, bool):
        yield str(value)


def _forms(text: str) -> set[str]:
    """Return the ways a text is written in tracebacks, JSON and URLs."""
    as_url = text.encode(errors="surrogatepass")
    escaped = {repr(text)[1:-1], json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1]}
    return {text, quote(as_url, safe=""), quote_plus(as_url), *escaped}


def _any_of(forms: Iterable[str]) -> str:
    """Return a regular expression for any of many texts.

    They are grouped by their first character, because a flat list is tried from
    end to end at every character. Longest first, or the end of a text that
    begins with another would stay.
    """
    groups: dict[str, list[str]] = {}
    for form in sorted(forms, key=len, reverse=True):
        groups.setdefault(form[0], []).append(re.escape(form[1:]))
    return "|".join(f"{re.escape(c)}(?:{'|'.join(rest)})" for c, rest in groups.items()) or r"(?!)"
