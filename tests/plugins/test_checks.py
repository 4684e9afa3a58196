"""Every shipped plugin looks at its params before the first run, and says all that is wrong."""

import importlib
from typing import Any, Final

import pytest

from ingestd.contract import check_of
from ingestd.loading import Loader
from ingestd.plugins._shapes import look

GOOD: Final[dict[str, dict[str, Any]]] = {
    "ambientweather": {"application_key": "a", "api_key": "b"},
    "dcs": {"url": "https://dcs.example/", "username": "u", "password": "p"},
    "ecobee": {"api_key": "a", "code": "b"},
    "enphase": {"api_key": "a", "client_id": "b", "client_secret": "c", "systems": [1]},
    "exec": {"command": ["true"], "series": "s", "value": "v"},
    "execd": {"command": ["true"]},
    "files": {"path": "/exports/*.csv", "time": "t", "series": "s", "value": "v"},
    "http_json": {"url": "http://h/x", "series": "s", "value": "v"},
    "http_push": {"path": "/push", "store_keys": ["k"]},
    "modbus": {"host": "h", "registers": [{"address": 1, "series": "s"}]},
    "mqtt": {"url": "mqtt://h", "topics": ["a/#"], "series": "s", "value": "v"},
    "okofen": {"url": "http://h:4321", "password": "p", "timezone": "Europe/Vienna"},
    "sql": {"file": "/trends.db", "table": "t", "time": "at", "series": "s", "value": "v"},
    "system": {},
    "tom": {"url": "https://tom.example"},
}
BAD: Final[list[tuple[str, dict[str, Any], list[str]]]] = [
    ("ambientweather", {"url": "api.example.net", "pause": "soon"}, ["url: ", "pause: "]),
    ("ambientweather", {"stations": "one"}, ["stations: expected a list, got a text"]),
    ("dcs", {"url": ["https://h"]}, ["url: expected a text, got a list"]),
    ("dcs", {"period": "fortnight"}, ["period: "]),
    ("ecobee", {"columns": ["nonsense"], "lookback": "x"}, ["columns: ", "lookback: "]),
    ("enphase", {"systems": "one", "telemetry": ["x"]}, ["systems: ", "telemetry: "]),
    ("exec", {"command": "ls -l", "cwd": "tmp"}, ["command: ", "cwd: "]),
    ("exec", {"command": ["a", "--key=x", "{b}"]}, ["command[1]: ", "command[2]: "]),
    ("exec", {"format": "nagios", "exit_codes": {0: "fine"}}, ["exit_codes.0: ", "format: "]),
    ("exec", {"value": "a[", "lookback": "soon"}, ["lookback: ", "value"]),
    ("execd", {"command": [], "signal": "kill"}, ["command: ", "signal: "]),
    ("execd", {"format": "json", "interval": "0s"}, ["interval: ", "value, values: "]),
    (
        "execd",
        {"command": ["a", "https://u:p@h"], "stop_within": "9s"},
        ["command[1]: ", "stop_within: "],
    ),
    ("files", {"path": [], "settle": "soon"}, ["path: ", "settle: "]),
    ("files", {"after": "burn", "csv": {"skip": -1}}, ["after: ", "csv.skip: "]),
    ("http_json", {"url": "example.net/x"}, ["url: expected http"]),
    ("http_json", {"url": ["http://h"]}, ["url: expected a text, got a list"]),
    ("http_json", {"records": "a[", "timezone": "Mars/Base"}, ["timezone: ", "records: "]),
    ("http_json", {"value": "a[?"}, ["value"]),
    ("http_json", {"paging": {"type": "x"}, "overlap": "1 h"}, ["overlap: ", "paging: "]),
    ("http_push", {"listen": "nowhere", "path": None}, ["listen: "]),
    ("http_push", {"path": "push"}, ["path: expected a path such as /push"]),
    ("http_push", {"path": "/ui"}, ["path: expected a path that the daemon does not answer"]),
    ("http_push", {"formats": ["morse"], "rate": -1}, ["formats: ", "rate: "]),
    ("http_push", {"listen": "0.0.0.0:80", "path": None, "store_keys": None}, ["store_keys: "]),
    (
        "http_push",
        {"routes": [{}, {"path": "/x", "valu": "v"}]},
        ["routes[0]: ", "routes[1]: ", "routes[1].value, values: "],
    ),
    ("modbus", {"request_timeout": "0s"}, ["request_timeout: "]),
    ("modbus", {"registers": [{"address": "x", "series": "s"}]}, ["registers[0].address: "]),
    ("mqtt", {"url": "h:1883"}, ["url: expected mqtt://"]),
    ("mqtt", {"topics": "a/#"}, ["topics: expected a list, got a text"]),
    ("mqtt", {"topics": []}, ["topics: expected a list of filters"]),
    ("mqtt", {"topics": ["a/#/b", "a", {"filter": "c", "valu": "x"}]}, ["topics: ", "topics: "]),
    ("mqtt", {"timezone": "Mars/Base", "protocol": "4"}, ["timezone: ", "protocol: "]),
    ("okofen", {"timezone": "Mars/Base", "fields": "x"}, ["fields: ", "timezone: "]),
    ("sql", {"file": None, "url": "oracle://h/d"}, ["url: "]),
    ("sql", {"query": "SELECT 1", "overlap": "1 h"}, ["table, query: ", "overlap: "]),
    ("system", {"parts": ["memmory"]}, ["parts: "]),
    ("tom", {"url": "tom.example", "targets": "SN*"}, ["url: ", "targets: "]),
    ("tom", {"auth": {"username": "a:b"}, "page": 0}, ["auth: ", "auth.username: ", "page: "]),
    ("tom", {"auth": {"tokn": "x"}, "url": ["h"]}, ["url: ", "auth.tokn: ", "auth: expected "]),
    ("tom", {"data_types": ["spectroscopy"], "since_days": "3d"}, ["since_days: ", "data_types: "]),
    ("tom", {"series": "{band}", "tags": {"a": "{b}"}}, ["tags.a: ", "series: ", "series: "]),
]
# Several mistakes in one option, each of which is told.
NESTED: Final[list[tuple[str, dict[str, Any], list[str]]]] = [
    (
        "http_json",
        {"auth": {"oauth2": {"clientid": "a", "token_url": "ftp:x", "client_secret": "s"}}},
        ["auth.oauth2.clientid: ", "auth.oauth2.client_id: ", "auth.oauth2.token_url: "],
    ),
    (
        "http_json",
        {"auth": {"login": {"url": "x", "form": 3, "method": "HEAD", "header": "a"}, "pin": 1}},
        ["auth.pin: ", *(f"auth.login.{name}: " for name in ("url", "form", "method", "header"))],
    ),
    (
        "http_json",
        {"auth": {"username": "a:b", "digest": "yes"}},
        ["auth: expected `username`", "auth.username: ", "auth.digest: "],
    ),
    (
        "http_json",
        {"series": "{a..}", "value": "b[", "tags": {"x": "{c..}", "y": "{d..}"}, "words": 3},
        ["words: ", "series: ", "value: ", "tags.x: ", "tags.y: "],
    ),
    (
        "http_json",
        {"series": None, "value": None, "values": {"a": "b[", "c": {"pth": "d", "decimal": 3}}},
        ["values.c: ", "values.c.decimal: "],
    ),
    (
        "http_json",
        {"paging": {"type": "page", "param": 3, "in": "header", "first": -1, "size": 0}},
        [f"paging.{name}: " for name in ("param", "in", "first", "size")],
    ),
    ("http_json", {"csv": {"skip": -1, "delimiter": "ab"}}, ["csv.delimiter: ", "csv.skip: "]),
    (
        "http_push",
        {"listen": ":1", "replies": "kind"},
        ["expected either ", "replies: ", "listen: "],
    ),
    (
        "http_push",
        {"routes": [{"path": "x", "series": "{a..}", "value": "b[", "tag": 1}]},
        ["routes[0]: ", *(f"routes[0].{name}: " for name in ("path", "series", "value"))],
    ),
    (
        "modbus",
        {
            "unit": 999,
            "registers": [
                {"series": "", "adress": 1, "scale": "x"},
                {"series": "s", "address": 1, "table": "coil", "type": "int16", "bit": 1},
            ],
        },
        [
            "unit: ",
            *(f"registers[0].{name}: " for name in ("adress", "series", "address", "scale")),
            *(f"registers[1].{name}: " for name in ("type", "bit")),
        ],
    ),
    (
        "modbus",
        {
            "host": None,
            "devices": [
                {"serial": "/dev/a", "parity": "x", "stopbits": 3},
                {"host": "h", "port": 0, "framing": "x", "nme": 1},
            ],
        },
        [
            *(f"devices[0].{name}: " for name in ("parity", "stopbits")),
            *(f"devices[1].{name}: " for name in ("nme", "port", "framing")),
        ],
    ),
    (
        "mqtt",
        {"topics": [{"filter": "a/#/b", "qos": 7, "value": "c[", "series": "{d..}", "pth": 1}]},
        ["topics: ", "topics: ", "qos: ", "series: ", "value: "],
    ),
    ("dcs", {"tags": {"a": "{x}", "b": "{y}"}, "skip": ["u"]}, ["skip: ", "tags.a: ", "tags.b: "]),
]


