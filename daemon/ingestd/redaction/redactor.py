"""How secrets are kept out of sight wherever their text turns up.

The daemon holds one `Redactor` for each border that people look through: logs, run
records, the API. What stands in the configuration is secret everywhere; what a
plugin hides is so in the texts of its own collector: it may be any word, and must
not make those of others unreadable. Only texts are masked: names of values, times
and the daemon's own words say nothing of a secret.
"""

import re
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from ingestd.plugins._secretnames import leaf_texts, looks_secret
from ingestd.redaction.forms import Forms, merged

MASK: Final = "***"
_SHORTEST: Final = 4  # shorter ones would blank out half of every message
_REMEMBERED: Final = 1000  # for each owner; a token that is renewed hourly lasts six weeks
_IN_USE: Final = 50  # of those, may be met in Base64 or cut somewhere
_TIME: Final = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
# What hides nothing where it is met by chance, such as the type of a token.
_ORDINARY_WORD: Final = re.compile(r"[A-Za-z]{1,12}|[0-9]{1,5}")


class _Known:
    """The secrets of one owner, the latest at the end."""

    def __init__(self) -> None:
        self.texts: dict[str, None] = {}
        self.forms: Forms | None = None

    def add(self, texts: Iterable[str], *, most: int | None) -> bool:
        """Learn texts; return whether there was a new one among them."""
        fresh = dict.fromkeys(texts)
        if not fresh.keys() - self.texts.keys():
            return False
        for text in fresh:
            self.texts.pop(text, None)  # what is still in use moves to the end
        self.texts.update(fresh)
        if most is not None:
            for text in list(self.texts)[:-most]:
                del self.texts[text]
        self.forms = None
        return True


class Redactor:
    """Keeps known secrets out of texts and values; safe to share between threads."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self._lock = threading.Lock()
        self._owned: dict[str, _Known] = {"": _Known()}
        self._anyones: Forms | None = None
        self.add(values)

    def add(self, values: Iterable[Any], *, owner: str = "") -> None:
        """Learn secrets.

        Args:
            values: Texts, bytes and numbers, or containers of them, as deep as they go.
            owner: The collector in whose texts they are secret; everywhere without. Of
                one owner only the latest thousand are remembered, or a daemon
                that runs for years would hold every token it ever had.
        """
        texts = [text for value in values for text in _texts(value)]
        if not texts:  # most collectors have none, and their names come and go
            return
        with self._lock:
            known = self._owned.setdefault(owner, _Known())
            if known.add(texts, most=_REMEMBERED if owner else None):
                self._anyones = None

    def text(self, text: str, *, owner: str | None = "") -> str:
        """Return the text with every known secret masked.

        Args:
            text: What is to be shown.
            owner: The collector that it is about, if any; None if it may be about
                any: then of what plugins hide all is masked but ordinary words.
        """
        spans = self._spans(text, owner)
        return _masked(text, spans) if spans else text

    def phrase(self, text: str, *, owner: str | None) -> str:
        """Return our own words with every known secret masked that is no ordinary word."""
        spans = self._spans(text, owner)
        told = [each for each in spans if not _ORDINARY_WORD.fullmatch(text[slice(*each)])]
        return _masked(text, told) if told else text

    def value(self, value: Any, *, owner: str | None = "") -> Any:
        """Return a copy that can be shown: masked by name, and redacted in its texts."""
        if isinstance(value, str):
            return value if is_time(value) else self.text(value, owner=owner)
        if isinstance(value, bytes):
            shown = self.text(value.decode(errors="surrogateescape"), owner=owner)
            return shown.encode(errors="surrogateescape")
        if isinstance(value, Mapping):
            return {name: self.member(name, each, owner=owner) for name, each in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            kind = type(value) if type(value) in {list, tuple, set, frozenset} else list
            return kind(self.value(each, owner=owner) for each in value)
        if type(value) is int and self.text(str(value), owner=owner) == MASK:
            return MASK
        return value

    def member(self, name: object, value: Any, *, owner: str | None = "") -> Any:
        """Return a copy of what stands under a name."""
        if isinstance(name, str) and looks_secret(name) and value not in (None, True, False, ""):
            return MASK
        return self.value(value, owner=owner)

    def _spans(self, text: str, owner: str | None) -> list[tuple[int, int]]:
        spans = self._forms("").spans(text)
        if owner is None:
            spans += self._forms_of_all().spans(text)
        elif owner and owner in self._owned:
            spans += self._forms(owner).spans(text)
        return spans

    def _forms(self, owner: str) -> Forms:
        known = self._owned[owner]
        forms = known.forms
        if forms is None:
            with self._lock:
                texts = list(known.texts)
                in_use = -_IN_USE if owner else 0
                forms = known.forms = Forms(texts[in_use:], former=texts[:in_use])
        return forms

    def _forms_of_all(self) -> Forms:
        forms = self._anyones
        if forms is None:
            with self._lock:
                texts = {
                    text for owner, known in self._owned.items() if owner for text in known.texts
                }
                forms = Forms(text for text in texts if not _ORDINARY_WORD.fullmatch(text))
                self._anyones = forms
        return forms


def is_time(text: str) -> bool:
    """Return whether a text is a date or a time and nothing else."""
    return text[:2].isdigit() and _TIME.fullmatch(text) is not None


def _masked(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    at = 0
    for start, end in merged(spans):
        parts += (text[at:start], MASK)
        at = end
    return "".join([*parts, text[at:]])


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        value = value.values()
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for each in value:
            yield from _texts(each)
    else:
        yield from (text for text in leaf_texts(value) if len(text) >= _SHORTEST)
