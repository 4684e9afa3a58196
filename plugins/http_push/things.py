"""LoRaWAN sensors, as their networks tell of them: what was decoded, and how well it was heard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from .decoding import Decoding, fields_by
from .formats.message import FormatError, Found, Message, Pending, as_bmon_would
from .formats.nested import Field, fields_of, number_of
from .formats.uplinks import Uplink, uplink_in

NOTHING: Final = "No Data Found"


@dataclass(frozen=True, slots=True)
class Things:
    """Finds what devices have sent.

    Attributes:
        decoding: Chooses what decodes their payloads.
    """

    decoding: Decoding = field(default_factory=Decoding)

    def find(self, message: Message) -> Found:
        """Find the fields of an uplink, and how well it was heard.

        Raises:
            FormatError: It is of no network that is known here, or cannot be decoded.
        """
        uplink = uplink_in(message)
        if uplink is None:
            return Found(note=NOTHING)
        choice = self.decoding.choice(uplink)
        if choice.file is not None and uplink.payload is not None:
            finish = partial(found_by_file, uplink, message)
            return Found(pending=Pending(choice.file, arguments_for(uplink), finish))
        fields = list(fields_of(fields_by(choice, uplink), uplink.time))
        return found_in(uplink, fields, message)


def arguments_for(uplink: Uplink) -> Mapping[str, Any]:
    """Return what a file of the operator's is called with."""
    return {
        "payload": uplink.payload,
        "port": uplink.port,
        "device": uplink.device,
        "eui": uplink.eui,
        "time": uplink.time,
        "fields": dict(uplink.fields),
    }


def found_by_file(uplink: Uplink, message: Message, given: Sequence[Any]) -> Found:
    """Return what is found in what a file gives: readings whose series are names of fields.

    Raises:
        FormatError: They are none.
    """
    fields: list[Field] = []
    for each in given:
        if not isinstance(each, list | tuple) or len(each) < 3:
            raise FormatError(f"decode: expected (time or None, field, value), got {each!r:.80}")
        time, name, value, *_ = each
        fields.append((uplink.time if time is None else time, str(name), number_of(value)))
    return found_in(uplink, fields, message)


def found_in(uplink: Uplink, fields: Sequence[Field], message: Message) -> Found:
    """Return the readings of an uplink's fields."""
    if not fields:
        advice = "give the device a payload formatter, or name what decodes it under `decode`"
        return Found(note=f"{NOTHING}: {uplink.where} is empty; {advice}")
    return as_bmon_would(readings(uplink, fields), message)


def readings(uplink: Uplink, fields: Sequence[Field]) -> list[Any]:
    """Return the readings of an uplink; texts beside numbers are left out, since they explain."""
    numbers = [each for each in fields if not isinstance(each[2], str)]
    found = [(time, f"{uplink.eui}_{name}", value) for time, name, value in numbers or fields]
    if uplink.heard:
        found.append((uplink.time, f"{uplink.eui}_snr", max(uplink.heard)))
    return found
