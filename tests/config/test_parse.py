"""The typed configuration: defaults, every option, and what must fit together."""

import dataclasses
import re
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from ingestd.config import CronExpression
from ingestd.config import model as shapes
from tests.support.config import ConfigFolder

REPOSITORY = Path(__file__).parents[2]
FULL = """
daemon:
  state_dir: /var/lib/x
  listen: 0.0.0.0:8470
  token: api-token
  timezone: America/Anchorage
  not_before: 1970-01-02
  not_after: 30d
  plugin_dirs: [/p, q]
  watch: yes
  grace: 5s
  workers: 2
  log_level: debug
  log_format: json
buffer: {points: 5000, spool: 1GiB, spool_age: 30d}
stores:
  v2:
    type: influxdb
    url: https://h:8086/
    org: campus
    bucket: energy
    token: v2-token
    create: true
    gzip: false
    ca_file: ca.pem
    batch: {points: 10, bytes: 2KiB, linger: 250ms}
    timeout: 5s
    retry_max: 2m
    write_ahead: true
  v1:
    type: influxdb
    version: 1
    url: http://h
    database: energy
    retention_policy: long
    username: writer
    password: v1-password
  vm: {type: victoriametrics, url: "http://h:8428", username: u, password: vm-password}
  vm2: {type: victoriametrics, url: "http://h:8428", token: vm-token, gzip: no}
  file: {type: embedded, path: a.db}
collectors:
  tick:
    plugin: dcs
    every: 30m
    offset: 5m
    jitter: 1m
    catch_up: none
    timeout: 5m
    memory_limit: 256MiB
    isolation: process
    environment: [METER_PROXY, METER_HOST]
    reads: data
    writes: []
    revisit: 7d
    revisit_full: 30d
    cadence: 30m
    not_before: 1990-01-01T12:00:00+01:00
    not_after: 1d
    enabled: false
    measurement: electricity
    field: energy
    tags: {site: library}
    params: {password: dcs-password, registers: [R733]}
    http: {timeout: 10s, retries: 0, rate: 0.5, concurrency: 1, ca_file: ca.pem, server_name: h,
           account: office, quota: 10  per day, proxy: "http://p:3128/", proxy_username: u,
           proxy_password: proxy-word}
  night: {plugin: x, cron: "30 2 * * 3", timezone: Europe/Berlin}
  stream: {plugin: mqtt}
series:
  "a*": {measurement: m, field: f, unit: kWh, tags: {t: v}, scale: 0.001, offset: 5, min: 0, max: 9}
"""


