"""In which forms a secret is met: a regular expression for any of many.

The libraries that we use print a secret as it is, and escaped for URLs, JSON, HTML
and Python, also twice over, and any of these may leave some characters as they
are. So each character that may be escaped stands for all of its escapes.

A secret within Base64, such as the one of ``Authorization: Basic``, begins at any of
three places within three bytes: the characters that only its own bytes decide are
the same behind any text. They, hexadecimal digits, and the ends of long
tokens that were cut somewhere are *anchors*: where one is found, what adjoins it in
the same alphabet belongs to it.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

_ANCHOR: Final = 8  # characters: as good a mark as a secret of six
_LEAST_ANCHOR: Final = 4
_LONG: Final = 32  # characters; what was cut off of a shorter one is told by its context
_LONG_ANCHOR: Final = 16
_CUT: Final = 12  # characters; the beginning of a shorter one is not looked for
_DEPTH: Final = 2  # characters; deeper trees take longer to make, and find nothing sooner
_BASE64: Final = r"[A-Za-z0-9+/_%=-]"
_HEX: Final = r"[0-9A-Fa-f]"
_TOKEN: Final = r"[A-Za-z0-9+/_.~=%\\-]"  # noqa: S105 -- the letters that tokens are made of
_IS_TOKEN: Final = re.compile(r"[A-Za-z0-9+/_.~=-]+")
_PLAIN: Final = re.compile(r"[A-Za-z0-9]")
_BACKSLASHES: Final = re.compile(r"\\+")
_HTML_NAMES: Final = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}
_CONTROL_NAMES: Final = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\0": "0"}
_END: Final = ""  # of a secret in the tree of their beginnings

Elements = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anchor:
    """How far what was found reaches beyond its anchor.

    Attributes:
        left: Matches what belongs to it before the anchor, from its end.
        right: Matches what belongs to it behind; where it does not match at all, nothing
            was found.
    """

    left: re.Pattern[str] | None
    right: re.Pattern[str] | None


_ON_BOTH_SIDES: Final = {
    alphabet: Anchor(re.compile(f"{alphabet}*"), re.compile(f"{alphabet}*"))
    for alphabet in (_BASE64, _HEX)
}
_FROM_A_BEGINNING: Final = Anchor(None, re.compile(f"{_TOKEN}*"))
# The beginning of a short one may be any word, but not where a text was cut.
_CUT_OFF: Final = Anchor(None, re.compile(rf"{_TOKEN}*?(?=(?:\.\.\.|…)|['\"]?$)"))
_FROM_AN_END: Final = Anchor(re.compile(f"{_TOKEN}*"), None)


class Forms:
    """Finds some secrets in texts, in whichever form they are written.

    Args:
        secrets: Each of at least four characters.
        former: No longer in use: their escapes are looked for, and no anchors.
    """

    def __init__(self, secrets: Iterable[str], former: Iterable[str] = ()) -> None:
        self._anchors: dict[str, Anchor] = {}
        tree: dict[str, Any] = {}
        for secret in secrets:
            _add(tree, elements(secret), 0)
            for text, anchor in _anchors(secret):
                self._anchors.setdefault(text, anchor)
        for text in former:
            _add(tree, elements(text), 0)
        for text in self._anchors:
            _add(tree, tuple(map(re.escape, text)), 0)
        self._pattern = re.compile(_expression(tree) if tree else r"(?!)")

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return where secrets stand in a text."""
        if self._pattern.search(text) is None:  # nearly always, and quicker than an iterator
            return []
        found = (self._whole(each, text) for each in self._pattern.finditer(text))
        return [span for span in found if span is not None]

    def _whole(self, found: re.Match[str], text: str) -> tuple[int, int] | None:
        start, end = found.span()
        anchor = self._anchors.get(found[0])
        if anchor is not None and anchor.right is not None:
            reach = anchor.right.match(text, end)
            if reach is None:
                return None
            end = reach.end()
        if anchor is not None and anchor.left is not None:
            # The text is turned round, because a pattern can only look ahead.
            reach = anchor.left.match(text[max(0, start - 4096) : start][::-1])
            start -= reach.end() if reach else 0
        return start, end


def elements(secret: str) -> Elements:
    """Return an expression for each character of a secret, for all the ways it is written."""
    found: list[str] = []
    at = 0
    while at < len(secret):
        run = _BACKSLASHES.match(secret, at)
        if run:
            found.append(_backslashes(len(run[0])))
            at = run.end()
        else:
            found.append(_element(secret[at]))
            at += 1
    return tuple(found)


def _backslashes(number: int) -> str:
    # As one: several of them beside each other could share what they find in too many ways.
    percent = r"%(?:25)*5[Cc]"
    return rf"(?:\\{{{number},{8 * number}}}|(?:{percent}){{{number}}}|(?:&#92;){{{number}}})"


