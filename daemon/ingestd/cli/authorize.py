"""``ingestd authorize``: have a person allow, once, what a collector then does alone."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ingestd.cli import show
from ingestd.cli.connecting import ask
from ingestd.cli.exitcodes import CommandError
from ingestd.cli.settings import config_option, known, load

if TYPE_CHECKING:
    from ingestd.config import CollectorConfig, Config
    from ingestd.contract import Authorize


@click.command(short_help="Have a person allow what a collector does.")
@click.argument("name")
@config_option
def authorize(*, name: str, config_path: Path) -> None:
    """Have a person allow what the collector NAME asks for, once.

    Tells where to go and which code to enter there, waits until that is done, and hands
    what it brings to the daemon, or to its files where none runs.
    """
    from ingestd import loop  # noqa: PLC0415 -- takes its time

    config = load(config_path)
    collector: CollectorConfig = known(config.collectors, name, "collector")
    function = _function(config, collector)
    ask(config_path, lambda backend: backend.state(name))  # better to fail before than after it
    hidden = loop.run(_authorized(config, collector, function))
    ask(config_path, lambda backend: backend.keep_hidden(name, hidden))
    click.echo(f"{name}: authorized")


def _function(config: "Config", collector: "CollectorConfig") -> "Authorize":
    """Return what the plugin of a collector offers.

    Raises:
        CommandError: It offers nothing.
    """
    from ingestd.cli.loading import loader_for  # noqa: PLC0415 -- takes its time

    plugin = loader_for(config).load(collector.plugin)
    if plugin.authorize is None:
        raise CommandError(
            f"{collector.name}: expected a plugin that a person authorizes, such as http_json, "
            f"got {collector.plugin!r}"
        )
    return plugin.authorize


async def _authorized(
    config: "Config", collector: "CollectorConfig", function: "Authorize"
) -> dict[str, Any]:
    """Call what the plugin offers; return what is to be hidden.

    Raises:
        CommandError: It was not allowed, or failed.
    """
    from ingestd.clock import SystemClock  # noqa: PLC0415 -- take their time
    from ingestd.context import LazySession  # noqa: PLC0415
    from ingestd.redaction import Redactor, find_secrets  # noqa: PLC0415

    redactor = Redactor([*config.secrets, *find_secrets(dict(collector.params))])
    http = LazySession(collector.http, clock=SystemClock(), collector=collector.name)

    def tell(text: object) -> None:
        click.echo(show.visible(redactor.text(str(text))))

    try:
        found = await function(ctx=_context(collector, http), tell=tell, **collector.params)
    except Exception as error:  # noqa: BLE001 -- the plugin's own code
        text = redactor.text(str(error) or type(error).__name__)
        raise CommandError(f"{collector.name}: {show.visible(text)}") from None
    finally:
        await http.close()
    if not isinstance(found, Mapping) or not found:
        got = type(found).__name__
        raise CommandError(f"{collector.name}: authorize must return what is hidden, got {got}")
    return dict(found)


def _context(collector: "CollectorConfig", http: Any) -> Any:
    """Return a `ctx` for a plugin that does not run."""
    import structlog  # noqa: PLC0415 -- take their time

    from ingestd.clock import SystemClock  # noqa: PLC0415
    from ingestd.context import Context, Receipts, Shared  # noqa: PLC0415

    def keep(_: Mapping[str, Any]) -> asyncio.Event:
        raise CommandError(f"{collector.name}: authorize must return what is hidden")

    return Context(
        collector=collector.name,
        log=structlog.get_logger("ingestd"),
        clock=SystemClock(),
        receipts=Receipts(),
        stopping=asyncio.Event(),
        reader=None,
        http=http,
        shared=Shared(),
        keep=keep,
        note=lambda _: None,
        connection=lambda _problem, _awaits: None,
    )
