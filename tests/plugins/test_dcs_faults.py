"""The dcs plugin when servers, networks and accounts fail it."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from ingestd.plugins._backoff import Backoff
from ingestd.plugins.dcs import collecting, reading, run
from ingestd.testing import collect
from tests.support.dcs import FakeDcs, faults
from tests.support.dcsreading import (
    NOW,
    at,
    complaint,
    outcome,
    params,
    patient,
    read,
    state,
    stored,
    used,
)

SIGNED_IN = ("current", "legacy")
SINCE = at("2024-03-01")


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_wrong_password_says_who_could_not_sign_in(dcs: FakeDcs, api: str) -> None:
    """The message has the user's name and no password, and the run gives no result."""
    found, said = await outcome(dcs, api, password="hush-hush")

    assert found == []
    assert re.search(r"expected to be signed in as 'reader', got 40[01] .*incorrect", said)
    assert "hush" not in said


@pytest.mark.parametrize("api", SIGNED_IN)
async def test_rights_missing_for_everything_fails_the_run(dcs: FakeDcs, api: str) -> None:
    """A list that is refused says so."""
    dcs.fail(403, times=0, match="meters", text='{"details": "Your profile does not allow this"}')

    found, said = await outcome(dcs, api)

    assert found == []
    assert "meters: expected 200, got 403 Forbidden: 'Your profile does not allow this'" in said
    assert not dcs.signed_in


@pytest.mark.parametrize("api", SIGNED_IN)
@pytest.mark.parametrize("status", [401, 403, 404])
@pytest.mark.parametrize("kind", ["meters", "virtualMeters"])
async def test_list_of_one_kind_that_is_refused_leaves_the_other(
    dcs: FakeDcs, api: str, kind: str, status: int
) -> None:
    """An account may have rights for registers and none for virtual meters, or none to list."""
    dcs.fail(status, times=0, match=f"/{kind}$")

    everything = await read(dcs, api, since=SINCE)
    named = await read(dcs, api, registers=["R733", "VM9", "*"], since=SINCE)

    lost = "R" if kind == "meters" else "VM"
    for found in (everything, named):
        assert set(state(found)) == {
            each for each in dcs.campus.ids if not each.startswith(lost)
        } - ({"VM10"} if api == "legacy" else set())
        assert f"{kind}: expected 200, got {status}" in complaint(found)
    assert ("R733: expected the id" in complaint(named)) == (kind == "meters")
    assert ("VM9: expected the id" in complaint(named)) == (kind != "meters")
    assert not dcs.signed_in or status == 401  # which disowns a sign-in that was good


async def test_list_that_is_refused_where_no_other_is_wanted_fails_the_run(dcs: FakeDcs) -> None:
    """There is nothing to read."""
    dcs.fail(403, times=0, match="/virtualMeters$")

    found, said = await outcome(dcs, registers=["VM9"], since=SINCE)

    assert found == []
    assert "virtualMeters: expected 200, got 403" in said


async def test_list_that_the_server_fails_to_give_fails_the_run(dcs: FakeDcs) -> None:
    """Such a failure passes; the run would say instead that half of its sources are gone."""
    dcs.fail(500, times=0, match="/virtualMeters$")

    found, said = await outcome(dcs, since=SINCE)

    assert found == []
    assert "virtualMeters: expected 200, got 500" in said


async def test_rights_missing_for_all_sources_fails_the_run(dcs: FakeDcs) -> None:
    """A run that could read nothing at all must not look like a success."""
    dcs.rules.refused = {"R733": 403, "R741": 403}

    found, said = await outcome(dcs, registers=["R733", "R741"], since=SINCE)

    assert state(found) == {}
    assert "R741 (Boiler house: Active Energy (import)): expected readings, got 403" in said


@pytest.mark.parametrize("api", SIGNED_IN)
@pytest.mark.parametrize("status", [400, 403, 404])
async def test_one_bad_register_keeps_no_other_waiting(dcs: FakeDcs, api: str, status: int) -> None:
    """The others are read, their positions move, and the run says what it could not read."""
    dcs.rules.refused = {"R733": status}

    found = await read(dcs, api, registers=["R733", "R741", "VM9"], since=SINCE)

    assert set(state(found)) == {"R741", "VM9"}
    assert f"R733 (Library: Active Energy (import)): expected readings, got {status}" in complaint(
        found
    )


async def test_list_of_bad_registers_is_bounded(dcs: FakeDcs) -> None:
    """A campus of them would fill the page."""
    found = await read(dcs, registers=["R733", *(f"R{n}" for n in range(1, 60))], since=SINCE)

    assert "and 54 more" in complaint(found)
    assert len(complaint(found)) < 600


