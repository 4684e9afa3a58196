"""Whether a configuration fits its plugins, and the folders that it names."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingestd.calling import check_params
from ingestd.config import Config, EmbeddedStore
from ingestd.errors import PluginLoadError, Problem
from ingestd.loading.loader import Loader
from ingestd.plugins import _files


@dataclass(frozen=True, slots=True)
class PluginFindings:
    """How a configuration fits its plugins.

    Attributes:
        wrong: What a daemon refuses.
        unable: What keeps one collector from running; a daemon warns, and runs the others.
        suspicious: What may be meant.
    """

    wrong: Sequence[Problem]
    unable: Sequence[Problem]
    suspicious: Sequence[Problem]

    @property
    def warnings(self) -> list[str]:
        """What a daemon that runs with this configuration has to say of it."""
        return list(map(str, (*self.unable, *self.suspicious)))


def check_plugins(
    config: Config, loader: Loader, *, remembered: Mapping[str, Collection[str]] | None = None
) -> PluginFindings:
    """Compare every collector with its plugin.

    Args:
        config: What the operator wrote.
        loader: Where the plugins come from.
        remembered: What collectors hold in their state, by name, or None if that is not
            known. A param that is required and not given may be among it.
    """
    wrong: list[Problem] = []
    unable: list[Problem] = []
    suspicious = missing_folders(config)
    for each in config.collectors.values():
        key = f"collectors.{each.name}"
        at_rest = unable if each.enabled else suspicious  # what is disabled need not run
        try:
            plugin = loader.load(each.plugin)
        except PluginLoadError as error:
            at_rest.append(Problem(each.where, f"{key}.plugin", str(error)))
            continue
        found = check_params(plugin, each.params)
        wrong += [
            Problem(each.where, f"{key}.{name}", f"run of {each.plugin!r} declares no {name!r}")
            for name, seconds in each.revisits.items()
            if seconds is not None and not plugin.wants(name)
        ]
        wrong += [Problem(each.where, f"{key}.params", text) for text in found.unknown]
        suspicious += [Problem(each.where, f"{key}.params", text) for text in found.suspicious]
        held = (remembered or {}).get(each.name, ())
        doubt = "" if remembered is not None else ", unless state holds it"
        (suspicious if remembered is None else at_rest).extend(
            Problem(each.where, f"{key}.params", f"{name!r} is required{doubt}")
            for name in found.missing
            if name not in held
        )
    return PluginFindings(wrong, unable, suspicious)


def missing_folders(config: Config) -> list[Problem]:
    """Complain of folders that are not there; a typo in one is not seen otherwise."""
    where = str(config.files[0]) if config.files else ""
    found = [
        Problem(where, "daemon.plugin_dirs", f"{str(folder)!r} {wrong}")
        for folder in config.daemon.plugin_dirs
        if (wrong := _wrong_with_folder(folder))
    ]
    for store in config.stores.values():
        if not isinstance(store, EmbeddedStore) or store.path.parent == config.daemon.state_dir:
            continue
        if _wrong_with_folder(store.path.parent):
            text = f"the folder {str(store.path.parent)!r} does not exist, and will be made"
            found.append(Problem(where, f"stores.{store.name}.path", text))
    return found


def _wrong_with_folder(folder: Path) -> str:
    try:
        return "" if _files.within(folder / "*", folder.is_dir) else "is no folder"
    except OSError as exc:
        return f"cannot be read: {exc.strerror}"
