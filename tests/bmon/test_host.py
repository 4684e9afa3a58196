"""Scripts of BMON run as they do there: their readings, their state, their missing results."""

from datetime import date
from pathlib import Path

import pytest

from ingestd.bmon import BmonHost
from tests.support.collecting import site

ODD = """
import math


def run(**kwargs):
    print("hello")
    return {
        "readings": [
            (1432327040.9, "door", "Closed"),
            [1432327041, 28.5, "72.5 F"],
            (1432327042, "level", None),
            (1432327043, "level", math.nan),
            (1432327044, "level", "warm"),
            (1432327045, "level"),
            (1432327046000, "level", 1),
            (1432327047, "", 1),
        ],
    }
"""


REMEMBERS = """
from datetime import date


def run(n=0, seen=None, day=None, nested=None, **kwargs):
    if n == 3:
        raise ValueError("no more")
    if n == 2 and not kwargs.get("last"):
        return {
            "n": n + 1, "seen": {**seen, (n, "b"): 2.5}, "day": day, "nested": nested,
            "was": [repr(seen), repr(day), sorted(kwargs)], "hidden": {"key": (1, 2)},
            "script_start_time": "mine",
        }
    return {
        "n": 2, "seen": {(1, "a"): 1}, "day": date(2016, 1, 1), "nested": {"a": [1, {"b": b"x"}]},
        "hidden": {"key": (1, 2)},
    }
"""


NOTHING = """
def run(n=0, **kwargs):
    return None if n else {"n": 1, "hidden": {"token": "geheim"}}
"""


async def test_readings_are_converted_by_bmons_rules(tmp_path: Path) -> None:
    """What is stored, skipped and rejected is what BMON would store, skip and reject."""
    async with site(tmp_path) as here:
        await here.start(ODD, compat="bmon")
        (record,) = await here.ran()
        await here.until(lambda: len(here.stored) >= 2)

        assert [(p[0].name, p[1], p[2]) for p in here.stored] == [
            ("door", 1432327040_000_000, 1.0),
            ("28.5", 1432327041_000_000, 72.5),
        ]
        assert record.unusable == {
            "no_value": 2, "value": 1, "shape": 1, "milliseconds": 1, "series": 1,
        }  # fmt: skip
        assert len(record.samples) == 5
        assert record.told["bmon"]["reading_insert_message"] == (
            "2 readings stored successfully, 4 rejected."
        )


async def test_readings_of_other_plugins_are_not_converted(tmp_path: Path) -> None:
    """A word is no number for a plugin that was not written for BMON."""
    async with site(tmp_path) as here:
        await here.start(ODD)
        (record,) = await here.ran()

        assert (record.points, record.unusable["value"]) == (0, 2)
        assert record.told["bmon"] == {}


@pytest.mark.parametrize("isolation", ["process", "thread"])
async def test_state_comes_back_and_survives_a_run_that_raises(
    tmp_path: Path, isolation: str
) -> None:
    """Dates, bytes and tuples come back as they were; what BMON says of a run is not among them."""
    async with site(tmp_path) as here:
        await here.start(REMEMBERS, compat="bmon", isolation=isolation)
        records = await here.ran(3)
        await here.collectors.committed()
        kept = await here.on_disk()

        assert [each.outcome for each in records] == ["ok", "ok", "failed"]
        assert kept.state == {
            "n": 3,
            "seen": {(1, "a"): 1, (2, "b"): 2.5},
            "day": date(2016, 1, 1),
            "nested": {"a": [1, {"b": b"x"}]},
            "was": ["{(1, 'a'): 1}", "datetime.date(2016, 1, 1)", ["key"]],
            "script_start_time": "mine",
        }
        assert kept.hidden == {"key": (1, 2)}
        assert "ValueError: no more" in str(records[2].told["bmon"]["script_error"])
        assert "Traceback" in str(records[2].told["bmon"]["script_error"])
        assert "script_execution_time" not in records[2].told["bmon"]


async def test_a_run_without_a_result_forgets_nothing(tmp_path: Path) -> None:
    """In BMON a script that returns early loses its state, and its tokens with it."""
    async with site(tmp_path) as here:
        await here.start(NOTHING, compat="bmon")
        records = await here.ran(2)
        await here.collectors.committed()
        kept = await here.on_disk()

        assert [each.outcome for each in records] == ["ok"] * 2
        assert (kept.state, kept.hidden) == ({"n": 1}, {"token": "geheim"})


def test_the_mark_of_settings_tells_nothing_of_them() -> None:
    """The mark differs where the settings do; neither it nor the repr holds any."""
    one, two = BmonHost({"API_KEY": "one"}), BmonHost({"API_KEY": "two"})

    assert one.mark == BmonHost({"API_KEY": "one"}).mark != two.mark
    assert "one" not in repr(one) + one.mark


async def test_ids_that_differ_only_in_case_are_named_in_the_record(tmp_path: Path) -> None:
    """Once for a run, however many results it gives; their readings are stored."""
    async with site(tmp_path) as here:
        await here.start(
            """
            async def run(**_):
                for time in (1, 2):
                    yield {"readings": [(time, "Boiler", 1), (time, "boiler", 2)]}
            """,
            compat="bmon",
        )
        (record,) = await here.ran()

        assert (record.outcome, record.points, len(record.notes)) == ("ok", 4, 1)
