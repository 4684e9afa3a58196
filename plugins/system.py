"""This machine: processor, memory, disks, network, temperatures, uptime, processes.

Emits, each with its unit in its name; rates are averages since the previous run:

* ``cpu_percent``; ``cpu_mode_percent`` by ``mode``
* ``load_1m``, ``load_5m``, ``load_15m``
* ``memory_total_bytes``, ``memory_used_bytes``, ``memory_available_bytes``, ``memory_percent``
* ``swap_total_bytes``, ``swap_used_bytes``, ``swap_percent``, where there is swap
* ``disk_total_bytes``, ``disk_used_bytes``, ``disk_free_bytes``, ``disk_percent`` by ``mount``
* ``disk_read_bytes_per_second``, ``disk_written_bytes_per_second``, ``disk_busy_percent``
  by ``device``
* ``network_received_bytes_per_second``, ``network_sent_bytes_per_second``,
  ``network_errors_per_second``, ``network_dropped_per_second`` by ``interface``
* ``temperature_celsius`` by ``sensor``, where there are sensors
* ``uptime_seconds``, ``process_count``

The first run, and the first after a reboot, only remembers the counters that
rates are made of.

Parameters: ``parts`` -- which of cpu, load, memory, swap, disks, network,
temperatures, uptime, processes (default: all). ``mounts`` -- patterns of mount
points, network file systems among them (default: local disks). ``interfaces``
-- patterns of interfaces (default: all but ``lo`` and ``veth*``).
State: ``boot`` -- the kernel's name for this boot. ``uptime`` -- seconds since
then when the counters were read. ``counters`` -- part to device to raw counters.
"""

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import psutil  # type: ignore[import-untyped]  # ships no types

from ingestd.plugins._checks import Given

T = TypeVar("T")
Counters = dict[str, dict[str, float]]
Reading = tuple[None, str, float] | tuple[None, str, float, dict[str, str]]

PATIENCE: Final = 5.0  # seconds for one file system to answer
NOT_DISKS: Final = ("loop*", "ram*", "sr*", "fd*")
NOT_INTERFACES: Final = ("lo", "veth*")
IMAGES: Final = frozenset({"squashfs", "iso9660", "udf", "erofs"})  # read-only: always full
# The kernel counts the time of guests in user and nice, too.
MODES: Final = ("user", "nice", "system", "irq", "softirq", "steal", "iowait", "idle")

# Questions that the kernel has not answered yet, by what they are about.
_unanswered: dict[str, threading.Thread] = {}


async def run(
    *,
    ctx: Any,
    parts: Sequence[str] | None = None,
    mounts: Sequence[str] | None = None,
    interfaces: Sequence[str] | None = None,
    boot: str = "",
    uptime: float = 0,
    counters: Mapping[str, Counters] | None = None,
    **_: Any,
) -> dict[str, Any]:
    """Read everything once, and make rates of what moved since the previous run.

    A coroutine: all this takes a few milliseconds, which is not worth a process
    of its own, and what might block is asked from a thread.
    """
    wanted = known_parts(parts)
    now_boot, now_uptime = boot_id(), time.clock_gettime(time.CLOCK_BOOTTIME)
    now_counters = {part: COUNTERS[part]() for part in COUNTERS if part in wanted}
    if "network" in wanted:
        now_counters["network"] = chosen_interfaces(now_counters["network"], interfaces)
    readings: list[Reading] = [r for part in GAUGES if part in wanted for r in GAUGES[part]()]
    if "disks" in wanted:
        readings += await usage(ctx, mounts)
    if "temperatures" in wanted:
        readings += temperatures(await asked(ctx, "temperatures", sensors) or {})
    if boot == now_boot and now_uptime > uptime:
        readings += rates(counters or {}, now_counters, seconds=now_uptime - uptime)
    return {
        "readings": readings,
        "boot": now_boot,
        "uptime": now_uptime,
        "counters": now_counters,
    }


def check(**params: Any) -> list[str]:
    """Return what is wrong with params, as a run would find it."""
    given = Given(run, params)
    given.read(lambda each: known_parts(each.parts))
    return given.problems


def known_parts(parts: Sequence[str] | None) -> Sequence[str]:
    """Return the parts to read; a misspelt one is an error, not a silence."""
    known = sorted({*GAUGES, *COUNTERS, "temperatures"})
    wrong = [part for part in parts or () if part not in known]
    if isinstance(parts, str) or wrong:
        raise ValueError(f"parts: expected a list of {', '.join(known)}, got {parts!r}")
    return known if parts is None else parts


