"""Scripts in the style of BMON's eight run as they are, and do each other no harm."""

from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.contract.memory import Memory
from ingestd.records.runs import RunRecord
from tests.support.bmonvendors import NOON, Vendors, vendors
from tests.support.collecting import Site, site

SCRIPTS: Final = Path(__file__).parents[1] / "samples" / "bmon_scripts"
DAY: Final = date(2025, 1, 1)
SLOW: Final = pytest.mark.slow  # pandas takes its time to be imported

HUNG = "import time\n\n\ndef run(**kwargs):\n    time.sleep(3600)\n"
LEAKING = "kept = []\n\n\ndef run(**kwargs):\n    while True:\n        kept.append(bytes(10**7))\n"
CRASHING = "import os\n\n\ndef run(**kwargs):\n    os.abort()\n"
HEALTHY = "def run(n=0, **kwargs):\n    return {'readings': [(None, 'level', n)], 'n': n + 1}\n"


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Site]:
    """Give a site."""
    async with site(tmp_path, capacity=100_000) as made:
        yield made


@pytest.fixture
async def them() -> AsyncIterator[Vendors]:
    """Give the vendors."""
    async with vendors() as made:
        yield made


async def ran(here: Site, script: str, runs: int = 1, **options: Any) -> list[RunRecord]:
    """Run a script so many times; return the records when readings and state are stored."""
    await here.restart("m", plugin=str(SCRIPTS / f"{script}.py"), compat="bmon", **options)
    records = await here.ran(runs, name="m")
    await here.until(lambda: len(here.stored) >= sum(each.points for each in records))
    await here.until(lambda: here.collectors.by_name["m"].committer.idle)
    return records


def stored(here: Site) -> list[tuple[str, float, float]]:
    """Return what was stored: series, Unix seconds and value."""
    return sorted((point[0].name, point[1] / 1e6, point[2]) for point in here.stored)


async def test_ambientweather(here: Site, them: Vendors) -> None:
    """Times with a fraction lose it, and text that is a number is one."""
    params = {"url": them.url, "application_key": "a", "api_key": "b", "sensor_prefix": "wx"}

    (record,) = await ran(here, "ambientweather", params=params)

    assert stored(here) == [("wx_7B_humidity", NOON, 81.0), ("wx_7B_tempf", NOON, 23.5)]
    told = record.told["bmon"]
    assert told["reading_insert_message"] == "2 readings stored successfully, 0 rejected."


async def test_a_parameter_that_is_missing_is_named(here: Site, them: Vendors) -> None:
    """The script asks for it by its signature."""
    (record,) = await ran(here, "ambientweather", params={"url": them.url, "api_key": "b"})

    assert record.outcome == "failed"
    assert "application_key" in record.error
    assert "application_key" in str(record.told["bmon"]["script_error"])


@SLOW
async def test_okofen(here: Site, them: Vendors) -> None:
    """A date that YAML has read comes as one; later the script's own text comes back."""
    params = {
        "url": them.url, "site_id": "haines", "until": date(2025, 1, 2),
    }  # fmt: skip
    await here.states.commit("m", Memory(state={"last_date_loaded": DAY}))

    records = await ran(here, "okofen", 2, params=params)
    kept = await here.on_disk("m")

    first = [("haines_water_temp", NOON, 122.9), ("haines_water_temp", NOON + 60, 123.8)]
    assert stored(here) == sorted(first * 2)
    assert [each.outcome for each in records] == ["degraded", "degraded"]
    assert "Error loading 2025-01-02" in records[0].degraded
    assert kept.state["last_date_loaded"] == "2025-01-01"


@SLOW
async def test_okofen2(here: Site, them: Vendors) -> None:
    """NumPy values are stored, what pandas calls missing is skipped, nothing comes twice."""
    params = {"url": them.url, "site_id": "juneau", "days": [DAY]}

    records = await ran(here, "okofen2", 2, params=params)

    assert stored(here) == [
        ("juneau_boiler_status", NOON, 1.0),
        ("juneau_boiler_status", NOON + 60, 3.0),
        ("juneau_boiler_temp", NOON, 60.5),
    ]
    assert records[0].unusable == {"no_value": 1}
    assert records[0].told["bmon"]["reading_insert_message"] == (
        "3 readings stored successfully, 0 rejected."
    )
    assert "reading_insert_message" not in records[1].told["bmon"]
    assert (await here.on_disk("m")).state["last_ts_loaded"] == NOON + 60


@SLOW
async def test_enphase(here: Site, them: Vendors) -> None:
    """The first date is dropped after the first run; positions of NumPy's make come back."""
    params = {
        "api_key": "k", "url": them.url, "systems": [{"user_id": "u", "system_id": 67}],
        "first_date": DAY,
    }  # fmt: skip
    midnight = NOON - 12 * 3600

    await ran(here, "enphase", 2, params=params)
    kept = await here.on_disk("m")

    assert stored(here) == [
        ("enph_u_67", midnight + 300 * step, value)
        for step, value in enumerate([5.0, 0.0, 7.0] * 2, start=1)
    ]
    assert kept.state["last_ts"] == {"u_67": midnight + 1800}
    assert set(kept.masks) == {"first_date"}


