"""What is remembered after a result, and what the next run is called with."""

from typing import Any

import pytest

from ingestd.contract.memory import Memory, arguments, reconciled, remember, remember_secrets
from ingestd.contract.result import take_apart


def result_of(result: dict[str, Any], memory: Memory, *, yielded: bool, **params: Any) -> Memory:
    """Return what is remembered after a result."""
    taken = take_apart(result)
    return remember(memory, taken, yielded=yielded, params=params, fingerprint=repr)


def called_with(memory: Memory, **params: Any) -> dict[str, Any]:
    """Return what the next run is called with."""
    return arguments(memory, params, fingerprint=repr)


def test_params_win_over_state_and_state_over_hidden() -> None:
    """What the operator wrote is never overruled by what a plugin remembers."""
    memory = Memory(state={"b": "state", "c": "state"}, hidden=dict.fromkeys("abc", "hidden"))

    assert called_with(memory, c="param") == {"a": "hidden", "b": "state", "c": "param"}


def test_returned_result_replaces_what_was_remembered() -> None:
    """A key that is not returned again is forgotten, hidden ones too."""
    before = Memory(state={"old": 1, "both": 1}, hidden={"token": "a"})

    after = result_of({"both": 2, "readings": []}, before, yielded=False)

    assert after == Memory(state={"both": 2})


def test_yielded_result_updates_what_was_remembered() -> None:
    """A checkpoint says only what has changed."""
    before = Memory(state={"old": 1, "both": 1}, hidden={"token": "a", "other": "b"})

    after = result_of({"both": 2, "hidden": {"token": "c"}}, before, yielded=True)

    assert after == Memory(state={"old": 1, "both": 2}, hidden={"token": "c", "other": "b"})


@pytest.mark.parametrize("yielded", [True, False])
def test_deleted_param_stays_away_from_later_runs(*, yielded: bool) -> None:
    """delete_params masks a param, and later results do not unmask it."""
    memory = result_of({"delete_params": ["code"]}, Memory(), yielded=yielded, code="x", url="u")
    assert called_with(memory, code="x", url="u") == {"url": "u"}

    memory = result_of({"n": 1}, memory, yielded=yielded, code="x", url="u")
    assert called_with(memory, code="x", url="u") == {"url": "u", "n": 1}


def test_mask_falls_when_the_operator_writes_another_value() -> None:
    """The new value reaches the very next run, and the mask is gone after it."""
    memory = result_of({"delete_params": ["code"]}, Memory(), yielded=False, code="x")

    assert called_with(memory, code="y") == {"code": "y"}
    assert result_of({}, memory, yielded=False, code="y").masks == {}


def test_mask_falls_when_the_operator_removes_the_param() -> None:
    """A param that comes back later was meant, even with the old value."""
    memory = result_of({"delete_params": ["code"]}, Memory(), yielded=False, code="x")
    memory = result_of({}, memory, yielded=False)

    assert called_with(memory, code="x") == {"code": "x"}


def test_masking_leaves_the_params_alone() -> None:
    """The config is the operator's."""
    params = {"code": "x"}
    memory = remember(
        Memory(),
        take_apart({"delete_params": ["code"]}),
        yielded=False,
        params=params,
        fingerprint=repr,
    )

    arguments(memory, params, fingerprint=repr)

    assert params == {"code": "x"}


def test_masking_what_no_param_is_called_changes_nothing() -> None:
    """State is not a param: a plugin forgets that by not returning it."""
    memory = result_of({"delete_params": ["nothing"]}, Memory(), yielded=False, code="x")

    assert memory.masks == {}


def test_backfill_leaves_the_state_alone() -> None:
    """Hidden is updated for every shape of plugin, and used-up params are masked."""
    before = Memory(state={"n": 1}, hidden={"token": "a", "id": 7}, masks={"old": "'x'"})
    taken = take_apart({"n": 9, "hidden": {"token": "b"}, "delete_params": ["code"]})

    after = remember_secrets(before, taken, params={"code": "once", "old": "x"}, fingerprint=repr)

    assert after.state == {"n": 1}
    assert after.hidden == {"token": "b", "id": 7}
    assert after.masks == {"old": "'x'", "code": "'once'"}


@pytest.mark.parametrize(
    ("given", "now", "kept"),
    [
        ({"token": "a"}, {"token": "b"}, {"token": "b"}),
        ({"token": "c"}, {"token": "b"}, {"token": "c"}),
        ({"token": "c"}, {"token": "a"}, {"token": "c"}),
        ({}, {"token": "b"}, {}),
        ({"token": "a"}, {"token": "a", "id": 7}, {"token": "a", "id": 7}),
        ({"token": "a", "id": 8}, {"token": "a", "id": 7}, {"token": "a", "id": 8}),
        ({"token": "a"}, {}, {}),
    ],
    ids=["renewed", "both renewed", "only here", "dropped", "new", "both new", "forgotten"],
)
def test_secret_that_was_renewed_beside_it_stays(
    given: dict[str, Any], now: dict[str, Any], kept: dict[str, Any]
) -> None:
    """A run that gives it back as it was at its start has nothing to say of it."""
    taken = take_apart({"n": 1, "hidden": given})

    result = reconciled(taken, began={"token": "a"}, now=now)

    assert result.hidden == kept
    assert result.state == {"n": 1}
