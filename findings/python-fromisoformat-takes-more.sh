#!/usr/bin/env bash
# Python 3.11: datetime.fromisoformat reads a decimal minute or hour as a fraction of a second.
#
# ISO 8601 lets the last part of a time have decimals: 12:30.5 is half a minute past 12:30, and
# some loggers write so. fromisoformat takes it, and makes half a second of it. It also takes a
# digit too many: one in the place of the T, as the documentation allows for any letter there, and
# one behind the seconds, which it drops. All are told apart by isodate 0.7.2, which reads the
# standard.
#
# Output seen on 2026-11-28 with Python 3.11:
#   2026-07-01T12:30.5Z: Python 12:30:00.500000, isodate 12:30:30
#   2026-07-01T12.5Z: Python 12:00:00.500000, isodate 12:30:00
#   2026-07-01112:30Z: Python 12:30:00, isodate refuses
#   2026-07-01T12:30:151Z: Python 12:30:15, isodate refuses
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check 'isodate==0.7.2'

found=$("$there/venv/bin/python" - <<'PYTHON'
from datetime import datetime

import isodate


def read(parse, text):
    try:
        return parse(text).time()
    except ValueError:
        return "refuses"


for text in ("2026-07-01T12:30.5Z", "2026-07-01T12.5Z", "2026-07-01112:30Z", "2026-07-01T12:30:151Z"):
    ours, theirs = read(datetime.fromisoformat, text), read(isodate.parse_datetime, text)
    print(f"{text}: Python {ours}, isodate {theirs}")
PYTHON
)
printf '%s\n' "$found"
[ "$found" = '2026-07-01T12:30.5Z: Python 12:30:00.500000, isodate 12:30:30
2026-07-01T12.5Z: Python 12:00:00.500000, isodate 12:30:00
2026-07-01112:30Z: Python 12:30:00, isodate refuses
2026-07-01T12:30:151Z: Python 12:30:15, isodate refuses' ]