def boot_id() -> str:
    """Return what changes with every boot and with nothing else."""
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.exists() else str(psutil.boot_time())


# --- counters, and the rates made of them


def cpu_counters() -> Counters:
    """Return the seconds that all processors together spent in each mode."""
    times = psutil.cpu_times()
    return {"all": {mode: getattr(times, mode, 0.0) for mode in MODES}}


def disk_counters() -> Counters:
    """Return what each whole disk has moved since the boot, in bytes and milliseconds."""
    found = psutil.disk_io_counters(perdisk=True) or {}
    return {
        name: {
            "read_bytes": io.read_bytes,
            "written_bytes": io.write_bytes,
            "busy_ms": getattr(io, "busy_time", 0),
        }
        for name, io in found.items()
        if is_whole_disk(name) and (io.read_bytes or io.write_bytes)
    }


def is_whole_disk(name: str) -> bool:
    """Say whether a block device is a disk or volume, not a partition of one."""
    return not matches(name, NOT_DISKS) and Path("/sys/block", name.replace("/", "!")).exists()


def network_counters() -> Counters:
    """Return what each interface has moved since it appeared."""
    return {
        name: {
            "received_bytes": io.bytes_recv,
            "sent_bytes": io.bytes_sent,
            "errors": io.errin + io.errout,
            "dropped": io.dropin + io.dropout,
        }
        for name, io in (psutil.net_io_counters(pernic=True) or {}).items()
        if io.bytes_recv or io.bytes_sent
    }


def chosen_interfaces(found: Counters, wanted: Sequence[str] | None) -> Counters:
    """Return the counters of the interfaces that the operator wants."""
    if wanted is None:
        return {n: c for n, c in found.items() if not matches(n, NOT_INTERFACES)}
    return {n: c for n, c in found.items() if matches(n, wanted)}


def rates(
    before: Mapping[str, Counters], now: Mapping[str, Counters], *, seconds: float
) -> Iterator[Reading]:
    """Yield how fast each counter moved; none for a device that was not there before."""
    for part, devices in now.items():
        for device, counters in devices.items():
            moved = advance(before.get(part, {}).get(device, {}), counters)
            if part == "cpu":
                yield from cpu_shares(moved)
            else:
                yield from device_rates(part, device, moved, seconds=seconds)


