"""The pages for people: gathers what each shows, and has it drawn in a thread.

What is shown is what the API tells, masked as there. ``ingestd.pages`` is imported when the first
page is drawn: it takes a megabyte that a daemon without visitors does not need.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC
from functools import partial
from importlib.resources import files
from typing import Any, Final

import ingestd
from ingestd.app import Daemon
from ingestd.requesting import number_of
from ingestd.views import without_secrets
from ingestd.web import actions, login, shown, shownseries, shownstores
from ingestd.web.asking import Action
from ingestd.web.call import Call, Nothing, Redirect, Route, Text, Visit, get, post
from ingestd.web.shown import Shown

UNKNOWN: Final = 401
HTML: Final = "text/html; charset=utf-8"


def is_page(path: str) -> bool:
    """Return whether a path is one of a page, so that people see what is told of it."""
    return path == "/" or path.startswith("/ui/")


def problem(daemon: Daemon, told: Mapping[str, Any], visit: Visit, *, to: str) -> bytes:
    """Return a problem as a page; that of who has no session is the one that asks for the token.

    Args:
        daemon: Whose.
        told: The problem.
        visit: Who asks.
        to: The address to go to with a session.
    """
    if told["status"] != UNKNOWN:
        return _drawn(daemon, "problem", told, visit)
    return _drawn(daemon, "login", login.told(to, told["detail"]), visit)


def _drawn(daemon: Daemon, name: str, told: Mapping[str, Any], visit: Visit) -> bytes:
    from ingestd.pages import Viewing, draw  # noqa: PLC0415 -- above

    viewing = Viewing(
        now=daemon.clock.now(),
        zone=daemon.config.daemon.timezone or UTC,
        version=ingestd.__version__,
        csrf_token=visit.csrf_token,
        logged_in=bool(visit.session),
    )
    return draw(name, without_secrets(told, daemon.redactor), viewing)


Gather = Callable[[Call[Any, Any]], Awaitable[Shown]]


def _page(path: str, name: str, gather: Gather, **more: Any) -> Route:
    async def answer(call: Call[Any, Any]) -> Text:
        told = await gather(call)
        which = "requested" if name == "run" and number_of(str(told["id"])) is not None else name
        return Text(partial(_drawn, call.daemon, which, told, call.visit), content_type=HTML)

    answer.__doc__ = gather.__doc__
    return get(path, answer, **more)


def _action(action: Action) -> Iterator[Route]:
    """Yield the page that asks whether to do something, and what does it."""
    path = f"{actions.BELOW}/{action.name}"

    async def ask(call: Call[Any, Nothing]) -> Shown:
        return {**await action.ask(call), "path": path}

    async def act(call: Call[Nothing, Any]) -> Redirect:
        return Redirect(await action.act(call))

    ask.__doc__, act.__doc__ = action.ask.__doc__, action.act.__doc__
    yield _page(path, "ask", ask, query=action.about)
    yield post(path, act, body=action.about, form=True)


def _asset(name: str, content_type: str) -> Route:
    async def answer(_call: Call[Nothing, Nothing]) -> Text:
        """Return a file that pages refer to."""
        return Text(partial(_read, name), content_type=content_type)

    return get(f"/static/{name}", answer, open=True)


def _read(name: str) -> bytes:
    return files("ingestd").joinpath("pages", "static", name).read_bytes()


PAGES: Final[Sequence[Route]] = (
    _page("/", "overview", shown.overview),
    _page("/ui/collectors", "collectors", shown.all_collectors, query=shown.CollectorsPage),
    _page("/ui/collectors/{name}", "collector", shown.one_collector),
    _page("/ui/runs", "runs", shown.all_runs, query=shown.RunsPage),
    _page("/ui/runs/{id}", "run", shown.one_run),
    _page("/ui/series", "series", shownseries.series, query=shownseries.SeriesPage),
    _page("/ui/chart", "chart", shownseries.chart, query=shownseries.ChartPage),
    _page("/ui/stores", "stores", shownstores.stores),
    _page("/ui/config", "config", shownstores.config, query=shownstores.ConfigPage),
    _page("/ui/plugins", "plugins", shownstores.plugins),
    _page(login.PATH, "login", login.ask, query=login.LoginPage, login=True),
    post(login.PATH, login.log_in, body=login.LoginForm, form=True, login=True),
    post(login.OUT, login.log_out, form=True),
    *(route for each in actions.ACTIONS for route in _action(each)),
    _asset("page.css", "text/css; charset=utf-8"),
    _asset("live.js", "text/javascript; charset=utf-8"),
    _asset("icon.svg", "image/svg+xml"),
)