def test_every_option_reaches_its_place(folder: ConfigFolder) -> None:
    """A configuration that uses everything is read as it was meant."""
    config = folder.load(FULL)

    assert config.daemon == shapes.DaemonConfig(
        state_dir=Path("/var/lib/x"),
        listen="0.0.0.0:8470",
        token="api-token",
        timezone=ZoneInfo("America/Anchorage"),
        not_before=86_400.0,
        not_after=30 * 86_400.0,
        plugin_dirs=(Path("/p"), folder.path / "q"),
        watch=True,
        grace=5.0,
        workers=2,
        log_level="debug",
        log_format="json",
    )
    assert config.buffer == shapes.BufferConfig(
        points=5000, spool_bytes=2**30, spool_age=30 * 86400.0
    )
    assert list(config.stores.values()) == [
        shapes.InfluxStore(
            name="v2",
            url="https://h:8086",
            org="campus",
            bucket="energy",
            token="v2-token",
            create=True,
            gzip=False,
            ca_file=folder.path / "ca.pem",
            batch=shapes.BatchConfig(points=10, bytes=2048, linger=0.25),
            timeout=5.0,
            retry_max=120.0,
            write_ahead=True,
        ),
        shapes.InfluxStore(
            name="v1",
            version=1,
            url="http://h",
            database="energy",
            retention_policy="long",
            username="writer",
            password="v1-password",
        ),
        shapes.VictoriaStore(name="vm", url="http://h:8428", username="u", password="vm-password"),
        shapes.VictoriaStore(name="vm2", url="http://h:8428", token="vm-token", gzip=False),
        shapes.EmbeddedStore(name="file", path=folder.path / "a.db"),
    ]
    assert list(config.collectors.values()) == [
        shapes.CollectorConfig(
            name="tick",
            plugin="dcs",
            every=1800.0,
            timezone=ZoneInfo("America/Anchorage"),
            offset=300.0,
            jitter=60.0,
            catch_up="none",
            timeout=300.0,
            memory_limit=2**28,
            isolation="process",
            environment=frozenset({"METER_PROXY", "METER_HOST"}),
            reads=(folder.path / "data",),
            writes=(),
            revisit=7 * 86400.0,
            revisit_full=30 * 86400.0,
            cadence=1800.0,
            not_before=631_191_600.0,
            not_after=86_400.0,
            enabled=False,
            measurement="electricity",
            field="energy",
            tags={"site": "library"},
            params={"password": "dcs-password", "registers": ["R733"]},
            http=shapes.HttpConfig(
                timeout=10.0,
                retries=0,
                rate=0.5,
                concurrency=1,
                quota=shapes.Quota(10, 86400.0, "10 per day"),
                account="office",
                proxy="http://p:3128",
                proxy_username="u",
                proxy_password="proxy-word",
                ca_file=folder.path / "ca.pem",
                server_name="h",
            ),
        ),
        shapes.CollectorConfig(
            name="night",
            plugin="x",
            cron=CronExpression.parse("30 2 * * 3"),
            timezone=ZoneInfo("Europe/Berlin"),
            not_before=86_400.0,
            not_after=30 * 86_400.0,
        ),
        shapes.CollectorConfig(
            name="stream",
            plugin="mqtt",
            timezone=ZoneInfo("America/Anchorage"),
            not_before=86_400.0,
            not_after=30 * 86_400.0,
        ),
    ]
    assert config.catalogue.describe("abc").unit == "kWh"
    assert config.secrets == {
        "api-token",
        "proxy-word",
        "v2-token",
        "v1-password",
        "vm-password",
        "vm-token",
        "dcs-password",
    }


def test_times_that_no_live_meter_means_are_not_believed_by_default(folder: ConfigFolder) -> None:
    """From 2000 on, and for a year ahead, unless the daemon or the collector says otherwise."""
    text = "collectors: {a: {plugin: x}, b: {plugin: x, not_before: 1950-01-01}}"
    one, other = folder.load(text).collectors.values()

    assert (one.not_before, one.not_after) == (946_684_800, 366 * 86_400)
    assert other.not_before == -631_152_000


def test_no_secret_is_in_a_repr(folder: ConfigFolder) -> None:
    """A configuration may end up in a log or a traceback."""
    config = folder.load(FULL)

    assert not [secret for secret in config.secrets if secret in repr(config)]


def test_another_secret_is_another_configuration(folder: ConfigFolder) -> None:
    """Comparing sees what a repr leaves out, so that a new token is taken up."""
    config = folder.load(FULL)

    for secret in config.secrets:
        assert folder.load(FULL.replace(secret, "another")) != config


