"""LoRaWAN sensors, as their networks tell of them: decoded fields, and how well they were heard."""

from typing import Any, Final

from .message import Found, Message, as_bmon_would
from .nested import Field, fields_of
from .uplinks import Uplink, uplink_in

NOTHING: Final = "No Data Found"


def things(message: Message) -> Found:
    """Find the decoded fields of an uplink, and how well it was heard.

    Raises:
        FormatError: It is of no network that is known here.
    """
    uplink = uplink_in(message)
    if uplink is None:
        return Found(note=NOTHING)
    fields = list(fields_of(uplink.fields, uplink.time))
    if not fields:
        return Found(
            note=f"{NOTHING}: {uplink.where} is empty; give the device a payload formatter"
        )
    return as_bmon_would(readings(uplink, fields), message)


def readings(uplink: Uplink, fields: list[Field]) -> list[Any]:
    """Return the readings of an uplink; texts beside numbers are left out, since they explain."""
    numbers = [each for each in fields if not isinstance(each[2], str)]
    found = [(time, f"{uplink.eui}_{name}", value) for time, name, value in numbers or fields]
    if uplink.heard:
        found.append((uplink.time, f"{uplink.eui}_snr", max(uplink.heard)))
    return found
