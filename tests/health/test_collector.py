"""The state of a collector, as a table: what is known of it, and what that makes it."""

from dataclasses import replace
from typing import Any

import pytest

from ingestd.health.collector import CollectorFacts, CollectorHealth, judge
from ingestd.health.series import LateSeries, SeriesKey
from ingestd.health.states import State, by_trouble
from ingestd.health.summary import StoreFacts, sentence

ATTIC = LateSeries(SeriesKey("attic", (("floor", "3"),)), 7200.0, 600.0, 1.7e9)
CELLAR = LateSeries(SeriesKey("cellar", ()), 3600.0, None, None)
POLLING: dict[str, Any] = {
    "schedule": "every 30s",
    "two_ticks": 60.0,
    "known_for": 9e4,
    "quiet_for": 5.0,
    "succeeded": True,
    "has_given": True,
    "series": 3,
}
STREAM: dict[str, Any] = {
    "schedule": "stream",
    "two_ticks": None,
    "known_for": 9e4,
    "quiet_for": 9e4,
    "running_for": 9e4,
    "has_given": True,
    "series": 3,
}

TABLE: list[tuple[dict[str, Any], State, str]] = [
    (POLLING, State.FRESH, ""),
    (STREAM, State.FRESH, ""),
    # never
    (POLLING | {"has_given": False, "succeeded": False, "known_for": 5.0}, State.WAITING, ""),
    (POLLING | {"has_given": False, "succeeded": False, "known_for": 90.0}, State.WAITING, ""),
    (
        POLLING | {"has_given": False, "succeeded": False, "known_for": 90.1},
        State.NEVER,
        "has given nothing yet, for 90s (every 30s)",
    ),
    (
        POLLING | {"has_given": False, "known_for": 5.0},
        State.NEVER,
        "has given nothing yet, for 5s (every 30s)",
    ),
    (STREAM | {"has_given": False, "known_for": 60.0}, State.WAITING, ""),
    (
        STREAM | {"has_given": False, "known_for": 61.0, "degraded": "no topic matched"},
        State.NEVER,
        "has given nothing yet, for 61s (stream): no topic matched",
    ),
    (
        STREAM | {"has_given": False, "known_for": 61.0, "awaits": "messages of m/#"},
        State.NEVER,
        "has given nothing yet, for 61s (stream): it is connected and waits for messages of m/#",
    ),
    (
        POLLING | {"has_given": False, "succeeded": False, "known_for": 5.0, "due_in": 86_400.0},
        State.WAITING,
        "",
    ),
    (
        POLLING | {"has_given": False, "succeeded": False, "known_for": 5.0, "due_in": 1e6},
        State.WAITING,
        "is first due in 12d (every 30s)",
    ),
    (STREAM | {"has_given": False, "known_for": 200.0, "cadence": 90.0}, State.WAITING, ""),
    (
        STREAM | {"has_given": False, "known_for": 211.0, "cadence": 90.0},
        State.NEVER,
        "has given nothing yet, for 4m (stream)",
    ),
    # late
    (POLLING | {"quiet_for": 90.0}, State.FRESH, ""),
    (
        POLLING | {"quiet_for": 91.0},
        State.LATE,
        "has had no good run for 91s (every 30s)",
    ),
    (
        POLLING | {"quiet_for": 91.0, "running_for": 91.0},
        State.LATE,
        "is in a run that began 91s ago and gives nothing (every 30s)",
    ),
    (
        POLLING | {"late": [ATTIC]},
        State.LATE,
        "gets nothing from attic (floor=3) for 2h (every 10m)",
    ),
    (
        STREAM | {"late": [ATTIC, CELLAR]},
        State.LATE,
        "gets nothing from attic (floor=3) for 2h (every 10m), nor from cellar",
    ),
    (
        STREAM | {"late": [ATTIC] * 6, "series": 7},
        State.LATE,
        (
            "gets nothing from attic (floor=3) for 2h (every 10m), "
            "nor from attic (floor=3), attic (floor=3), 3 more"
        ),
    ),
    (
        STREAM | {"late": [ATTIC, CELLAR], "series": 2},
        State.LATE,
        "has given nothing for 60m",
    ),
    # what its runs say
    (POLLING | {"failures": 1, "error": "no"}, State.FAILING, "has failed: no"),
    (
        POLLING | {"failures": 3, "error": "no", "retry_in": 9.0},
        State.BACKING_OFF,
        "has failed 3 times: no",
    ),
    (POLLING | {"degraded": "half"}, State.DEGRADED, "is degraded: half"),
    (STREAM | {"disconnected": "refused"}, State.DISCONNECTED, "has no connection: refused"),
    (POLLING | {"paused": "the disk is full"}, State.PAUSED, "waits: the disk is full"),
    (
        POLLING | {"blocked": "meter.py:3 in run"},
        State.BLOCKED,
        "has held up the event loop at meter.py:3 in run",
    ),
    # the worst of several
    (POLLING | {"degraded": "half", "late": [ATTIC]}, State.LATE, "gets nothing from attic"),
    (POLLING | {"failures": 1, "error": "no", "late": [ATTIC]}, State.FAILING, "has failed: no"),
    (POLLING | {"failures": 1, "has_given": False}, State.FAILING, "has failed: "),
    (STREAM | {"disconnected": "x", "failures": 2}, State.DISCONNECTED, "has no connection: x"),
    (STREAM | {"disconnected": "x", "paused": "full"}, State.PAUSED, "waits: full"),
    (POLLING | {"blocked": "x", "paused": "full"}, State.BLOCKED, "has held up"),
]