def test_a_collector_that_moved_in_its_file_is_the_same(folder: ConfigFolder) -> None:
    """Where a collector is written says nothing about what it does."""
    before = folder.load(FULL).collectors["tick"]
    after = folder.load(f"\n\n{FULL}").collectors["tick"]

    assert before == after
    assert before.where != after.where
    assert after.where.startswith(f"{folder.main}:")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("daemon: {listen: '0.0.0.0:80'}", "daemon.listen: expected a loopback address such as"),
        ("daemon: {log_level: loud}", "expected one of debug, info, warning, error, got 'loud'"),
        ("daemon: {workers: 0}", "daemon.workers: expected at least 1, got '0'"),
        ("daemon: {workers: 65}", "daemon.workers: expected at most 64, got '65'"),
        ("daemon: {timezone: Mars}", "daemon.timezone: expected a time zone such as"),
        ("buffer: {points: 1}", "buffer.points: expected at least 1000, got '1'"),
        ("buffer: {spool: 2G}", "buffer.spool: expected a size such as 64MiB or 2GB, got '2G'"),
        ("stores: {'a b': {type: embedded}}", "stores.a b: expected a name of letters, digits"),
        ("stores: {a: {}}", "stores.a.type: missing, but required"),
        ("stores: {a: {type: influx}}", "one of embedded, influxdb, victoriametrics, got 'influx'"),
        ("stores: {a: {type: embedded, url: x}}", "stores.a.url: unknown option"),
        ("stores: {a: {type: victoriametrics}}", "stores.a.url: missing, but required"),
        ("stores: {a: {type: victoriametrics, url: x}}", "a.url: expected a URL such as"),
        ("collectors: {a: {}}", "collectors.a.plugin: missing, but required"),
        ("collectors: {a/b: {plugin: x}}", "collectors.a/b: expected a name of letters, digits"),
        ("collectors: {a: {plugin: x, every: 1ms}}", "a.every: expected at least 100ms, got '1ms'"),
        ("collectors: {a: {plugin: x, cron: '* *'}}", "such as '30 2 * * 3', with five fields ("),
        (
            "collectors: {a: {plugin: x, every: 1h, offset: 1h}}",
            "expected less than every: 1h, got",
        ),
        (
            "collectors: {a: {plugin: x, every: 1h, jitter: 2h}}",
            "expected less than every: 1h, got",
        ),
        (
            "collectors: {a: {plugin: x, jitter: 1s}}",
            "a.jitter: means nothing without every or cron",
        ),
        ("collectors: {a: {plugin: x, catch_up: once}}", "a.catch_up: means nothing without every"),
        ("collectors: {a: {plugin: x, field: time}}", "expected a field name other than 'time'"),
        ('collectors: {a: {plugin: x, measurement: "a\\nb"}}', "expected text on one line, got 'a"),
        ("collectors: {a: {plugin: x, measurement: ''}}", "expected text on one line, got ''"),
        ("collectors: {a: {plugin: x, tags: {series: y}}}", "expected a tag name other than"),
        ("collectors: {a: {plugin: x, params: 5}}", "a.params: expected a mapping, got '5'"),
        (
            "collectors: {a: {plugin: x, params: {1: 2}}}",
            "a.params: expected text as a name, got 1",
        ),
        ("collectors: {a: {plugin: x, http: {rate: 0}}}", "http.rate: expected at least 0.001"),
        ("collectors: {a: {plugin: x, http: {quota: 10}}}", "quota such as 10 per day or 100"),
        ("collectors: {a: {plugin: x, http: {quota: 0 per day}}}", "expected a quota such as"),
        ("collectors: {a: {plugin: x, http: {quota: 5 per 0s}}}", "expected a quota such as"),
        ("collectors: {a: {plugin: x, http: {quota: 5 per moon}}}", "got '5 per moon'"),
        ("collectors: {a: {plugin: x, http: {proxy: 'ftp://h'}}}", "http.proxy: expected a URL"),
        ("collectors: {a: {plugin: x, http: {proxy_username: h}}}", "means nothing without proxy"),
        (
            "collectors: {a: {plugin: x, http: {proxy: 'http://h', proxy_password: h}}}",
            "proxy_password: expected proxy_username beside it",
        ),
        ("collectors: {a: {plugin: x, memory_limit: 1MiB}}", "expected at least 64MiB, got '1MiB'"),
        ("collectors: {a: {plugin: x, isolation: jail}}", "expected one of process, thread, got"),
        (
            "collectors: {a: {plugin: x, isolation: thread, memory_limit: 1GiB}}",
            "a.memory_limit: a thread has no memory limit; expected isolation: process",
        ),
        (
            "collectors: {a: {plugin: x, environment: [A, B=c]}}",
            "a.environment: expected the name of an environment variable, got 'B=c'",
        ),
        (
            "collectors: {a: {plugin: x, isolation: thread, reads: /srv}}",
            "a.reads: a thread sees all that the daemon sees; expected isolation: process",
        ),
        (
            "collectors: {a: {plugin: x, confined: no, writes: /srv}}",
            "a.writes: means nothing with confined: false",
        ),
        ("series: {a: {min: 2, max: 1}}", "series.a.min: expected min to be at most max"),
        ("nonsense: 1", "nonsense: unknown option; known here: buffer, collectors, daemon, series"),
    ],
)
def test_each_mistake_is_one_problem(folder: ConfigFolder, text: str, problem: str) -> None:
    """One mistake is told once, with what was expected, and without guesses that follow from it."""
    (found,) = folder.problems(text)

    assert problem in found


