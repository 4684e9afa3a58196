"""Records of an answer that are read while it arrives."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, Final

import aiohttp

from ingestd.plugins._answers import NO_ANSWER, Answer, AnswerError, answer_of, problem_of
from ingestd.plugins._documents import DocumentError, Feed, Format, joined
from ingestd.plugins._shapes import Reader

CHUNK: Final = 48 * 1024
# So many records make a result; fewer cost the daemon more for each, and more take memory.
MANY: Final = 1500


class Arriving:
    """The body of a good answer.

    Args:
        reply: Its head.
        where: The request, for people; without secrets.
        limit: How large it may be, in bytes; ``max_bytes`` says so.
        form: What it is written in.
        reader: What finds the records.
    """

    def __init__(
        self,
        reply: aiohttp.ClientResponse,
        *,
        where: str,
        limit: int,
        form: Format,
        reader: Reader,
    ) -> None:
        self._reply, self._where, self._limit = reply, where, limit
        self._form, self._reader = form, reader
        self._start, self._came = b"", 0

    async def records(self) -> AsyncGenerator[Sequence[Any], None]:
        """Yield the records, many at a time, and the last of them at the end, if only none.

        Raises:
            AnswerError: The answer breaks off, is too large, or no such document.
        """
        try:
            async for records in self._records():
                yield records
        except DocumentError as error:
            answer = self._answer(self._start)
            raise answer.unexpected(error.expected, hint=error.hint) from None
        except ValueError as error:
            raise AnswerError(f"{self._where}: page 1: {error}") from None

    async def _records(self) -> AsyncGenerator[Sequence[Any], None]:
        pieces = self._pieces()
        self._start = await anext(pieces, b"")
        feed = self._feed()
        if feed is None:
            rest = [piece async for piece in pieces]
            yield self._whole(b"".join([self._start, *rest]))
            return
        found = [feed.feed(self._start)]
        async for piece in pieces:
            found.append(feed.feed(piece))
            if sum(map(len, found)) >= MANY:
                yield joined(found)
                found = []
        left, document = feed.close()
        rest = [] if document is None else self._reader.records_of(document)
        yield joined([each for each in (*found, left, rest) if each])

    def _feed(self) -> Feed | None:
        if self._reader.steps is None:
            return None
        return self._form.feed(
            self._start,
            self._reader.steps,
            content_type=self._reply.content_type,
            said=self._reply.charset,
        )

    def _whole(self, data: bytes) -> list[Any]:
        answer = self._answer(data)
        documents = self._form.documents(
            data, most_bytes=self._limit, content_type=answer.content_type, said=answer.charset
        )
        return [each for document in documents for each in self._reader.records_of(document)]

    def _answer(self, data: bytes) -> Answer:
        return answer_of(self._reply, data, where=self._where)

    async def _pieces(self) -> AsyncIterator[bytes]:
        try:
            async for piece in self._reply.content.iter_chunked(CHUNK):
                self._came += len(piece)
                if self._came > self._limit:
                    raise AnswerError(
                        f"{self._where}: expected at most {self._limit} bytes (max_bytes), got more"
                    )
                yield piece
            if not self._came:  # the session has read it, if it looked there for how long to wait
                yield await self._reply.read()
        except TimeoutError:
            raise AnswerError(f"{self._where}: expected an answer in time, got none") from None
        except NO_ANSWER as error:
            raise AnswerError(f"{self._where}: the answer broke off: {problem_of(error)}") from None
