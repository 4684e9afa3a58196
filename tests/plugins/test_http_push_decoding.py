"""Payloads that no network has decoded: our decoders, BMON's units, and files of the operator."""

import json
import os
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from ingestd.plugins import http_push
from ingestd.plugins.http_push.decoding import decoding_of
from ingestd.plugins.http_push.formats.message import FormatError
from ingestd.plugins.http_push.things import Things
from ingestd.testing import context
from tests.support import ondisk
from tests.support.daemonprocess import DaemonProcess
from tests.support.deadline import WITHIN
from tests.support.pushing import pushing
from tests.support.pushmessages import message

EUI: Final = "a84041ffff1ee2b4"
AT: Final = 1_770_086_143


def uplink(device: str, payload: str, *, port: int = 2, **decoded: Any) -> dict[str, Any]:
    """Return an uplink of The Things Stack with a payload in hexadecimal digits."""
    return {
        "end_device_ids": {"device_id": device, "dev_eui": EUI},
        "uplink_message": {
            "f_port": port,
            "frm_payload": b64encode(bytes.fromhex(payload)).decode(),
            "decoded_payload": decoded,
            "received_at": "2026-02-03T02:35:43Z",
        },
    }


def values(document: Any, decode: Mapping[str, str] | None = None) -> dict[str, float]:
    """Return what is found, by the names of the fields."""
    found = Things(decoding_of(decode)).find(message(document))
    return {name.partition("_")[2]: value for _, name, value in found.readings}


@pytest.mark.parametrize(
    ("device", "port", "payload", "expected"),
    [
        (
            "elsys-1",
            5,
            "0100e202290400270506060308070d6219000119ffff",
            {
                "temperature": 22.6,
                "humidity": 41,
                "light": 39,
                "motion": 6,
                "co2": 776,
                "vdd": 3.426,
                "extTemperature2_0": 0.1,
                "extTemperature2_1": -0.1,
            },
        ),
        ("ers-1", 5, "03c13f000a00030b00000102", {
            "x": -1, "y": 1, "z": 0, "pulse": 3, "pulseAbs": 258,
        }),
        ("elt-1", 5, "14000f4240150a051000f6ff9c", {
            "pressure": 1000, "soundPeak": 10, "soundAvg": 5,
            "irIntTemperature": 24.6, "irExtTemperature": -10,
        }),
        ("elt-1", 5, "0910270098b9ff", {"lat": 1, "long": -1.8024}),
        ("elsys-1", 6, "0100e2", {}),
        ("lht65-1", 2, "cbf60b0d0376010add7fff", {
            "vdd": 3.062, "temperature": 28.29, "humidity": 88.6, "extTemperature": 27.81,
        }),
        ("LHT65N-1", 2, "cbf6fff60376017fff7fff", {
            "vdd": 3.062, "temperature": -0.1, "humidity": 88.6,
        }),
        ("lht65-1", 2, "cb040b55025a0401007fff", {
            "vdd": 2.82, "temperature": 29.01, "humidity": 60.2, "digital": 1, "interrupt": 0,
        }),
        ("lht65-1", 2, "cb030b2d027c0501917fff", {
            "vdd": 2.819, "temperature": 28.61, "humidity": 63.6, "light": 401,
        }),
        ("lht65-1", 2, "cbd50b0502e60700067fff", {
            "vdd": 3.029, "temperature": 28.21, "humidity": 74.2, "pulse": 6,
        }),
        ("lwl01-1", 10, "4bb80200000a00003c01", {
            "vdd": 3.0, "waterleak": 1, "times": 10, "minutes": 60, "alarm": 1,
        }),
        ("ldds75-1", 2, "0cd2045b0000ea01", {
            "vdd": 3.282, "distance": 1115, "extTemperature": 23.4,
        }),
        ("ldds75-1", 2, "0cd2001400000000", {"vdd": 3.282}),
        ("lsn50-1", 2, "0ce400d2000a00010f01f4", {
            "vdd": 3.3, "extTemperature": 21, "analog": 0.01, "digital": 0,
            "temperature": 27.1, "humidity": 50,
        }),
    ],
)  # fmt: skip
def test_payloads_are_decoded(
    device: str, port: int, payload: str, expected: dict[str, float]
) -> None:
    """In degrees Celsius and volts, where the network has decoded nothing."""
    found = values(uplink(device, payload, port=port))

    assert found == pytest.approx(expected)


def test_bmon_decodes_itself_and_in_fahrenheit() -> None:
    """Also what the network has decoded in other units; other devices are the network's."""
    decode = {"*": "bmon"}
    elsys = uplink("elsys-1", "0100e2070d62", port=5, temperature=22.6, vdd=3426)

    assert values(elsys, decode) == pytest.approx({"temperature": 72.68, "vdd": 3.426})
    assert values(elsys) == {"temperature": 22.6, "vdd": 3426}
    assert values(uplink("soil-1", "00", moisture=40), decode) == {"moisture": 40}


def test_samples_that_a_device_has_kept_have_their_own_times() -> None:
    """A logger that was out of reach is asked for them, and sends several at once."""
    kept = "0ad40b0d037641" + f"{AT - 3600:08x}" + "7fff0b0e037741" + f"{AT - 1800:08x}"

    found = Things().find(message(uplink("lht65-1", kept)))

    assert found.readings == [
        (AT - 3600, f"{EUI}_extTemperature", 27.72),
        (AT - 3600, f"{EUI}_temperature", 28.29),
        (AT - 3600, f"{EUI}_humidity", 88.6),
        (AT - 1800, f"{EUI}_temperature", 28.3),
        (AT - 1800, f"{EUI}_humidity", 88.7),
    ]


