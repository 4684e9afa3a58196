"""A DCS server on a real port: both generations of its API, the rules they enforce, their faults.

In a test's own loop, in a thread beside real daemon processes, or as a process::

    async with FakeDcs(campus()) as dcs:              # dcs.current_url, dcs.legacy_url
        dcs.now = datetime(2024, 3, 1, 12, tzinfo=UTC)
        dcs.rules.private_range_days = 31             # a limit
        dcs.fail(503, times=2, match="readings")      # a fault
        ...
        assert read == dcs.readings("R733", start, end)   # what a client should have read
        assert not dcs.overlaps                       # one transaction at a time
        assert not dcs.signed_in                      # all have signed out

    with serving(FakeDcs(campus())) as dcs: ...

    python -m tests.support.dcs --registers 3000 --latency 0.05
"""

from tests.support.dcs.campus import Calibration, Campus, Gap, Meter, Register, VirtualMeter
from tests.support.dcs.campus import campus as campus
from tests.support.dcs.campus import many as many
from tests.support.dcs.faults import Fault
from tests.support.dcs.periods import LONDON, Period
from tests.support.dcs.rules import Rules
from tests.support.dcs.server import FakeDcs, serving
from tests.support.dcs.values import Reading, Status

__all__ = [
    "LONDON",
    "Calibration",
    "Campus",
    "FakeDcs",
    "Fault",
    "Gap",
    "Meter",
    "Period",
    "Reading",
    "Register",
    "Rules",
    "Status",
    "VirtualMeter",
    "campus",
    "many",
    "serving",
]
