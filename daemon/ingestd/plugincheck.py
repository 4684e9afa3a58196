"""Whether the collectors of a configuration fit their plugins."""

from ingestd.config import Config
from ingestd.errors import PluginLoadError, Problem
from ingestd.loader import Loader
from ingestd.plugin import check_params


def check_plugins(config: Config, loader: Loader) -> tuple[list[Problem], list[Problem]]:
    """Compare every collector with its plugin.

    Returns:
        What makes the configuration wrong, and what is merely suspicious. A
        plugin that does not load is the latter: the other collectors can run.
    """
    wrong: list[Problem] = []
    suspicious: list[Problem] = []
    for each in config.collectors.values():
        key = f"collectors.{each.name}"
        try:
            found = check_params(loader.load(each.plugin), each.params)
        except PluginLoadError as error:
            suspicious.append(Problem(each.where, f"{key}.plugin", str(error)))
            continue
        missing = [f"{name!r} is required, unless state holds it" for name in found.missing]
        wrong += [Problem(each.where, f"{key}.params", text) for text in found.unknown]
        suspicious += [
            Problem(each.where, f"{key}.params", text) for text in (*found.suspicious, *missing)
        ]
    return wrong, suspicious
