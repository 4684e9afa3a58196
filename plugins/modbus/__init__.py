"""Registers and bits of devices that speak Modbus, over TCP or a serial line.

Emits the series that the parameters name, with the time of each answer. Needs
pymodbus: ``pip install 'ingestd[modbus]'``.

Parameters, reaching devices: ``host`` and ``port``, or ``serial`` -- a path --
with ``baudrate``, ``parity`` and ``stopbits``; ``framing`` -- ``rtu`` where RTU
goes over TCP; ``unit``; or ``devices`` -- a list of dicts with any of these, a
``name``, ``tags`` and any of the following but the last two.
Parameters, reading: ``registers`` -- dicts with ``series``, ``address``,
``table``, ``type``, ``bit``, ``scale``, ``offset``, ``tags``; ``word_order``,
``byte_order``; ``nothing`` -- numbers that say that there is none; ``max_gap`` and
``max_registers`` of one request; ``request_timeout``, ``retries``.
State: none.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from ingestd.plugins._checks import Given
from ingestd.plugins._params import duration, whole

from .devices import by_line, devices_of
from .link import require
from .options import Options
from .problems import ModbusError
from .reading import read_all

__all__ = ["ModbusError", "check", "run"]


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    devices: Sequence[Mapping[str, Any]] | None = None,
    host: str | None = None,
    port: int = 502,
    framing: str = "tcp",
    serial: str | None = None,
    baudrate: int = 9600,
    parity: str = "none",
    stopbits: int = 1,
    unit: int = 1,
    registers: Sequence[Mapping[str, Any]] | None = None,
    word_order: str = "big",
    byte_order: str = "big",
    nothing: Any = None,
    max_gap: int = 0,
    max_registers: int = 125,
    request_timeout: str = "3s",
    retries: int = 2,
    **_: Any,
) -> dict[str, Any]:
    """Read every device once; those that do not answer leave the others alone."""
    params = Options(
        "",
        {
            "devices": devices,
            "host": host,
            "port": port,
            "framing": framing,
            "serial": serial,
            "baudrate": baudrate,
            "parity": parity,
            "stopbits": stopbits,
            "unit": unit,
            "registers": registers,
            "word_order": word_order,
            "byte_order": byte_order,
            "nothing": nothing,
            "max_gap": max_gap,
            "max_registers": max_registers,
        },
    )
    lines = by_line(devices_of(params))
    patience = patience_of(request_timeout)
    whole(retries, "retries", least=0)
    require(serial=any(line.host is None for line in lines))
    found = await read_all(ctx, lines, patience=patience, retries=retries)
    problem = "; ".join(found.problems)
    if problem and not found.readings:
        raise ModbusError(problem)
    return {"readings": found.readings, **({"script_error": problem} if problem else {})}


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    names = (
        *("devices", "host", "port", "framing", "serial", "baudrate", "parity", "stopbits"),
        *("unit", "registers", "word_order", "byte_order", "nothing"),
        *("max_gap", "max_registers"),
    )
    given.read(lambda each: by_line(devices_of(Options("", {n: getattr(each, n) for n in names}))))
    given.read(lambda each: patience_of(each.request_timeout))
    given.read(lambda each: whole(each.retries, "retries", least=0))
    return given.problems


def patience_of(request_timeout: str) -> float:
    """Return how long a device may take to answer, in seconds.

    Raises:
        ValueError: It is no duration, or none at all.
    """
    patience = duration(request_timeout, "request_timeout")
    if not patience:
        raise ValueError(f"request_timeout: expected more than nothing, got {request_timeout!r}")
    return patience
