#!/usr/bin/env bash
# protobuf 7.36.2: json_format takes a list or a text for a message, and makes an empty one of it.
#
# Documents of JSON are made messages of by looking at the names in an object. A list or a text can be looked
# at in the same way, as if its items were names, and nothing checks what it is. Where unknown names are
# ignored, as OTLP wants its receivers to do, any list of texts and any text is an empty message: what
# somebody meant to send is lost, and no error is told. Numbers and null are refused.
#
# Output seen on 2026-11-28 with Python 3.11:
#   ["x", "y"] with ignore_unknown_fields: no error, fields set: []
#   "x" with ignore_unknown_fields: no error, fields set: []
#   [] without: no error, fields set: []
#   7 with ignore_unknown_fields: ParseError
#
# Exits with 1 when lists and texts are refused.
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check 'protobuf==7.36.2'

cat >"$there/parse.py" <<'PYTHON'
from google.protobuf import json_format
from google.protobuf.type_pb2 import Field


def told(text, **options):
    """Say what becomes of a text."""
    try:
        made = json_format.Parse(text, Field(), **options)
    except json_format.ParseError:
        return "ParseError"
    return f"no error, fields set: {[each.name for each, _ in made.ListFields()]}"


ignoring = {"ignore_unknown_fields": True}
found = {
    '["x", "y"] with ignore_unknown_fields': told('["x", "y"]', **ignoring),
    '"x" with ignore_unknown_fields': told('"x"', **ignoring),
    "[] without": told("[]"),
    "7 with ignore_unknown_fields": told("7", **ignoring),
}
for what, came in found.items():
    print(f"{what}: {came}")
assert list(found.values()) == ["no error, fields set: []"] * 3 + ["ParseError"]
PYTHON
"$there/venv/bin/python" "$there/parse.py"
