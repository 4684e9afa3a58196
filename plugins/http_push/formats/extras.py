"""Libraries that a format needs and that come with an extra; imported when they are needed."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec


class MissingError(Exception):
    """What a format needs is not installed; it may be, later."""


@dataclass(frozen=True, slots=True)
class Extra:
    """What has to be installed for a format.

    Attributes:
        name: The format's; that of the extra has hyphens in it.
        modules: What is imported of it, and the package that has that.
    """

    name: str
    modules: Mapping[str, str]

    def problem(self) -> str:
        """Say what is missing, or nothing."""
        missing = [package for module, package in self.modules.items() if not is_there(module)]
        if not missing:
            return ""
        expected, extra = " and ".join(missing), self.name.replace("_", "-")
        return f"{self.name}: expected {expected} to be installed; pip install 'ingestd[{extra}]'"

    def check(self) -> None:
        """Check that everything is there.

        Raises:
            MissingError: It is not.
        """
        problem = self.problem()
        if problem:
            raise MissingError(problem)


def is_there(module: str) -> bool:
    """Say whether a module can be imported, without doing so."""
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package above it
        return False
