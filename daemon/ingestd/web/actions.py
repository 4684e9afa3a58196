"""What can be done on pages: each action asks first, and is done when its form comes back.

Each does what the API does, by the same functions of the daemon. What an action is about stands
in the query of the page that asks, and in the form there.
"""

from collections.abc import Sequence
from typing import Annotated, Final

import msgspec

from ingestd.requesting import Target, digest_of, single
from ingestd.web.asking import (
    Action,
    Asked,
    backfill_of,
    config_of,
    fresh,
    moment,
    page_of,
    question,
    requested_run,
    store_of,
)
from ingestd.web.call import MOST_DIGITS, Call, Nothing

BELOW: Final = "/ui/act"
Key = Annotated[str, msgspec.Meta(max_length=200)]
Number = Annotated[int, msgspec.Meta(ge=1, lt=10**MOST_DIGITS)]


class RunForm(msgspec.Struct):
    """A run that is asked for.

    Attributes:
        collector: Whose plugin is to be called.
        project: What it is about, or an empty string.
        trace: Likewise.
        commit: Whether the collector's position moves.
        key: Of the page that asked, so that a form that is sent twice asks once.
    """

    collector: str
    project: str = ""
    trace: str = ""
    commit: bool = False
    key: Key = ""


async def ask_run(call: Call[RunForm, Nothing]) -> Asked:
    """Ask whether to run a collector now."""
    config = config_of(call.daemon, call.query.collector)
    says = [
        f"The plugin of {config.name} is called once, apart from its schedule.",
        "Its readings are stored like all others.",
        "The next scheduled run goes on from there only if what it remembers is kept.",
    ]
    about = {"project": ("Project", call.query.project), "trace": ("Trace", call.query.trace)}
    return question(
        f"Run {config.name} now?",
        says,
        button="Run now",
        back=page_of(config.name),
        keeps={"collector": config.name, "key": f"page-{fresh()}"},
        texts=about if config.targets else {},
        ticks={"commit": ("keep what it remembers", not config.on_request)},
    )


async def run(call: Call[Nothing, RunForm]) -> str:
    """Ask for a run, and show it."""
    wanted, config = call.body, config_of(call.daemon, call.body.collector)
    target = Target(wanted.project or None, wanted.trace or None)
    request = single(
        config.name,
        config.targets,
        target=target if wanted.project or wanted.trace else None,
        document=None,
        params={},
        commit=wanted.commit,
    )
    digest = digest_of(msgspec.to_builtins(wanted))
    key = f"{wanted.key}-{digest}" if wanted.key else None  # a form that was changed asks anew
    asked = await call.daemon.requests.ask([request], key=key, digest=digest)
    return f"/ui/runs/{asked.runs[0].name}"


class RunNumber(msgspec.Struct):
    """A requested run.

    Attributes:
        id: Its number, such as ``r-17``.
    """

    id: str


async def ask_cancel_run(call: Call[RunNumber, Nothing]) -> Asked:
    """Ask whether to cancel a requested run."""
    found = await requested_run(call.daemon, call.query.id)
    says = [
        "If it waits, it never begins; if it is under way, it ends now. What it has given stays."
    ]
    return question(
        f"Cancel run {found.name} of {found.collector}?",
        [f"It is {found.status.lower()}.", *says],
        button="Cancel the run",
        back=f"/ui/runs/{found.name}",
        keeps={"id": found.name},
    )


async def cancel_run(call: Call[Nothing, RunNumber]) -> str:
    """Cancel a requested run, and show it."""
    found = await requested_run(call.daemon, call.body.id)
    await call.daemon.requests.cancel(found.id)
    return f"/ui/runs/{found.name}"


class BackfillForm(msgspec.Struct):
    """What to read anew.

    Attributes:
        collector: Whose plugin is to read it.
        start: Its first time, as people write it.
        end: Its end, likewise.
    """

    collector: str
    start: str = "30d"
    end: str = "now"


async def ask_backfill(call: Call[BackfillForm, Nothing]) -> Asked:
    """Ask what to read anew."""
    config, query = config_of(call.daemon, call.query.collector), call.query
    says = [
        f"The plugin of {config.name} reads everything between two times anew, window by window.",
        "Its scheduled runs go on meanwhile, and what it remembers stays.",
        "Write times such as 2026-01-31, 2026-01-31 12:00, 30d for so long ago, or now.",
    ]
    return question(
        f"Read {config.name} anew?",
        says,
        button="Begin to read",
        back=page_of(config.name),
        keeps={"collector": config.name},
        texts={"start": ("From", query.start), "end": ("To", query.end)},
    )