def advance(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    """Return how far counters moved.

    One that went back has wrapped, or belongs to another device of the same
    name; how far it really moved is unknown, so it is left out.
    """
    return {n: now[n] - before[n] for n in now if n in before and now[n] >= before[n]}


def cpu_shares(moved: Mapping[str, float]) -> Iterator[Reading]:
    """Yield the share of the time in each mode, and of all that was not idle."""
    total = sum(moved.values())
    if total <= 0:
        return
    idle = moved.get("idle", 0) + moved.get("iowait", 0)
    yield None, "cpu_percent", 100 * (total - idle) / total
    for mode, seconds in moved.items():
        yield None, "cpu_mode_percent", 100 * seconds / total, {"mode": mode}


def device_rates(
    part: str, device: str, moved: Mapping[str, float], *, seconds: float
) -> Iterator[Reading]:
    """Yield the rates of one disk or interface."""
    prefix, tag = ("disk", "device") if part == "disks" else ("network", "interface")
    for name, amount in moved.items():
        if name == "busy_ms":
            # The kernel rounds, so a busy disk may show a little more than all of the time.
            yield None, "disk_busy_percent", min(100.0, amount / seconds / 10), {tag: device}
        else:
            yield None, f"{prefix}_{name}_per_second", amount / seconds, {tag: device}


# --- what is read as it is


def load() -> Iterator[Reading]:
    """Yield how many processes ran or waited to, averaged over some minutes."""
    for minutes, value in zip((1, 5, 15), os.getloadavg(), strict=True):
        yield None, f"load_{minutes}m", value


def memory() -> Iterator[Reading]:
    """Yield the memory; used is what is not available, so caches count as free."""
    found = psutil.virtual_memory()
    yield None, "memory_total_bytes", found.total
    yield None, "memory_used_bytes", found.total - found.available
    yield None, "memory_available_bytes", found.available
    yield None, "memory_percent", 100 * (found.total - found.available) / found.total


def swap() -> Iterator[Reading]:
    """Yield the swap space, where there is some."""
    found = psutil.swap_memory()
    if found.total:
        yield None, "swap_total_bytes", found.total
        yield None, "swap_used_bytes", found.used
        yield None, "swap_percent", 100 * found.used / found.total


def uptime_now() -> Iterator[Reading]:
    """Yield the time since the boot."""
    yield None, "uptime_seconds", time.clock_gettime(time.CLOCK_BOOTTIME)


def processes() -> Iterator[Reading]:
    """Yield how many processes there are."""
    yield None, "process_count", len(psutil.pids())


def sensors() -> Mapping[str, Any]:
    """Return what the machine's temperature sensors show, by chip."""
    ask: Callable[[], Mapping[str, Any]] = getattr(psutil, "sensors_temperatures", dict)
    return ask()


def temperatures(chips: Mapping[str, Any]) -> Iterator[Reading]:
    """Yield the temperature of each sensor; those that are named alike are numbered."""
    seen: Counter[str] = Counter()
    for chip, entries in chips.items():
        for entry in entries:
            name = f"{chip} {entry.label}".strip()
            seen[name] += 1
            sensor = name if seen[name] == 1 else f"{name} #{seen[name]}"
            yield None, "temperature_celsius", entry.current, {"sensor": sensor}


# --- disks, which may hang


async def usage(ctx: Any, mounts: Sequence[str] | None) -> list[Reading]:
    """Return how full the file systems are."""
    readings: list[Reading] = []
    for mount in mount_points(mounts):
        found = await asked(ctx, mount, partial(disk_usage, mount))
        if found is not None:
            readings += disk_readings(mount, found)
    return readings


def mount_points(wanted: Sequence[str] | None) -> list[str]:
    """Return the mount points to look at, each disk once.

    Left alone that is the root and every local disk. A container shows single
    files of a disk as mounts of their own, and a disk may be mounted twice: the
    shortest path stands for all of them.
    """
    if wanted is not None:
        found = {part.mountpoint for part in psutil.disk_partitions(all=True)}
        return sorted(mount for mount in found if matches(mount, wanted))
    shortest: dict[str, str] = {}
    for part in psutil.disk_partitions(all=False):
        if part.fstype not in IMAGES:
            rival = shortest.get(part.device, part.mountpoint)
            shortest[part.device] = min(rival, part.mountpoint, key=lambda m: (len(m), m))
    return sorted({"/", *shortest.values()})


def disk_usage(mount: str) -> Any:
    """Return the space of a file system, or None for one that has no size."""
    if not Path(mount).is_dir():
        return None
    found = psutil.disk_usage(mount)
    return found if found.total else None


def disk_readings(mount: str, found: Any) -> Iterator[Reading]:
    """Yield the space of a file system; percent is of what ordinary users may fill."""
    tags = {"mount": mount}
    yield None, "disk_total_bytes", found.total, tags
    yield None, "disk_used_bytes", found.used, tags
    yield None, "disk_free_bytes", found.free, tags
    yield None, "disk_percent", found.percent, tags


async def asked(
    ctx: Any, what: str, question: Callable[[], T], *, patience: float = PATIENCE
) -> T | None:
    """Ask the kernel what it may never answer; None if it fails or is still at it.

    A dead file server blocks the thread that asks for good, so each question
    has a thread of its own, which must not keep the daemon from ending; and
    no second question is asked while the last one waits.
    """
    if what in _unanswered and _unanswered[what].is_alive():
        return None
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T | None] = loop.create_future()

    def ask() -> None:
        try:
            result, problem = question(), None
        except OSError as error:
            result, problem = None, error
        try:
            loop.call_soon_threadsafe(settle, result, problem)
        except RuntimeError:
            return  # the daemon has ended meanwhile

    def settle(result: T | None, problem: OSError | None) -> None:
        if not answer.done():
            answer.set_result(result)
            if problem is not None:
                ctx.log.warning("cannot be read", what=what, error=str(problem))

    thread = threading.Thread(target=ask, name=f"system {what}", daemon=True)
    thread.start()
    try:
        async with asyncio.timeout(patience):
            return await answer
    except TimeoutError:
        _unanswered[what] = thread
        ctx.log.warning("does not answer; left out until it does", what=what, seconds=patience)
        return None


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Say whether a name fits one of some shell patterns."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


GAUGES: Final[Mapping[str, Callable[[], Iterable[Reading]]]] = {
    "load": load,
    "memory": memory,
    "swap": swap,
    "uptime": uptime_now,
    "processes": processes,
    # "disks" has gauges too, but they must be waited for
}
COUNTERS: Final[Mapping[str, Callable[[], Counters]]] = {
    "cpu": cpu_counters,
    "disks": disk_counters,
    "network": network_counters,
}
