"""Collectors for BMON's scripts and entries for its sensors, as a configuration file."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import Any, Final

import yaml

from ingestd.bmon.importing.export import Setup
from ingestd.bmon.importing.sensors import Sensor
from ingestd.config import Expansion, Findings, format_duration, nodes
from ingestd.errors import ConfigError, ResultError
from ingestd.records import yamlvalues

HEADER: Final = (
    "# What BMON had set up, written by `ingestd import bmon`; from now on yours to edit.\n"
)
JITTER: Final = "10s"  # BMON, too, spreads the scripts of one tick
LONG_ENOUGH: Final = 10.0  # seconds: a jitter has to be shorter than the period
TIMEOUT: Final = "1h"  # when BMON gives up


@dataclass(frozen=True, slots=True)
class Entry:
    """One collector to be written.

    Attributes:
        setup: What BMON says.
        plugin: Where its script is.
        enabled: Whether it can run.
        why: Why it cannot, for people.
        settings: The names of the Django settings that it reads.
    """

    setup: Setup
    plugin: Path
    enabled: bool
    settings: Sequence[str] = ()
    why: Sequence[str] = ()


def written(
    entries: Iterable[Entry], *, zone: str | None = None, series: Iterable[Sensor] = ()
) -> str:
    """Return the file that sets up these collectors, and describes these series.

    Args:
        entries: The collectors.
        zone: The time zone of their site, if it is known.
        series: The sensors of which there is something to say.
    """
    collectors = "".join(_collector(entry, zone) for entry in entries)
    described = "".join(map(_series, series))
    return "".join(
        [
            HEADER,
            f"collectors:\n{collectors}" if collectors else "collectors: {}\n",
            f"series:\n{described}" if described else "",
        ]
    )


def params_stay(params: Mapping[str, Any]) -> bool:
    """Say whether params come back from a file as they are."""
    findings = Findings(_no_file)
    try:
        root = nodes.compose(_yaml({"params": _escaped(dict(params))}), "params")
        Expansion({}, findings).expand(root)
        back = nodes.value_of(root, "", findings.problems)
    except (ConfigError, ResultError, yaml.YAMLError):
        return False
    return not findings.problems and repr(back) == repr({"params": params})


def _series(sensor: Sensor) -> str:
    title = sensor.title if sensor.title.isprintable() else ""
    comment = f"  # {title}\n" if title else ""
    text = _yaml({sensor.name: _escaped(sensor.description)})
    return f"{comment}{indent(text, '  ')}"


def _collector(entry: Entry, zone: str | None) -> str:
    setup = entry.setup
    options: dict[str, Any] = {
        "plugin": _escaped(str(entry.plugin)),
        "compat": "bmon",
        "every": format_duration(setup.every),
        **({"jitter": JITTER} if setup.every > LONG_ENOUGH else {}),
        "timeout": TIMEOUT,
        **({"timezone": zone} if zone else {}),
    }
    if not entry.enabled:
        options["enabled"] = False
    if entry.settings:
        options["settings"] = {name: f"${{{name}:-}}" for name in entry.settings}
    if setup.params:
        options["params"] = _escaped(dict(setup.params))
    described = setup.description and setup.description.isprintable()
    comment = f"  # {setup.description}\n" if described else ""
    comment += "".join(f"  # {line}\n" for line in entry.why if line.isprintable())
    return f"{comment}{indent(_yaml({setup.name: options}), '  ')}"


def _yaml(value: Any) -> str:
    return yamlvalues.dumps(value, where="params")


def _escaped(value: Any) -> Any:
    """Return a value whose dollar signs mean themselves in a configuration file."""
    if isinstance(value, str):
        return value.replace("$", "$$")
    if isinstance(value, dict):
        return {name: _escaped(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_escaped, value))
    return value


def _no_file(path: Path) -> str:
    raise ValueError(f"{path}: no file belongs to a param")
