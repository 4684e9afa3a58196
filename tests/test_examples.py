"""The configurations that we show work: in README, in conf/ and on every page of docs/."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

import pytest
import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from ingestd.config import file as configfile
from ingestd.config.model import Config
from ingestd.hosts import HOSTS
from ingestd.loading.check import check_plugins
from ingestd.loading.loader import Loader
from ingestd.plugins import http_json, mqtt
from ingestd.plugins._answers import AnswerError
from ingestd.plugins.mqtt.options import address, entries_of
from ingestd.plugins.mqtt.ready import Message
from ingestd.plugins.mqtt.route import Route
from ingestd.plugins.mqtt.routes import Routes
from ingestd.testing import collect, context
from tests.support.ports import free_port
from tests.support.recorded import moved

ROOT: Final = Path(__file__).parent.parent
BLOCK: Final = re.compile(r"^( *)```(yaml|python)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
# In conf/ the first column is for what an operator may take out of the comments; prose
# has one space behind its "#".
COMMENTED: Final = re.compile(r"^#(?=\S|  )", re.MULTILINE)
VARIABLE: Final = re.compile(r"\$\{([A-Z]\w*)\}")
CREDENTIAL: Final = re.compile(r"\$\{credential:([\w-]+)\}")
# Files that an example takes a secret from.
SECRET_FILE: Final = re.compile(r"\$\{file:([^}]+)\}|_file: *([^\s,}]+)")


@dataclass(frozen=True)
class Example:
    """A configuration, with the plugins that its page shows besides."""

    where: str
    text: str
    plugins: tuple[str, ...] = ()

    def load(self, folder: Path) -> Config:
        """Load it as the daemon would, with secrets that are made up."""
        secrets = folder / "secrets"
        secrets.mkdir()
        text = self.text
        for name in CREDENTIAL.findall(text):
            (secrets / name).write_text("made-up")
        for found in SECRET_FILE.findall(text):
            (path,) = filter(None, found)
            if path.startswith("/"):
                (secrets / Path(path).name).write_text("made-up")
                text = text.replace(path, str(secrets / Path(path).name))
        main = folder / "ingestd.yaml"
        main.write_text(text)
        variables = dict.fromkeys(VARIABLE.findall(text), "made-up")
        environ = {**variables, "CREDENTIALS_DIRECTORY": str(secrets)}
        return configfile.load(main, environ, hosts=HOSTS)

    def loader(self, config: Config, folder: Path) -> Loader:
        """Return a loader that finds the page's own plugins, too."""
        shown = folder / "plugins"
        shown.mkdir()
        missing = {each.plugin for each in config.collectors.values()} - known_plugins()
        for name, text in zip(sorted(missing), self.plugins, strict=False):
            (shown / f"{name}.py").write_text(text)
        return Loader([shown])


def known_plugins() -> set[str]:
    """Return the names of the shipped plugins."""
    return {each.name for each in Loader([]).available()}


def on_pages() -> Iterator[Example]:
    """Yield what is a configuration among the YAML of README and docs/."""
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        blocks = [(language, dedent(text)) for _, language, text in BLOCK.findall(page.read_text())]
        plugins = tuple(text for language, text in blocks if language == "python")
        shown = [text for language, text in blocks if language == "yaml"]
        for number, text in enumerate(shown, 1):
            if {"collectors", "stores"} & set(yaml.safe_load(text)):
                yield Example(f"{page.relative_to(ROOT)}:{number}", text, plugins)


def in_conf() -> Iterator[Example]:
    """Yield the samples, as they are and with everything taken out of the comments."""
    for path in sorted((ROOT / "conf").glob("*.yaml")) + sorted((ROOT / "conf/conf.d").iterdir()):
        where, text = str(path.relative_to(ROOT)), path.read_text()
        yield Example(where, text)
        if COMMENTED.search(text):
            yield Example(f"{where}:uncommented", COMMENTED.sub("", text))


EXAMPLES: Final = [*on_pages(), *in_conf()]


def collectors_of(text: str) -> Any:
    """Return the collectors of a configuration, with variables that are made up."""
    return (yaml.safe_load(VARIABLE.sub("made-up", text)) or {}).get("collectors")


def params_for(plugin: str) -> list[Any]:
    """Return the params of every collector in the examples that has a plugin."""
    return [
        pytest.param(dict(each.get("params") or {}), id=f"{example.where}:{name}")
        for example in EXAMPLES
        for name, each in (collectors_of(example.text) or {}).items()
        if each["plugin"] == plugin
    ]


ABSENT: Final = ("expected a program, got", "expected a folder, got")


