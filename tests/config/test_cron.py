"""Which cron expressions are accepted, and that a schedule runs by each of them."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingestd.collecting import schedule
from ingestd.config import CronExpression
from tests.support.config import ConfigFolder

LONDON = ZoneInfo("Europe/London")
NOW = 1.7e9

# What an operator may write into a field, and what is near it.
FIELDS = st.text("0123456789*/,-L#WMONJA \u00b2", max_size=6)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "with five fields (minute, hour, day of month, month, day of week)"),
        ("@daily", "with five fields"),
        ("* * * *", "with five fields"),
        ("* * * * * *", "with five fields"),
        ("0 30 2 * * 3", "; did you mean '30 2 * * 3', without seconds?"),
        ("0 25 * * *", "such as '30 2 * * 3' (bad hour)"),
        ("0 0 30 2 *", "such as '30 2 * * 3' (bad day-of-month)"),
        ("0 0 */29 2 1#5", "that some day matches"),  # the first is never a fifth Monday
        (f"0 0 {'1' * 5000} 1 *", "such as '30 2 * * 3'"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(text: str, message: str) -> None:
    """The message is the first half of one; the section adds what was written."""
    with pytest.raises(ValueError, match=r"^expected a cron expression") as caught:
        CronExpression.parse(text)

    assert message in str(caught.value)


def test_seconds_other_than_0_get_no_hint() -> None:
    """Without them it would be another schedule."""
    with pytest.raises(ValueError, match=r"day of week\)$"):
        CronExpression.parse("15 30 2 * * 3")


@pytest.mark.parametrize(
    ("text", "wildcard"),
    [("* 2 * * *", True), ("0 */2 * * *", True), ("30 2 * * *", False), ("5-9 2 1 * 3", False)],
)
def test_an_expression_for_certain_hours_is_told_from_one_for_all_the_time(
    text: str, *, wildcard: bool
) -> None:
    """They differ where the clock is changed."""
    assert CronExpression.parse(text).wildcard is wildcard


def test_six_fields_are_refused_at_their_line(folder: ConfigFolder) -> None:
    """`check` tells of the seconds that other schedulers want, instead of a run that fails."""
    text = "collectors:\n  a:\n    plugin: x\n    cron: 0 30 2 * * 3"

    (problem,) = folder.problems(text)

    assert problem.startswith("ingestd.yaml:4: collectors.a.cron: expected a cron expression")
    assert "did you mean '30 2 * * 3'" in problem
    assert problem.endswith(", got '0 30 2 * * 3'")


@given(st.lists(FIELDS, min_size=1, max_size=6).map(" ".join))
@example("30 2 * * 3")
@example("0 0 29 2 *")
@example("0 0 L * *")
@example("0 0 LW * *")
@example("0 0 * * 5L")
@example("0 0 1 1 MON#2")
@example("*/7 */5 */2 * *")
@example("0 30 2 * * 3")
def test_a_schedule_runs_by_every_expression_that_is_accepted(text: str) -> None:
    """An operator never hears of an expression first from a run."""
    try:
        expression = CronExpression.parse(text)
    except ValueError:
        return

    ticks = schedule.cron(expression, zone=LONDON, offset=0.0, jitter=0.0, key="")
    assert ticks.next_after(NOW) > NOW


def test_a_match_lies_strictly_after_the_time_asked_for() -> None:
    """A schedule that asks from match to match must not stand still."""
    expression = CronExpression.parse("30 2 29 2 *")
    first = datetime(2024, 2, 29, 2, 30)  # noqa: DTZ001 -- a local time, of no zone

    found = expression.next_match(first)

    assert found == datetime(2028, 2, 29, 2, 30)  # noqa: DTZ001
