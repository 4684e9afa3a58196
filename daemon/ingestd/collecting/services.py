"""What all collectors of a daemon share."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ingestd.calling import Isolation, Workers
from ingestd.clock import Clock
from ingestd.context import Reader, Shared
from ingestd.contract import Host
from ingestd.delivery import Buffer
from ingestd.loading import Loader
from ingestd.metrics import Metrics
from ingestd.records import StateStore
from ingestd.redaction import Redactor
from ingestd.tasks import Blocking


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """What all collectors share.

    Attributes:
        reader: Where ``ctx.query`` reads, or None.
        stopping: Set once the daemon is stopping.
        blocking: Calls what blocks, in a thread of ours.
        shared: What plugins share between their collectors.
        hosts: The systems whose plugins run as they are, by the name that ``compat:`` has.
        keeps: Whether anything is stored and remembered at all.
    """

    clock: Clock
    buffer: Buffer
    loader: Loader
    processes: Workers
    threads: Isolation
    states: StateStore
    reader: Reader | None
    metrics: Metrics
    redactor: Redactor
    stopping: asyncio.Event
    blocking: Blocking
    shared: Shared
    hosts: Mapping[str, Host]
    log: Any
    keeps: bool = True
