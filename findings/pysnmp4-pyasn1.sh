#!/usr/bin/env bash
# pysnmp 4.4.12: installs the newest pyasn1, with which it cannot be imported.
#
# Its metadata ask for pyasn1 0.2.3 or later, without an upper bound. pyasn1 0.6 has no module
# pyasn1.compat.octets any more, which pysnmp 4 imports. So `pip install 'pysnmp<5'`, what scripts
# written for its oneliner API need, ends well, and the first import fails. With
# 'pyasn1<0.5' it works on Python 3.11, as a request to a closed port shows.
#
# Output seen on 2026-11-27 with Python 3.11 (pyasn1 0.6.5, then 0.4.8):
#   as pip resolves it: ModuleNotFoundError: No module named 'pyasn1.compat.octets'
#   with pyasn1 below 0.5: No SNMP response received before timeout
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT

cat >"$there/ask.py" <<'PYTHON'
try:
    from pysnmp.entity.rfc3413.oneliner import cmdgen
except ImportError as error:
    print(f"{type(error).__name__}: {error}")
else:
    target = cmdgen.UdpTransportTarget(("127.0.0.1", 9), timeout=0.2, retries=0)
    community = cmdgen.CommunityData("public")
    problem, *_ = cmdgen.CommandGenerator().getCmd(community, target, "1.3.6.1.2.1.1.1.0")
    print(problem)
PYTHON

try() {
    python3.11 -m venv "$there/$1"
    "$there/$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
    "$there/$1/bin/python" "$there/ask.py"
}

resolved=$(try newest 'pysnmp==4.4.12' 'pyasn1==0.6.5')
bounded=$(try bounded 'pysnmp==4.4.12' 'pyasn1==0.4.8')
echo "as pip resolves it: $resolved"
echo "with pyasn1 below 0.5: $bounded"
[ "$resolved" = "ModuleNotFoundError: No module named 'pyasn1.compat.octets'" ]
[ "$bounded" = "No SNMP response received before timeout" ]