async def test_ecobee(here: Site, them: Vendors) -> None:
    """Tokens move from the params into what is hidden, and change with every run."""
    options: dict[str, Any] = {
        "params": {"url": them.url, "access_token": "", "refresh_token": "refresh-0"},
        "settings": {"BMSAPP_ECOBEE_API_KEY": "the-key"},
    }

    records = await ran(here, "ecobee", 2, **options)
    kept = await here.on_disk("m")

    assert [each.outcome for each in records] == ["ok", "ok"]
    assert sorted((p[0].name, p[2]) for p in here.stored) == [
        ("31832_heating", 1.0), ("31832_heating", 1.0), ("31832_temp", 71.5), ("31832_temp", 71.5),
    ]  # fmt: skip
    assert kept.hidden == {"access_token": "access", "refresh_token": "refresh-2"}
    assert set(kept.masks) == {"access_token", "refresh_token"}
    assert kept.state == {}
    assert "refresh-2" not in str([each.as_dict() for each in records])


async def test_a_token_in_an_error_is_not_shown(here: Site, them: Vendors) -> None:
    """The server repeats it in its refusal, and the script in its report."""
    them.refresh = "another-0"
    options: dict[str, Any] = {
        "params": {"url": them.url, "refresh_token": "token-0"},
        "settings": {"BMSAPP_ECOBEE_API_KEY": "the-key"},
    }
    here.services.redactor.add(["token-0"])

    (record,) = await ran(here, "ecobee", **options)

    assert record.outcome == "degraded"
    assert "no such token: ***" in record.degraded
    assert "token-0" not in str([record.as_dict(), here.events])


@SLOW
async def test_modbus(here: Site, them: Vendors) -> None:
    """Registers are combined and transformed; a formula that fails costs its sensor alone."""
    sensors = [
        [them.modbus, [100, 101], "energy", None],
        [them.modbus, [102], "temp", "val / 10"],
        [them.modbus, [102], "bad", "val / nothing"],
    ]
    params = {"site_id": "b1", "host": "127.0.0.1", "sensors": sensors}

    (record,) = await ran(here, "modbus", params=params)

    assert [(name, value) for name, _, value in stored(here)] == [
        ("b1_energy", 65538.0),
        ("b1_temp", 23.5),
    ]
    assert record.outcome == "degraded"
    assert "Error processing bad" in record.degraded


async def test_sensaphone(here: Site, them: Vendors) -> None:
    """Contacts give words, which BMON's rules make numbers."""
    inputs = {1: "door", 2: "motion", 3: "temp", 9: "gone"}
    params = {"host": "127.0.0.1", "port": them.dialer, "site_id": "s", "inputs": inputs}

    (record,) = await ran(here, "sensaphone", params=params)

    assert [(name, value) for name, _, value in stored(here)] == [
        ("s_door", 1.0), ("s_motion", 0.0), ("s_temp", 71.5),
    ]  # fmt: skip
    assert record.degraded == "Input 9: no such input; "


async def test_influxdb_is_told_why_it_cannot_run(here: Site) -> None:
    """It reads BMON's own database; nothing that could be installed would help."""
    (record,) = await ran(here, "influxdb", params={"url": "http://127.0.0.1:9"})

    assert record.outcome == "failed"
    assert "influxdb.py:4: needs 'bmsapp', which is BMON itself" in record.error


@pytest.mark.slow  # scripts hang until their deadline, and fill their memory
async def test_scripts_that_hang_leak_or_crash_hurt_no_other(here: Site) -> None:
    """A healthy one beside them runs at each of its ticks."""
    hurtful: dict[str, tuple[str, dict[str, Any]]] = {
        "hung": (HUNG, {"timeout": 1.0}),
        "leaking": (LEAKING, {"memory_limit": 200 * 2**20}),
        "crashing": (CRASHING, {}),
    }
    for name, (script, options) in hurtful.items():
        await here.start(script, name, compat="bmon", **options)
    await here.start(HEALTHY, "healthy", compat="bmon")

    await here.until(
        lambda: all(here.ended(name) for name in hurtful) and len(here.ended("healthy")) >= 3
    )
    last = here.states.last_runs()
    await here.until(lambda: len(here.stored) >= 3)

    assert last["hung"].outcome == "timeout"
    assert "memory_limit" in last["leaking"].error
    assert "killed by SIGABRT" in last["crashing"].error
    assert {each["event"] for each in here.ended("healthy")} == {"run ok"}
    assert here.values()[:3] == [0, 1, 2]
