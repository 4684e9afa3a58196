"""Which decoder a device's payload is for: one of ours, or a Python file of the operator's."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Final

from ingestd.plugins._problems import Gathering

from .formats.dragino import ldds, lht65, lsn50, lwl01
from .formats.elsys import elsys
from .formats.message import FormatError
from .formats.uplinks import Uplink

Decoder = Callable[[bytes, int | None], dict[str, Any]]
DECODERS: Final[Mapping[str, Decoder]] = {
    "elsys": elsys, "lht65": lht65, "lwl01": lwl01, "ldds": ldds, "lsn50": lsn50,
}  # fmt: skip
# By what the names of devices begin with, or have in them, as BMON tells them apart.
BY_NAME: Final = (
    ("*lht65*", "lht65"), ("lwl01*", "lwl01"), ("elsys*", "elsys"), ("ers*", "elsys"),
    ("elt*", "elsys"), ("ldds*", "ldds"), ("lsn50*", "lsn50"),
)  # fmt: skip
NETWORK: Final = "network"
BMON: Final = "bmon"
KNOWN: Final = (*DECODERS, BMON, NETWORK)


@dataclass(frozen=True, slots=True)
class Choice:
    """What decodes the payloads of some devices.

    Attributes:
        devices: Matches the names of devices or their EUIs, in lower case.
        decoder: One of ours, ``bmon``, ``network`` or an empty text.
        file: The operator's own, or None.
    """

    devices: str
    decoder: str = ""
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """Chooses decoders.

    Attributes:
        choices: What the operator wrote; the first that matches counts.
    """

    choices: tuple[Choice, ...] = ()

    def choice(self, uplink: Uplink) -> Choice:
        """Return what decodes an uplink; what nothing is said of is the network's, or ours."""
        names = {uplink.device.lower(), uplink.eui.lower()} - {""}
        for each in self.choices:
            if any(fnmatchcase(name, each.devices) for name in names):
                return each
        return Choice("*", NETWORK if uplink.fields else by_name(uplink.device))


def fields_by(choice: Choice, uplink: Uplink) -> Mapping[str, Any]:
    """Return the fields of an uplink, which a network or one of our decoders has found.

    Raises:
        FormatError: It cannot be decoded.
    """
    decoder = choice.decoder
    if decoder == BMON:
        decoder = by_name(uplink.device) or NETWORK
    if decoder not in DECODERS or uplink.payload is None:
        return uplink.fields
    try:
        fields = DECODERS[decoder](uplink.payload, uplink.port)
    except FormatError as error:
        raise FormatError(f"{uplink.eui}: {error}") from None
    return in_fahrenheit(fields) if choice.decoder == BMON else fields


def by_name(device: str) -> str:
    """Return the decoder that the name of a device stands for, or an empty text."""
    lower = device.lower()
    return next((decoder for names, decoder in BY_NAME if fnmatchcase(lower, names)), "")


def in_fahrenheit(fields: Any, name: str = "") -> Any:
    """Return fields with their temperatures in °F, as BMON keeps them."""
    if isinstance(fields, dict):
        return {each: in_fahrenheit(value, each) for each, value in fields.items()}
    if isinstance(fields, list):
        return [in_fahrenheit(each, name) for each in fields]
    return fields * 1.8 + 32 if name.lower().rstrip("2").endswith("temperature") else fields


def decoding_of(decode: Any) -> Decoding:
    """Read the option ``decode``.

    Raises:
        ValueError: Says what is wrong.
    """
    if decode is None:
        return Decoding()
    if not isinstance(decode, Mapping):
        message = f"decode: expected devices and what decodes each, got {decode!r:.80}"
        raise ValueError(message)  # noqa: TRY004 -- a wrong option, not a wrong call
    with Gathering() as wrong:
        choices = [
            wrong.read(partial(choice_of, str(devices), decoder))
            for devices, decoder in decode.items()
        ]
    return Decoding(tuple(choices))


def choice_of(devices: str, decoder: Any) -> Choice:
    """Read one entry: a decoder of ours by its name, or the path of a file.

    Raises:
        ValueError: It is neither.
    """
    if decoder in KNOWN:
        return Choice(devices.lower(), decoder)
    if (
        not isinstance(decoder, str)
        or not decoder.endswith(".py")
        or not Path(decoder).is_absolute()
    ):
        raise ValueError(
            f"decode.{devices}: expected {', '.join(KNOWN)} or the full path of a file such as "
            f"/etc/ingestd/soil.py, got {decoder!r:.80}"
        )
    if not Path(decoder).is_file():
        raise ValueError(f"decode.{devices}: expected a file, got {decoder!r:.80}, which is none")
    return Choice(devices.lower(), file=decoder)