@pytest.mark.parametrize(
    ("device", "port", "payload", "problem"),
    [
        ("elsys-1", 5, "ff00", "expected a kind of value at byte 0, got 255, an offset in time"),
        ("elsys-1", 5, "3e00", "got 62, a kind that is not known here"),
        ("elsys-1", 5, "0100", "expected 3 bytes or more, got 2"),
        ("lht65-1", 2, "cbf6", "expected 11 bytes or more, got 2"),
        ("lht65-1", 2, "0ad40b0d037641" + "00" * 5, "expected a multiple of 11 bytes"),
        ("lsn50-1", 2, "0ce400d2000a0c010f01f4", "expected its mode 1"),
    ],
)
def test_a_payload_of_another_kind_is_refused(
    device: str, port: int, payload: str, problem: str
) -> None:
    """Half of it would be worse than nothing; the device is named."""
    with pytest.raises(FormatError, match=EUI) as caught:
        values(uplink(device, payload, port=port))

    assert problem in str(caught.value)


DECODER: Final = """
def run(*, payload, port, device, time, **_):
    if payload == b"!":
        raise ValueError("no such payload")
    wet, age_minutes = payload[0] / 2, payload[1]
    return {"readings": [(None, "wet", wet), (time - 60 * age_minutes, f"wet_{port}", wet)]}
"""


ABORTING: Final = """
import os


def run(*, payload, **_):
    if payload == b"!":
        os.abort()
    return {"readings": [(None, "wet", payload[0]), (None, "pid", os.getpid())]}
"""


@pytest.fixture
def decoder(tmp_path: Path) -> Path:
    """Give a file that decodes."""
    path = tmp_path / "soil.py"
    path.write_text(DECODER)
    return path


async def test_a_file_decodes_by_device(decoder: Path) -> None:
    """It says when each value was measured; what it fails at may be sent again."""
    decode = {"SOIL-*": str(decoder), EUI[:4] + "*": "network"}
    async with context() as ctx, pushing(ctx, formats="things", decode=decode) as push:
        taken = await push.post("/uplinks", json=uplink("soil-7", "2a02"))
        failed = await push.post("/uplinks", json=uplink("soil-7", b"!".hex()))
        other = await push.post("/uplinks", json=uplink("other", "2a02", level=1))

    assert (taken.status, failed.status, other.status) == (200, 503, 200)
    assert push.readings == [
        (AT, f"{EUI}_wet", 21.0),
        (AT - 120, f"{EUI}_wet_2", 21.0),
        (AT, f"{EUI}_level", 1.0),
    ]


async def test_a_sender_does_not_wait_for_ever(tmp_path: Path) -> None:
    """A file that hangs, or gets no turn, is a reason to come again."""
    reading, writing = os.pipe()
    decoder = tmp_path / "soil.py"
    decoder.write_text(f"import os\n\n\ndef run(**_):\n    os.read({reading}, 1)\n")
    async with (
        context() as ctx,
        pushing(ctx, formats="things", decode={"*": str(decoder)}, answer_within="100ms") as push,
    ):
        reply = await push.post("/uplinks", json=uplink("soil-7", "2a02"))
        os.write(writing, b"x")  # lets it go

    assert (reply.status, "within 0.1 s" in reply.text) == (503, True)
    os.close(writing)


@pytest.mark.slow(5)  # a daemon starts, and two worker processes in it
def test_the_daemon_calls_a_file_in_a_process_of_its_own(
    daemon: DaemonProcess, tmp_path: Path
) -> None:
    """What ends that process ends no daemon, and the next uplink gets another."""
    decoder = tmp_path / "soil.py"
    decoder.write_text(ABORTING)
    params = {"path": "/push", "formats": "things", "decode": {"soil-*": str(decoder)}}
    daemon.configure(collectors={"fields": {"plugin": "http_push", "params": params}})
    daemon.start()
    daemon.wait_for("listening")

    died = status_of(daemon, uplink("soil-7", b"!".hex()))
    taken = status_of(daemon, uplink("soil-7", "2a02"))
    pid, stopped = daemon.pid, daemon.stop()

    stored = ondisk.embedded(daemon.state_dir / "readings.db")()
    assert (died, taken, stopped) == (503, 200, 0)
    assert stored[f"{EUI}_wet"] == {AT * 1_000_000: [42.0]}
    assert stored[f"{EUI}_pid"][AT * 1_000_000] != [pid]


def status_of(daemon: DaemonProcess, document: Any) -> int:
    """Return what a daemon answers an uplink with."""
    request = urllib.request.Request(
        f"http://{daemon.listen}/push/uplinks", json.dumps(document).encode(), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=WITHIN) as reply:
            return int(reply.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


@pytest.mark.parametrize(
    ("decode", "problem"),
    [
        (["elsys"], "decode: expected"),
        ({"a*": "elsis"}, "decode.a*: expected elsys, lht65, lwl01, ldds, lsn50, bmon, network or"),
        ({"a*": "soil.py"}, "decode.a*: expected"),
        ({"a*": "/nowhere/soil.py"}, "decode.a*: expected a file, got '/nowhere/soil.py'"),
    ],
)
def test_options_are_checked(decode: Any, problem: str) -> None:
    """A path is a full one, because nobody knows where a daemon runs."""
    (found,) = http_push.check(listen="127.0.0.1:1", decode=decode)

    assert found.startswith(problem)
