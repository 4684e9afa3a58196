"""What reading a configuration finds besides its values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ingestd.errors import Problem


@dataclass(frozen=True, slots=True)
class Findings:
    """The problems and secrets of one configuration, and how the files it refers to are read.

    Attributes:
        read: Returns the text of a file, or raises ValueError saying why not.
        problems: Grows by everything the operator should mend.
        unchecked: Grows by what only the service knows, where that is no problem.
        secrets: Grows by every value that must not be shown.
        secret_variables: Grows by the name of every environment variable that one came from.
    """

    read: Callable[[Path], str]
    problems: list[Problem] = field(default_factory=list)
    unchecked: list[Problem] = field(default_factory=list)
    secrets: set[str] = field(default_factory=set, repr=False)
    secret_variables: set[str] = field(default_factory=set, repr=False)
