"""Who may ask, and with what."""

from collections.abc import AsyncIterator

import pytest

from tests.support.daemon import DaemonFolder, RunningDaemon

METER = "def run(**_): return {'readings': [(None, 'level', 1)]}"
ONE = "collectors: {m: {plugin: meter, every: 1h}}\n"
RUN = "/api/v1/collectors/m/run"


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon that asks for no token."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(ONE) as running:
        yield running


@pytest.fixture
async def guarded(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon that asks for a token."""
    daemon_folder.plugin("meter", METER)
    async with daemon_folder.daemon(ONE, token="open-sesame") as running:
        yield running


@pytest.mark.parametrize(
    "header", [None, "Bearer wrong", "Bearer", "Basic open-sesame", "Bearer open-sesam\u00e9"]
)
async def test_without_the_token_nothing_is_told(
    guarded: RunningDaemon, header: str | None
) -> None:
    """A caller without the configured token gets no page and changes nothing."""
    headers = {"Authorization": header} if header else {}

    for method, path in (("GET", "/api/v1/status"), ("GET", "/metrics"), ("POST", RUN)):
        answer = await guarded.ask(method, path, headers=headers)

        assert answer.status == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert "open-sesame" not in str(answer.body)


async def test_the_token_opens(guarded: RunningDaemon) -> None:
    """With the token everything is answered, and the scheme's case does not matter."""
    for scheme in ("Bearer", "bearer"):
        headers = {"Authorization": f"{scheme} open-sesame"}
        assert (await guarded.ask("GET", "/api/v1/status", headers=headers)).status == 200


async def test_probes_need_no_token(guarded: RunningDaemon) -> None:
    """Health is told to every caller, under any name of this machine."""
    for path in ("/livez", "/readyz", "/healthz"):
        answer = await guarded.ask("GET", path, headers={"Host": "node-7.example.org"})

        assert (answer.status, answer.body) == (200, "ok\n")


@pytest.mark.parametrize(
    "host", ["evil.example.org", "evil.example.org:8470", "127.0.0.1.evil.org"]
)
async def test_a_foreign_name_for_this_machine_is_refused(it: RunningDaemon, host: str) -> None:
    """A page that has pointed its own name at 127.0.0.1 learns nothing."""
    for path in ("/api/v1/status", "/metrics", "/"):
        assert (await it.ask("GET", path, headers={"Host": host})).status == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:99", "127.0.0.1:1", "[::1]:8470", "[::1]"]
)
async def test_this_machine_may_be_called_by_its_own_names(it: RunningDaemon, host: str) -> None:
    """Any port will do, since a tunnel may end at another one."""
    assert (await it.ask("GET", "/api/v1/status", headers={"Host": host})).status == 200


@pytest.mark.parametrize("origin", ["http://evil.example.org", "null", "", "http://127.0.0.1:1"])
async def test_another_origin_may_change_nothing(it: RunningDaemon, origin: str) -> None:
    """A page of another origin cannot start a run."""
    answer = await it.ask("POST", RUN, json={}, headers={"Origin": origin})

    assert answer.status == 403
    assert await it.get("runs") == []


async def test_our_own_origin_may(it: RunningDaemon) -> None:
    """A page that the daemon itself served can, also through a proxy that speaks TLS."""
    host = it.address.removeprefix("http://")

    for scheme in ("http", "https"):
        headers = {"Origin": f"{scheme}://{host}"}
        assert (await it.ask("POST", RUN, json={}, headers=headers)).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_a_change_must_be_json(it: RunningDaemon, kind: str) -> None:
    """What a form can send without asking first is refused."""
    answer = await it.ask("POST", RUN, data=b"{}", headers={"Content-Type": kind})

    assert answer.status == 415
    assert await it.get("runs") == []


async def test_looking_never_changes(it: RunningDaemon) -> None:
    """A change cannot be asked for with GET, as an image or a link would."""
    answer = await it.ask("GET", RUN)

    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_answers_say_how_to_be_treated(it: RunningDaemon) -> None:
    """No answer is stored by a browser, or taken for another kind; refusals neither."""
    for path in ("/", "/api/v1/status", "/metrics", "/livez", "/nowhere"):
        headers = (await it.ask("GET", path)).headers

        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"
        assert headers["Server"] == "ingestd"
