"""Who answers at the address of a store: which product, of which version."""

from dataclasses import dataclass
from typing import Final

VICTORIAMETRICS: Final = "VictoriaMetrics"
INFLUXDB: Final = "InfluxDB"


@dataclass(frozen=True, slots=True)
class Identity:
    """What answers.

    Attributes:
        product: Its name, or an empty string if it does not tell.
        version: Its version, or an empty string.
        page: The title of the web page that it shows, after a blank, or an empty string.
    """

    product: str = ""
    version: str = ""
    page: str = ""

    def __str__(self) -> str:
        """Name it for people; an empty string if nothing is known."""
        name = " ".join(part for part in (self.product, self.version) if part)
        if not self.page:
            return name
        return f"a web page{self.page}" + (f" of {name}" if name else "")

    def is_a(self, expected: str) -> bool:
        """Say whether it is a product, of a major version if ``expected`` names one."""
        product, _, major = expected.partition(" ")
        return self.product == product and self.version.lstrip("v").startswith(major)


def mending(identity: Identity, expected: str) -> str:
    """Say what answers and what to mend, in words that follow a message; empty if unknown.

    Args:
        identity: Who answers.
        expected: The kind of store that the config names.
    """
    if not str(identity):
        return ""
    if identity.is_a(expected):
        return f" ({identity} answers)"
    return f" ({identity} answers, expected {expected}: are url, type and version right?)"
