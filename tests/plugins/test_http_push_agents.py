"""The options of the push plugin for agents, and what is told where a library is missing."""

import re
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ingestd.plugins.http_push import check
from ingestd.plugins.http_push.formats.extras import is_there
from ingestd.plugins.http_push.formats.otlpoptions import OPTIONS, otlp_options
from tests.support.pushing import pushing

PAGE: Final = Path(__file__).parents[2] / "docs" / "agents.md"
LISTEN: Final = {"listen": "127.0.0.1:8480"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (7, "otlp: expected a mapping, got a number"),
        ({"resources": "all"}, "otlp: expected only resource, scope, names, unit_tag, buckets"),
        ({"resource": "some"}, "otlp.resource: expected all, none, a list of attributes, or"),
        ({"resource": {"a": 7}}, "otlp.resource: expected"),
        ({"scope": 7}, "otlp.scope: expected"),
        ({"names": "dots"}, "otlp.names: expected as_sent or underscores, got 'dots'"),
        ({"unit_tag": 7}, "otlp.unit_tag: expected the name of a tag, got 7"),
        ({"unit_tag": "series"}, "otlp.unit_tag: expected the name of a tag, got 'series'"),
        ({"resource": {"a": "t", "b": "t"}}, "otlp.resource: expected"),
        ({"buckets": "no"}, "otlp.buckets: expected true or false, got 'no'"),
    ],
)
def test_wrong_options_are_told(options: Any, problem: str) -> None:
    """Each with what would be right."""
    (found,) = check(**LISTEN, otlp=options)

    assert found.startswith(problem)


def test_all_wrong_options_are_told_at_once() -> None:
    """And a right one is not."""
    found = check(**LISTEN, otlp={"resource": 7, "scope": 7, "names": 7, "buckets": True})

    assert [each.partition(":")[0] for each in found] == [
        "otlp.resource",
        "otlp.scope",
        "otlp.names",
    ]


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        ("all", {"host.name": "host.name", "telemetry.sdk.name": ""}),
        ("none", {"host.name": ""}),
        (["host.*"], {"host.name": "host.name", "service.name": ""}),
        ({"host.name": "host"}, {"host.name": "host", "service.name": ""}),
    ],
)
def test_attributes_are_chosen(given: Any, chosen: dict[str, str]) -> None:
    """All, none, some by pattern, or some with another name."""
    choice = otlp_options({"resource": given}).resource

    assert {name: choice(name) for name in chosen} == chosen


@pytest.mark.parametrize(
    ("name", "module", "package", "extra"),
    [
        ("otlp", "opentelemetry.proto.collector.metrics.v1", "opentelemetry-proto", "otlp"),
        ("remote_write", "cramjam", "cramjam", "remote-write"),
    ],
)
def test_a_missing_library_is_told_with_its_command(
    monkeypatch: pytest.MonkeyPatch, name: str, module: str, package: str, extra: str
) -> None:
    """At `check`, if the format is named."""
    installed = check(**LISTEN, formats=[name])
    monkeypatch.setitem(sys.modules, module, None)

    assert (installed, check(**LISTEN)) == ([], [])
    (found,) = check(**LISTEN, formats=[name])
    expected = f"{name}: expected {package} to be installed; pip install 'ingestd[{extra}]'"
    assert found == f"formats: {expected}"


@pytest.mark.parametrize(
    ("path", "module", "kind"),
    [
        ("/v1/metrics", "opentelemetry.proto.collector.metrics.v1", "application/json"),
        ("/v1/metrics", "google.protobuf", "application/x-protobuf"),
        ("/api/v1/write", "cramjam", "application/x-protobuf"),
    ],
)
async def test_without_its_library_an_agent_keeps_what_it_has(
    monkeypatch: pytest.MonkeyPatch, path: str, module: str, kind: str
) -> None:
    """It is answered 503, and the log says what to install."""
    monkeypatch.setitem(sys.modules, module, None)
    async with pushing() as push:
        reply = await push.post(path, data=b"x", headers={"Content-Type": kind})
        await push.logged("request refused")

    assert (reply.status, reply.headers["Retry-After"]) == (503, "60")
    assert "pip install" in reply.text


def test_modules_are_found_without_being_imported() -> None:
    """Also where the package above them is missing."""
    assert is_there("json.decoder")
    assert not is_there("json.nowhere")
    assert not is_there("nowhere.at.all")


def test_what_the_page_shows_is_right() -> None:
    """Its collector, and its example of options, pass the check; each option is in its table."""
    text = PAGE.read_text()
    blocks = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    (collector,) = blocks[0]["collectors"].values()
    (options,) = [each for each in blocks if "otlp" in each]

    assert check(**collector["params"]) == []
    assert check(**LISTEN, **options) == []
    table = text.partition("| name | default |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == list(OPTIONS)
