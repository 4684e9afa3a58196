"""Fills in the forms of pages as a browser does, and sends them as one."""

from typing import Any
from urllib.parse import urlsplit

from tests.support.daemon import Answer, RunningDaemon
from tests.support.html import ReadHtml

AS_BROWSERS = {"Accept": "text/html,application/xhtml+xml"}


async def form(it: RunningDaemon, path: str, **headers: str) -> dict[str, str]:
    """Return the fields of the form on a page, as they stand there."""
    answer = await it.ask("GET", path, headers={**AS_BROWSERS, **headers})
    assert answer.status == 200, answer
    return fields(answer.body)


def fields(page: str) -> dict[str, str]:
    """Return the fields of the one form on a page that acts."""
    found: dict[str, str] = {}
    for given in ReadHtml(page).inputs:
        if given.get("type") != "checkbox" or "checked" in given:
            found[given["name"]] = given.get("value", "")
    return found


def of_ours(it: RunningDaemon) -> dict[str, str]:
    """Return what a browser says of a form that a page of the daemon sends."""
    return {**AS_BROWSERS, "Origin": f"http://{urlsplit(it.address).netloc}"}


async def send(it: RunningDaemon, path: str, data: Any, **headers: str) -> Answer:
    """Send a form of a page of the daemon, and do not follow where that leads."""
    return await it.ask(
        "POST", path, data=data, headers={**of_ours(it), **headers}, allow_redirects=False
    )


async def act(it: RunningDaemon, path: str, **changes: str) -> Answer:
    """Open a page that asks, and press its button.

    Args:
        it: The daemon.
        path: Of the page, with its query.
        **changes: What is written into the form first; what is empty is left out, like a box
            that is not ticked.
    """
    given = {**await form(it, path), **changes}
    sent = {name: value for name, value in given.items() if value}
    return await send(it, path.partition("?")[0], sent)
