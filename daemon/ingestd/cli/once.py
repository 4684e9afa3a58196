"""``ingestd once``: one run of a collector, now."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
import yaml

from ingestd import loop
from ingestd.cli import show
from ingestd.cli.backend import Json
from ingestd.cli.connecting import connected
from ingestd.cli.exitcodes import FAILURE, UNAVAILABLE, CommandError
from ingestd.cli.loading import plugin_findings
from ingestd.cli.params import param
from ingestd.cli.settings import config_option, json_option, known, load, verbose_option
from ingestd.config import CollectorConfig, Config, duration
from ingestd.contract import Memory
from ingestd.errors import ConfigError
from ingestd.records import GOOD_OUTCOMES, Outcome
from ingestd.redaction import Redactor, find_secrets

if TYPE_CHECKING:
    from ingestd.cli.dryrun import DryRun

LINES_SHOWN: Final = 10  # of what a plugin printed
READINGS_SHOWN: Final = 40  # readings
LISTEN: Final = "10s"


@click.command(short_help="Run a collector once, now.")
@click.argument("name")
@click.option(
    "--dry-run", "-n", is_flag=True, help="Store and remember nothing; show what would be."
)
@click.option(
    "--param",
    "-p",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value for a param, in YAML; may be repeated.",
)
@click.option(
    "--listen-for",
    default=LISTEN,
    show_default=True,
    help="How long a dry run listens to a stream.",
)
@click.option(
    "--with-secrets",
    is_flag=True,
    help="Let a dry run use what the collector keeps secret, even if that uses it up.",
)
@verbose_option
@config_option
@json_option
def once(  # noqa: PLR0913 -- one for each option of the command
    name: str,
    *,
    dry_run: bool,
    params: tuple[str, ...],
    listen_for: str,
    with_secrets: bool,
    verbose: bool,
    config_path: Path,
    as_json: bool,
) -> int:
    """Run the collector NAME once, apart from its schedule.

    Where a daemon runs, it does that. Otherwise this process does, and brings the
    readings to the stores or, if one is away, to its spool (exit code 69).
    """
    config = load(config_path)
    collector = _collector(config, name, dict(map(param, params)))
    if dry_run:
        _check(config, collector)
        if not with_secrets:
            loop.run(_spare_secrets(config, name))
        return _run_dry(config, collector, listen_for, verbose=verbose, as_json=as_json)
    if collector.every is None and collector.cron is None:
        raise CommandError(f"{name}: a stream runs as long as the daemon does; try --dry-run")
    record = loop.run(_run(config_path, config, collector, changed=bool(params)))
    waiting = record["unavailable"] if record["points"] else {}
    if as_json:
        show.as_json(record)
    else:
        show_record(record, verbose=verbose)
        tell_of_traceback(record, verbose=verbose)
        for store, error in waiting.items():
            click.echo(f"{store}: unavailable, the readings wait in its spool: {error}", err=True)
    if record["outcome"] not in GOOD_OUTCOMES:
        return FAILURE
    return UNAVAILABLE if waiting else 0


async def _run(
    config_path: Path, config: Config, collector: CollectorConfig, *, changed: bool
) -> Json:
    from ingestd.cli.offline import Offline  # noqa: PLC0415 -- takes its time

    async with connected(config_path) as backend:
        if isinstance(backend, Offline):
            _check(config, collector)
            changes = {**config.collectors, collector.name: collector}
            offline = Offline(dataclasses.replace(config, collectors=changes), None)
            return await offline.run_now(collector.name)
        if changed:
            text = "a running daemon takes no --param; stop it, or try --dry-run"
            raise CommandError(f"{collector.name}: {text}")
        return await backend.run_now(collector.name)


def _collector(config: Config, name: str, params: dict[str, Any]) -> CollectorConfig:
    collector: CollectorConfig = known(config.collectors, name, "collector")
    return dataclasses.replace(collector, params={**collector.params, **params})


def _check(config: Config, collector: CollectorConfig) -> None:
    """Compare a collector with its plugin, as ``ingestd check`` does with all of them.

    Raises:
        ConfigError: They do not fit, or the plugin does not load.
    """
    enabled = dataclasses.replace(collector, enabled=True)
    found = plugin_findings(dataclasses.replace(config, collectors={collector.name: enabled}))
    if wrong := [*found.wrong, *found.unable]:
        raise ConfigError(wrong)
    for problem in found.suspicious:
        click.echo(f"warning: {show.visible(str(problem))}", err=True)


async def _spare_secrets(config: Config, name: str) -> None:
    """Refuse a dry run that would lose a renewed token, and with it the authorization.

    Raises:
        CommandError: The collector keeps something secret.
    """
    from ingestd.cli.dryrun import remembered  # noqa: PLC0415 -- takes its time

    if (await remembered(config, name)).hidden:
        raise CommandError(
            f"{name}: keeps something secret between its runs; if that is a token which each use "
            "renews, a dry run loses the new one; expected --with-secrets if it does no harm"
        )


def _run_dry(
    config: Config, collector: CollectorConfig, listen_for: str, *, verbose: bool, as_json: bool
) -> int:
    from ingestd.cli.dryrun import dry_run  # noqa: PLC0415 -- takes its time

    stream = collector.every is None and collector.cron is None
    if stream:
        try:
            collector = dataclasses.replace(collector, timeout=duration(listen_for))
        except ValueError as exc:
            raise click.BadParameter(f"{exc}", param_hint="--listen-for") from None
    redactor = Redactor([*config.secrets, *find_secrets(dict(collector.params))])
    found = loop.run(dry_run(config, collector, redactor, verbose=verbose))
    if stream and found.record.outcome is Outcome.TIMEOUT:  # it has been listened to long enough
        found.record.outcome, found.record.error = Outcome.OK, ""
    redactor.add([*found.before.hidden.values(), *found.after.hidden.values()])
    if as_json:
        show.as_json(_as_json(found, collector.name, redactor))
    else:
        _show(found, redactor, verbose=verbose)
    return 0 if found.record.outcome in GOOD_OUTCOMES else FAILURE


def _as_json(found: "DryRun", name: str, redactor: Redactor) -> Json:
    from ingestd.views import point_json, state_json  # noqa: PLC0415 -- takes its time

    return {
        "run": found.record.as_dict(),
        "readings": [point_json(point) for point in found.points],
        "before": state_json(name, found.before, redactor),
        "after": state_json(name, found.after, redactor),
    }


def _show(found: "DryRun", redactor: Redactor, *, verbose: bool) -> None:
    from ingestd.views import point_json  # noqa: PLC0415 -- takes its time

    points = list(map(point_json, found.points))
    shown = points if not sys.stdout.isatty() else points[:READINGS_SHOWN]
    if shown:
        show.readings(shown)
        click.echo()
    if len(points) > len(shown):
        click.echo(f"... and {len(points) - len(shown):,} more; --json shows all\n")
    for line in differences(found.before, found.after, redactor):
        click.echo(line)
    click.echo()
    record = found.record.as_dict()
    show_record(record, dry=True, verbose=verbose)
    tell_of_traceback(record, verbose=verbose)


def differences(before: Memory, after: Memory, redactor: Redactor) -> list[str]:
    """Return what a run changes in a memory, in lines; of what is hidden only how much."""
    old, new = redactor.value(before.state), redactor.value(after.state)
    lines = [f"- {name}: {_yaml(old[name])}" for name in old if name not in new]
    for name, value in new.items():
        if name not in old:
            lines.append(f"+ {name}: {_yaml(value)}")
        elif before.state[name] != after.state[name]:
            lines.append(f"~ {name}: {_yaml(old[name])} -> {_yaml(value)}")
    if before.hidden != after.hidden:
        lines.append(f"~ hidden: {show.counted(len(after.hidden), 'key')}, changed, not shown")
    lines += [f"+ masked param: {name}" for name in after.masks if name not in before.masks]
    lines += [f"- masked param: {name}" for name in before.masks if name not in after.masks]
    return ["state:", *(f"  {line}" for line in lines)] if lines else ["state: unchanged"]


def _yaml(value: Any) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=True)
    text = text.removesuffix("\n").removesuffix("\n...")
    return show.visible(text if len(text) <= 120 else f"{text[:100]}... ({len(text):,} characters)")


def show_record(record: Json, *, dry: bool = False, verbose: bool = False) -> None:
    """Print how a run went, the reason of a failure in the first line.

    Args:
        record: As the API has it.
        dry: Whether nothing was stored.
        verbose: Whether to show the plugin's traceback, and all of what it printed.
    """
    parts = [show.counted(record["readings"], "reading")]
    if record["unusable"]:
        reasons = ", ".join(f"{number} {reason}" for reason, number in record["unusable"].items())
        parts.append(f"unusable: {reasons}")
    outcome = show.colored(record["outcome"])
    nothing = "; nothing was stored" if dry else ""
    took = show.span(record["seconds"])
    said = f"{record['collector']}: {outcome} after {took}, {', '.join(parts)}{nothing}"
    reason, _, more = record["error"].partition("\n")
    click.echo(f"{said}: {show.visible(reason)}" if reason else said)
    for sample in record["samples"]:
        click.echo(f"  {show.visible(sample)}")
    output = record["output"] if verbose else _end_of(record["output"])
    texts = {
        "degraded": record["degraded"],
        "notes": "\n".join(record["notes"]),
        "error": more,
        "output": output,
        "details": record["details"] if verbose else "",
    }
    for key, text in texts.items():
        if text:
            click.echo(f"{key}:" if "\n" in text else f"{key}: ", nl="\n" in text)
            indent = "  " if "\n" in text else ""
            for line in show.visible_lines(text):
                click.echo(f"{indent}{line}")


def tell_of_traceback(record: Json, *, verbose: bool) -> None:
    """Say how to see the traceback that was left out."""
    if record["details"] and not verbose:
        click.echo("--verbose (-v) shows the traceback", err=True)


def _end_of(text: str) -> str:
    """Return the last lines of a text, and how many were left out."""
    lines = text.splitlines()
    left_out = len(lines) - LINES_SHOWN
    if left_out <= 0:
        return text
    return "\n".join([f"... {left_out} lines more", *lines[-LINES_SHOWN:]])
