"""The real servers that tests talk to, such as InfluxDB 1.x, VictoriaMetrics and mosquitto.

Session fixtures give the address of a server that runs for the whole test session;
``INGESTD_TEST_INFLUXDB_URL``, ``INGESTD_TEST_VICTORIAMETRICS_URL`` and
``INGESTD_TEST_MQTT_URL`` name one that already runs instead. Tests that take a
server away and bring it back make their own::

    with influxd(tmp_path) as server:
        server.kill()
        server.start()  # the same port, the same data

A program that is not installed skips the test, but fails it where ``CI`` is set.
"""

import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import psutil  # type: ignore[import-untyped]  # ships no types
import pytest

from tests.support.deadline import WITHIN
from tests.support.ports import free_port

APACHE_MODULES: Final = (
    "mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_digest",
)  # fmt: skip


class RealServer:
    """A server process that can be stopped, killed and started again, on one port and folder.

    Attributes:
        argv: The command that starts it.
        url: Where clients reach it.
        host: Its address.
        port: Its port.
        folder: Where it keeps its data and its log.
        user: Who runs it; None: whoever runs the tests.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        url: str,
        folder: Path,
        ready: Callable[[str], bool],
        user: str | None = None,
    ) -> None:
        self.url, self.folder, self.user = url, folder, user
        parts = urlsplit(url)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.argv, self._ready = list(argv), ready
        self._process: subprocess.Popen[bytes] | None = None

    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """The process id; the server must be running."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything the process printed so far."""
        path = self.folder / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def start(self) -> None:
        """Start the process and return once it answers."""
        assert not self.running(), f"{self.argv[0]} is running already"
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.argv, stdout=log, stderr=log, cwd=self.folder, user=self.user
            )
        deadline = time.monotonic() + WITHIN
        while not (self._listens() and self._ready(self.url)):
            if not self.running() or time.monotonic() > deadline:
                self.kill()
                pytest.fail(f"{self.argv[0]} did not start:\n{self.log[-2000:]}")
            time.sleep(0.005)

    def _listens(self) -> bool:
        """Whether it is this process that has the port, and not another server."""
        try:
            sockets = psutil.Process(self.pid).net_connections("tcp4")
        except psutil.NoSuchProcess:
            return False
        return any(
            each.status == psutil.CONN_LISTEN and each.laddr.port == self.port for each in sockets
        )

    def stop(self) -> None:
        """Ask the process to end and wait until it has."""
        self._end(lambda process: process.terminate())

    def kill(self) -> None:
        """End the process as a power cut would."""
        self._end(lambda process: process.kill())

    def restart(self) -> None:
        """Stop the process in good order and start it again."""
        self.stop()
        self.start()

    def _end(self, how: Callable[[subprocess.Popen[bytes]], None]) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        how(process)
        try:
            process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def program(name: str, package: str) -> str:
    """Return the path of an installed program; skip the test, or fail it in CI."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is None:
        reason = f"{name} is not installed (apt-get install {package})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def influxd(folder: Path, *, http: str = "") -> RealServer:
    """Return an InfluxDB 1.x server, not yet started.

    Args:
        folder: An empty folder, or one such a server used before.
        http: More lines for the ``[http]`` section of its configuration.
    """
    argv0 = program("influxd", "influxdb")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    config = folder / "influxdb.conf"
    config.write_text(f"""
reporting-disabled = true
bind-address = "127.0.0.1:{free_port()}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[ifql]
  enabled = false
[http]
  bind-address = "127.0.0.1:{port}"
  log-enabled = false
{http}
""")
    url = f"http://127.0.0.1:{port}"
    return RealServer([argv0, "-config", str(config)], url=url, folder=folder, ready=answers_ping)


def victoria_metrics(folder: Path, *flags: str) -> RealServer:
    """Return a VictoriaMetrics server that keeps everything, not yet started.

    Args:
        folder: An empty folder, or one such a server used before.
        flags: More flags, such as ``-dedup.minScrapeInterval=1ms``; the last one counts.
    """
    argv0 = program("victoria-metrics", "victoria-metrics")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    flags = (
        flags if any("retentionPeriod" in f for f in flags) else ("-retentionPeriod=100y", *flags)
    )
    argv = [argv0, f"-storageDataPath={folder}/data", f"-httpListenAddr=127.0.0.1:{port}", *flags]
    return RealServer(argv, url=f"http://127.0.0.1:{port}", folder=folder, ready=answers_ping)


def mosquitto(folder: Path, *, config: str = "", ports: Sequence[int] = ()) -> RealServer:
    """Return an MQTT broker that keeps sessions on disk, not yet started.

    Args:
        folder: An empty folder, or one such a broker used before.
        config: More lines for its configuration.
        ports: On which it listens by those lines.
    """
    argv0 = program("mosquitto", "mosquitto")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    path = folder / "mosquitto.conf"
    # As root it would become another user, who cannot write to the folder.
    user = "user root\n" if os.geteuid() == 0 else ""
    path.write_text(f"""{user}listener {port} 127.0.0.1
