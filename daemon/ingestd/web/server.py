"""The HTTP server: what every request passes through, and how it is answered."""

import asyncio
import json
import platform
from collections.abc import AsyncIterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Final

import msgspec
from aiohttp import web

from ingestd.app import Daemon
from ingestd.context import Handler
from ingestd.errors import ConfigError, NotPossible
from ingestd.plugins._mounting import is_ours
from ingestd.redaction import Redactor
from ingestd.views import without_secrets
from ingestd.web import pages
from ingestd.web.call import Call, JsonAnswer, Redirect, Route, Text, Visit
from ingestd.web.forms import FIELD, fields_of
from ingestd.web.listening import listening
from ingestd.web.problems import Refusal, as_json, refusal_of
from ingestd.web.protocol import tell_problems
from ingestd.web.routes import ROUTES
from ingestd.web.security import HEADERS, LARGEST_BODY, Guard
from ingestd.web.sessions import Sessions

SETTLING: Final = 10.0  # seconds that collectors get to say which paths they answer
SEE_OTHER: Final = 303
LET_GO: Final = 1.0  # seconds that requests get once everything else has ended


@asynccontextmanager
async def serve(daemon: Daemon) -> AsyncIterator[str]:
    """Answer until the context ends; give the address, or an empty string if off.

    Raises:
        ListenError: The address cannot be used.
    """
    listen = daemon.config.daemon.listen
    if listen == "off":
        yield ""
        return
    # Of our own, so that the daemon can be looked at while its threads are busy; and one,
    # so that looking takes no more than that from the collectors.
    with ThreadPoolExecutor(1, "ingestd-web") as pool:
        app = application(daemon, Guard(listen, daemon.config.daemon.token), pool)
        runner = web.AppRunner(
            # Bodies stay compressed: a handler that takes such ones bounds what they become.
            app,
            access_log=None,
            shutdown_timeout=LET_GO,
            auto_decompress=False,
        )
        await runner.setup()
        tell_problems(runner)
        try:
            async with listening(runner, listen) as address:
                daemon.shared.mounts.address = address
                yield address
        finally:
            await runner.cleanup()


def application(daemon: Daemon, guard: Guard, pool: Executor) -> web.Application:
    """Return everything that is answered."""
    name = f"{platform.node()}:{daemon.config.daemon.state_dir}"
    sessions = Sessions(guard.token, name=name, clock=daemon.clock, log=daemon.log)
    protect = _protected(daemon, guard, sessions)
    app = web.Application(client_max_size=LARGEST_BODY, middlewares=[protect])
    for route in (*ROUTES, *pages.PAGES):
        handler = _handler(daemon, route, pool, sessions)
        if route.method == "GET":
            app.router.add_get(route.path, handler)  # answers HEAD, too
        else:
            app.router.add_route(route.method, route.path, handler)
    return app


def _handler(daemon: Daemon, route: Route, pool: Executor, sessions: Sessions) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        visit = _visit(request, sessions)
        call = Call(
            daemon,
            request.match_info,
            _parsed("query", dict(request.query), route.query),
            await _given(request, route, visit),
            visit,
        )
        answer = await route.answer(call)
        if isinstance(answer, Redirect):
            return _sent_on(answer, request, sessions)
        reply: JsonAnswer[Any] = answer if isinstance(answer, JsonAnswer) else JsonAnswer(answer)
        if not isinstance(answer, Text):
            rendered = partial(_rendered, reply.value, daemon.redactor)
            answer = Text(rendered, status=reply.status, content_type="application/json")
        if isinstance(answer.text, str):
            body = answer.text.encode()
        else:
            body = await asyncio.get_running_loop().run_in_executor(pool, answer.text)
        headers = {**reply.headers, "Content-Type": answer.content_type}
        return web.Response(body=body, status=answer.status, headers=headers)

    return handle


def _visit(request: web.Request, sessions: Sessions) -> Visit:
    return Visit(sessions, sessions.session_of(request), sender=request.remote or "")


