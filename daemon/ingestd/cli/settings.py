"""What commands share: where the configuration is, and how it is read."""

import os
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

import click

from ingestd.cli.exitcodes import CommandError
from ingestd.plugins._isotimes import iso_time

if TYPE_CHECKING:
    from ingestd.config import Config

T = TypeVar("T")


class Duration(click.ParamType[float]):
    """A duration such as ``5m``; its value is in seconds.

    Args:
        least: The shortest that makes sense, in seconds.
    """

    name = "duration"

    def __init__(self, least: float = 0.0) -> None:
        self._least = least

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        from ingestd.config import duration  # noqa: PLC0415 -- takes its time

        if isinstance(value, float):
            return value
        try:
            seconds = duration(str(value))
        except ValueError as exc:
            self.fail(f"{exc}, got {value!r}", param, ctx)
        if seconds < self._least:
            self.fail(f"expected at least {self._least:g}s, got {value!r}", param, ctx)
        return seconds


class Moment(click.ParamType[datetime]):
    """A date, with or without a clock time and an offset; local unless it has one.

    Or ``now``, ``today``, ``yesterday``, or a duration such as ``30d``: so long ago.
    """

    name = "time"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time, aware."""
        text = str(value).strip()
        try:
            found = spoken(text.lower(), now=datetime.now().astimezone())
            return iso_time(text).astimezone() if found is None else found
        except (ValueError, OverflowError):
            wanted = (
                "expected a time such as 2026-01-31 or 2026-01-31T12:00+01:00, a duration back"
                " from now such as 30d, or now, today, yesterday"
            )
            self.fail(f"{wanted}, got {value!r}", param, ctx)


def refuse_reversed(start: datetime | None, end: datetime | None) -> None:
    """Refuse a span that ends before it begins, in which there can be nothing.

    Raises:
        BadParameter: It does.
    """
    if start is not None and end is not None and start >= end:
        wanted = end.isoformat(" ", "seconds")
        text = f"expected a time before {wanted}, got {start.isoformat(' ', 'seconds')}"
        raise click.BadParameter(text, param_hint="--from")


def spoken(text: str, *, now: datetime) -> datetime | None:
    """Return the time that a word or a duration means, or None if it is neither.

    Raises:
        OverflowError: It lies before all calendars.
    """
    from ingestd.config import duration  # noqa: PLC0415 -- takes its time

    if text == "now":
        return now
    if text in DAYS_AGO:
        day = now.date() - timedelta(days=DAYS_AGO[text])
        # Not a number of hours back: a day may have 23 or 25.
        return datetime.combine(day, time()).astimezone()
    try:
        return now - timedelta(seconds=duration(text))
    except ValueError:
        return None


DAYS_AGO: Final = {"today": 0, "yesterday": 1}
DURATION: Final = Duration()
SPAN: Final = Duration(least=1)
MOMENT: Final = Moment()


def default_path() -> Path:
    """Return where the configuration is unless the command line says so."""
    from ingestd.config import file as configfile  # noqa: PLC0415 -- takes its time

    return configfile.default_path(os.environ, root=os.geteuid() == 0)


config_option = click.option(
    "--config",
    "-c",
    "config_path",
    type=click.Path(path_type=Path),
    default=default_path,
    metavar="PATH",
    help="The configuration file.",
)
verbose_option = click.option(
    "--verbose",
    "-v",
    is_flag=True,
    help="Show tracebacks of plugins, all that they print, and what they log for debugging.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


# Options that all commands take in the same sense, and whether a value follows.
SHARED: Final = {
    "--config": True,
    "-c": True,
    "--log-format": True,
    "--log-level": True,
    "--json": False,
    "--verbose": False,
    "-v": False,
}


class Verbs(click.Group):
    """A group whose commands take their common options before the verb as well."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, with these options moved behind the verb."""
        return super().parse_args(ctx, behind_the_verb(args))


