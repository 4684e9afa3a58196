"""What systemd hears from us, and what it thinks of our unit."""

import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from ingestd.systemd import Notifier
from tests.support.daemonprocess import DaemonProcess
from tests.support.deadline import WITHIN

UNITS = Path(__file__).parents[1] / "systemd"


class Listener:
    """systemd's end of the socket."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.settimeout(5)

    def heard(self) -> dict[str, str]:
        """Return the next datagram's assignments."""
        lines = self._socket.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def heard_nothing(self) -> bool:
        """Return whether no datagram waits."""
        self._socket.setblocking(False)
        try:
            self._socket.recv(4096)
        except BlockingIOError:
            return True
        return False

    def close(self) -> None:
        """Go away."""
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Listener]:
    """Listen on both kinds of address that systemd uses."""
    abstract = f"@ingestd-test-{secrets.token_hex(8)}"
    one = Listener(str(tmp_path / "notify") if request.param == "path" else abstract)
    yield one
    one.close()


@pytest.mark.slow  # it waits for the next time that the daemon looks, in at most 5 s
def test_the_status_is_at_most_five_seconds_old(
    daemon: DaemonProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is told at the start is replaced as soon as something is wrong."""
    one = Listener(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", one.address)
    daemon.plugin("fails", "def run(**_): raise OSError('no route')")
    daemon.configure(collectors={"boiler": {"plugin": "fails", "every": "1s"}})
    try:
        daemon.start()
        first = one.heard()
        second = one.heard()
    finally:
        one.close()

    assert first == {"READY": "1", "STATUS": "1 collector started, nothing is due yet"}
    assert second["STATUS"].startswith("1 of 1 collector needs attention: boiler has failed")
    assert "OSError: no route" in second["STATUS"]


def test_a_life_as_systemd_hears_it(listener: Listener) -> None:
    """Start, status, watchdog, stop: each is one datagram."""
    notifier = Notifier(listener.address, watchdog_interval=15)

    notifier.ready("10 collectors")
    notifier.status("store main is down")
    notifier.watchdog()
    notifier.stopping("spooling")

    assert listener.heard() == {"READY": "1", "STATUS": "10 collectors"}
    assert listener.heard() == {"STATUS": "store main is down"}
    assert listener.heard() == {"WATCHDOG": "1"}
    assert listener.heard() == {"STOPPING": "1", "STATUS": "spooling"}


def test_reload_carries_the_time_in_the_same_datagram(listener: Listener) -> None:
    """Without it ``systemctl reload`` would wait until its timeout."""
    before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    Notifier(listener.address).reloading()
    after = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6

    message = listener.heard()

    assert message.keys() == {"RELOADING", "MONOTONIC_USEC"}
    assert before - 1 <= int(message["MONOTONIC_USEC"]) <= after


def test_status_is_one_line(listener: Listener) -> None:
    """Text that came from elsewhere cannot say anything in our name."""
    Notifier(listener.address).status("bad config:\nREADY=1\r\nline 3 \udcff")

    assert listener.heard() == {"STATUS": "bad config: READY=1 line 3 ?"}


def test_environment_is_read_and_cleared() -> None:
    """Children inherit neither the socket nor the watchdog."""
    environ = {
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/root",
    }

    notifier = Notifier.from_environment(environ)

    assert notifier == Notifier("/run/systemd/notify", 15.0)
    assert environ == {"HOME": "/root"}


@pytest.mark.parametrize(
    "environ",
    [
        {"NOTIFY_SOCKET": "/x"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "0"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "soon"},
        {"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "30000000"},
    ],
)
def test_watchdog_of_another_process_is_not_ours(environ: dict[str, str]) -> None:
    """A ping is sent only when systemd watches this very process."""
    assert Notifier.from_environment(environ).watchdog_interval is None


def test_unwatched_process_sends_no_pings(listener: Listener) -> None:
    """The call may always be made; the datagram is sent only where systemd watches."""
    Notifier(listener.address).watchdog()

    assert listener.heard_nothing()


def test_without_systemd_nothing_happens() -> None:
    """On a terminal or in a container there is no socket."""
    notifier = Notifier.from_environment({})

    notifier.ready()
    notifier.reloading()
    notifier.stopping()
    notifier.status("x")
    notifier.watchdog()

    assert notifier == Notifier("", None)


@pytest.mark.parametrize("address", ["{tmp}/gone", "@ingestd-gone", "vsock:2:9", "x" * 200])
def test_socket_that_is_gone_does_no_harm(tmp_path: Path, address: str) -> None:
    """The daemon goes on when systemd does not listen, or cannot be spoken to."""
    notifier = Notifier(address.format(tmp=tmp_path), watchdog_interval=1)

    notifier.ready("here")
    notifier.watchdog()


def flood(address: str) -> None:
    """Send until the queue is full."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        with suppress(BlockingIOError):
            while True:
                sender.sendto(b"STATUS=x", address)


@pytest.mark.slow  # ``SEND_TIMEOUT`` passes
def test_full_queue_does_not_hang_us(tmp_path: Path) -> None:
    """A listener that never reads is given up; this waits for ``SEND_TIMEOUT``."""
    listener = Listener(str(tmp_path / "notify"))
    flood(listener.address)
    notifier = Notifier(listener.address, watchdog_interval=1)
    ping = Thread(target=notifier.watchdog, daemon=True)

    ping.start()
    ping.join(timeout=WITHIN)

    assert not ping.is_alive()
    listener.close()


# -- the unit


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """Copy the unit and its drop-in to where systemd-analyze finds both."""
    if shutil.which("systemd-analyze") is None:
        reason = "systemd-analyze is not installed"
        pytest.fail(reason) if "CI" in os.environ else pytest.skip(reason)
    unit = tmp_path / "ingestd.service"
    text = (UNITS / "ingestd.service").read_text()
    # It wants a program that exists; everything else stays as it is.
    unit.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text))
    dropin = tmp_path / "ingestd.service.d" / "type.conf"
    dropin.parent.mkdir()
    text = (UNITS / "before-253.conf").read_text()
    dropin.write_text(re.sub(r"(?m)^ExecReload=\S+", "ExecReload=/bin/true", text))
    return unit


