"""The HTTP side: one request, its documents, or an error that says what came instead."""

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from yarl import URL

from ingestd.plugins._answers import Answer, bare, read
from ingestd.plugins._auth import Entry
from ingestd.plugins._documents import DocumentError, Format
from ingestd.plugins._shapes import Reader

from .arriving import Arriving
from .pages import Head, Request

ACCEPTED: Final = {"auto": "application/json, */*;q=0.5", "json": "application/json"}
NO_CONTENT: Final = 204
BEYOND: Final = frozenset({404, 416})  # the answers to a page, or a range, that is not there
NOTHING: Final = object()  # the document of an answer that says that there is none
# Answers that never say that there is nothing: they want a key, or a pause.
UNSETTLED: Final = frozenset({401, 407, 429})


@dataclass(frozen=True, slots=True, repr=False)
class Source:
    """How a source is asked; never shown, because secrets travel in headers and bodies.

    Attributes:
        no_data: The statuses of answers that say that there is nothing, besides 204.
    """

    method: str
    headers: Mapping[str, str]
    max_bytes: int
    form: Format
    entry: Entry
    no_data: frozenset[int] = frozenset()

    async def records(
        self, http: Any, request: Request, reader: Reader
    ) -> AsyncGenerator[Sequence[Any], None]:
        """Yield the records of an answer while it arrives, many at a time; nothing if it has none.

        Raises:
            AnswerError: There is no document of the format.
        """
        where = f"{self.method} {bare(request.url)}"
        async with await self._ask(http, request, where) as reply:
            if reply.status == NO_CONTENT or reply.status in self.no_data:
                return
            if not 200 <= reply.status < 300:
                raise (await read(reply, where=where, limit=self.max_bytes)).unexpected()
            arriving = Arriving(
                reply, where=where, limit=self.max_bytes, form=self.form, reader=reader
            )
            async for records in arriving.records():
                yield records

    async def get(self, http: Any, request: Request, *, may_be_missing: bool) -> tuple[Any, Head]:
        """Return the documents, or ``NOTHING``, and what stands above them.

        Args:
            http: The session.
            request: What to ask.
            may_be_missing: Whether 404 and 416 say that there is no document, as 204 always does.

        Raises:
            AnswerError: There is no document of the format.
        """
        where = f"{self.method} {bare(request.url)}"
        async with await self._ask(http, request, where) as reply:
            answer = await read(reply, where=where, limit=self.max_bytes, option="max_bytes")
            head = Head(next_of(reply), reply.headers)
            if answer.status in {NO_CONTENT, *self.no_data, *(BEYOND if may_be_missing else ())}:
                return NOTHING, head
            if not answer.good:
                raise answer.unexpected()
            return documents_in(answer, self.form, self.max_bytes), head

    async def _ask(self, http: Any, request: Request, where: str) -> aiohttp.ClientResponse:
        return await self.entry.ask(
            http,
            self.method,
            request.url,
            where=where,
            params=request.pairs or None,
            headers=self.headers,
            data=None if request.body is None else request.body.data,
        )


def source_of(
    *,
    method: str,
    headers: Mapping[str, str] | None,
    body: Any,
    max_bytes: int,
    form: Format,
    entry: Entry,
    no_data: frozenset[int] = frozenset(),
) -> Source:
    """Put together how to ask."""
    sent = {"Accept": ACCEPTED.get(form.name, "*/*")}
    if body is not None and not isinstance(body, str):
        sent["Content-Type"] = "application/json"
    sent |= {str(name): str(value) for name, value in (headers or {}).items()}
    return Source(
        method=method.upper(),
        headers=sent,
        max_bytes=max_bytes,
        form=form,
        entry=entry,
        no_data=no_data,
    )


def statuses_of(given: Any) -> frozenset[int]:
    """Read the ``no_data`` option.

    Raises:
        ValueError: It is no status of an answer that could say that.
    """
    listed: Collection[Any] = given if isinstance(given, list | tuple) else [given]
    found = frozenset(each for each in listed if type(each) is int and 300 <= each < 600)
    if given is not None and (len(found) < len(listed) or found & UNSETTLED):
        raise ValueError(
            f"no_data: expected a status such as 404, or several, and none of "
            f"{', '.join(map(str, sorted(UNSETTLED)))}, got {given!r:.80}"
        )
    return found


def documents_in(answer: Answer, form: Format, most_bytes: int) -> list[Any]:
    """Return the documents in an answer: one, unless it is a zip of several files.

    Raises:
        AnswerError: There are none of the format.
    """
    try:
        return list(
            form.documents(
                answer.data,
                most_bytes=most_bytes,
                content_type=answer.content_type,
                said=answer.charset,
            )
        )
    except DocumentError as error:
        raise answer.unexpected(error.expected, hint=error.hint) from None


def next_of(reply: Any) -> URL | None:
    """Return the address in the ``next`` link of an answer's header, whatever else it is."""
    links = ((str(rel).lower().split(), link["url"]) for rel, link in reply.links.items())
    return next((URL(url) for relations, url in links if "next" in relations), None)
