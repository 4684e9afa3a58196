"""Registers and bits of devices that speak Modbus, over TCP or a serial line.

Emits the series that the parameters name, with the time of each answer. Needs
pymodbus: ``pip install 'ingestd[modbus]'``.

Parameters, reaching devices: ``host``, ``port`` and ``transport``, with ``ca_file``,
``cert_file``, ``key_file`` and ``insecure`` for TLS; or ``serial`` -- a path -- with
``baudrate``, ``parity`` and ``stopbits``; ``framing``; ``pause_after_connect`` and
``pause_between``; ``unit``; or ``devices`` -- a list of dicts with any of these, a
``name``, ``tags`` and any of the following but the last two.
Parameters, reading: ``profile`` -- a device that is known; ``sunspec`` -- read what the
device says it has; ``only`` and ``exclude`` of these; ``registers`` -- dicts with ``series``,
``address``, ``table``, ``type``, ``bit``, ``bits``, ``length``, ``words``, ``scale``,
``offset``, ``scale_from``, ``tags``; ``word_order``, ``byte_order``; ``nothing`` -- numbers that
say that there is none; ``max_gap`` and ``max_registers`` of one request;
``request_timeout``, ``retries``.
State: none.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ingestd.plugins._checks import Given
from ingestd.plugins._params import duration, whole

from .devices import DEFAULTS, LINE, READING, by_line, devices_of
from .link import require
from .options import Options
from .problems import ModbusError
from .reading import read_all

__all__ = ["ModbusError", "check", "run"]

NAMES: Final = ("devices", *LINE, *READING)


async def run(  # noqa: PLR0913 -- each is an option, which the daemon checks by name
    *,
    ctx: Any,
    devices: Sequence[Mapping[str, Any]] | None = None,
    host: str | None = None,
    port: int | None = None,
    transport: str | None = None,
    framing: str | None = None,
    ca_file: str | None = None,
    cert_file: str | None = None,
    key_file: str | None = None,
    insecure: bool | None = None,
    serial: str | None = None,
    baudrate: int | None = None,
    parity: str | None = None,
    stopbits: int | None = None,
    unit: int | None = None,
    profile: str | None = None,
    sunspec: bool | None = None,
    only: Any = None,
    exclude: Any = None,
    registers: Sequence[Mapping[str, Any]] | None = None,
    word_order: str | None = None,
    byte_order: str | None = None,
    nothing: Any = None,
    max_gap: int | None = None,
    max_registers: int | None = None,
    pause_after_connect: str | None = None,
    pause_between: str | None = None,
    request_timeout: str = "3s",
    retries: int = 2,
    **_: Any,
) -> dict[str, Any]:
    """Read every device once; those that do not answer leave the others alone."""
    here = locals()
    params = params_of({name: here[name] for name in NAMES})
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
    given.read(lambda each: by_line(devices_of(params_of({n: getattr(each, n) for n in NAMES}))))
    given.read(lambda each: patience_of(each.request_timeout))
    given.read(lambda each: whole(each.retries, "retries", least=0))
    return given.problems


def params_of(given: Mapping[str, Any]) -> Options:
    """Return the params, with what holds where they say nothing."""
    return Options("", given, Options("", DEFAULTS))


def patience_of(request_timeout: str) -> float:
    """Return how long a device may take to answer, in seconds.

    Raises:
        ValueError: It is no duration, or none at all.
    """
    patience = duration(request_timeout, "request_timeout")
    if not patience:
        raise ValueError(f"request_timeout: expected more than nothing, got {request_timeout!r}")
    return patience
