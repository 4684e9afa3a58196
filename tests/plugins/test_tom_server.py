"""The tom plugin and the page about TOMs with a real TOM Toolkit."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import yaml

from ingestd.plugins._answers import AnswerError
from ingestd.plugins.tom import run
from ingestd.testing import TestContext, collect, context
from tests.support.cli import CommandLine
from tests.support.realtom import ADMIN, tom_server, tom_site

# Each starts Python with Django some times, which takes two to three seconds.
pytestmark = [pytest.mark.slow(12), pytest.mark.xdist_group("tom")]

PAGE: Final = Path(__file__).parents[2] / "docs" / "tom.md"
TIME: Final = "2026-02-12T01:40:47Z"
AT: Final = datetime(2026, 2, 12, 1, 40, 47, tzinfo=UTC).timestamp()
MJD_60000_5: Final = datetime(2023, 2, 25, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def site(tmp_path: Path) -> tuple[Path, Path]:
    """Give a Python and a site as its users begin one."""
    return tom_site(tmp_path)


@pytest.fixture
def url(site: tuple[Path, Path]) -> Iterator[str]:
    """Give the address of a server with an empty database."""
    with tom_server(*site) as server:
        yield server.url


class Admin:
    """Fills a TOM over its API, as people do."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self._http, self._url = http, url
        self._auth = aiohttp.encode_basic_auth(ADMIN["username"], ADMIN["password"])

    async def post(self, kind: str, **how: Any) -> dict[str, Any]:
        """Post something; return the answer."""
        headers = {"Authorization": self._auth}
        address = f"{self._url}/api/{kind}/"
        async with self._http.post(address, headers=headers, **how) as reply:
            found: dict[str, Any] = await reply.json()
            assert reply.status in {200, 201}, found
            return found

    async def target(self, name: str) -> int:
        """Make a target; return its id."""
        place = {"type": "SIDEREAL", "ra": 10.1, "dec": -3.5}
        return int((await self.post("targets", json={"name": name, **place}))["id"])

    async def row(self, target: int, time: str, value: dict[str, Any]) -> None:
        """Add reduced data."""
        what = {"data_product": "", "data_type": "photometry", "source_name": "s"}
        row = {**what, "source_location": "", "timestamp": time, "target": target, "value": value}
        await self.post("reduceddatums", json=row)


async def test_a_server_is_read(url: str) -> None:
    """Repeats, revised values, limits, files with MJD; and who is let in, and who is not."""
    async with context() as ctx:
        admin = Admin(ctx.http, url)
        first, second = await admin.target("SN 2026abc"), await admin.target("M31 V1")
        await admin.row(first, TIME, {"magnitude": 15.582, "filter": "r", "error": 0.005})
        await admin.row(first, TIME, {"magnitude": 15.582, "filter": "r", "error": 0.005})
        await admin.row(first, TIME, {"magnitude": 15.4, "filter": "r", "error": 0.01})
        await admin.row(first, TIME, {"limit": 19.2, "filter": "g"})
        await admin.post("dataproducts", data=uploaded(second))
        token = (await admin.post("token-auth", json=ADMIN))["token"]

        by_token = await readings(ctx, url, {"token": token})
        by_name = await readings(ctx, url, ADMIN)
        nobody = await collect(run, ctx=ctx, url=url)
        with pytest.raises(AnswerError, match="token are wrong"):
            await readings(ctx, url, {"token": "wrong-token"})

    of_row, of_file = {"band": "r", "source": "s"}, {"band": "r"}
    assert by_token == [
        (AT, f"tom_{first}_brightness", 15.4, of_row),
        (AT, f"tom_{first}_error", 0.01, of_row),
        (MJD_60000_5, f"tom_{second}_brightness", 15.5, of_file),
        (MJD_60000_5, f"tom_{second}_error", 0.1, of_file),
    ]
    assert by_name == by_token
    assert "there is no `auth`" in nobody[-1]["script_error"]
    assert ctx.notes[0].endswith(f"in targets {first} (1)")  # a revised value
    assert ctx.notes[1].endswith(f"in targets {first} (1), {second} (1)")  # a limit, and no value


def uploaded(target: int) -> aiohttp.FormData:
    """Return a file as people upload it: one with a time in MJD, and a line without a value."""
    form = aiohttp.FormData({"target": str(target), "data_product_type": "photometry"})
    text = "time,filter,magnitude,error\n60000.5,r,15.5,0.1\n60001.25,r,,\n"
    form.add_field("file", text.encode(), filename="photometry.csv")
    return form


async def readings(ctx: TestContext, url: str, auth: dict[str, str]) -> list[Any]:
    """Return what a run gives."""
    results = await collect(run, ctx=ctx, url=url, auth=auth)
    return [each for result in results for each in result["readings"]]


def block(kind: str, after: str) -> str:
    """Return a block of the page."""
    text = PAGE.read_text().partition(f"## {after}\n")[2]
    found = re.search(rf"```{kind}\n(.*?)```", text, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_page_leads_to_a_command_that_runs(site: tuple[Path, Path], tmp_path: Path) -> None:
    """By the clock, where a target that is none fails in the command's own words, and by hand."""
    python, folder = site
    (command,) = re.findall(r"custom_code/\S+\.py", PAGE.read_text())
    (folder / command).write_text(block("python", "A command"))
    run_cli = CommandLine(configured(tmp_path, python, folder))
    by_hand = here(block("sh", "By hand"), python, folder)
    argument = re.search(r'-p "(.*)"', by_hand)
    assert argument is not None

    checked = run_cli("check")
    failed = run_cli("once", "save-data")
    started = run_cli("runs", "start", "save-data", "--wait", "-p", argument[1])

    assert checked.code == 0, checked
    assert failed.code == 1
    assert "there is no target 2" in failed.out + failed.err
    assert started.code == 0, started
    assert "1 reading" in started.out


def here(text: str, python: Path, folder: Path) -> str:
    """Return a text of the page with the places of this test."""
    return text.replace("/opt/tom/venv/bin/python", str(python)).replace(
        "/opt/tom/mytom", str(folder)
    )


def configured(tmp_path: Path, python: Path, folder: Path) -> Path:
    """Write the page's configuration; return its path."""
    config = yaml.safe_load(here(block("yaml", "By the clock"), python, folder))
    config["daemon"]["state_dir"] = str(tmp_path / "state")
    (tmp_path / "config").mkdir()
    path = tmp_path / "config" / "ingestd.yaml"
    path.write_text(yaml.safe_dump(config))
    return path
