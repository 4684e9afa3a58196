"""What is known of a source to name its series and tags by."""

from typing import Final

FIELDS: Final = frozenset(
    {"id", "quantity", "meter", "register", "unit", "serial", "service", "type"}
)
EXAMPLE: Final = "dcs_{id}"
# What makes a source and its values what they are; all else may be edited at the server.
LASTING: Final = frozenset({"id", "quantity"})
