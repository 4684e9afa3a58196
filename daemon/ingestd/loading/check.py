"""Whether a configuration fits its plugins, and the folders that it names."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from ingestd.calling import Access, Plugin, check_params
from ingestd.config import CollectorConfig, Config, EmbeddedStore, Unknown, in_order
from ingestd.contract import NOTE
from ingestd.errors import ConfigError, InterpreterUnfit, PluginLoadError, Problem
from ingestd.loading.loader import Loader
from ingestd.loading.seeing import access_for
from ingestd.plugins import _files
from ingestd.redaction import Redactor
from ingestd.sinks import name_problems
from ingestd.worker import Kind

ACCESS: Final = ("environment", "reads", "writes", "confined")
# A param, or a place within one, as problems begin with it.
_PATH: Final = re.compile(r"[A-Za-z_]\w*(?:\.[\w-]+|\[[^\]]{0,100}\])*")


@dataclass(frozen=True, slots=True)
class PluginFindings:
    """How a configuration fits its plugins.

    Attributes:
        wrong: What a daemon refuses.
        unable: What keeps one collector from running; a daemon warns, and runs the others.
        suspicious: What may be meant.
        notes: What plugins tell besides.
    """

    wrong: Sequence[Problem]
    unable: Sequence[Problem]
    suspicious: Sequence[Problem]
    notes: Sequence[Problem]

    @property
    def warnings(self) -> list[str]:
        """What a daemon that runs with this configuration has to say of it."""
        return list(map(str, (*self.unable, *self.suspicious)))

    def beside(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return what is wrong beside problems that are known, and does not follow from them.

        A schedule is not missing where its option is misspelt or no good.
        """
        spoilt = {each.key.rpartition(".")[0] for each in problems}
        return [
            each
            for each in (*self.wrong, *self.unable)
            if not each.key.endswith(".every") or each.key.rpartition(".")[0] not in spoilt
        ]


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
    looked = _Findings(config, [], [], missing_folders(config), [])
    asked: dict[tuple[Path, Path | None], list[tuple[Plugin, CollectorConfig]]] = {}
    for each in config.collectors.values():
        if not each.plugin:  # told already
            continue
        try:
            plugin = loader.load(each.plugin, python=each.python)
        except PluginLoadError as error:
            option = "python" if isinstance(error, InterpreterUnfit) else "plugin"
            looked.at_rest(each).append(looked.problem(each, option, str(error)))
            continue
        looked.options(each, plugin)
        looked.params(each, plugin, remembered)
        asked.setdefault((plugin.path, plugin.python), []).append((plugin, each))
    for members in asked.values():
        looked.values(loader, members)
    looked.names()
    return PluginFindings(looked.wrong, looked.unable, looked.suspicious, looked.notes)


def with_plugins(error: ConfigError, loader_for: Callable[[Config], Loader]) -> ConfigError:
    """Return an error that tells as well what is wrong with plugins, as far as that can be seen."""
    config = error.config
    if not isinstance(config, Config):
        return error
    found = check_plugins(config, loader_for(config))
    return ConfigError(in_order([*error.problems, *found.beside(error.problems)]), config)


@dataclass(frozen=True, slots=True)
class _Findings:
    """What is found of one configuration, as it grows."""

    config: Config
    wrong: list[Problem]
    unable: list[Problem]
    suspicious: list[Problem]
    notes: list[Problem]

    def at_rest(self, each: CollectorConfig) -> list[Problem]:
        """Return where what keeps a collector from running belongs; a disabled one need not run."""
        return self.unable if each.enabled else self.suspicious

    def problem(self, each: CollectorConfig, path: str, text: str) -> Problem:
        """Return a problem at the line of an option or param, or of what holds it."""
        place = path
        while place and place not in each.places:
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        where = each.places.get(place, each.where)
        shown = Redactor(self.config.secrets).text(text)
        return Problem(where, f"collectors.{each.name}.{path}", shown)

    def options(self, each: CollectorConfig, plugin: Plugin) -> None:
        """Look at options that mean something only for some plugins."""
        self.wrong.extend(
            self.problem(each, name, f"run of {each.plugin!r} declares no {name!r}")
            for name, seconds in each.revisits.items()
            if seconds is not None and not plugin.wants(name)
        )
        if plugin.polls and each.every is None and each.cron is None:
            text = f"expected every or cron: {each.plugin!r} comes to an end, and is called again"
            self.at_rest(each).append(self.problem(each, "every", text))
        within = plugin.kind is not Kind.FUNCTION and not plugin.programs
        if within and each.memory_limit is not None:
            text = f"means nothing for {each.plugin!r}, which runs within the daemon"
            self.wrong.append(self.problem(each, "memory_limit", text))
        if within and access_for(each) != Access():
            name = next(filter(each.places.__contains__, ACCESS), "plugin")
            text = f"means nothing for {each.plugin!r}, which sees all that the daemon sees"
            self.wrong.append(self.problem(each, name, text))

    def params(
        self,
        each: CollectorConfig,
        plugin: Plugin,
        remembered: Mapping[str, Collection[str]] | None,
    ) -> None:
        """Look at the names of params."""
        found = check_params(plugin, each.params)
        self.wrong.extend(self.problem(each, "params", text) for text in found.unknown)
        self.suspicious.extend(self.problem(each, "params", text) for text in found.suspicious)
        held = (remembered or {}).get(each.name, ())
        doubt = "" if remembered is not None else ", unless state holds it"
        (self.suspicious if remembered is None else self.at_rest(each)).extend(
            self.problem(each, "params", f"{name!r} is required{doubt}")
            for name in found.missing
            if name not in held
        )

    def names(self) -> None:
        """Look at names that a store would not read back the same."""
        catalogue = self.config.catalogue
        given = [
            *(
                (partial(self.problem, each), "", each.measurement, each.field)
                for each in self.config.collectors.values()
            ),
            *(
                (
                    partial(Problem, catalogue.places.get(name, "")),
                    f"series.{name}.",
                    said.measurement,
                    said.field,
                )
                for name, said in catalogue.entries.items()
            ),
        ]
        for problem, key, measurement, field in given:
            for role, name in (("measurement", measurement), ("field", field)):
                for store in self.config.stores.values() if name else ():
                    self.wrong.extend(
                        problem(f"{key}{role}", f"store {store.name}: {text}")
                        for text in name_problems(store, role, name or "")
                    )

    def values(self, loader: Loader, members: Sequence[tuple[Plugin, CollectorConfig]]) -> None:
        """Have a plugin look at the params of all its collectors."""
        plugin = members[0][0]
        given = [
            {name: value for name, value in each.params.items() if not _is_open(value)}
            for _, each in members
        ]
        try:
            answers = loader.problems(plugin, given)
        except PluginLoadError as error:
            each = members[0][1]
            self.at_rest(each).append(self.problem(each, "plugin", str(error)))
            return
        for (_, each), problems in zip(members, answers, strict=True):
            for text in problems:
                if text.startswith(NOTE):
                    self.notes.append(self.problem(each, "params", text.removeprefix(NOTE)))
                    continue
                path, colon, rest = text.partition(": ")
                is_param = colon and _PATH.fullmatch(path)
                name = f"params.{path}" if is_param else "params"
                self.at_rest(each).append(self.problem(each, name, rest if is_param else text))


def _is_open(value: Any) -> bool:
    """Return whether a param is known, all of it or in part, to the service only."""
    if isinstance(value, Mapping):
        return any(map(_is_open, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_is_open, value))
    return isinstance(value, Unknown)


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
