"""Every error the daemon raises on purpose, and what the caller does about it.

* IngestError
  - ConfigError           the operator must edit a file      -> exit 78, or keep the old config
  - StateError            the state directory cannot be used -> exit 1, with the reason
    . StateDirectoryBusy  another daemon holds it            -> talk to that one, or exit 75
    . DiskFull            nothing was written                -> wait for room; nothing is lost
    . DatabaseLost        the open file was taken away   -> end with exit 1, to be restarted
    . DatabaseDamaged     SQLite cannot read the file        -> set aside, and begin an empty one
  - PluginError           one run of one collector failed    -> back off; the others carry on
    . PluginLoadError     the file does not import           -> keep the last good version
    . InterpreterUnfit    another Python cannot run it     -> the same
    . ResultError         run gave what cannot be kept       -> keep the previous state
    . ResultTooLarge      run gave more than we can take     -> the same; ask for less of the past
    . StoresChanged       a store it began with is gone      -> its position stays; next tick
    . RunTimeout          the deadline passed                -> it was killed; next tick
    . WorkerDied          exit, signal or out of memory      -> a new worker; next tick
  - ReadingError          one reading is unusable            -> count it; keep its siblings
  - StoreError
    . StoreUnavailable    this very body may work later      -> spool, retry with backoff
    . BodyTooLarge        its halves may work now            -> halve
    . BodyRejected        this very body will never work     -> halve, then dead-letter
  - PayloadError          what waits on disk cannot be sent
    . UnreadableBody      damaged, or of another kind        -> set it aside
    . UnsendablePayload   no body of this kind can hold it   -> it stays a dead letter
  - QueryError            a store could not answer           -> tell who asked
  - NotNow                it cannot be done at the moment    -> tell who asked; perhaps later
    . QueueFull           too much of it waits already       -> the same
  - NotPossible           it cannot be done as it was asked  -> tell who asked
  - NotFound              there is nothing of that name      -> tell who asked
  - ListenError           the HTTP API cannot listen         -> exit 1, with what to change

Anything outside this tree is a bug: it is logged with its traceback, and the
daemon keeps running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class IngestError(Exception):
    """The root of the tree."""


@dataclass(frozen=True)
class Problem:
    """One thing an operator should mend in a configuration file.

    Attributes:
        where: ``file:line``, or the file alone.
        key: The dotted path of the option, or an empty string.
        message: What was expected and what was got.
    """

    where: str
    key: str
    message: str

    def __str__(self) -> str:
        """Return ``file:line: key: message``."""
        return ": ".join(part for part in (self.where, self.key, self.message) if part)


class ConfigError(IngestError):
    """The configuration cannot be used; carries every problem that was found.

    Attributes:
        problems: What is wrong.
        config: What could be read all the same, with stand-ins for what is wrong, or None: so
            that what else is wrong can be found in one go.
    """

    def __init__(self, problems: Sequence[Problem], config: object = None) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)
        self.config = config


class StateError(IngestError):
    """The state directory or one of its files cannot be used."""


class StateDirectoryBusy(StateError):
    """Another process holds the state directory."""


class DiskFull(StateError):
    """The disk has no room; the transaction left nothing behind."""


class DatabaseLost(StateError):
    """The file that is open is no longer at its place; a restart finds nothing written to it."""


class DatabaseDamaged(StateError):
    """SQLite cannot read the state database."""


class PluginError(IngestError):
    """One run of one collector failed.

    Attributes:
        details: The plugin's traceback, or an empty string.
        output: The end of what the run printed, or an empty string.
    """

    def __init__(self, message: str, *, details: str = "", output: str = "") -> None:
        super().__init__(message)
        self.details = details
        self.output = output


class PluginLoadError(PluginError):
    """A plugin cannot be found or does not import."""


class InterpreterUnfit(PluginLoadError):
    """The interpreter that a collector names is not there, or cannot run its plugin."""


class ResultError(PluginError):
    """A plugin returned or yielded something that cannot be kept."""


class ResultTooLarge(ResultError):
    """``run`` gave more at once than can be taken from another process."""


class StoresChanged(PluginError):
    """A reload removed a store that was configured when the run began."""


class RunTimeout(PluginError):
    """A run was stopped at its deadline."""


class WorkerDied(PluginError):
    """The worker process ended in the middle of a run."""


class ReadingError(IngestError):
    """One reading is unusable.

    Attributes:
        reason: One of the few words that unusable readings are counted by.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class StoreError(IngestError):
    """A store did not take a body."""


class StoreUnavailable(StoreError):
    """The same body may be accepted later.

    Attributes:
        retry_after: How long the store asked us to wait, in seconds, or None.
        answered: Whether an answer came, so that it can be asked who gave it.
        perhaps_body: Whether the answer may be about this very body: a failure of the
            server that tells of no other reason.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        answered: bool = False,
        perhaps_body: bool = False,
    ) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.answered = answered
        self.perhaps_body = perhaps_body


class BodyTooLarge(StoreError):
    """The store takes smaller bodies only."""


class BodyRejected(StoreError):
    """The store will never accept this body as it is.

    Attributes:
        bad: Index of a payload in the body -> why it was refused, if the store said so.
        sure: Whether our own side knows it, so that the store need not be believed.
    """

    def __init__(
        self, message: str, *, bad: Mapping[int, str] | None = None, sure: bool = False
    ) -> None:
        super().__init__(message)
        self.bad = bad or {}
        self.sure = sure


class PayloadError(IngestError):
    """Bytes that wait on disk cannot be sent to the store that they wait for."""


class UnreadableBody(PayloadError):
    """A body is damaged, or was made for another kind of store."""


class UnsendablePayload(PayloadError):
    """A payload is one that this kind of store cannot have, or was made for another kind."""


class QueryError(IngestError):
    """A store could not answer a question."""


class NotNow(IngestError):
    """What an operator asked for cannot be done at the moment."""


class QueueFull(NotNow):
    """So much waits already that no more is taken."""


class NotPossible(IngestError):
    """What an operator asked for can never be done in this way.

    Attributes:
        problems: Everything that is wrong, if that is more than the message.
    """

    def __init__(self, message: str, problems: Sequence[Problem] = ()) -> None:
        super().__init__(message)
        self.problems = tuple(problems)


class NotFound(IngestError):
    """What an operator named is not there."""


class ListenError(IngestError):
    """The HTTP API cannot listen where the config says."""