def behind_the_verb(args: list[str]) -> list[str]:
    """Move the options that stand before the verb behind its own; other ones stay."""
    moved: list[str] = []
    rest = list(args)
    while rest and rest[0].startswith("-"):
        name, equals, _ = rest[0].partition("=")
        if name.startswith("-c") and not name.startswith("--"):  # -cFILE
            name, equals = "-c", "=" if rest[0] != "-c" else ""
        if name not in SHARED:
            return args
        words = 2 if SHARED[name] and not equals else 1
        moved, rest = [*moved, *rest[:words]], rest[words:]
    if not rest:
        return args
    end = rest.index("--") if "--" in rest else len(rest)
    return [*rest[:end], *moved, *rest[end:]]


def load(path: Path, *, elsewhere: bool = False) -> "Config":
    """Read the configuration.

    Args:
        path: The main file.
        elsewhere: Whether what only the service knows, its credentials, may be left open.

    Raises:
        ConfigError: Lists everything that is wrong with it.
    """
    from ingestd.config import load as load_file  # noqa: PLC0415 -- takes its time
    from ingestd.errors import ConfigError, Problem  # noqa: PLC0415
    from ingestd.hosts import HOSTS  # noqa: PLC0415

    if not _exists(path):
        text = "no such file; name one with --config, or begin with: ingestd config sample"
        raise ConfigError([Problem(str(path), "", text)])
    return load_file(path, os.environ, hosts=HOSTS, elsewhere=elsewhere)


def load_daemon(path: Path) -> "Config | None":
    """Read only how to reach the daemon, from a file that may be wrong otherwise.

    An operator who has just broken the configuration of a running daemon still wants
    to talk to it. None if its section ``daemon:`` is damaged too.
    """
    from ingestd.config import (  # noqa: PLC0415
        Config,
        DaemonConfig,
        Expansion,
        Findings,
        Section,
        nodes,
    )
    from ingestd.config import file as configfile  # noqa: PLC0415 -- takes its time
    from ingestd.errors import ConfigError  # noqa: PLC0415
    from ingestd.plugins import _files  # noqa: PLC0415

    findings = Findings(_read)
    expansion = Expansion(os.environ, findings)
    try:
        text = _section_text(_files.read(path).decode("utf-8-sig"), "daemon")
        root = nodes.compose(text, str(path.absolute()))
        expansion.expand(root)
        section = Section(root, "", findings).section("daemon")
    except (OSError, UnicodeDecodeError, ConfigError):
        return None
    fallback = configfile.default_state_dir(
        os.environ, root=os.geteuid() == 0, path=Path(os.path.normpath(path.absolute()))
    )
    state_dir = section.path("state_dir", fallback)
    return Config(
        daemon=DaemonConfig(state_dir=state_dir, token=section.secret("token")), stores={}
    )


def known(among: Mapping[str, T], name: str, what: str) -> T:
    """Return what goes by a name.

    Raises:
        CommandError: Nothing does; names what may be meant.
    """
    if name in among:
        return among[name]
    meant = get_close_matches(name, among, n=1)
    hint = f"; did you mean {meant[0]!r}?" if meant else f", known: {', '.join(among) or 'none'}"
    raise CommandError(f"no {what} {name!r}{hint}")


def _section_text(text: str, name: str) -> str:
    """Return the lines of a section at the top level, which may stand among damaged ones."""
    found: list[str] = []
    for line in text.splitlines():
        if line.startswith(f"{name}:") or (found and line[:1] in {"", " ", "#", "}"}):
            found.append(line)
        elif found:
            break
    return "\n".join(found)


def _exists(path: Path) -> bool:
    from ingestd.plugins import _files  # noqa: PLC0415

    try:
        return _files.within(path, path.exists)
    except OSError:  # reading it says what is wrong
        return True


def _read(path: Path) -> str:
    from ingestd.plugins import _files  # noqa: PLC0415

    try:
        return _files.read(path).decode()
    except (OSError, UnicodeDecodeError) as exc:
        raise ValueError(f"{path}: {exc}") from None


limit_option = click.option(
    "--limit",
    default=200,
    show_default=True,
    type=click.IntRange(1, 100_000),
    help="How many at most; those in trouble come first.",
)


def found_in(text: str, *places: str | None) -> bool:
    """Say whether a text stands in any of some places, in whichever case."""
    return any(text.casefold() in (place or "").casefold() for place in places)
