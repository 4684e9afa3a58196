"""The daemon's event loop, which plugins share, and the tasks that each run starts there.

asyncio lets any code on a loop end it: a task that raises SystemExit leaves the loop, and
``loop.stop()`` or a cancelled task of the daemon would end what no plugin has a say in. So every
task knows its owner, which is a context variable: a run, what runs share, or the daemon (None).
A run may cancel its own tasks and those that are shared; what it leaves behind ends with it.
"""

import asyncio
import traceback
import weakref
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, cast

import structlog

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

LOOP_IS_OURS: Final = "the event loop belongs to the daemon: a plugin must not call"


class RunTasks:
    """The tasks that the code of one run has started and that have not ended.

    Args:
        fail: Called with the SystemExit or KeyboardInterrupt that one of them ended with.
    """

    def __init__(self, fail: Callable[[BaseException], None]) -> None:
        self.fail = fail
        self._tasks: set[asyncio.Task[Any]] = set()
        self._over = False
        _RUNS.add(self)

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._tasks)

    def context(self) -> Context:
        """Return a copy of the current context, for code whose tasks are to be noted here."""
        context = copy_context()
        context.run(_OWNER.set, self)
        return context

    def note(self, task: asyncio.Task[Any]) -> None:
        """Note a task that has been started, unless the run is over."""
        if not self._over:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def ended_with(self, error: BaseException) -> bool:
        """Say whether one of them has just ended with an error."""
        ended = [each for each in self._tasks if each.done() and not each.cancelled()]
        return any(each.exception() is error for each in ended)

    def cancel(self) -> set[asyncio.Task[Any]]:
        """Cancel those that are left, note no more, and return them."""
        self._over = True
        self.fail = _too_late  # else the run, its tasks and this would be a circle
        left = {each for each in self._tasks if not each.done()}
        for task in left:
            task.cancel()
        return left


def _too_late(_: BaseException) -> None:
    """Leave a run alone that is over."""


_SHARED: Final = object()
_OWNER: Final[ContextVar[object]] = ContextVar("owner of tasks", default=None)
_OURS: Final[ContextVar[bool]] = ContextVar("started by the daemon", default=False)
_OURS.set(True)  # in the thread that imports this, before there is a loop; all others have no value
_RUNS: Final[weakref.WeakSet[RunTasks]] = weakref.WeakSet()


class _OwnedTask(asyncio.Task[Any]):
    """A task that only its owner's code may cancel, if that is the daemon."""

    owner: object = None
    is_ours: bool = True

    def cancel(self, msg: object = None) -> bool:
        """Cancel the task.

        Raises:
            RuntimeError: The daemon started it, and a plugin calls.
        """
        if self.owner is None and self.is_ours and _OWNER.get() is not None:
            text = f"a plugin may cancel only tasks of its own, got {self.get_name()!r}"
            raise RuntimeError(text)
        return super().cancel(msg)


def _start_owned(
    loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **options: Any
) -> asyncio.Task[Any]:
    """Start a task on behalf of the owner of its context, as asyncio's task factories do."""
    task = _OwnedTask(coro, loop=loop, **options)
    context: Context | None = options.get("context")
    task.owner = _OWNER.get() if context is None else context.get(_OWNER)
    # A thread of a library has an empty context. What it asks the loop for is not the daemon's,
    # though it has no owner: aiomqtt starts tasks in this way, and cancels them from a run.
    task.is_ours = (copy_context() if context is None else context).get(_OURS, False)
    if isinstance(task.owner, RunTasks):
        task.owner.note(task)
    return task


def note_owners(loop: asyncio.AbstractEventLoop) -> None:
    """Have a loop give each new task its owner."""
    if loop.get_task_factory() is not _start_owned:
        loop.set_task_factory(cast("Any", _start_owned))


@contextmanager
def shared_by_runs() -> Iterator[None]:
    """Let tasks that are started inside go on when the run under way has ended."""
    token = _OWNER.set(_SHARED)
    try:
        yield
    finally:
        _OWNER.reset(token)


class DaemonLoop(asyncio.SelectorEventLoop):
    """An event loop that goes on until the daemon itself has come to its end."""

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """Run until a future is done, even if other code on the loop tries to end it."""
        note_owners(self)
        main = asyncio.ensure_future(cast("Awaitable[T]", future), loop=self)
        while True:
            try:
                return super().run_until_complete(main)
            except (SystemExit, KeyboardInterrupt) as error:
                if main.done() or not _failed_its_run(error):
                    raise
            except RuntimeError:
                if main.done() or self.is_running() or self.is_closed():
                    raise
                _log().error("a plugin stopped the event loop, which goes on")

    def stop(self) -> None:
        """Stop the loop, if the daemon calls."""
        self._refuse_plugins("loop.stop()")
        super().stop()

    def close(self) -> None:
        """Close the loop, if the daemon calls."""
        self._refuse_plugins("loop.close()")
        super().close()

    def set_exception_handler(self, handler: Any) -> None:
        """Replace what tells of errors that no task awaits, if the daemon calls."""
        self._refuse_plugins("loop.set_exception_handler()")
        super().set_exception_handler(handler)

    def set_task_factory(self, factory: Any) -> None:
        """Replace what makes tasks, if the daemon calls."""
        self._refuse_plugins("loop.set_task_factory()")
        super().set_task_factory(factory)

    def add_signal_handler(self, sig: int, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
        """Have a signal handled, if the daemon calls."""
        self._refuse_plugins("loop.add_signal_handler()")
        super().add_signal_handler(sig, callback, *args)

    def remove_signal_handler(self, sig: int) -> bool:
        """Let a signal have its default effect again, if the daemon calls."""
        self._refuse_plugins("loop.remove_signal_handler()")
        return super().remove_signal_handler(sig)

    def _refuse_plugins(self, called: str) -> None:
        if _OWNER.get() is not None:
            _refuse(called)


def _refuse(called: str) -> NoReturn:
    raise RuntimeError(f"{LOOP_IS_OURS} {called}")


def _failed_its_run(error: BaseException) -> bool:
    """Tell the run whose task has ended the loop; return whether the loop is to go on.

    A callback belongs to no task. It may leave by SystemExit, which none of ours does;
    KeyboardInterrupt may be a person's Ctrl-C.
    """
    owner = next((each for each in list(_RUNS) if each.ended_with(error)), None)
    if owner is not None:
        owner.fail(error)
    elif isinstance(error, SystemExit):
        *_, innermost = traceback.extract_tb(error.__traceback__)
        _log().error(
            "a plugin called sys.exit() in a callback, and the daemon goes on",
            where=f"{innermost.filename}:{innermost.lineno} in {innermost.name}",
        )
    return owner is not None or isinstance(error, SystemExit)


def _log() -> Any:
    return structlog.get_logger("ingestd")


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as ``asyncio.run`` does, on a loop that no plugin can end."""
    with asyncio.Runner(loop_factory=DaemonLoop) as runner:
        note_owners(runner.get_loop())  # or else a plugin could cancel the first task of all
        return runner.run(main)
