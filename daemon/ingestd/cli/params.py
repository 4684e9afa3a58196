"""Params on the command line: ``NAME=VALUE``, the value in YAML."""

from typing import Any

import click
import yaml


def param(text: str) -> tuple[str, Any]:
    """Return the name and the value of a param.

    Raises:
        click.BadParameter: It is not written so.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"expected NAME=VALUE, got {text!r}", param_hint="--param")
    try:
        return name, yaml.safe_load(value)
    except (yaml.YAMLError, ValueError, RecursionError):
        raise click.BadParameter(f"{name}: expected YAML", param_hint="--param") from None
