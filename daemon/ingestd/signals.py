"""The signals that people and systemd send to the daemon, from its first moment to its last.

Python's own answer to HUP and USR1 is to end the process. They may come before there is a
daemon to take them, and after it has come to its end; so the answers are there as long as the
process. This module imports next to nothing, because it is the first of a daemon.
"""

import signal
from collections.abc import Callable, Mapping
from types import FrameType

Answers = Mapping[int, Callable[[], object]]


class Signals:
    """Takes signals for a daemon that may not be there yet, or not any more."""

    def __init__(self) -> None:
        self._answers: Answers = {}
        self._call: Callable[[Callable[[], object]], object] | None = None
        self._missed: list[int] = []

    def install(self) -> None:
        """Take the signals that would end the process and are not meant to, also if held until now.

        TERM and INT end it as they always do, until a daemon is there that has
        something to bring to safety.
        """
        harmless = {signal.SIGHUP, signal.SIGUSR1}
        for number in harmless:
            signal.signal(number, self._take)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, harmless)

    def attach(self, answers: Answers, call: Callable[[Callable[[], object]], object]) -> None:
        """Answer signals from now on, those that came before included.

        Args:
            answers: What to call for each signal.
            call: Calls it on the event loop, from anywhere.
        """
        self._answers, self._call = answers, call
        for number in answers:
            signal.signal(number, self._take)
        missed, self._missed = self._missed, []
        for number in missed:
            self._take(number, None)

    def detach(self) -> None:
        """Ignore all signals from now on: the daemon has come to its end."""
        self._answers, self._call = {}, _drop

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if self._call is None:
            if number not in self._missed:
                self._missed.append(number)
        elif number in self._answers:
            self._call(self._answers[number])


def _drop(_answer: Callable[[], object]) -> None:
    """Do nothing."""


SIGNALS = Signals()
