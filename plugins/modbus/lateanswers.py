"""What collectors know together of a line: whose turn it is, and what may still come on it.

How it works
    In RTU frames, on a serial line or behind a converter, an answer does not say
    what it answers. One that comes late looks like the answer to the latest
    request, and a new connection does not help: a converter hands to it what a
    device says, also to an earlier one. So the line *owes* an answer from the moment
    a request goes out until either it is answered, and nothing else was under
    way, or the line has been still for longer than an answer can take. While
    it owes one, only the same request may go out again: any answer to that is
    right.

    How long an answer can take is learnt: it is the longest that any collector
    waits on this line, or that any answer took, whichever is more. A line is still
    only while a run listens to it, so the next one listens before it asks
    if an answer was missing to the last. It is not known what was asked before
    the daemon started; hence a line owes something from the start.

    An answer that takes far longer than any before it comes when the line has been
    still. So a request is remembered that was never answered, and the next other
    answer of that device is taken only once nothing has come behind it: devices
    answer in turn, so had the late answer come in its place, its own would follow.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

SPARE: Final = 1.5  # how much longer a line must be still than an answer takes
STEPS: Final = 10  # in so many it is waited for, since a busy daemon may sleep through one
MOST: Final = 4  # how many times as long the wait may last, and once more for each open request
# How many times as long as an answer can take a late one is listened for behind another, and
# remembered at all.
HEED: Final = 4
MEMORY: Final = 10


@dataclass(slots=True)
class Open:
    """A request that has no answer.

    Attributes:
        unit: Of which device.
        what: What it asks for; equal for requests that any answer to either is right for.
        time: When it went out, in seconds of the event loop.
        before: Whether that was in an earlier run.
    """

    unit: int
    what: Any
    time: float
    before: bool = False


class Wire:
    """One line on which answers carry no number; times are seconds of the event loop.

    Args:
        place: Which line; not looked at here, but shared objects have a key.

    Attributes:
        turn: Held by the one collector that uses the line.
        owes: Whether an answer may still come.
    """

    def __init__(self, place: str) -> None:
        del place
        self.turn = asyncio.Lock()
        self.owes = True
        self._missing = False
        self._requests = 0  # since the line was still
        self._longest = 0.0
        self._took = 0.0  # the longest since the line was still; too long if requests were lost
        self._came = 0.0
        self._age = 0.0  # of the request that the latest answer is counted for
        self._open: list[Open] = []
        self._heard = 0

    def opened(self, *, patience: float) -> None:
        """Note that a run begins, which waits so many seconds for an answer.

        How long an answer took that comes from before says nothing of the device:
        a converter may have kept it while no connection was open.
        """
        self.owes = self.owes or self._missing
        self._missing = False
        self._longest = max(self._longest, patience)
        for each in self._open:
            each.before = True

    def sent(self, unit: int, what: Any) -> None:
        """Note that a request goes out."""
        self.owes = True
        self._requests += 1
        self._open.append(Open(unit, what, _now()))

    def heard(self) -> None:
        """Note that something comes, be it noise."""
        self._heard += 1

    def came(self, unit: int) -> float | None:
        """Note that a whole answer of a device comes, and return how long one took, in seconds.

        It belongs to the first request that is open, since devices answer in turn, and
        its time begins when the answer before it came; None if no request is open.
        """
        found = next((each for each in self._open if each.unit == unit), None)
        if found is None:
            return None
        self._open.remove(found)
        now = _now()
        self._age = now - found.time
        if not found.before:
            self._took = max(self._took, now - max(found.time, self._came))
        self._came = now
        return self._took

    def doubts(self, unit: int, what: Any) -> bool:
        """Say whether an answer of a device may be one to something else that it was asked."""
        since = _now() - MEMORY * self._longest
        self._open = [each for each in self._open if each.time > since]
        return any(each.unit == unit and each.what != what for each in self._open)

    async def confirmed(self, unit: int) -> bool:
        """Wait whether something comes behind the answer of a device that is in doubt."""
        heard = self._heard
        slow = max(self._longest, self._took, min(self._age, HEED * self._longest))
        # Each that is open may be answered yet, one behind the other.
        seconds = SPARE * slow * max(1, sum(each.unit == unit for each in self._open))
        for _ in range(STEPS):
            await asyncio.sleep(seconds / STEPS)
            if heard != self._heard:
                return False
        self._open = [each for each in self._open if each.unit != unit]
        self._rest()
        return True

    def answered(self) -> None:
        """Note that the answer to a request is taken; nothing is owed if it was the only one."""
        if self._requests == 1:
            self._rest()

    def given_up(self) -> None:
        """Note that a request gets no answer in this run, though one may come in the next."""
        self._missing = True

    async def still(self) -> bool:
        """Wait until nothing more can come, and say whether that was so before long."""
        heard, late, quiet = self._heard, False, 0
        for _ in range(STEPS * (MOST + len(self._open))):
            # Each step is a sleep of its own: what comes while the daemon is held up is
            # heard before the next of them begins.
            await asyncio.sleep(self.reach / STEPS)
            quiet += 1
            if heard != self._heard:
                heard, late, quiet = self._heard, True, 0
            elif quiet == STEPS:
                if late:
                    self._longest = max(self._longest, self._took)
                self._rest()
                return True
        return False

    def _rest(self) -> None:
        self.owes, self._requests, self._took = False, 0, 0.0

    @property
    def reach(self) -> float:
        """How long the line must be still, in seconds."""
        return SPARE * max(self._longest, self._took)


def _now() -> float:
    return asyncio.get_running_loop().time()
