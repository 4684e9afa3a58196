"""Weather stations: what consoles and gateways send in the protocols of Ecowitt, Ambient and WU.

They are one family: a form or a query of numbers, whose names say the unit, beside what the
station identifies itself with. That is a secret, because whoever knows it can send in the
station's name, so it stands in no series and no message.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_plus

from ingestd.plugins._times import notation

from .formats.message import FormatError, Found, Message, Reading, finite, sift
from .keys import KeyRefusedError, Keys

# Some stations write single digits.
UTC_TIMES: Final = (notation(None, UTC), notation("%Y-%m-%d %H:%M:%S", UTC))
# What says something of the sender or the protocol, and is measured nowhere.
NOT_MEASURED: Final = frozenset(
    {
        *("passkey", "password", "id", "mac", "stationtype", "softwaretype", "model", "freq"),
        *("action", "realtime", "rtfreq", "interval", "dateutc", "storekey"),
    }
)
# What stations send in the place of a value that they do not have.
NOTHING: Final = frozenset({-9999.0, -999.9, -999.0})
FINGERPRINT: Final = 6  # digits


@dataclass(frozen=True, slots=True)
class Unit:
    """How a unit of these protocols becomes a metric one.

    Attributes:
        names: Matches the names of fields in it.
        written: What stands for it in a name, and what takes its place; else that is appended.
        factor: What a value is multiplied by.
        zero: What is 0 in the metric unit.
    """

    names: re.Pattern[str]
    written: tuple[re.Pattern[str], str]
    factor: float
    zero: float = 0.0

    def metric(self, name: str, value: float) -> tuple[str, float]:
        """Return the name and the value in the metric unit."""
        pattern, letters = self.written
        changed, count = pattern.subn(letters, name, count=1)
        return (
            changed if count else f"{name}_{letters}",
            round((value - self.zero) * self.factor, 6),
        )


def _unit(names: str, written: str, letters: str, factor: float, zero: float = 0.0) -> Unit:
    return Unit(re.compile(names, re.IGNORECASE), (re.compile(written), letters), factor, zero)


UNITS: Final = (
    _unit(r"\w*(temp|dewpt|windchill|heatindex|feelslike)(in)?\d*f", "f$", "c", 1 / 1.8, 32.0),
    _unit(r"tf_\w+", "f(?=_)", "c", 1 / 1.8, 32.0),
    _unit(r"barom(rel|abs)?in|vpd", "in$", "hpa", 33.8638866667),
    _unit(r"wind(speed|spd|gust)mph\w*|maxdailygust", "mph", "ms", 0.44704),
    _unit(r"\w*rain(rate)?in|\w*rain_piezo", "in$", "mm", 25.4),
)


@dataclass(frozen=True, slots=True)
class Station:
    """A station that may send.

    Attributes:
        name: What its series begin with.
        secrets: What it sends under each name to identify itself.
    """

    name: str
    secrets: Mapping[str, str] = field(repr=False)

    def is_sender(self, fields: Mapping[str, Any]) -> bool:
        """Say whether fields come from it, in a time that tells nothing of its secrets."""
        same = [
            hmac.compare_digest(str(fields.get(name, "")).encode(), secret.encode())
            for name, secret in self.secrets.items()
        ]
        return all(same)


@dataclass(frozen=True, slots=True)
class Weather:
    """Finds what weather stations have measured.

    Attributes:
        stations: Those that may send; without any, those with a store key.
        keys: The store keys.
        metric: Whether values become metric.
    """

    stations: tuple[Station, ...] = ()
    keys: Keys = field(default_factory=lambda: Keys(()))
    metric: bool = False

    def find(self, message: Message) -> Found:
        """Find a reading for each number that a station has sent.

        Raises:
            KeyRefusedError: It may not send.
            FormatError: It is no such station.
        """
        fields = {**dict(parse_qsl(message.named.get("fields") or "")), **message.document}
        name, time = self._sender(fields, message), time_in(fields, message)
        found = Found()
        told: list[Reading] = [
            (time, f"{name}_{each}", value, {}) for each, value in self._measured(fields)
        ]
        sift(told, found, message)
        if not told and not found.rejected:
            raise FormatError("expected what a station measures, such as tempf, got none")
        return found

    def _sender(self, fields: Mapping[str, Any], message: Message) -> str:
        """Return the name of the station that sends.

        Raises:
            KeyRefusedError: It may not.
            FormatError: It says nothing of itself.
        """
        if self.stations:
            senders = [each.name for each in self.stations if each.is_sender(fields)]
            if senders:
                return senders[0]
            raise KeyRefusedError("expected one of weather.stations, got another or none")
        given = (fields.get(name) for name in ("storeKey", "PASSKEY", "PASSWORD"))
        self.keys.check(message.named.get("key") or next(filter(None, given), None))
        known = fields.get("PASSKEY") or fields.get("ID")
        if not known:
            raise FormatError("expected a weather station's PASSKEY or ID, got none")
        return f"weather_{hashlib.sha256(str(known).encode()).hexdigest()[:FINGERPRINT]}"

    def _measured(self, fields: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
        """Yield name and value of each number; what is none says that a sensor is not there."""
        for name, text in fields.items():
            value = finite(text)
            if value is None or value in NOTHING or name.lower() in NOT_MEASURED:
                continue
            unit = next((each for each in UNITS if each.names.fullmatch(name)), None)
            yield unit.metric(name, value) if self.metric and unit else (name, value)


def time_in(fields: Mapping[str, Any], message: Message) -> float:
    """Return when it was measured, in Unix seconds.

    Raises:
        FormatError: It is neither a time in UTC nor ``now``.
    """
    text = unquote_plus(str(fields.get("dateutc", "now"))).strip()  # encoded twice by some
    if text.lower() == "now":
        return message.now
    read = (each.read(text) for each in UTC_TIMES)
    found = next((each for each in read if isinstance(each, float | int)), None)
    if found is None:
        raise FormatError(f"dateutc: expected YYYY-MM-DD hh:mm:ss in UTC or now, got {text!r:.80}")
    return float(found)


def stations_in(stations: Any) -> tuple[Station, ...]:
    """Read the option ``weather.stations``.

    Raises:
        ValueError: Says what is wrong, without a secret.
    """
    if stations is None:
        return ()
    if not isinstance(stations, Mapping):
        raise ValueError(  # noqa: TRY004 -- a wrong option, not a wrong call
            "weather.stations: expected names and the `passkey` that each station sends"
        )
    return tuple(station_in(str(name), given) for name, given in stations.items())


def station_in(name: str, given: Any) -> Station:
    """Read one entry: ``passkey``, or ``id`` and ``password``.

    Raises:
        ValueError: It is neither.
    """
    for names in (("passkey",), ("id", "password")):
        if isinstance(given, Mapping) and set(given) == {*names} and all(given.values()):
            return Station(name, {each.upper(): str(given[each]) for each in names})
    raise ValueError(f"weather.stations.{name}: expected `passkey`, or `id` and `password`")


def weather_of(weather: Any, keys: Keys) -> Weather:
    """Read the option ``weather``.

    Raises:
        ValueError: Says what is wrong.
    """
    given = weather if weather is not None else {}
    if not isinstance(given, Mapping) or not set(given) <= {"stations", "units"}:
        raise ValueError("weather: expected only stations and units")
    units = given.get("units", "sent")
    if units not in {"sent", "metric"}:
        raise ValueError(f"weather.units: expected sent or metric, got {units!r:.80}")
    return Weather(stations_in(given.get("stations")), keys, metric=units == "metric")
