"""Every shipped plugin has a page, and it says what the code says."""

import inspect
import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.loading.loader import Loader
from ingestd.plugins import dcs, http_json
from ingestd.plugins.mqtt.options import entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.routes import Routes
from ingestd.testing import collect, context

PAGES: Final = Path(__file__).parents[2] / "docs" / "plugins"
NAMES: Final = sorted(each.name for each in Loader([]).available())
FROM_THE_DAEMON: Final = frozenset({"ctx", "start", "end", "revisit", "revisit_full"})
SECTIONS: Final = ("What it emits", "Params", "State", "Example output", "Troubleshooting")
WORD: Final = re.compile(r"`+(\w+)`+")


def sections(name: str) -> Mapping[str, str]:
    """Return the parts of a plugin's page by title; what comes before them has none."""
    first, *others = re.split(r"^## ", (PAGES / f"{name}.md").read_text(), flags=re.MULTILINE)
    return {"": first} | {title: text for title, _, text in (o.partition("\n") for o in others)}


def rows(name: str) -> dict[str, str]:
    """Return each param in the tables of a page, with what it says is the default."""
    found: dict[str, str] = {}
    for title, text in sections(name).items():
        lines = re.findall(r"^\| (`.*?) \| (.*?) \|", text, re.MULTILINE)
        if title.startswith("Params"):
            found |= {param: default for names, default in lines for param in WORD.findall(names)}
    return found


def declared(name: str) -> dict[str, Any]:
    """Return the parameters of a plugin's ``run`` with their defaults."""
    run = import_module(f"ingestd.plugins.{name}").run
    return {
        each.name: each.default
        for each in inspect.signature(run).parameters.values()
        if each.kind is not each.VAR_KEYWORD and each.name not in FROM_THE_DAEMON
    }


def block(text: str, language: str) -> str:
    """Return the first example in a language."""
    return text.partition(f"```{language}\n")[2].partition("```")[0]


def params_of(name: str) -> dict[str, Any]:
    """Return the params of the configuration at the top of a page."""
    (collector,) = yaml.safe_load(block(sections(name)[""], "yaml"))["collectors"].values()
    return dict(collector["params"])


def test_every_page_is_of_a_plugin() -> None:
    """No page is left over, and no plugin is without one."""
    assert sorted(path.stem for path in PAGES.glob("*.md")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_all_that_is_looked_for(name: str) -> None:
    """The order is the same everywhere, behind a configuration to copy."""
    page = sections(name)
    titles = [title.partition(":")[0] for title in page]

    assert [each for each in dict.fromkeys(titles) if each in SECTIONS] == list(SECTIONS)
    assert f"plugin: {name}" in page[""]
    assert "```text\n" in page["Example output"]


@pytest.mark.parametrize("name", NAMES)
def test_params_on_a_page_are_those_of_the_plugin(name: str) -> None:
    """What is in no table is state, and is named there."""
    told, taken = set(rows(name)), set(declared(name))

    assert sorted(told - taken) == []
    assert sorted(taken - told - set(WORD.findall(sections(name)["State"]))) == []


@pytest.mark.parametrize("name", NAMES)
def test_defaults_on_a_page_are_those_of_the_plugin(name: str) -> None:
    """Required is required; texts and numbers are told as they are."""
    defaults = declared(name)
    wrong = {}
    for param, told in rows(name).items():
        default = defaults[param]
        if default is inspect.Parameter.empty:
            fits = told == "required"
        elif default is None:
            fits = told != "required"
        else:
            fits = str(default).lower() in told.replace("`", "").lower().split(", ")
        if not fits:
            wrong[param] = (told, default)

    assert wrong == {}


@pytest.mark.parametrize("name", NAMES)
def test_docstring_names_every_parameter(name: str) -> None:
    """``ingestd plugins`` and an editor show it, where there are no pages."""
    module = import_module(f"ingestd.plugins.{name}")

    assert sorted(set(declared(name)) - set(WORD.findall(module.__doc__ or ""))) == []


async def test_http_json_emits_what_its_page_says() -> None:
    """The configuration at the top makes the example's output of its answer."""
    example = sections("http_json")["Example output"]
    answer = json.loads(block(example, "json"))

    async def handler(_: web.Request) -> web.Response:
        return web.json_response(answer)

    app = web.Application()
    app.router.add_get("/", handler)
    async with TestServer(app) as server, context() as ctx:
        params = params_of("http_json") | {"url": str(server.make_url("/"))}
        (result,) = await collect(http_json.run, ctx=ctx, **params)

    ((time, series, value, tags),) = result["readings"]
    when = datetime.fromtimestamp(time, UTC)
    words = [f"{when:%Y-%m-%dT%H:%M:%SZ}", series, *(f"{n}={t}" for n, t in tags.items()), value]
    assert block(example, "text").split() == list(map(str, words))


def test_mqtt_emits_what_its_page_says() -> None:
    """The configuration at the top makes the example's output of its messages."""
    example = sections("mqtt")["Example output"]
    params = params_of("mqtt")
    routes = Routes(entries_of(params["topics"], qos=1, series=params["series"]), zone=None)
    sent = re.findall(r"`([\w/]+)` with `(.*?)`", example)

    found = routes.readings(Message(topic, text.encode(), 0.0, 1, 1) for topic, text in sent)

    words = [str(word) for _, series, value in found for word in (series, value)]
    assert len(found) == 3
    assert block(example, "text").split() == words


async def test_dcs_emits_what_its_page_says() -> None:
    """The configuration at the top makes the example's output of its answer."""
    example = sections("dcs")["Example output"]
    register = {"id": 733, "name": "Active Energy (import)", "unit": "kWh"}
    answers = {
        "meters": [{"id": 405, "name": "Sample meter", "registers": [register]}],
        "readings": json.loads(block(example, "json")),
    }

    async def handler(request: web.Request) -> web.Response:
        return web.json_response(answers.get(request.path.rpartition("/")[2], {}))

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    now = datetime(2024, 9, 20, 19, tzinfo=UTC)
    async with TestServer(app) as server, context(now=now) as ctx:
        params = params_of("dcs") | {"url": str(server.make_url("/")), "registers": ["R733"]}
        (result,) = await collect(dcs.run, ctx=ctx, **params)

    words = [
        word
        for time, series, value, _ in result["readings"]
        for word in (f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ}", series, str(value))
    ]
    tags = result["readings"][0][3]
    assert block(example, "text").split() == words
    assert ", ".join(f"`{name}={text}`" for name, text in tags.items()) in example


@pytest.mark.parametrize("name", ["exec", "execd"])
@pytest.mark.slow  # Python starts for the supervisor of a command
async def test_commands_emit_what_their_pages_say(name: str, tmp_path: Path) -> None:
    """The configuration at the top makes the example's output of what its command writes."""
    example = sections(name)["Example output"]
    params = params_of(name) | {"command": ["cat", str(tmp_path / "written")]}
    (tmp_path / "written").write_text(block(example, "json"))
    run = import_module(f"ingestd.plugins.{name}").run

    (result,) = await collect(run, **params)

    found = [
        f"{datetime.fromtimestamp(time, UTC):%Y-%m-%dT%H:%M:%SZ} {series} {value}"
        for time, series, value in result["readings"]
    ]
    assert [" ".join(line.split()) for line in block(example, "text").splitlines()] == found
