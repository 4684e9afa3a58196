"""What is secret stays out of every repr, which is what tracebacks and logs show."""

import dataclasses
import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from typing import Any, Final

import ingestd
from ingestd.redaction import looks_secret

SECRET: Final = "correct horse"
# Params, results and hidden state have these types; so has state, which people may see.
FOREIGN: Final = (object, Any, dict[str, Any], Mapping[str, Any])
# And a key is a place in a file, or what a schedule's jitter comes from.
SHOWN: Final = frozenset({"state", "key", "log"})
HOLDING: Final = frozenset({"environ", "hidden", "params", "secrets"})


def dataclasses_of_the_daemon() -> Iterator[type]:
    """Yield each of them once."""
    for module in pkgutil.walk_packages(ingestd.__path__, "ingestd."):
        if module.name.startswith("ingestd.plugins") or module.name.endswith("__main__"):
            continue
        for found in vars(importlib.import_module(module.name)).values():
            if isinstance(found, type) and found.__module__ == module.name:
                yield from [found] if dataclasses.is_dataclass(found) else []


def may_be_secret(field: dataclasses.Field[Any]) -> bool:
    """Tell by a field's name and type whether it can hold a secret."""
    by_name = field.name in HOLDING or looks_secret(field.name)
    return (by_name or field.type in FOREIGN) and field.name not in SHOWN


def repr_with_secrets(kind: type) -> str:
    """Return the repr of one that has a secret wherever it may hold one."""
    made: Any = kind.__new__(kind)  # type: ignore[call-overload]  # mypy takes it for type's own
    for field in dataclasses.fields(kind):
        object.__setattr__(made, field.name, SECRET if may_be_secret(field) else None)
    return repr(made)


def test_no_repr_shows_a_secret() -> None:
    """Neither params nor hidden state nor what a plugin gave nor the environment is in one."""
    kinds = list(dataclasses_of_the_daemon())

    assert len(kinds) > 50
    assert [kind for kind in kinds if SECRET in repr_with_secrets(kind)] == []
