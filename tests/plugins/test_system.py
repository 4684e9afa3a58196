"""What the system plugin says of the machine that runs the tests."""

import threading
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from ingestd.plugins import system
from ingestd.testing import collect, context


def by_series(readings: Any) -> dict[str, list[float]]:
    """Return the values of each series."""
    found: dict[str, list[float]] = {}
    for _, series, value, *_ in readings:
        found.setdefault(series, []).append(value)
    return found


def kept(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the daemon would hand to the next run."""
    return {key: value for key, value in result.items() if key != "readings"}


def earlier(result: Mapping[str, Any], **changes: float) -> dict[str, Any]:
    """Return a state as a run ten seconds before would have left it, with some counters less."""
    state = kept(result)
    state["uptime"] -= 10
    state["counters"] = {
        part: {
            device: {name: value - changes.get(name, 0) for name, value in counters.items()}
            for device, counters in devices.items()
        }
        for part, devices in state["counters"].items()
    }
    return state


async def test_first_run_emits_what_needs_no_history() -> None:
    """Memory, load and the root file system are there at once; rates are not."""
    (result,) = await collect(system.run)

    found = by_series(result["readings"])
    assert found["memory_total_bytes"] == [psutil.virtual_memory().total]
    assert {"load_1m", "disk_used_bytes", "uptime_seconds", "process_count"} <= set(found)
    assert not [series for series in found if series.endswith("per_second")]
    assert "cpu_percent" not in found


async def test_second_run_emits_shares_of_the_processor() -> None:
    """The modes share all of the time between the runs, and idle is not work."""
    (first,) = await collect(system.run)
    state = earlier(first, idle=7.5, user=2.5)

    (second,) = await collect(system.run, **state)

    modes = {
        tags[0]["mode"]: value
        for _, series, value, *tags in second["readings"]
        if series == "cpu_mode_percent"
    }
    assert sum(modes.values()) == pytest.approx(100)
    assert modes["idle"] > modes["user"] > 0
    (busy,) = by_series(second["readings"])["cpu_percent"]
    assert busy == pytest.approx(100 - modes["idle"] - modes.get("iowait", 0))


async def test_reboot_makes_no_rates() -> None:
    """Counters of another boot say nothing about this one."""
    (first,) = await collect(system.run)
    state = {**earlier(first, idle=7.5), "boot": "another"}

    (second,) = await collect(system.run, **state)

    assert "cpu_percent" not in by_series(second["readings"])


def test_rates_are_per_second() -> None:
    """What moved is divided by the time between the readings of the counters."""
    before = {"network": {"eth0": {"received_bytes": 1000.0, "errors": 5.0}}}
    now = {"network": {"eth0": {"received_bytes": 3000.0, "errors": 5.0}}}

    found = list(system.rates(before, now, seconds=10))

    assert found == [
        (None, "network_received_bytes_per_second", 200, {"interface": "eth0"}),
        (None, "network_errors_per_second", 0, {"interface": "eth0"}),
    ]


def test_counter_that_went_back_makes_no_rate() -> None:
    """After a wrap or a replaced device there is no telling how far a counter moved."""
    before = {"network": {"eth0": {"received_bytes": 9000.0, "sent_bytes": 10.0}}}
    now = {"network": {"eth0": {"received_bytes": 3000.0, "sent_bytes": 20.0}}}

    found = list(system.rates(before, now, seconds=10))

    assert found == [(None, "network_sent_bytes_per_second", 1, {"interface": "eth0"})]


def test_new_device_makes_no_rate() -> None:
    """A device that was not there at the last run starts with the next one."""
    now = {"disks": {"sdb": {"read_bytes": 3000.0}}}

    assert list(system.rates({}, now, seconds=10)) == []


async def test_parts_are_chosen() -> None:
    """Only what was asked for is read and remembered."""
    (result,) = await collect(system.run, parts=["load"])

    assert set(by_series(result["readings"])) == {"load_1m", "load_5m", "load_15m"}
    assert result["counters"] == {}


@pytest.mark.parametrize("parts", [["laod"], "load"])
async def test_unknown_part_is_an_error(parts: Any) -> None:
    """A misspelt part says which ones there are."""
    with pytest.raises(ValueError, match="expected a list of cpu, disks, load"):
        await collect(system.run, parts=parts)


async def test_mounts_are_chosen_by_pattern() -> None:
    """A pattern finds mount points of any kind, and only those."""
    (result,) = await collect(system.run, parts=["disks"], mounts=["/"])

    mounts = {tags[0]["mount"] for *_, tags in map(tail, result["readings"]) if tags}
    assert mounts == {"/"}


def tail(reading: Any) -> tuple[str, Any]:
    """Return the series and the tags of a reading."""
    _, series, _, *tags = reading
    return series, tags


def test_root_is_among_the_default_mounts() -> None:
    """The root counts even where, as in a container, it is no device."""
    assert "/" in system.mount_points(None)


async def test_interfaces_are_chosen_by_pattern() -> None:
    """The loopback interface is left out, unless it is asked for."""
    found = {"lo": {"errors": 0.0}, "veth12": {"errors": 0.0}, "eth0": {"errors": 0.0}}

    assert list(system.chosen_interfaces(found, None)) == ["eth0"]
    assert list(system.chosen_interfaces(found, ["l*"])) == ["lo"]


async def test_file_system_that_hangs_is_left_out_until_it_answers() -> None:
    """One dead mount delays one run, once; the next runs do not even ask."""
    answered = threading.Event()
    async with context() as ctx:
        first = await system.asked(ctx, "/dead", answered.wait, patience=0.01)
        second = await system.asked(ctx, "/dead", lambda: 1)
        answered.set()
        system._unanswered["/dead"].join()
        third = await system.asked(ctx, "/dead", lambda: 3)

    assert (first, second, third) == (None, None, 3)
    assert [line["what"] for line in ctx.logs] == ["/dead"]


async def test_file_system_that_fails_is_told_and_left_out() -> None:
    """An I/O error in one file system leaves the other readings alone."""

    def broken() -> int:
        raise OSError(5, "Input/output error")

    async with context() as ctx:
        found = await system.asked(ctx, "/broken", broken)

    assert found is None
    assert "Input/output error" in ctx.logs[0]["error"]


def test_sensors_of_one_name_are_told_apart() -> None:
    """Two disks that both call their sensor Composite get series of their own."""
    entry = SimpleNamespace(label="Composite", current=40.0)
    chips = {"nvme": [entry, entry], "cpu_thermal": [SimpleNamespace(label="", current=50.0)]}

    found = [(value, *tags) for _, _, value, *tags in system.temperatures(chips)]

    assert found == [
        (40, {"sensor": "nvme Composite"}),
        (40, {"sensor": "nvme Composite #2"}),
        (50, {"sensor": "cpu_thermal"}),
    ]
