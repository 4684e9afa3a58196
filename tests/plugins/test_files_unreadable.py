"""``files`` without the right to read some of what it finds."""

import os
import sys
from typing import Any, Final

import pytest

from tests.support.cli import CommandLine
from tests.support.daemonprocess import DaemonProcess
from tests.support.filesplugin import lines

pytestmark = pytest.mark.slow  # a process starts that has no right to read everything, twice

# Root may read all, unless the process gives that up.
RIGHTS: Final = "--bounding-set=-dac_override,-dac_read_search"
PROGRAM: Final = (
    *(("setpriv", RIGHTS) if os.geteuid() == 0 else ()),
    *(sys.executable, "-m", "ingestd"),
)


@pytest.mark.parametrize("follow", [True, False])
def test_what_may_not_be_read_is_told_and_the_rest_is_read(
    daemon: DaemonProcess, *, follow: bool
) -> None:
    """A file, a folder, and a folder that is called as files are; until somebody mends them."""
    folder = daemon.folder / "data"
    for name in ("open", "closed", "a.csv"):
        (folder / name).mkdir(parents=True)
    for number, name in enumerate(["open/a.csv", "open/b.csv", "closed/c.csv", "open/d.csv"]):
        (folder / name).write_text("time,kwh\n" + lines(number, start=number))
    shut = [folder / "open" / "b.csv", folder / "closed"]
    for each in shut:
        each.chmod(0)
    params: dict[str, Any] = {"path": f"{folder}/**/*.csv", "follow": follow, "settle": "0s"}
    params |= {"time": "time", "values": {"kwh": "kwh"}}
    daemon.configure(collectors={"logs": {"plugin": "files", "every": "365d", "params": params}})
    ingestd = CommandLine(daemon.config_path, PROGRAM)

    first = ingestd("once", "logs")
    for each in shut:
        each.chmod(0o700)
    second = ingestd("once", "logs")

    said = first.out + first.err
    assert all(f"{each}: Permission denied" in said for each in shut)
    assert "2 readings" in said
    assert "Permission denied" not in second.out + second.err
    assert "2 readings" in second.out + second.err
