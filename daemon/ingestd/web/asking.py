"""What an action on pages is, what it asks, and what it may be about."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any
from urllib.parse import quote

import msgspec

from ingestd.app import Daemon
from ingestd.backfilling import BackfillRecord
from ingestd.config import CollectorConfig, duration
from ingestd.plugins._isotimes import iso_time
from ingestd.requesting import RequestedRun, number_of
from ingestd.web.call import Call, Nothing
from ingestd.web.problems import Refusal

Asked = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One thing that can be done.

    Attributes:
        name: The end of its path.
        about: What it is about.
        ask: Returns what the page that asks says; see ``question``.
        act: Does it, and returns the path of the page to look at then.
    """

    name: str
    about: type[msgspec.Struct]
    ask: Callable[[Call[Any, Nothing]], Awaitable[Asked]]
    act: Callable[[Call[Nothing, Any]], Awaitable[str]]


def question(
    title: str,
    says: Sequence[str],
    *,
    button: str,
    back: str,
    keeps: Mapping[str, str],
    texts: Mapping[str, tuple[str, str]] | None = None,
    ticks: Mapping[str, tuple[str, bool]] | None = None,
) -> Asked:
    """Return what a page asks.

    Args:
        title: What is to be done, as a question.
        says: What will happen, a paragraph each.
        button: What stands on the button that does it.
        back: The path to go to instead.
        keeps: What the form carries unseen: name -> value.
        texts: What is to be written: name -> label, and what stands there at first.
        ticks: What is to be ticked: name -> label, and whether it is at first.
    """
    return {
        "title": title,
        "says": list(says),
        "button": button,
        "back": back,
        "keeps": dict(keeps),
        "texts": [(name, *rest) for name, rest in (texts or {}).items()],
        "ticks": [(name, *rest) for name, rest in (ticks or {}).items()],
    }


def fresh() -> str:
    """Return a name that nothing else has."""
    return secrets.token_urlsafe(16)


def page_of(collector: str) -> str:
    """Return the path of the page of a collector."""
    return f"/ui/collectors/{quote(collector, safe='', errors='replace')}"


def config_of(daemon: Daemon, name: str) -> CollectorConfig:
    """Return a collector that is configured, or refuse."""
    if name not in daemon.config.collectors:
        raise Refusal(404, f"no collector {name!r}")
    return daemon.config.collectors[name]


def store_of(daemon: Daemon, name: str) -> str:
    """Return the name of a store that is configured, or refuse."""
    if name not in daemon.deliveries.by_store:
        raise Refusal(404, f"no store {name!r}")
    return name


async def requested_run(daemon: Daemon, name: str) -> RequestedRun:
    """Return a requested run by its name, or refuse."""
    number = number_of(name)
    found = None if number is None else await daemon.requests.find(number)
    if found is None:
        raise Refusal(404, f"no requested run {name:.40} on record; old ones are forgotten")
    return found


async def backfill_of(daemon: Daemon, number: int) -> BackfillRecord:
    """Return a backfill by its number, or refuse."""
    found = await daemon.backfills.find(number)
    if found is None:
        raise Refusal(404, f"no backfill {number} on record; old ones are forgotten")
    return found


def moment(daemon: Daemon, label: str, text: str) -> float:
    """Return a time as people write it, in seconds since the Unix epoch, or refuse."""
    text = text.strip()
    try:
        return daemon.clock.now() - (0.0 if text.lower() == "now" else duration(text))
    except ValueError:
        pass
    try:
        found = iso_time(text)
        zone = found.tzinfo or daemon.config.daemon.timezone or UTC
        return found.replace(tzinfo=zone).timestamp()
    except (ValueError, OverflowError):
        wanted = "expected a time such as 2026-01-31, a duration back such as 30d, or now"
        raise Refusal(400, f"{label}: {wanted}, got {text[:40]!r}") from None