allow_anonymous true
persistence true
persistence_location {folder}/
autosave_interval 1
autosave_on_changes true
max_queued_messages 0
{config}
""")
    argv = [argv0, "-c", str(path)]
    urls = [f"mqtt://127.0.0.1:{each}" for each in (port, *ports)]
    return RealServer(argv, url=urls[0], folder=folder, ready=lambda _: all(map(accepts, urls)))


def ser2net(folder: Path, lines: Sequence[str]) -> tuple[RealServer, list[int]]:
    """Return a converter for serial lines, not yet started, and the TCP port of each.

    Args:
        folder: An empty folder.
        lines: The paths of the serial lines.
    """
    argv0 = program("ser2net", "ser2net")
    folder.mkdir(parents=True, exist_ok=True)
    ports = [free_port() for _ in lines]
    config = folder / "ser2net.yaml"
    config.write_text("%YAML 1.1\n---\n" + "".join(
        f"connection: &line{number}\n  accepter: tcp,127.0.0.1,{port}\n  enable: on\n"
        f"  options: {{kickolduser: true}}\n  connector: serialdev,{path},9600n81,local\n"
        for number, (path, port) in enumerate(zip(lines, ports, strict=True))
    ))  # fmt: skip
    url = f"tcp://127.0.0.1:{ports[0]}"
    # It exits if any of its ports is taken, so one that listens stands for all.
    argv = [argv0, "-n", "-c", str(config), "-P", str(folder / "ser2net.pid")]
    return RealServer(argv, url=url, folder=folder, ready=lambda _: True), ports


def prometheus(folder: Path, *, target: str, rules: str) -> RealServer:
    """Return a Prometheus that scrapes a daemon and judges its rules every second, not started.

    Args:
        folder: An empty folder.
        target: The ``host:port`` to scrape, as the job ``ingestd``.
        rules: The text of a file of rules.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rules.yaml").write_text(rules)
    return prometheus_with(
        folder,
        f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{folder}/rules.yaml]
scrape_configs:
  - job_name: ingestd
    static_configs: [{{targets: ["{target}"]}}]
""",
    )


def prometheus_with(folder: Path, text: str) -> RealServer:
    """Return a Prometheus, not started.

    Args:
        folder: An empty folder.
        text: Its configuration.
    """
    argv0 = program("prometheus", "prometheus")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "prometheus.yml"
    config.write_text(text)
    url = f"http://127.0.0.1:{free_port()}"
    argv = [
        argv0, f"--config.file={config}", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={urlsplit(url).netloc}",
    ]  # fmt: skip
    return RealServer(argv, url=url, folder=folder, ready=is_ready)


def is_ready(url: str) -> bool:
    """Whether a Prometheus answers that it is ready."""
    try:
        with urllib.request.urlopen(f"{url}/-/ready", timeout=WITHIN) as reply:
            return bool(reply.status == 200)
    except OSError:
        return False


def nginx(folder: Path, backend: str, *, tls: tuple[Path, Path] | None = None) -> RealServer:
    """Return a proxy in front of a store, not yet started.

    Args:
        folder: An empty folder, or one such a server used before.
        backend: The address that it passes requests on to, all but those below ``/locked``,
            which want a password, and below ``/portal``, which get a page.
        tls: The certificate and its key, to speak TLS alone.
    """
    argv0 = program("nginx", "nginx-light")
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    scheme, listen, certificate = "http", f"127.0.0.1:{port}", ""
    if tls is not None:
        scheme, listen = "https", f"127.0.0.1:{port} ssl"
        certificate = f"ssl_certificate {tls[0]}; ssl_certificate_key {tls[1]};"
    (folder / "passwords").write_text("user:{PLAIN}secret\n")
    config = folder / "nginx.conf"
    temporary = "\n".join(
        f"  {kind}_temp_path {folder}/{kind};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(f"""daemon off; {user} pid {folder}/nginx.pid; error_log stderr;