async def test_certificate_of_an_unknown_authority(tmp_path: Path) -> None:
    """It is told; and trusted if the operator names its authority."""
    async with FakeDcs(tls=True) as dcs:
        found, said = await outcome(dcs)
        assert dcs.ca is not None
        dcs.ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        async with patient(ca_file=tmp_path / "ca.pem") as ctx:
            trusting = await collect(run, ctx=ctx, **params(dcs, registers=["R733"], since=SINCE))

    assert found == []
    assert "certificate" in said.lower()
    assert len(stored(trusting)["dcs_R733_half_hour"]) > 600


async def test_certificate_of_another_name(tmp_path: Path) -> None:
    """A server behind a tunnel has one for its name, which the operator gives."""
    async with FakeDcs(tls=True, name="dcs.example.org") as dcs:
        assert dcs.ca is not None
        dcs.ca.cert_pem.write_to_path(tmp_path / "ca.pem")
        async with patient(ca_file=tmp_path / "ca.pem", retries=0) as ctx:
            _, said = await outcome(dcs, ctx=ctx)
        async with patient(ca_file=tmp_path / "ca.pem", server_name="dcs.example.org") as ctx:
            found = await collect(run, ctx=ctx, **params(dcs, registers=["R733"], since=SINCE))

    assert "certificate" in said
    assert len(stored(found)["dcs_R733_half_hour"]) > 600


@pytest.mark.parametrize("api", ["current", "legacy", "public"])
@pytest.mark.parametrize("status", [200, 302])
async def test_login_page_in_place_of_the_server(dcs: FakeDcs, api: str, status: int) -> None:
    """No redirect is followed, and what came instead is shown."""
    dcs.add(faults.login_page(status))

    found, said = await outcome(dcs, api)

    assert found == []
    assert "<!DOCTYPE html>" in said
    assert ("got 302 Found to http://127.0.0.1:" in said) == (status == 302)
    assert "returnUrl" not in said


@pytest.mark.parametrize("location", ["http://[::1", "http://h:port/", "//h:99999/?token=hush"])
async def test_redirect_to_what_is_no_address(dcs: FakeDcs, location: str) -> None:
    """It is told like any other, as far as it can be."""
    dcs.fail(302, match="signin", text="-", headers={"Location": location})

    found, said = await outcome(dcs)

    assert found == []
    assert "expected to be signed in as 'reader', got 302 Found to an address that is none" in said
    assert "hush" not in said


async def test_login_page_in_place_of_readings(dcs: FakeDcs) -> None:
    """What was read before it counts."""
    dcs.add(faults.login_page(match="R741"))

    found, said = await outcome(dcs, registers=["R733", "R741"], since=SINCE)

    assert "expected JSON, got '<!DOCTYPE html>" in said
    assert state(found) == {"R733": at("2024-03-15T12:00")}
    assert not dcs.signed_in


async def test_no_server_at_that_address(dcs: FakeDcs) -> None:
    """A server that is away is told as such."""
    found, said = await outcome(dcs, url="http://127.0.0.1:9/DCSWebApi")

    assert found == []
    assert re.search(r"POST http://127.0.0.1:9/DCSWebApi/authentication/signin: .* none", said)


@pytest.mark.parametrize("api", SIGNED_IN)
@pytest.mark.parametrize("gzip", [True, False])
async def test_answer_that_breaks_off_goes_on_where_it_ended(
    dcs: FakeDcs, api: str, *, gzip: bool
) -> None:
    """No gap is left, and at most a day is read twice."""
    dcs.rules.gzip = gzip
    for cut in (40_000, 20_000, 40):
        dcs.fail(match="readings", cut=cut)

    found = await read(dcs, api, registers=["R733"], since="2023-06-01")

    starts = [
        datetime.fromisoformat(each.query.get("startTime") or each.query["start"])
        for each in dcs.asked_for("readings")
    ]
    assert len(starts) == 4
    assert starts[0] < starts[1] < starts[2] == starts[3]
    wanted = used(dcs.readings("R733", at("2023-06-01"), NOW))
    assert stored(found)["dcs_R733_half_hour"] == wanted
    assert state(found) == {"R733": at("2024-03-15T12:00")}