def problems(plugin: str, params: dict[str, Any]) -> list[str]:
    """Return what a shipped plugin says of params."""
    loader = Loader([])
    (found,) = loader.problems(loader.load(plugin), [params])
    return found


def test_every_shipped_plugin_has_a_check() -> None:
    """A new one that has none is seen here."""
    shipped = {each.name for each in Loader([]).available()}
    modules = {name: importlib.import_module(f"ingestd.plugins.{name}") for name in shipped}

    assert shipped == GOOD.keys()
    assert {name for name, module in modules.items() if check_of(module) is None} == set()


@pytest.mark.parametrize("plugin", GOOD)
def test_good_params_are_let_through(plugin: str) -> None:
    """So are those that are missing: whether they are required is told elsewhere."""
    assert [each for each in problems(plugin, GOOD[plugin]) if not each.startswith("note: ")] == []
    assert [each for each in problems(plugin, {}) if "Error" in each] == []


@pytest.mark.parametrize(("plugin", "params", "said"), [*BAD, *NESTED])
def test_bad_params_are_told_all_at_once(
    plugin: str, params: dict[str, Any], said: list[str]
) -> None:
    """Each problem begins with the param that it is about."""
    found = problems(plugin, {**GOOD[plugin], **params})

    assert len(found) == len(said), found
    assert all(each.startswith(begin) for each, begin in zip(found, said, strict=True)), found


def test_which_plugins_poll() -> None:
    """Those that yield and come to an end say so, and need a schedule."""
    loader = Loader([])

    assert {name for name in GOOD if not loader.load(name).polls} == {
        "execd",
        "http_push",
        "mqtt",
    }


def test_what_nests_deeply_can_be_told_of() -> None:
    """JSON may nest as deeply as Python recurses, and its repr not even that."""
    value: list[Any] = []
    for _ in range(5000):
        value = [value]

    assert look(value, None) == "too many levels of nesting"
    assert look(None, value) == "nothing in too many levels of nesting"
