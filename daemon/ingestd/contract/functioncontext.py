"""The ``ctx`` of an ordinary function, which runs away from the event loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, NoReturn

from ingestd.errors import PluginError

# Takes level, event and values of a log line.
Emit = Callable[[str, str, Mapping[str, Any]], None]


class FunctionLog:
    """Looks like a bound structlog logger; hands its lines to the daemon's."""

    def __init__(self, emit: Emit, bound: Mapping[str, Any] | None = None) -> None:
        self._emit = emit
        self._bound = dict(bound or {})

    def bind(self, **values: Any) -> FunctionLog:
        """Return a logger that adds these values to every line."""
        return FunctionLog(self._emit, {**self._bound, **values})

    def debug(self, event: object, *args: object, **values: Any) -> None:
        """Log what helps to find a fault."""
        self._line("debug", event, args, values)

    def info(self, event: object, *args: object, **values: Any) -> None:
        """Log what happened."""
        self._line("info", event, args, values)

    def warning(self, event: object, *args: object, **values: Any) -> None:
        """Log what was not expected."""
        self._line("warning", event, args, values)

    def error(self, event: object, *args: object, **values: Any) -> None:
        """Log what an operator must look at."""
        self._line("error", event, args, values)

    def _line(
        self, level: str, event: object, args: tuple[object, ...], values: Mapping[str, Any]
    ) -> None:
        text = str(event) % args if args else str(event)
        everything = {**self._bound, **values}
        everything.pop("event", None)  # the daemon's logger takes it by another way
        self._emit(level, text, {name: _loggable(value) for name, value in everything.items()})


def _loggable(value: Any) -> Any:
    if type(value) in (str, int, float, bool, type(None)):
        return value
    return f"{value!r:.1000}"


class FunctionContext:
    """What an ordinary function gets as ``ctx``: the part that needs no event loop."""

    stopping = False  # a run that is to stop early is killed, it is not asked

    def __init__(self, emit: Emit) -> None:
        self.log = FunctionLog(emit)

    def now(self) -> datetime:
        """Return the time, in UTC."""
        return datetime.now(timezone.utc)

    @property
    def http(self) -> NoReturn:
        """Refuse: there is no event loop here."""
        raise _needs_async("http")

    def query(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: there is no event loop here."""
        raise _needs_async("query")

    def shared(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: nothing is shared with another process."""
        raise _needs_async("shared")

    def note(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: the record of the run is in another process."""
        raise _needs_async("note")

    def keep_hidden(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: an ordinary function gives what it hides with its result."""
        raise _needs_async("keep_hidden")

    def connected(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: an ordinary function is no stream."""
        raise _needs_async("connected")

    def disconnected(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: an ordinary function is no stream."""
        raise _needs_async("disconnected")

    def mount(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: there is no event loop here."""
        raise _needs_async("mount")

    def program(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: an ordinary function starts programs as it likes."""
        raise _needs_async("program")

    def settled(self) -> NoReturn:
        """Refuse: an ordinary function returns before its readings are on their way."""
        raise _needs_async("settled")


def _needs_async(name: str) -> PluginError:
    return PluginError(f"ctx.{name} needs `async def run`, got an ordinary function")