def _sent_on(answer: Redirect, request: web.Request, sessions: Sessions) -> web.Response:
    response = web.Response(status=SEE_OTHER, headers={"Location": answer.address})
    if answer.session is not None:
        sessions.set_cookie(answer.session, request, response)
    return response


async def _given(request: web.Request, route: Route, visit: Visit) -> msgspec.Struct:
    """Return what stands in the body."""
    if not route.form:
        return _parsed("body", await _body(request), route.body)
    fields = {**await fields_of(request)}
    visit.sessions.csrf_tokens.check(fields.pop(FIELD, ""), visit.session)
    return _parsed("form", fields, route.body)


def _protected(daemon: Daemon, guard: Guard, sessions: Sessions) -> Any:
    """Return the middleware that checks requests and tells what goes wrong."""
    forms = frozenset(route.path for route in pages.PAGES if route.form)
    logins = frozenset(route.path for route in pages.PAGES if route.login)
    unguarded = frozenset(route.path for route in (*ROUTES, *pages.PAGES) if route.open)

    @web.middleware
    async def protect(request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            mounted, of_plugin = daemon.shared.mounts.find(request.path)
            if mounted or _may_be_mounted_soon(daemon, request.path):
                response = await _of_plugin(request, of_plugin)
            else:
                if request.path not in unguarded:
                    is_form = request.method == "POST" and request.path in forms
                    guard.check(
                        request,
                        form=is_form,
                        login=request.path in logins,
                        session=sessions.session_of(request),
                    )
                response = await handler(request)
        except Exception as error:  # noqa: BLE001 -- border: no request may end the daemon
            response = _told(daemon, request, error, _visit(request, sessions))
        response.headers.update(HEADERS)
        return response

    return protect


def _may_be_mounted_soon(daemon: Daemon, path: str) -> bool:
    """Say whether a path without a handler may get one soon, and must not be called unknown.

    The address is there before the collectors are, and some senders take a 404 for
    a reason to throw away what they have.
    """
    return not is_ours(path) and daemon.clock.now() - daemon.started < SETTLING


async def _of_plugin(request: web.Request, handler: Handler | None) -> web.StreamResponse:
    if handler is None:
        raise Refusal(
            503,
            "the collector that answers here is being started, replaced or stopped",
            headers={"Retry-After": "1"},
        )
    return await handler(request)


def _told(daemon: Daemon, request: web.Request, error: Exception, visit: Visit) -> web.Response:
    refusal = refusal_of(error)
    if refusal is None:
        daemon.log.error("a request met a bug", path=request.path, exc_info=error)
        refusal = Refusal(500, "a bug in the daemon; its log has the traceback")
    problems = error.problems if isinstance(error, ConfigError | NotPossible) else ()
    if pages.is_page(request.path) and "text/html" in request.headers.get("Accept", ""):
        told = as_json(refusal, problems)
        to = request.path_qs if request.method == "GET" else "/"
        body = pages.problem(daemon, told, visit, to=to)
        headers = {**refusal.headers, "Content-Type": pages.HTML}
        return web.Response(body=body, status=refusal.status, headers=headers)
    return web.Response(
        body=_rendered(as_json(refusal, problems), daemon.redactor),
        status=refusal.status,
        headers={**refusal.headers, "Content-Type": "application/problem+json"},
    )


def _rendered(value: Any, redactor: Redactor) -> bytes:
    # Not a faster encoder: state may hold integers beyond 64 bits and lone surrogates.
    return json.dumps(without_secrets(value, redactor), allow_nan=False).encode()


async def _body(request: web.Request) -> Any:
    if request.method != "POST" or not (text := await request.read()):
        return {}
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal(400, f"body: expected JSON: {error}") from None
    except RecursionError:
        raise Refusal(400, "body: expected JSON, got too many levels of nesting") from None


def _parsed(where: str, given: Any, shape: type[msgspec.Struct]) -> msgspec.Struct:
    try:
        return msgspec.convert(given, shape, strict=where == "body")
    except msgspec.ValidationError as error:
        raise Refusal(400, f"{where}: {str(error)[0].lower()}{str(error)[1:]}") from None
