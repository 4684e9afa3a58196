"""Files that come as a whole: each content is read once, whatever it is called."""

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any, Final

from ingestd.plugins._documents import Columns
from ingestd.plugins._readings import Reading

from .asking import answer, each_of
from .batches import batches
from .contents import Looked, digests
from .enough import Enough
from .gathered import MORE, Gathered, has_usable, why_unusable
from .known import MOST, Known
from .listing import Found, Listing, again
from .options import Setup
from .positions import columns_of, told_columns
from .scanning import listed
from .work import Batch, Place

MOST_REFUSED: Final = 100
LONGEST_REASON: Final = 200  # characters
NOWHERE: Final = (0, 0)
NOT_LOOKED: Final = Looked(b"")


class Once:
    """One run over files that come as a whole.

    Args:
        setup: What the params say.
        ctx: The context of the run.
        state: What the run before has left.
    """

    def __init__(self, setup: Setup, ctx: Any, state: Mapping[str, Any]) -> None:
        self._setup, self._ctx = setup, ctx
        self._now = ctx.now().timestamp()
        self._known = Known(state["read"], state["earlier"])
        self._begun = begun_of(state["reading"])
        same = state["shape"] == setup.mark
        self._refused = dict(state["refused"] or {}) if same else {}
        self._gathered = Gathered()
        self._first: Reading | None = None  # of the file that is being read
        self._usable: bool | None = None
        self._looked = Looked.of(state["looked"])
        self._enough, self._more = Enough(ctx), False

    async def results(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yield what is new.

        Raises:
            OSError: No file can be seen, and that should not be.
        """
        listing = await listed(self._setup)
        looks = {file.look: file for file in listing.files}
        if not listing.problems:
            self._known.keep(looks)
        self._refused = {
            path: said for path, said in self._refused.items() if bytes.fromhex(said[0]) in looks
        }
        await self._end(listing.files)  # what an earlier run has read
        for file in self._due(listing):
            async with aclosing(self._file(file)) as results:
                async for result in results:
                    yield result
            if self._enough:
                break
        yield {**self._result(), **self._gathered.problem()}
        await self._end(listing.files)
        if problem := self._gathered.problem():
            yield {"readings": [], **problem}

    def _due(self, listing: Listing) -> Iterator[Found]:
        """Yield the files that are to be read, first the one that was begun or looked at."""
        for problem in listing.problems:
            self._gathered.complain(problem)
        resting = [each for each in listing.files if each.rests(self._now) >= self._setup.settle]
        if len(resting) < len(listing.files):
            count = len(listing.files) - len(resting)
            self._ctx.note(f"{count} files were touched within {self._setup.settle:g} s: later")
        if len(listing.files) > MOST:
            text = f"expected at most {MOST} files, got {len(listing.files)}: `after` moves them"
            self._gathered.complain(f"path: {text}")
            return
        first = {self._begun[0], self._looked.look}
        for file in sorted(resting, key=lambda each: each.look not in first):
            said = self._refused.get(str(file.path))
            if said is not None and bytes.fromhex(said[0]) == file.look:
                self._gathered.complain(f"{file.path}: {said[1]}")
            elif self._known.of(file.look) is None:
                yield file

    async def _file(self, file: Found) -> AsyncGenerator[dict[str, Any], None]:
        """Yield the results of a file; what is wrong with it is noted."""
        try:
            content = await self._content(file)
            if not content:
                return
            if self._known.has(content):
                self._known.add(file.look, content)
                return
            async with aclosing(self._readings(file, content)) as results:
                async for result in results:
                    yield result
            if not self._more:
                await self._close(file, content)
        except FileNotFoundError:
            return
        except OSError as error:  # it may be read another time
            self._gathered.complain(f"{file.path}: {error.strerror or error}")
        except ValueError as error:
            self._refuse(file, str(error))

    async def _content(self, file: Found) -> bytes:
        """Return the hash of what is in a file; none if there is no time to look through it."""
        if self._begun[0] == file.look:
            return self._begun[1]
        begin = looked = self._looked if self._looked.look == file.look else Looked(file.look)
        self._looked = NOT_LOOKED
        async with aclosing(each_of(file.path, lambda: digests(file, begin))) as steps:
            async for looked in steps:
                if looked.place > begin.place and not looked.content and self._enough:
                    self._looked = looked
                    self._cut_short(file)
                    break
        return looked.content

    async def _readings(self, file: Found, content: bytes) -> AsyncGenerator[dict[str, Any], None]:
        begun = self._begun if self._begun[1] == content else NOTHING_BEGUN
        _, _, place, self._usable, columns = begun
        self._first = None
        work = self._setup.work(file, place, now=self._now, columns=columns)
        async with aclosing(each_of(file.path, lambda: batches(work))) as found:
            async for batch in found:
                self._take(file, batch)
                self._begun = (file.look, content, batch.end, self._usable, batch.columns)
                if self._gathered.full:
                    yield self._result()
                if self._enough:
                    self._cut_short(file)
                    return

    def _cut_short(self, file: Found) -> None:
        """Note that there is more in a file, for which there is no time."""
        self._more = True
        self._ctx.note(MORE.format(file.path))

    def _take(self, file: Found, batch: Batch) -> None:
        readings = batch.readings
        self._gathered.add(readings)
        for problem in batch.problems:
            self._gathered.complain(f"{file.path}: {problem}")
        if readings:
            self._usable = self._usable or has_usable(batch, self._ctx.time_problem)
            self._first = self._first or readings[0]

    async def _close(self, file: Found, content: bytes) -> None:
        """Note that a file was read, if it is still the same and was what it should be."""
        self._begun = NOTHING_BEGUN
        if (await answer(file.path, lambda: again(file))).look != file.look:
            self._ctx.note(f"{file.path}: changed while it was read, and is read again")
            return
        if self._usable is False:
            told = "expected readings, got none that can be used"
            if self._first is not None:  # otherwise earlier runs have told
                told += f"; the first: {why_unusable(self._first, self._ctx.time_problem)}"
            self._refuse(file, told)
            return
        self._known.add(file.look, content)

    def _refuse(self, file: Found, why: str) -> None:
        self._begun = NOTHING_BEGUN
        self._gathered.complain(f"{file.path}: {why}")
        if len(self._refused) < MOST_REFUSED:
            self._refused[str(file.path)] = [file.look.hex(), why[:LONGEST_REASON]]

    async def _end(self, files: Sequence[Found]) -> None:
        """Move or delete those files that were read, once that is on disk with their readings."""
        ending = self._setup.ending
        read = [file for file in files if self._known.of(file.look) is not None]
        if ending is None or not read or not await self._ctx.committed():
            return
        for file in read:
            try:
                await answer(file.path, partial(ending, file))
            except FileNotFoundError:
                pass
            except OSError as error:
                text = f"read, but stays: {error.strerror or error}"
                self._gathered.complain(f"{file.path}: {text}")

    def _result(self) -> dict[str, Any]:
        look, content, place, usable, columns = self._begun
        more = [] if columns is None else [told_columns(columns)]
        begun = [look.hex(), content.hex(), *place, usable, *more] if look else None
        return {
            "readings": self._gathered.take(),
            "reading": begun,
            "looked": self._looked.told,
            "refused": dict(self._refused),
            "shape": self._setup.mark,
            **self._known.news(),
        }


Begun = tuple[bytes, bytes, Place, bool | None, Columns | None]
NOTHING_BEGUN: Final[Begun] = (b"", b"", NOWHERE, None, None)


def begun_of(reading: Any) -> Begun:
    """Return which file was begun: its look, its content, how far, whether it is good, and columns.

    It is good if a reading can be used, and neither good nor bad without any; the columns are what
    a header in the midst of it has said.
    """
    try:
        look, content, number, at, good, *more = reading
        place, usable = (int(number), int(at)), None if good is None else bool(good)
        return bytes.fromhex(look), bytes.fromhex(content), place, usable, columns_of(more)
    except (TypeError, ValueError):
        return NOTHING_BEGUN
