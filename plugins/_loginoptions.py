"""The ``login`` option, read and checked.

Imported by its full name, so that a copy of a plugin works in any folder.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from yarl import URL

from ingestd.plugins._fields import Path, compile_path
from ingestd.plugins._options import choice_in, keys_of, text_in, texts_in
from ingestd.plugins._params import http_url
from ingestd.plugins._problems import Gathering
from ingestd.plugins._tokens import mark

KNOWN: Final = (
    *("url", "method", "form", "json", "headers"),
    *("token", "token_header", "header", "expired"),
)
HEADER: Final = "Authorization: Bearer {token}"
PLACE: Final = "{token}"


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Login:
    """The ``login`` option; never shown, because of what it holds.

    Attributes:
        where: The option's name.
        headers: What travels beside the fields.
        body: The fields as they travel in the body, or nothing.
        query: Those that travel in the address.
        secrets: What stands in them.
        token: Finds the token in an answer; None: it is not there.
        token_header: The header of an answer that has the token; None: it is not there, either.
        expired: Finds in a good answer what says that the login is over; None: nothing does.
        header: The name of the header that the token travels in, and what stands there.
    """

    where: str
    url: URL
    method: str
    headers: Mapping[str, str]
    body: bytes | Mapping[str, str] | None
    query: Mapping[str, str]
    secrets: Sequence[str]
    token: Path | None
    token_header: str | None
    expired: Path | None
    header: tuple[str, str]

    @property
    def brings_token(self) -> bool:
        """Whether it brings a token, and not a cookie alone."""
        return self.token is not None or self.token_header is not None

    @property
    def key(self) -> str:
        """What tells it from others, without telling it."""
        said = (self.method, str(self.url), self.headers, self.body, self.query, self.header)
        return mark(repr(said))


def login_of(given: Any, where: str) -> Login:
    """Read the ``login`` option.

    Raises:
        ValueError: Says what is wrong with it.
    """
    with Gathering() as wrong:
        options = keys_of(given, where, known=KNOWN, wrong=wrong)
        url = wrong.read(lambda: http_url(text_in(options, "url", where), f"{where}.url"))
        fields = wrong.read(lambda: fields_in(options, where))
        method = wrong.read(lambda: method_in(options, where))
        more = wrong.read(lambda: texts_in(options, "headers", where))
        token = wrong.read(lambda: path_in(options, "token", where))
        expired = wrong.read(lambda: path_in(options, "expired", where))
        token_header = wrong.read(lambda: token_header_in(options, where))
        header = wrong.read(lambda: header_in(options, where))
    headers, body = fields
    in_query = method == "GET" and "form" in options
    return Login(
        where=where,
        url=URL(url),
        method=method,
        headers={**headers, **more},
        body=None if in_query else body,
        query=options["form"] if in_query else {},
        secrets=list(texts_in_all(options.get("form", options.get("json")))),
        token=token,
        token_header=token_header,
        expired=expired,
        header=header,
    )


def method_in(options: Mapping[str, Any], where: str) -> str:
    """Return the method of the request.

    Raises:
        ValueError: There is none of that name.
    """
    return choice_in(options, "method", where, among=("POST", "PUT", "GET"), default="POST")


def path_in(options: Mapping[str, Any], name: str, where: str) -> Path | None:
    """Return what finds something in an answer, or None if it is not said where that is.

    Raises:
        ValueError: It is no path.
    """
    if name not in options:
        return None
    return compile_path(text_in(options, name, where), where=f"{where}.{name}")


def token_header_in(options: Mapping[str, Any], where: str) -> str | None:
    """Return the name of the header of an answer that has the token, or None.

    Raises:
        ValueError: It is none, or the token is said to be in the body as well.
    """
    if "token_header" not in options:
        return None
    if "token" in options:
        raise ValueError(f"{where}: expected `token` or `token_header`, got both")
    return text_in(options, "token_header", where)


def fields_in(
    options: Mapping[str, Any], where: str
) -> tuple[dict[str, str], bytes | dict[str, str]]:
    """Return the fields as they travel, with the headers that say how.

    Raises:
        ValueError: They are no mapping, or there are none, or two.
    """
    if len({"form", "json"} & set(options)) != 1:
        raise ValueError(
            f"{where}: expected the fields in `form` or in `json`, got neither or both"
        )
    accept = {"Accept": "application/json, */*;q=0.5"}
    if "form" in options:
        return accept, texts_in(options, "form", where)
    if not isinstance(options["json"], Mapping):
        raise ValueError(f"{where}.json: expected a mapping")  # noqa: TRY004 -- the operator's
    body = json.dumps(options["json"], default=str).encode()
    return {**accept, "Content-Type": "application/json"}, body


def texts_in_all(fields: Any) -> Iterator[str]:
    """Yield the texts in fields, at any depth."""
    if isinstance(fields, Mapping):
        for each in fields.values():
            yield from texts_in_all(each)
    elif isinstance(fields, list):
        for each in fields:
            yield from texts_in_all(each)
    elif isinstance(fields, str):
        yield fields


def header_in(options: Mapping[str, Any], where: str) -> tuple[str, str]:
    """Return the name of the header that the token travels in, and what stands there.

    Raises:
        ValueError: There is no place for it, or nothing to stand there.
    """
    if "header" in options and not {"token", "token_header"} & set(options):
        raise ValueError(f"{where}.header: expected `token` beside it, to know what stands there")
    text = text_in(options, "header", where, default=HEADER)
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not name or not colon or PLACE not in value:
        raise ValueError(f"{where}.header: expected a text such as {HEADER!r}, with {PLACE} in it")
    return name, value
