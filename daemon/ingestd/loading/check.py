"""Whether a configuration fits its plugins, and the folders that it names."""

from collections.abc import Collection, Mapping

from ingestd.calling import check_params
from ingestd.config import Config, EmbeddedStore
from ingestd.errors import PluginLoadError, Problem
from ingestd.loading.loader import Loader


def check_plugins(
    config: Config, loader: Loader, *, remembered: Mapping[str, Collection[str]] | None = None
) -> tuple[list[Problem], list[Problem]]:
    """Compare every collector with its plugin.

    Args:
        config: What the operator wrote.
        loader: Where the plugins come from.
        remembered: What collectors hold in their state, by name. A param that is
            required, not given and not among it is wrong; without knowing that
            it is suspicious.

    Returns:
        What makes the configuration wrong, and what is merely suspicious. A
        plugin that does not load is the latter: the other collectors can run.
    """
    wrong: list[Problem] = []
    suspicious = missing_folders(config)
    for each in config.collectors.values():
        key = f"collectors.{each.name}"
        try:
            plugin = loader.load(each.plugin)
        except PluginLoadError as error:
            suspicious.append(Problem(each.where, f"{key}.plugin", str(error)))
            continue
        found = check_params(plugin, each.params)
        wrong += [
            Problem(each.where, f"{key}.{name}", f"run of {each.plugin!r} declares no {name!r}")
            for name, seconds in each.revisits.items()
            if seconds is not None and not plugin.wants(name)
        ]
        held = (remembered or {}).get(each.name, ())
        missing = [f"{name!r} is required" for name in found.missing if name not in held]
        doubt = "" if remembered is not None else ", unless state holds it"
        wrong += [Problem(each.where, f"{key}.params", text) for text in found.unknown]
        suspicious += [Problem(each.where, f"{key}.params", text) for text in found.suspicious]
        (suspicious if remembered is None else wrong).extend(
            Problem(each.where, f"{key}.params", f"{text}{doubt}") for text in missing
        )
    return wrong, suspicious


def missing_folders(config: Config) -> list[Problem]:
    """Complain of folders that are not there; a typo in one is not seen otherwise."""
    where = str(config.files[0]) if config.files else ""
    found = [
        Problem(where, "daemon.plugin_dirs", f"{str(folder)!r} is no folder")
        for folder in config.daemon.plugin_dirs
        if not folder.is_dir()
    ]
    for store in config.stores.values():
        if not isinstance(store, EmbeddedStore) or store.path.parent == config.daemon.state_dir:
            continue
        if not store.path.parent.exists():
            text = f"the folder {str(store.path.parent)!r} does not exist, and will be made"
            found.append(Problem(where, f"stores.{store.name}.path", text))
    return found