def test_a_schedule_is_an_interval_or_a_cron_expression(folder: ConfigFolder) -> None:
    """Both together would be a guess."""
    text = "collectors: {a: {plugin: x, every: 5m, cron: '* * * * *'}}"

    assert folder.problems(text) == [
        "ingestd.yaml:1: collectors.a.cron: expected either every or cron, got both"
    ]


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ("", ["bucket", "org", "token"]),
        ("org: o, bucket: b, token_file: /none", ["token_file"]),
        ("org: o, bucket: b, token: '${NONE}'", ["token"]),
        (
            "org: o, bucket: b, token: t, database: d, username: u, password: p",
            ["database", "password", "username"],
        ),
        ("version: 1", ["database"]),
        ("version: 1, database: d, org: o, bucket: b, token: t", ["bucket", "org", "token"]),
        ("version: 1, database: d, username: u", [""]),
        ("version: 1, database: d, password: p", [""]),
        ("version: 3, org: o, bucket: b, token: t", ["version"]),
    ],
)
def test_influxdb_needs_what_its_version_needs(
    folder: ConfigFolder, options: str, keys: list[str]
) -> None:
    """Options of the other version are refused, and those of its own are asked for."""
    comma = ", " if options else ""

    problems = folder.problems(
        f"stores: {{a: {{type: influxdb, url: 'http://h'{comma}{options}}}}}"
    )

    assert [
        problem.split(": ")[1].removeprefix("stores.a").removeprefix(".") for problem in problems
    ] == keys


def test_victoriametrics_takes_one_kind_of_login(folder: ConfigFolder) -> None:
    """A token and a user at once would be a guess."""
    store = (
        "stores: {a: {type: victoriametrics, url: 'http://h', token: t, username: u, password: p}}"
    )

    assert folder.problems(store) == [
        (
            "ingestd.yaml:1: stores.a.username: "
            "expected either a token or a username and password, got both"
        )
    ]


def test_embedded_stores_do_not_share_a_file(folder: ConfigFolder) -> None:
    """Two stores in one file would each write every point."""
    (found,) = folder.problems("stores: {a: {type: embedded}, b: {type: embedded}}")

    assert "stores.b.path: expected a file of its own, got that of 'a'" in found


@pytest.mark.parametrize("plugin", ["./mine", "mine.py", "sub/mine"])
def test_plugins_with_a_path_are_found_from_the_file(folder: ConfigFolder, plugin: str) -> None:
    """A relative path does not depend on where the daemon was started."""
    config = folder.load(f"collectors: {{a: {{plugin: {plugin}}}, b: {{plugin: mine}}}}")

    assert config.collectors["a"].plugin == str(folder.path / Path(plugin))
    assert config.collectors["b"].plugin == "mine"


@pytest.mark.parametrize("name", ["ingestd.yaml", "demo.yaml"])
def test_the_sample_and_the_demo_load(folder: ConfigFolder, name: str) -> None:
    """They need no server and no secret, so that a first start works."""
    for file in ("ingestd.yaml", "demo.yaml", "conf.d/10-example.yaml"):
        folder.write((REPOSITORY / "conf" / file).read_text(), file)
    folder.main = folder.path / name

    config = folder.load(environ={"STATE_DIRECTORY": "/var/lib/ingestd"})

    assert [store.type for store in config.stores.values()] == ["embedded"]
    assert config.daemon.state_dir == Path("/var/lib/ingestd")
    assert [collector.plugin for collector in config.collectors.values()] == ["system"]