@lru_cache(maxsize=1024)
def _element(char: str) -> str:
    if _PLAIN.fullmatch(char):
        return char
    code = ord(char)
    octets = char.encode(errors="surrogatepass")
    units = [f"{unit:04x}" for unit in _utf16(char)]
    ways = [re.escape(char), *(("\\+",) if char == " " else ())]
    ways.append("".join(rf"%(?:25)*{_any_case(f'{octet:02x}')}" for octet in octets))
    ways.append("".join(rf"\\{{1,8}}u{_any_case(unit)}" for unit in units))
    ways.append("".join(rf"\\{{1,8}}x{_any_case(f'{octet:02x}')}" for octet in octets))
    if 0x7F <= code < 0x100:
        ways.append(rf"\\{{1,8}}x{_any_case(f'{code:02x}')}")
    if code > 0xFFFF:
        ways.append(rf"\\{{1,8}}U{_any_case(f'{code:08x}')}")
    if char in _CONTROL_NAMES:
        ways.append(rf"\\{{1,8}}{_CONTROL_NAMES[char]}")
    if char in "\"'/":
        ways.append(rf"\\{{1,8}}{char}")
    ways.append(rf"&(?:amp;){{0,4}}#(?:0*{code}|[xX]0*{_any_case(f'{code:x}')});")
    if char in _HTML_NAMES:
        ways.append(f"&(?:amp;){{0,4}}{_HTML_NAMES[char]};")
    return f"(?:{'|'.join(ways)})"


def _utf16(char: str) -> Iterator[int]:
    octets = char.encode("utf-16-be", errors="surrogatepass")
    for at in range(0, len(octets), 2):
        yield int.from_bytes(octets[at : at + 2])


def _any_case(digits: str) -> str:
    return "".join(f"[{c}{c.upper()}]" if c.isalpha() else c for c in digits)


def _anchors(secret: str) -> Iterator[tuple[str, Anchor]]:
    octets = secret.encode(errors="surrogatepass")
    digits = _window(octets.hex())
    for text in {digits, digits.upper()}:
        yield text, _ON_BOTH_SIDES[_HEX]
    for offset in range(3):
        for text in _in_base64(octets, offset):
            yield text, _ON_BOTH_SIDES[_BASE64]
    if not _IS_TOKEN.fullmatch(secret):
        return
    if len(secret) >= _LONG:
        yield secret[:_LONG_ANCHOR], _FROM_A_BEGINNING
        yield secret[-_LONG_ANCHOR:], _FROM_AN_END
    elif len(secret) >= _CUT:
        yield secret[:_ANCHOR], _CUT_OFF


def _in_base64(octets: bytes, offset: int) -> Iterator[str]:
    """Yield characters that stand in Base64 where these bytes follow so many others."""
    encoded = b64encode(bytes(offset) + octets).decode()
    # Only those whose six bits all come from our bytes.
    first, end = -(-offset * 8 // 6), (offset + len(octets)) * 8 // 6
    core = _window(encoded[first:end])
    if len(core) >= _LEAST_ANCHOR:
        yield from {core, core.replace("+", "-").replace("/", "_")}


def _window(text: str) -> str:
    """Return the first few characters of a text that begin with none of most words.

    A pattern looks closer where a character can be its first, and most of any log is
    small letters.
    """
    least = len(text) - _ANCHOR
    at = next((at for at, char in enumerate(text[: least + 1]) if not char.islower()), 0)
    return text[at : at + _ANCHOR]


def _add(tree: dict[str, Any], whole: Elements, at: int) -> None:
    """Add a text to a tree that branches by the first few elements."""
    while at < min(len(whole), _DEPTH):
        tree = tree.setdefault(whole[at], {})
        at += 1
    tree.setdefault(_END, set()).add(whole[at:])


def _expression(tree: Mapping[str, Any]) -> str:
    """Return the expression of a tree.

    Branches are tried in turn, but each by its first character, which is
    quick. Longest first, or the end of a text that begins with another would stay.
    """
    ends = sorted(tree.get(_END, ()), key=len, reverse=True)
    ways = [element + _expression(below) for element, below in tree.items() if element != _END]
    ways += map("".join, ends)
    return ways[0] if len(ways) == 1 else f"(?:{'|'.join(ways)})"


def merged(spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield spans in order, those that overlap as one."""
    last: tuple[int, int] | None = None
    for start, end in sorted(spans):
        if last is not None and start < last[1]:
            last = last[0], max(last[1], end)
        else:
            if last is not None:
                yield last
            last = start, end
    if last is not None:
        yield last