def analyze(*args: str | Path) -> tuple[int, str]:
    """Run systemd-analyze; return its exit code and what it printed."""
    done = subprocess.run(
        ["systemd-analyze", *args], capture_output=True, text=True, check=False, timeout=WITHIN
    )
    return done.returncode, done.stdout + done.stderr


def systemd_version() -> int:
    """Return the version of the installed systemd."""
    return int(analyze("--version")[1].split()[1])


@pytest.mark.slow  # systemd-analyze takes its time
def test_unit_is_what_systemd_understands(unit: Path) -> None:
    """Nothing is misspelt; old systemd says that it does not know the type, and no more."""
    code, said = analyze("verify", "--man=no", unit)

    assert code == 0
    lines = said.splitlines()
    if systemd_version() < 253:
        assert len(lines) == 1
        assert lines.pop().endswith("Failed to parse service type, ignoring: notify-reload")
    assert lines == []


@pytest.mark.slow  # systemd-analyze takes its time
def test_unit_without_its_new_type_is_clean_on_old_systemd(unit: Path) -> None:
    """With the drop-in's type in the unit itself, there is nothing to complain about."""
    unit.write_text(unit.read_text().replace("Type=notify-reload\n", ""))

    assert analyze("verify", "--man=no", unit) == (0, "")


@pytest.mark.slow  # systemd-analyze takes its time
def test_drop_in_is_read_and_checked(unit: Path) -> None:
    """The checks above would see a mistake in the drop-in."""
    dropin = unit.with_name("ingestd.service.d") / "type.conf"
    dropin.write_text(dropin.read_text() + "Tipe=notify\n")

    assert "type.conf:8: Unknown key" in analyze("verify", "--man=no", unit)[1]


@pytest.mark.slow  # systemd-analyze takes its time
def test_unit_is_hardened(unit: Path) -> None:
    """The service can do little more than what it is there for."""
    code, said = analyze("security", "--offline=true", "--threshold=20", "--no-pager", unit)

    assert code == 0, said
    assert (exposure := re.search(r"exposure level .*: ([0-9.]+)", said))
    assert float(exposure[1]) <= 2.0


def test_user_is_made_by_sysusers(tmp_path: Path) -> None:
    """The unit's user exists after the installation's second step."""
    if shutil.which("systemd-sysusers") is None:
        reason = "systemd-sysusers is not installed"
        pytest.fail(reason) if "CI" in os.environ else pytest.skip(reason)
    (tmp_path / "etc").mkdir()

    subprocess.run(
        ["systemd-sysusers", f"--root={tmp_path}", UNITS / "ingestd.sysusers"],
        check=True,
        capture_output=True,
    )

    users = (tmp_path / "etc" / "passwd").read_text()
    assert re.search(r"(?m)^ingestd:.*:/var/lib/ingestd:/usr/sbin/nologin$", users)