@pytest.mark.parametrize("example", EXAMPLES, ids=[each.where for each in EXAMPLES])
def test_nothing_is_wrong_with_an_example(example: Example, tmp_path: Path) -> None:
    """It loads, its plugins are there, and every param is one that they declare."""
    config = example.load(tmp_path)

    found = check_plugins(config, example.loader(config, tmp_path))

    # Folders that the examples name are not there, nor scripts and interpreters by their paths;
    # nothing else may look odd.
    absent = {f"collectors.{n}.plugin" for n, c in config.collectors.items() if c.plugin[0] == "/"}
    absent |= {f"collectors.{n}.python" for n, c in config.collectors.items() if c.python}
    odd = [*found.wrong, *found.unable, *found.suspicious]
    odd = [each for each in odd if each.key.startswith("collectors.") and each.key not in absent]
    # What stands for a certificate here is none.
    odd = [each for each in odd if not each.message.startswith("expected a certificate")]
    # Nor are programs and folders of theirs.
    odd = [each for each in odd if not each.message.startswith(ABSENT)]
    assert list(map(str, odd)) == []


def test_the_examples_are_found() -> None:
    """Pages that show one, and samples with comments, are among those that are tested."""
    assert {each.where for each in EXAMPLES} >= {
        "README.md:1",
        "conf/demo.yaml",
        "conf/ingestd.yaml:uncommented",
        "conf/conf.d/10-example.yaml:uncommented",
        "docs/plugins/mqtt.md:1",
        "docs/plugins/http_json.md:1",
        "docs/writing-plugins.md:1",
    }


def test_the_samples_go_together(tmp_path: Path) -> None:
    """Everything that is commented out in conf/ may be taken out at once."""
    main = (ROOT / "conf" / "ingestd.yaml").read_text()
    for path in (ROOT / "conf" / "conf.d").iterdir():
        copy = tmp_path / "conf.d" / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(COMMENTED.sub("", path.read_text()))

    config = Example("conf", COMMENTED.sub("", main)).load(tmp_path)

    assert set(config.collectors) == {"system", "weather", "roof-weather"}
    assert set(config.stores) == {"main", "long-term"}


@pytest.mark.parametrize("params", params_for("mqtt"))
async def test_mqtt_takes_the_options_of_an_example(params: dict[str, Any]) -> None:
    """It goes as far as to ask for the broker."""
    address(params["url"])
    nowhere = f"mqtt://127.0.0.1:{free_port()}"

    async with context() as ctx:
        with pytest.raises(mqtt.BrokerError, match="cannot connect"):
            await collect(mqtt.run, ctx=ctx, **{**params, "url": nowhere})


def with_filters() -> list[Any]:
    """Return the params of mqtt in the examples that have topics of their own."""
    found = params_for("mqtt")
    return [each for each in found if not all("type" in t for t in each.values[0]["topics"])]


@pytest.mark.parametrize("params", with_filters())
def test_different_topics_of_an_example_are_different_series(params: dict[str, Any]) -> None:
    """A name that leaves out what differs would mix readings of several sensors."""
    reading = {name: params.get(name) for name in ("series", "value", "values")}
    entries = entries_of(params["topics"], qos=1, **reading)
    plain = [each for each in entries if isinstance(each, Route)]
    topics = [topic for each in plain for topic in topics_of(each.filter)]
    routes = Routes(plain, zone=None)

    found = [routes.readings([Message(topic, b"{}", 0.0, 1, 1)]) for topic in topics]
    names = [series for readings in found for _, series, *_ in readings]

    assert len(topics) > 1
    assert all(names)
    assert len(set(names)) == len(names)


def topics_of(wanted: str) -> list[str]:
    """Return topics that a filter fits; any two differ in one of its wildcards."""
    levels = wanted.split("/")
    wild = [at for at, level in enumerate(levels) if level in {"+", "#"}]
    plain = ["here" if at in wild else level for at, level in enumerate(levels)]
    others = [[*plain[:at], "there", *plain[at + 1 :]] for at in wild]
    return ["/".join(each) for each in (plain, *others)]


@pytest.mark.parametrize("params", params_for("http_json"))
async def test_http_json_takes_the_options_of_an_example(params: dict[str, Any]) -> None:
    """It goes as far as to ask the source."""
    assert http_json.check(**params) == []

    async def nothing(_: web.Request) -> web.Response:
        return web.Response(status=404)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", nothing)
    async with TestServer(app) as server, context() as ctx:
        with pytest.raises(AnswerError, match="404"):
            await collect(http_json.run, ctx=ctx, **moved(params, str(server.make_url(""))))
