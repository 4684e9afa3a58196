"""What real servers answer when the request is wrong, alone and behind a real proxy.

None of it may bury a reading, and each tells what to mend.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme

from ingestd.config.model import InfluxStore, VictoriaStore
from ingestd.errors import StoreUnavailable
from ingestd.model import Series
from ingestd.sinks import Sink, make_sink, mending
from tests.support.ports import free_port
from tests.support.servers import nginx

KINDS = ["influxdb", "victoriametrics"]


@asynccontextmanager
async def sink_at(kind: str, url: str, *, ca_file: Path | None = None) -> AsyncIterator[Sink]:
    """Give a sink, and close it."""
    sink = make_sink(
        InfluxStore(
            name="main", url=url, version=1, database="proxied", create=True, ca_file=ca_file
        )
        if kind == "influxdb"
        else VictoriaStore(name="main", url=url, ca_file=ca_file)
    )
    try:
        yield sink
    finally:
        await sink.close()


async def write(sink: Sink) -> None:
    """Write one point."""
    body = sink.encode([(Series("level"), 1_700_000_000_000_000, 1.0)]).body
    assert body is not None
    await sink.write(body.data)


async def problem_with(sink: Sink) -> str:
    """Write a point, which must be an outage; return what it says, with what to mend."""
    with pytest.raises(StoreUnavailable) as caught:
        await write(sink)
    who = mending(await sink.identify(), sink.expected) if caught.value.answered else ""
    return f"{caught.value}{who}"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Give each kind of store that has a real server here."""
    return str(request.param)


@pytest.fixture
def backend(kind: str, influxdb_url: str, victoriametrics_url: str) -> str:
    """Give the address of a real store of that kind."""
    return influxdb_url if kind == "influxdb" else victoriametrics_url


@pytest.fixture
def proxy(tmp_path: Path, backend: str) -> Iterator[str]:
    """Give the address of a proxy in front of it."""
    with nginx(tmp_path / "nginx", backend) as server:
        yield server.url


@pytest.fixture
def tls_proxy(tmp_path: Path, backend: str) -> Iterator[str]:
    """Give the address of a proxy in front of it that speaks TLS."""
    certificate = trustme.CA()
    leaf = certificate.issue_cert("127.0.0.1")
    certificate.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    leaf.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    pair = tmp_path / "cert.pem", tmp_path / "key.pem"
    with nginx(tmp_path / "nginx", backend, tls=pair) as server:
        yield server.url


async def test_a_right_address_is_stored_and_names_the_product(kind: str, backend: str) -> None:
    """The product and, where it tells, its version."""
    async with sink_at(kind, backend) as sink:
        await sink.open()
        await write(sink)

        assert (await sink.identify()).is_a(sink.expected)


async def test_a_proxy_in_front_changes_nothing(kind: str, proxy: str) -> None:
    """Also what answers is told by the store behind it."""
    async with sink_at(kind, proxy) as sink:
        await sink.open()
        await write(sink)

        assert (await sink.identify()).is_a(sink.expected)


async def test_tls(kind: str, tls_proxy: str, tmp_path: Path) -> None:
    """With the right scheme and certificate it works."""
    async with sink_at(kind, tls_proxy, ca_file=tmp_path / "ca.pem") as sink:
        await sink.open()
        await write(sink)


async def test_plain_http_to_a_tls_port(kind: str, tls_proxy: str) -> None:
    """The proxy answers 400, as a store does to a bad reading."""
    async with sink_at(kind, tls_proxy.replace("https:", "http:")) as sink:
        assert "the url should begin with https://" in await problem_with(sink)


async def test_tls_to_a_plain_port(kind: str, proxy: str) -> None:
    """The other way round there is no answer at all."""
    async with sink_at(kind, proxy.replace("http:", "https:")) as sink:
        assert "the url should begin with http://" in await problem_with(sink)


@pytest.mark.parametrize("path", ["/insert/0/influx", "/nothing/here"])
async def test_a_wrong_path(kind: str, backend: str, path: str) -> None:
    """VictoriaMetrics answers 400, and InfluxDB 404; both tell who they are at the root."""
    async with sink_at(kind, f"{backend}{path}") as sink:
        assert f"({sink.expected.split()[0]}" in await problem_with(sink)


async def test_a_store_that_is_away_behind_its_proxy(kind: str, tmp_path: Path) -> None:
    """The proxy's page is not the store's answer."""
    with nginx(tmp_path, f"http://127.0.0.1:{free_port()}") as server:
        async with sink_at(kind, server.url) as sink:
            said = await problem_with(sink)

    assert "HTTP 502" in said
    assert "nginx" in said


async def test_a_password_that_is_missing(kind: str, proxy: str) -> None:
    """It can be mended in the config."""
    async with sink_at(kind, f"{proxy}/locked") as sink:
        assert "HTTP 401" in await problem_with(sink)


async def test_a_portal_that_says_yes_to_everything(kind: str, proxy: str) -> None:
    """A page with 200 has stored nothing; its title tells where it comes from."""
    async with sink_at(kind, f"{proxy}/portal") as sink:
        said = await problem_with(sink)

    assert "web page 'Log in'" in said


async def test_one_product_where_the_other_should_be(
    kind: str, influxdb_url: str, victoriametrics_url: str
) -> None:
    """InfluxDB 1 refuses what is meant for VictoriaMetrics with the status of a bad reading."""
    if kind == "influxdb":
        pytest.skip("VictoriaMetrics takes what is meant for InfluxDB 1")
    async with sink_at(kind, influxdb_url) as sink:
        said = await problem_with(sink)

    assert "InfluxDB 1." in said
    assert "expected VictoriaMetrics: are url, type and version right?" in said