worker_processes 1;
events {{ worker_connections 64; }}
http {{
  access_log off;
{temporary}
  server {{
    listen {listen}; {certificate}
    location / {{ proxy_pass {backend}; }}
    location /locked/ {{
      auth_basic "stores"; auth_basic_user_file {folder}/passwords; proxy_pass {backend}/;
    }}
    location /portal/ {{
      default_type text/html; return 200 "<html><title>Log in</title></html>";
    }}
  }}
}}
""")
    argv = [argv0, "-c", str(config), "-p", str(folder), "-e", "stderr"]
    return RealServer(argv, url=f"{scheme}://127.0.0.1:{port}", folder=folder, ready=accepts)


def lighttpd(folder: Path, *, algorithm: str) -> RealServer:
    """Return a server that wants Digest for all that it has, not yet started.

    Args:
        folder: An empty folder; what is put below ``www`` is served to ``user`` with ``secret``.
        algorithm: What it lets clients compute with, such as ``MD5|SHA-256``.
    """
    argv0 = program("lighttpd", "lighttpd")
    (folder / "www").mkdir(parents=True, exist_ok=True)
    (folder / "passwords").write_text("user:secret\n")
    port, config = free_port(), folder / "lighttpd.conf"
    config.write_text(f"""
server.document-root = "{folder}/www"
server.bind = "127.0.0.1"
server.port = {port}
server.modules = ("mod_auth", "mod_authn_file")
mimetype.assign = ("" => "application/json")
auth.backend = "plain"
auth.backend.plain.userfile = "{folder}/passwords"
auth.require = ("/" => (
  "method" => "digest", "realm" => "a realm, of meters",
  "require" => "valid-user", "algorithm" => "{algorithm}",
))
""")
    argv = [argv0, "-D", "-f", str(config)]
    return RealServer(argv, url=f"http://127.0.0.1:{port}", folder=folder, ready=accepts)


def apache(folder: Path) -> RealServer:
    """Return a server that wants Digest and forgets its nonces when it starts, not yet started.

    Args:
        folder: An empty folder; what is put below ``www`` is served to ``user`` with ``secret``.
    """
    argv0 = program("apache2", "apache2-bin")
    (folder / "www").mkdir(parents=True, exist_ok=True)
    digest = hashlib.md5(b"user:meters:secret", usedforsecurity=False).hexdigest()
    (folder / "passwords").write_text(f"user:meters:{digest}\n")
    port, config = free_port(), folder / "apache.conf"
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in APACHE_MODULES
    )
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    config.write_text(f"""
ServerRoot {folder}
ServerName localhost
Listen 127.0.0.1:{port}
PidFile {folder}/apache.pid
DefaultRuntimeDir {folder}
ErrorLog /dev/stderr
{modules}
{user}
DocumentRoot {folder}/www
<Location />
  AuthType Digest
  AuthName meters
  AuthDigestDomain /
  AuthUserFile {folder}/passwords
  Require valid-user
</Location>
""")
    argv = [argv0, "-D", "FOREGROUND", "-f", str(config)]
    return RealServer(argv, url=f"http://127.0.0.1:{port}", folder=folder, ready=accepts)


def answers_ping(url: str) -> bool:
    """Whether an HTTP server answers ``/ping``."""
    try:
        with urllib.request.urlopen(f"{url}/ping", timeout=WITHIN):
            return True
    except urllib.error.HTTPError:
        return True  # it wants a password, so it is there
    except OSError:
        return False


def accepts(url: str) -> bool:
    """Whether something accepts connections there."""
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=WITHIN).close()
    except OSError:
        return False
    return True


@pytest.fixture(scope="session")
def influxdb_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of an InfluxDB 1.x that all tests of the session share."""
    yield from shared(
        "INGESTD_TEST_INFLUXDB_URL", lambda: influxd(tmp_path_factory.mktemp("influxdb"))
    )


@pytest.fixture(scope="session")
def victoriametrics_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address of a VictoriaMetrics with deduplication that all tests share."""
    yield from shared(
        "INGESTD_TEST_VICTORIAMETRICS_URL",
        lambda: victoria_metrics(
            tmp_path_factory.mktemp("victoria"), "-dedup.minScrapeInterval=1ms"
        ),
    )


@pytest.fixture(scope="session")
def mqtt_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the address, ``mqtt://host:port``, of a broker that all tests share."""
    yield from shared("INGESTD_TEST_MQTT_URL", lambda: mosquitto(tmp_path_factory.mktemp("mqtt")))


def shared(variable: str, make: Callable[[], RealServer]) -> Iterator[str]:
    """Yield the address in the variable, or that of a server that runs until the end."""
    if url := os.environ.get(variable):
        yield url.rstrip("/")
        return
    with make() as server:
        yield server.url


@pytest.fixture
def unique() -> str:
    """Give a name that no other test uses, for a database, a topic or a series' prefix."""
    return f"t{secrets.token_hex(6)}"