async def backfill(call: Call[Nothing, BackfillForm]) -> str:
    """Begin a backfill, and show its collector."""
    body, daemon = call.body, call.daemon
    name = config_of(daemon, body.collector).name
    span = (moment(daemon, "From", body.start), moment(daemon, "To", body.end))
    await daemon.backfills.ask(name, [span])
    return page_of(name)


class BackfillNumber(msgspec.Struct):
    """A backfill.

    Attributes:
        id: Its number.
    """

    id: Number


async def ask_cancel_backfill(call: Call[BackfillNumber, Nothing]) -> Asked:
    """Ask whether to give a backfill up."""
    found = await backfill_of(call.daemon, call.query.id)
    says = [f"It is {found.status}, and {found.done:.0%} of it is read. What it has read stays."]
    return question(
        f"Cancel the backfill of {found.collector}?",
        says,
        button="Cancel the backfill",
        back=page_of(found.collector),
        keeps={"id": str(found.id)},
    )


async def cancel_backfill(call: Call[Nothing, BackfillNumber]) -> str:
    """Give a backfill up, and show its collector."""
    found = await backfill_of(call.daemon, call.body.id)
    await call.daemon.backfills.cancel(found.id)
    return page_of(found.collector)


class ResetForm(msgspec.Struct):
    """What to forget.

    Attributes:
        collector: Whose state.
        masks: Whether params that the plugin deleted come back.
    """

    collector: str
    masks: bool = False


async def ask_reset(call: Call[ResetForm, Nothing]) -> Asked:
    """Ask whether to forget what a collector remembers."""
    name = config_of(call.daemon, call.query.collector).name
    says = [
        f"{name} forgets what it remembers, secrets as well: its next run is like its first.",
        "Readings that are stored stay; what its source still has may come again.",
        "Access that a person has allowed has to be allowed again.",
        "A run that is under way ends first. There is no way back.",
    ]
    return question(
        f"Reset the state of {name}?",
        says,
        button="Forget its state",
        back=page_of(name),
        keeps={"collector": name},
        ticks={"masks": ("params that the plugin has deleted come back", False)},
    )


async def reset(call: Call[Nothing, ResetForm]) -> str:
    """Forget what a collector remembers, and show it."""
    name = config_of(call.daemon, call.body.collector).name
    await call.daemon.collectors.reset(name, masks=call.body.masks)
    return page_of(name)


class LettersOf(msgspec.Struct):
    """The dead letters of a store.

    Attributes:
        store: Its name.
    """

    store: str


async def ask_retry(call: Call[LettersOf, Nothing]) -> Asked:
    """Ask whether to send dead letters again."""
    store = store_of(call.daemon, call.query.store)
    count = call.daemon.deliveries.by_store[store].dead.count
    says = [
        f"All {count:,} readings that {store} has refused for good are sent to it again.",
        "Those that it refuses again come back here.",
    ]
    return question(
        f"Send the dead letters of {store} again?",
        says,
        button="Send them again",
        back="/ui/stores",
        keeps={"store": store},
    )


async def retry(call: Call[Nothing, LettersOf]) -> str:
    """Send dead letters again, and show the stores."""
    await call.daemon.deliveries.retry(store_of(call.daemon, call.body.store))
    return "/ui/stores"


async def ask_purge(call: Call[LettersOf, Nothing]) -> Asked:
    """Ask whether to delete dead letters."""
    store = call.query.store
    says = [
        f"All readings that {store} has refused for good by then are deleted.",
        "They are kept nowhere else. There is no way back.",
    ]
    return question(
        f"Delete the dead letters of {store}?",
        says,
        button="Delete them for ever",
        back="/ui/stores",
        keeps={"store": store},
    )


async def purge(call: Call[Nothing, LettersOf]) -> str:
    """Delete dead letters, and show the stores."""
    await call.daemon.deliveries.purge(call.body.store)
    return "/ui/stores"


ACTIONS: Final[Sequence[Action]] = (
    Action(name="run", about=RunForm, ask=ask_run, act=run),
    Action(name="cancel-run", about=RunNumber, ask=ask_cancel_run, act=cancel_run),
    Action(name="backfill", about=BackfillForm, ask=ask_backfill, act=backfill),
    Action(
        name="cancel-backfill",
        about=BackfillNumber,
        ask=ask_cancel_backfill,
        act=cancel_backfill,
    ),
    Action(name="reset", about=ResetForm, ask=ask_reset, act=reset),
    Action(name="retry", about=LettersOf, ask=ask_retry, act=retry),
    Action(name="purge", about=LettersOf, ask=ask_purge, act=purge),
)
