"""What is sent with a request: a text, a form, or JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode


@dataclass(frozen=True, slots=True, repr=False)
class Body:
    """What is sent; never shown, because secrets travel in it.

    Attributes:
        value: A text as it is, the texts of each name of a form, or what is sent as JSON.
        form: Whether it is a form.
    """

    value: Any
    form: bool = False

    @property
    def data(self) -> bytes:
        """What is sent."""
        if isinstance(self.value, str):
            return self.value.encode()
        if self.form:
            return urlencode(pairs(self.value)).encode()
        return json.dumps(self.value).encode()

    def putting(self, name: str, value: Any) -> "Body":
        """Return the body with a value in one more place, or another one in the same.

        Args:
            name: The field of a form, or the names on the path to it in JSON, between dots.
            value: What is put there; a form has the text of it.

        Raises:
            ValueError: There is no such place.
        """
        if self.form:
            return Body({**self.value, name: (str(value),)}, form=True)
        return Body(put(self.value, name.split("."), value))


def put(held: Any, names: Sequence[str], value: Any) -> Any:
    """Return an object with a value at a path of names; objects on the way may be missing.

    Raises:
        ValueError: Something else is in the way.
    """
    if not names:
        return value
    if not isinstance(held, Mapping):
        raise ValueError(  # noqa: TRY004 -- the operator's value, not a caller's type
            f"paging.param: expected an object around {names[0]!r} in body, got "
            f"{'nothing' if held is None else type(held).__name__}"
        )
    return {**held, names[0]: put(held.get(names[0], {}), names[1:], value)}


def pairs(texts: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Return names and texts as they stand in a form, or an address."""
    return [(name, text) for name, each in texts.items() for text in each]
