"""A meter that knows its past: half hours of which a live run does not give all."""

from typing import Final

FIRST: Final = 1_704_067_200  # 2024-01-01T00:00Z
HALF_HOUR: Final = 1800
DAY: Final = 86_400

# A live run gives a count of half hours but for the lost ones; a backfill gives all of its
# window but for those that never were. So a test can tell what the store must hold. While
# there is a file ``hold``, windows wait that do not begin before the time in it; while there
# is a file ``fail``, they fail.
HALF_HOURS: Final = f"""
import time
from pathlib import Path

def run(
    *, folder, count=96, series=("a", "b"), lost=(), never=(), trouble="", start=None, end=None, **_
):
    if start is None:
        numbers = [n for n in range(count) if n not in lost]
    else:
        first, last = (-(-(t.timestamp() - {FIRST}) // {HALF_HOUR}) for t in (start, end))
        numbers = [n for n in range(int(first), int(last)) if n not in never]
        look_out(Path(folder), start)
    return {{
        "readings": [({FIRST} + n * {HALF_HOUR}, name, n) for name in series for n in numbers],
        "last": count,
        **({{"script_error": trouble}} if trouble else {{}}),
    }}

def look_out(folder, start):
    hold = folder / "hold"
    while hold.exists() and start.timestamp() >= float(hold.read_text()):
        time.sleep(0.01)
    if (folder / "fail").exists():
        raise OSError("the meter does not answer")
"""