async def test_answer_that_always_breaks_off_fails_the_run(
    dcs: FakeDcs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few attempts without any progress are made before."""
    monkeypatch.setattr(reading, "BACKOFF", Backoff(first=0.0, longest=0.0))
    dcs.fail(match="readings", cut=40, times=0)

    found, said = await outcome(dcs, registers=["R733"], since=SINCE)

    assert "the answer broke off" in said
    assert len(dcs.asked_for("readings")) == reading.MOST_BREAKS + 1
    assert state(found) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"details": "none"}', 'expected an array of readings, got \'{"details": "none"}\''),
        ('{"readings": null}', "expected an array of readings"),
        ('{"readings": [{"timestamp": "2024-03-01T00:00:00Z", "value": NaN}]}', "expected JSON"),
    ],
)
async def test_answer_without_readings_is_that_sources_problem(
    dcs: FakeDcs, text: str, message: str
) -> None:
    """The run is marked and goes on, as long as others have better ones."""
    dcs.fail(200, match="R733", times=0, text=text)

    found = await read(dcs, registers=["R733", "R741"], since=SINCE)

    assert message in complaint(found)
    assert set(state(found)) == {"R741"}


async def test_fault_of_the_server_at_one_register_is_told(dcs: FakeDcs) -> None:
    """Some answer 500 for a single value that is no number."""
    dcs.fail(500, match="R733", times=0)

    found = await read(dcs, registers=["R733", "R741"], since=SINCE)

    assert "R733 (Library: Active Energy (import)): expected readings, got 500" in complaint(found)
    assert set(state(found)) == {"R741"}


async def test_fault_of_the_server_at_all_registers_fails_the_run(dcs: FakeDcs) -> None:
    """Thousands are not asked in vain: three are, and the one that was read last."""
    dcs.fail(500, match="readings", times=0)
    known: dict[str, Any] = {"VM9": at("2024-03-15T12:00"), "R742": at("2024-03-14")}

    _, said = await outcome(dcs, since=SINCE, **known)

    assert "3 sources in a row failed" in said
    asked = [(each.query["id"], each.query["startTime"]) for each in dcs.asked_for("readings")]
    assert len(asked) == 4
    assert asked[-1] == ("VM9", "2024-03-15T12:00:00Z")


@pytest.mark.parametrize("known", [{}, {"R741": at("2024-03-15T11:30")}])
async def test_neighbours_that_fail_do_not_stop_those_behind_them(
    dcs: FakeDcs, known: dict[str, Any]
) -> None:
    """As long as another source gives readings, the server works."""
    failing = ["R733", "R734", "R740", "VM9"]
    dcs.fail(500, match=f"id=({'|'.join(failing)})&", times=0)

    found = await read(dcs, registers=[*failing, "R741", "R742"], since=SINCE, **known)

    assert set(state(found)) == {"R741", "R742"}
    assert all(each in complaint(found) for each in failing)


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a backfill ask again without a pause."""
    monkeypatch.setattr(collecting, "AGAIN", (0.0, 0.0))


@pytest.mark.usefixtures("hasty")
async def test_backfill_asks_again_for_what_failed_in_passing(dcs: FakeDcs) -> None:
    """It does so twice, when it has all the others; then all is there."""
    dcs.fail(500, match="R733", times=2)

    found = await read(dcs, registers=["R733", "R741", "VM9"], start=SINCE, end=at("2024-03-02"))

    assert complaint(found) == ""
    asked = [each.query["id"] for each in dcs.asked_for("readings")]
    assert asked == ["R733", "R741", "VM9", "R733", "R733"]
    assert stored(found)["dcs_R733_half_hour"] == used(
        dcs.readings("R733", SINCE, at("2024-03-02"))
    )


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("fault", [500, 403])
async def test_backfill_goes_on_without_what_always_fails(dcs: FakeDcs, fault: int) -> None:
    """It says so; a chunk that is never done would keep all behind it from being read."""
    dcs.fail(fault, match="R733", times=0)

    found = await read(dcs, registers=["R733", "R741"], start=SINCE, end=at("2024-03-02"))

    assert f"got {fault}" in complaint(found)
    assert set(stored(found)) == {"dcs_R741_half_hour"}
    (told,) = [each["script_error"] for each in found if "script_error" in each]
    assert set(told) == {"dcs_R733_half_hour"}  # so the holes of the other count as asked for


@pytest.mark.usefixtures("hasty")
async def test_backfill_of_one_register_goes_on_past_what_it_does_not_give(dcs: FakeDcs) -> None:
    """If the server gives its newest reading, it is not the server that fails."""
    dcs.fail(500, match="startTime=2024-03-01", times=0)
    window: dict[str, Any] = {"registers": ["R733"], "start": SINCE, "end": at("2024-03-02")}

    found = await read(dcs, **window, R733=at("2024-03-15T12:00"))
    _, said = await outcome(dcs, **window)
    dcs.heal()
    dcs.fail(500, match="readings", times=0)
    _, still = await outcome(dcs, **window, R733=at("2024-03-15T12:00"))

    assert "R733" in complaint(found)
    assert "got 500" in complaint(found)
    assert stored(found) == {}
    assert "1 sources in a row failed: R733" in said
    assert "1 sources in a row failed: R733" in still
