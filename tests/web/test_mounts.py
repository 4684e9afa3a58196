"""What plugins answer below the daemon's own address."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from ingestd.context.mounts import Mounts
from ingestd.errors import PluginError
from ingestd.testing import context, mounted
from tests.support.daemon import DaemonFolder, RunningDaemon

PLUGIN = """
    from aiohttp import web

    async def run(*, ctx, prefix, **_):
        async def answer(request):
            if request.path.endswith("bug"):
                raise KeyError("oh")
            text = f"{request.path} {(await request.read()).hex()}"
            return web.Response(text=text, status=202)

        with ctx.mount(prefix, answer):
            yield {"readings": []}
            await ctx.stopping.wait()
    """
ONE = "collectors: {push: {plugin: echo, params: {prefix: /push}}}\n"


@pytest.fixture
async def it(daemon_folder: DaemonFolder) -> AsyncIterator[RunningDaemon]:
    """Run a daemon with a token, one of whose collectors answers below ``/push``."""
    daemon_folder.plugin("echo", PLUGIN)
    async with daemon_folder.daemon(ONE, token="open-sesame") as running:
        await running.until(lambda: running.daemon.shared.mounts.find("/push")[1])
        yield running


async def answer(_: web.BaseRequest) -> web.StreamResponse:
    """Answer anything."""
    return web.Response(text="taken")


async def test_a_plugin_answers_below_its_prefix(it: RunningDaemon) -> None:
    """Every method and every path below reach it, without what the daemon asks of its own."""
    headers = {"Host": "elsewhere.example.org", "Origin": "http://elsewhere.example.org"}
    for method, path in (("POST", "/push/a/b"), ("GET", "/push"), ("PUT", "/push/api/v1")):
        reply = await it.ask(method, path, data=b"\x01", headers=headers)

        assert (reply.status, reply.headers["Server"]) == (202, "ingestd")
        assert reply.body.startswith("/push")


async def test_a_compressed_body_is_left_to_the_plugin(it: RunningDaemon) -> None:
    """A body that no handler has asked for is not inflated."""
    reply = await it.ask("POST", "/push", data=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})

    assert reply.body == "/push 1f8b"


async def test_the_rest_is_the_daemons(it: RunningDaemon) -> None:
    """A path that merely begins alike is not below the prefix, and the API stays guarded."""
    for path in ("/api/v1/status", "/metrics", "/", "/api/push"):
        assert (await it.ask("GET", path)).status == 401
    assert (await it.ask("GET", "/livez")).status == 200
    assert (await it.ask("GET", "/pushing")).status != 202


async def test_a_bug_in_a_handler_costs_one_answer(
    it: RunningDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is logged, and says nothing of the inside."""
    reply = await it.ask("GET", "/push/bug")

    assert (reply.status, "oh" in str(reply.body)) == (500, False)
    assert "KeyError" in capsys.readouterr().out
    assert (await it.ask("GET", "/push")).status == 202


async def test_before_and_after_its_collector_a_path_is_not_unknown(
    daemon_folder: DaemonFolder,
) -> None:
    """Senders are told to come again: for 404 some would throw away what they have."""
    daemon_folder.plugin("echo", PLUGIN)
    async with daemon_folder.daemon(ONE) as it:
        mounts = it.daemon.shared.mounts
        early = await it.ask("POST", "/soon")
        await it.until(lambda: mounts.find("/push")[1])
        daemon_folder.config("collectors: {}\n")
        await it.daemon.reload()
        await it.until(lambda: mounts.find("/push")[1] is None)
        late = await it.ask("POST", "/push")
        it.daemon.started -= 3600
        unknown = await it.ask("GET", "/soon")

    for reply in (early, late):
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
    assert unknown.status == 404


@pytest.mark.parametrize(
    ("prefix", "problem"),
    [
        ("/", "expected a path such as /push, got '/'"),
        ("push", "expected a path such as /push, got 'push'"),
        ("/push/", "expected a path such as /push, got '/push/'"),
        ("/a//b", "expected a path such as /push, got '/a//b'"),
        (7, "expected a path such as /push, got 7"),
        ("/api", "expected a path that the daemon does not answer itself, got '/api'"),
        (
            "/api/v2/write",
            "expected a path that the daemon does not answer itself, got '/api/v2/write'",
        ),
        ("/metrics", "expected a path that the daemon does not answer itself, got '/metrics'"),
        ("/livez", "expected a path that the daemon does not answer itself, got '/livez'"),
        ("/readyz", "expected a path that the daemon does not answer itself, got '/readyz'"),
        ("/one", "'/one': expected a path of its own, got one that '/one' covers"),
        ("/one/two", "'/one/two': expected a path of its own, got one that '/one' covers"),
    ],
)
def test_a_prefix_that_cannot_be_mounted_is_told(prefix: str, problem: str) -> None:
    """A path is refused if it is malformed, the daemon's, or another collector's."""
    mounts = Mounts()
    mounts.address = "http://127.0.0.1:8470"

    with (
        mounts.mounted("/one", answer),
        pytest.raises(PluginError) as caught,
        mounts.mounted(prefix, answer),
    ):
        pass
    assert str(caught.value).endswith(problem)


def test_a_prefix_may_be_mounted_again() -> None:
    """Once it was given back, it is in the way neither of itself nor of those below and above."""
    mounts = Mounts()
    mounts.address = "http://127.0.0.1:8470"
    for prefix in ("/one", "/one", "/one/two", "/one"):
        with mounts.mounted(prefix, answer) as address:
            assert address == "http://127.0.0.1:8470"
            assert mounts.find(f"{prefix}/x") == (True, answer)

    assert mounts.find("/one/two") == (True, None)
    assert mounts.find("/two") == (False, None)


async def test_without_an_api_there_is_nothing_to_mount_on(daemon_folder: DaemonFolder) -> None:
    """The run fails, saying so."""
    daemon_folder.plugin("echo", PLUGIN)
    async with daemon_folder.daemon(ONE, listen='"off"') as it:
        collector = it.daemon.collectors.by_name["push"]
        await it.until(lambda: collector.last)

    assert collector.last is not None
    assert collector.last.error.endswith("expected a daemon.listen to mount on, got 'off'")


async def test_a_test_of_a_plugin_has_its_mounts_answered() -> None:
    """A real server on a free port answers for as long as the test wants."""
    async with context() as ctx, mounted(ctx) as address, ctx.http.get(f"{address}/push") as before:
        with ctx.mount("/push", answer) as told:
            async with ctx.http.get(f"{address}/push/here") as during:
                text = await during.text()

    assert (before.status, during.status, text, told) == (404, 200, "taken", address)
