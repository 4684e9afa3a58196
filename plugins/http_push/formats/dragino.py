"""Payloads of Dragino: for each model, bytes at fixed places.

Temperatures are in °C, voltages in V, distances in mm; a sensor that is not connected gives
nothing.
"""

from collections.abc import Iterator
from typing import Any, Final

from .elsys import taken
from .message import FormatError

PORT: Final = 2
NOT_CONNECTED: Final = (0x7FFF, -1)  # of a temperature
SAMPLE_BYTES: Final = 11
# What an LHT65 has plugged in, by the number that it sends.
LHT65_TEMPERATURES: Final = frozenset({1, 2})
LHT65_TIMED: Final = 9
REPLAYED: Final = 0x40  # the payload is what a device has kept, and not what it measures


def unsigned(payload: bytes, at: int, size_bytes: int = 2) -> int:
    """Return a number that is not below 0."""
    return int.from_bytes(taken(payload, at, size_bytes), "big")


def signed(payload: bytes, at: int) -> int:
    """Return a number of two bytes that may be below 0."""
    return int.from_bytes(taken(payload, at, 2), "big", signed=True)


def degrees(name: str, raw: int, divisor: int) -> dict[str, float]:
    """Return a temperature by its name, or nothing if its sensor is not connected."""
    return {} if raw in NOT_CONNECTED else {name: raw / divisor}


def lht65(payload: bytes, port: int | None) -> dict[str, Any]:
    """Return what an LHT65 or LHT65N has measured, or has kept and sends again.

    Raises:
        FormatError: It is no such payload.
    """
    if port != PORT:
        return {}
    taken(payload, 0, SAMPLE_BYTES)
    plugged = payload[6] & 0x0F
    if payload[6] & REPLAYED:
        return {"": list(samples_in(payload))}
    if plugged == LHT65_TIMED:
        return {"": [sample(payload)]}
    measured = {"vdd": (unsigned(payload, 0) & 0x3FFF) / 1000, **surroundings(payload)}
    return {**measured, **plugged_in(plugged, payload)}


def surroundings(payload: bytes) -> dict[str, Any]:
    """Return the temperature and the humidity around an LHT65."""
    measured = degrees("temperature", signed(payload, 2), 100)
    return {**measured, "humidity": (unsigned(payload, 4) & 0x0FFF) / 10}


def plugged_in(plugged: int, payload: bytes) -> dict[str, Any]:
    """Return what the sensor that is plugged in has measured."""
    if plugged in LHT65_TEMPERATURES:
        return degrees("extTemperature", signed(payload, 7), 100)
    if plugged == 4:
        return {"digital": payload[7], "interrupt": payload[8]}
    if plugged == 6:
        return {"analog": unsigned(payload, 7) / 1000}
    if plugged == 8:
        return {"pulse": unsigned(payload, 7, 4)}
    name = {5: "light", 7: "pulse"}.get(plugged)
    return {} if name is None else {name: unsigned(payload, 7)}


def samples_in(payload: bytes) -> Iterator[dict[str, Any]]:
    """Yield the samples that a device has kept.

    Raises:
        FormatError: Their bytes are not whole.
    """
    if len(payload) % SAMPLE_BYTES:
        wanted = f"a multiple of {SAMPLE_BYTES} bytes"
        raise FormatError(f"lht65: expected {wanted} of samples, got {len(payload)}")
    for at in range(0, len(payload), SAMPLE_BYTES):
        yield sample(payload[at : at + SAMPLE_BYTES])


def sample(part: bytes) -> dict[str, Any]:
    """Return one sample with its time, in Unix seconds."""
    outside = degrees("extTemperature", signed(part, 0), 100)
    return {"time": unsigned(part, 7, 4), **outside, **surroundings(part)}


def lwl01(payload: bytes, _: int | None) -> dict[str, Any]:
    """Return what a door or water sensor tells: LDS01, LWL01 and the like."""
    flags = taken(payload, 0, 2)[0]
    measured: dict[str, Any] = {"vdd": (unsigned(payload, 0) & 0x3FFF) / 1000}
    mode, alarm = payload[2:3], payload[9:10]
    if mode in {b"\x01", b"\x03"}:
        measured["doorOpen"] = int(bool(flags & 0x80))
    if mode in {b"\x02", b"\x03"}:
        measured["waterleak"] = int(bool(flags & 0x40))
    if mode in {b"\x01", b"\x02"}:
        measured |= {"times": unsigned(payload, 3, 3), "minutes": unsigned(payload, 6, 3)}
    return {**measured, "alarm": alarm[0] & 1} if alarm else measured


def ldds(payload: bytes, port: int | None) -> dict[str, Any]:
    """Return the distance that an LDDS20 or LDDS75 measures; 0 and 20 mm say that it has none."""
    if port != PORT:
        return {}
    measured: dict[str, Any] = {"vdd": (unsigned(payload, 0) & 0x3FFF) / 1000}
    distance = unsigned(payload, 2)
    if distance not in {0, 20}:
        measured["distance"] = distance
    if len(payload) >= 8 and payload[7]:  # it has a probe
        measured |= degrees("extTemperature", signed(payload, 5), 10)
    return measured


def lsn50(payload: bytes, port: int | None) -> dict[str, Any]:
    """Return what an LSN50 measures in its first mode.

    Raises:
        FormatError: It is in another.
    """
    if port != PORT:
        return {}
    taken(payload, 0, SAMPLE_BYTES)
    mode = (payload[6] & 0x7C) >> 2
    if mode:
        raise FormatError(f"lsn50: expected its mode 1 (0 in the payload), got {mode}")
    measured = {"vdd": unsigned(payload, 0) / 1000, "analog": unsigned(payload, 4) / 1000}
    measured["digital"] = int(bool(payload[6] & 0x02))
    inside = degrees("temperature", signed(payload, 7), 10)
    if inside:
        inside["humidity"] = unsigned(payload, 9) / 10
    return {**measured, **degrees("extTemperature", signed(payload, 2), 10), **inside}
