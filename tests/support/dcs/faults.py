"""What goes wrong on purpose, request by request."""

import re
from dataclasses import dataclass, field

LOGIN_PAGE = "<!DOCTYPE html><html><body><form>Sign in to DCS</form></body></html>"


@dataclass
class Fault:
    """Something that a server does instead of, or with, its work.

    Attributes:
        status: The status it answers with; 0 to work as usual otherwise.
        times: For how many requests; 0 is all from now on.
        match: Which ones: a regular expression found in ``GET /path?query``, in any case.
        text: The body; if it is empty, the server's own words for the status.
        headers: Headers of that answer.
        cut: After how many bytes of the body, as sent, the connection breaks; -1 is not.
        stall: After how many bytes of the body, as sent, no more comes; -1 is never.
        delay: How long it waits first, in seconds.
    """

    status: int = 0
    times: int = 1
    match: str = ""
    text: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = -1
    stall: int = -1
    delay: float = 0

    def fits(self, line: str) -> bool:
        """Whether it is meant for a request."""
        return re.search(self.match, line, re.IGNORECASE) is not None


def login_page(status: int = 200, *, times: int = 0, match: str = "") -> Fault:
    """Answer as a server behind a login page does: with the page, or with the way to it."""
    headers = {"Content-Type": "text/html; charset=utf-8"}
    if status == 302:
        headers["Location"] = "/login?returnUrl=%2F"
    return Fault(status, times=times, match=match, text=LOGIN_PAGE, headers=headers)


class Faults:
    """Those that are still to come, in order."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        """Add one behind the others."""
        self._waiting.append(fault)

    def clear(self) -> None:
        """Forget them all."""
        self._waiting.clear()

    def next(self, line: str) -> Fault | None:
        """Return the one for a request, and use it up."""
        found = next((each for each in self._waiting if each.fits(line)), None)
        if found is not None and found.times:
            found.times -= 1
            if not found.times:
                self._waiting.remove(found)
        return found
