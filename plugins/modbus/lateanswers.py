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
"""

import asyncio
from collections import deque
from typing import Final

SPARE: Final = 1.5  # how much longer a line must be still than an answer takes
STEPS: Final = 10  # in so many it is waited for, since a busy daemon may sleep through one
MOST: Final = 4  # how many times as long the wait may last, and once more for each open request


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
        self._open: deque[float] = deque()
        self._heard = 0

    def opened(self, *, patience: float) -> None:
        """Note that a run begins, which waits so many seconds for an answer.

        How long an answer took that comes from before says nothing of the device:
        a converter may have kept it while no connection was open.
        """
        self.owes = self.owes or self._missing
        self._missing = False
        self._longest = max(self._longest, patience)
        self._open.clear()

    def sent(self) -> None:
        """Note that a request goes out."""
        self.owes = True
        self._requests += 1
        self._open.append(asyncio.get_running_loop().time())

    def heard(self) -> None:
        """Note that something comes, be it noise."""
        self._heard += 1

    def came(self) -> float | None:
        """Note that a whole answer comes, and return how long one took, in seconds.

        It belongs to the first request that is open, since devices answer in turn, and
        its time begins when the answer before it came; None if no request is open.
        """
        if not self._open:
            return None
        now = asyncio.get_running_loop().time()
        self._took = max(self._took, now - max(self._open.popleft(), self._came))
        self._came = now
        return self._took

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
        self._open.clear()

    @property
    def reach(self) -> float:
        """How long the line must be still, in seconds."""
        return SPARE * max(self._longest, self._took)