@pytest.mark.parametrize(("facts", "state", "why"), TABLE)
def test_state(facts: dict[str, Any], state: State, why: str) -> None:
    """Each row says what is known, and the one state that follows."""
    health = judge(CollectorFacts(name="lab", **facts))

    assert health.state is state
    assert health.why.startswith(why)
    assert bool(health.why) == bool(why)
    assert bool(why) or not state.is_trouble


def test_the_worst_is_sorted_first() -> None:
    """A state that is unknown, such as that of a disabled collector, stands last."""
    names = ["fresh", "failing", "disabled", "late", "blocked", "waiting"]

    assert sorted(names, key=by_trouble) == [
        "blocked",
        "failing",
        "late",
        "waiting",
        "fresh",
        "disabled",
    ]


def healths(*states: State) -> list[CollectorHealth]:
    """Return collectors in some states."""
    return [
        CollectorHealth(f"c{number}", state, f"is {state}" if state.is_trouble else "")
        for number, state in enumerate(states)
    ]


UP, DOWN = StoreFacts(name="main"), StoreFacts(name="main", down_for=300.0, error="refused")
FULL = StoreFacts(name="main", full=True)
UNWRITABLE = StoreFacts(name="main", spool_error="no such table")


@pytest.mark.parametrize(
    ("collectors", "stores", "refused", "said"),
    [
        ([], [UP], "", "no collectors are configured"),
        ([State.FRESH], [UP], "", "the one collector is fresh"),
        ([State.FRESH] * 12, [UP], "", "all 12 collectors are fresh"),
        ([State.WAITING] * 2, [UP], "", "2 collectors started, nothing is due yet"),
        (
            [State.WAITING, State.FRESH],
            [UP],
            "",
            "1 of 2 collectors are fresh, nothing is due yet of the others",
        ),
        (
            [State.FRESH, State.LATE, State.FAILING],
            [UP],
            "",
            "2 of 3 collectors need attention: c2 is failing; c1 is late",
        ),
        (
            [State.LATE] * 5,
            [UP],
            "",
            "5 of 5 collectors need attention: c0 is late; c1 is late; c2 is late; and 2 more",
        ),
        (
            [State.FRESH],
            [DOWN],
            "",
            "1 of 1 store needs attention: store main has taken nothing for 5m: refused",
        ),
        (
            [State.PAUSED],
            [FULL],
            "",
            (
                "1 of 1 store and 1 of 1 collector need attention: store main has a full spool; "
                "c0 is paused"
            ),
        ),
        (
            [State.FRESH],
            [UNWRITABLE],
            "",
            (
                "1 of 1 store needs attention: store main has a spool that cannot be written: "
                "no such table"
            ),
        ),
        (
            [State.FRESH],
            [replace(DOWN, spool_error="no such table")],
            "",
            (
                "1 of 1 store needs attention: store main has taken nothing for 5m, and its "
                "spool cannot be written: no such table; refused"
            ),
        ),
        (
            [State.FRESH],
            [UP],
            "2 problems",
            "the configuration on disk is not in use: 2 problems",
        ),
        (
            [State.FRESH, State.LATE],
            [UP],
            "2 problems",
            (
                "the configuration on disk is not in use: 2 problems; "
                "1 of 2 collectors needs attention: c1 is late"
            ),
        ),
        (
            [State.FRESH],
            [StoreFacts(name="main", dead=1234)],
            "",
            "store main has refused 1,234 readings",
        ),
    ],
)
def test_sentence(
    collectors: list[State], stores: list[StoreFacts], refused: str, said: str
) -> None:
    """It begins with how many need attention, and names the worst first."""
    assert sentence(healths(*collectors), stores, refused=refused) == said
