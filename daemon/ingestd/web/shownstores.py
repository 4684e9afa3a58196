"""What the pages on stores, the configuration and plugins show, gathered from the daemon."""

from collections import Counter
from functools import partial
from typing import Any, Final

import msgspec

from ingestd.delivery import deadletters
from ingestd.web import status
from ingestd.web.call import Call, Nothing
from ingestd.web.shown import Shown
from ingestd.web.stores import all_stores

REASONS: Final = 100  # of dead letters


class ConfigPage(msgspec.Struct):
    """How much to find out about the configuration.

    Attributes:
        check: Whether the files are to be read and checked now, which takes a while.
    """

    check: bool = False


async def stores(call: Call[Nothing, Nothing]) -> Shown:
    """Show the stores, and what they have refused for good."""
    database = call.daemon.database
    refused = await database.read(partial(deadletters.by_reason, most=REASONS))
    return {"stores": await all_stores(call.daemon), "refused": refused, "most": REASONS}


async def config(call: Call[Any, Nothing]) -> Shown:
    """Show the configuration in use, and what is wrong with the files as they are now."""
    daemon, findings = call.daemon, None
    if call.query.check:
        wrong, suspicious = await daemon.checker.findings()
        findings = {"wrong": wrong, "suspicious": suspicious}
    return {
        "config": (await status.status(call))["config"],
        "files": [str(each) for each in daemon.config.files],
        "findings": findings,
    }


async def plugins(call: Call[Nothing, Nothing]) -> Shown:
    """Show the plugins that have a name."""
    used = Counter(each.plugin for each in call.daemon.config.collectors.values())
    return {"plugins": await status.plugins(call), "used": dict(used)}
