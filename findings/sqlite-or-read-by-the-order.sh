#!/usr/bin/env bash
# SQLite 3.40.1 and 3.50.4: rows that two indexes would find are looked for in the whole table, if they
# are to be sorted by the key.
#
# `id > ? OR time >= ?` is answered by both indexes (MULTI-INDEX OR), until `ORDER BY id` is added:
# then the table is read from its first row to its last in the order of the key, which saves
# sorting the few rows that are found. With a unary plus, `ORDER BY +id`, they are found by the
# indexes and sorted. apsw brings a SQLite of its own, so that the version does not depend on the
# machine.
#
# Output seen on 2026-11-28 with apsw 3.50.4.0:
#   SQLite 3.50.4
#   ORDER BY id: SCAN log
#   ORDER BY +id: MULTI-INDEX OR
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check 'apsw==3.50.4.0'

found=$("$there/venv/bin/python" - <<'PYTHON'
import apsw

print("SQLite", apsw.sqlite_lib_version())
db = apsw.Connection(":memory:")
db.execute("CREATE TABLE log (id INTEGER PRIMARY KEY, time REAL, value REAL)")
db.execute("CREATE INDEX times ON log (time)")
for order in ("id", "+id"):
    asked = f"SELECT * FROM log WHERE id > 999900 OR time >= 1782900000 ORDER BY {order}"
    first, *_ = db.execute(f"EXPLAIN QUERY PLAN {asked}")
    print(f"ORDER BY {order}: {first[3]}")
PYTHON
)
printf '%s\n' "$found"
[ "$found" = 'SQLite 3.50.4
ORDER BY id: SCAN log
ORDER BY +id: MULTI-INDEX OR' ]
