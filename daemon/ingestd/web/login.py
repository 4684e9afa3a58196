"""Logging in with the token of the configuration, and out again."""

from typing import Any, Final

import msgspec

from ingestd.web.call import Call, Nothing, Redirect
from ingestd.web.sessions import address_here

PATH: Final = "/ui/login"
OUT: Final = "/ui/logout"


class LoginPage(msgspec.Struct):
    """Where somebody wants to go.

    Attributes:
        to: The address of a page of ours.
    """

    to: str = "/"


class LoginForm(msgspec.Struct):
    """What somebody shows.

    Attributes:
        token: That of the configuration.
        to: The address of the page to go to then.
    """

    token: str
    to: str = "/"


async def ask(call: Call[LoginPage, Nothing]) -> dict[str, Any]:
    """Ask for the token."""
    return told(call.query.to)


def told(to: str, detail: str = "") -> dict[str, Any]:
    """Return what the page that asks for the token shows.

    Args:
        to: The address to go to then.
        detail: What is wrong, or an empty string.
    """
    return {"to": address_here(to), "detail": detail, "path": PATH}


async def log_in(call: Call[Nothing, LoginForm]) -> Redirect:
    """Begin a session."""
    visit = call.visit
    session = await visit.sessions.log_in(call.body.token, sender=visit.sender)
    return Redirect(address_here(call.body.to), session=session)


async def log_out(call: Call[Nothing, Nothing]) -> Redirect:
    """End a session."""
    call.visit.sessions.log_out(call.visit.session)
    return Redirect(PATH, session="")