def test_what_the_sample_shows_in_comments_loads(folder: ConfigFolder) -> None:
    """Taking away the comment signs leaves a configuration that is right."""
    for file in ("ingestd.yaml", "conf.d/10-example.yaml"):
        sample = (REPOSITORY / "conf" / file).read_text()
        # Prose has one space after the sign; options have none, or the indentation of YAML.
        folder.write(re.sub(r"^#(?! ?[A-Z]| [a-z]|$)", "", sample, flags=re.MULTILINE), file)
    folder.write("api-secret", "credentials/api-token")
    folder.write("influx-secret", "credentials/influx-token")
    environ = {"CREDENTIALS_DIRECTORY": str(folder.path / "credentials")}
    folder.main.write_text(
        folder.main.read_text().replace("/etc/ingestd/weather-token", "credentials/api-token")
    )

    config = folder.load(environ=environ)

    assert list(config.stores) == ["main", "long-term"]
    assert list(config.collectors) == ["system", "weather", "roof-weather"]
    assert config.daemon == dataclasses.replace(
        shapes.DaemonConfig(state_dir=Path("/var/lib/ingestd")),
        token="api-secret",
        timezone=ZoneInfo("America/Anchorage"),
        plugin_dirs=(Path("/etc/ingestd/plugins"),),
        watch=True,
    )
    assert config.buffer == shapes.BufferConfig()
    main = config.stores["main"]
    assert main.batch == shapes.BatchConfig()


EVERY_SECTION = """
nonsense: 1
daemon: {nonsense: 1}
buffer: {nonsense: 1}
stores:
  e: {type: embedded, nonsense: 1, batch: {nonsense: 1}}
  i: {type: influxdb, nonsense: 1}
  v: {type: victoriametrics, nonsense: 1}
collectors:
  c: {plugin: x, nonsense: 1, http: {nonsense: 1}}
series:
  s: {nonsense: 1}
"""


@pytest.mark.parametrize(
    ("key", "heading"),
    [
        ("daemon", "## `daemon`"),
        ("buffer", "## `buffer`"),
        ("stores.e", "### `type: embedded`"),
        ("stores.e.batch", "`batch`: "),
        ("stores.i", "### `type: influxdb`"),
        ("stores.v", "### `type: victoriametrics`"),
        ("collectors.c", "## `collectors`"),
        ("collectors.c.http", "`http`:\n"),
        ("series.s", "## `series`"),
    ],
)
def test_every_option_is_documented(folder: ConfigFolder, key: str, heading: str) -> None:
    """The reference has a row for each option of a section, and no other."""
    page = (REPOSITORY / "docs/configuration.md").read_text()
    common = {"type", "batch", "timeout", "retry_max", "write_ahead", "former"}
    (problem,) = [
        problem for problem in folder.problems(EVERY_SECTION) if f" {key}.nonsense: " in problem
    ]
    known = set(problem.rpartition("known here: ")[2].split(", "))
    if key in {"stores.e", "stores.i", "stores.v"}:
        known -= common

    table = page.partition(f"\n{heading}")[2].partition("\n|---|---|---|\n")[2].partition("\n\n")[0]
    documented = set(re.findall(r"^\| `(\w+)`", table, flags=re.MULTILINE))

    assert documented == known


def test_every_section_is_documented(folder: ConfigFolder) -> None:
    """The reference has a heading for each section, and a row for what every store has."""
    page = (REPOSITORY / "docs/configuration.md").read_text()
    (problem,) = [each for each in folder.problems(EVERY_SECTION) if ": nonsense: " in each]

    for section in problem.rpartition("known here: ")[2].split(", "):
        assert f"\n## `{section}`\n" in page
    stores = page.partition("\n## `stores`\n")[2].partition("\n### ")[0]
    for option in dataclasses.fields(shapes.StoreConfig):
        assert option.name == "name" or f"\n| `{option.name}` |" in stores
