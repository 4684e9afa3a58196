#!/usr/bin/env bash
# mqtt-spb-wrapper 2.1.2: a metric of Sparkplug B has one name in the birth, and another in the data.
#
# The birth of a device calls what was given as `data` DATA/t, its data call it t, and neither has an
# alias. Sparkplug B has data say a metric by the name, or the alias, that the birth gave to it: a host
# that looks for `t` in the birth finds nothing, and asks for another birth, which is the same.
#
# Output seen on 2026-11-28 with Python 3.11:
#   birth: DATA/t
#   data: t
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check \
    'mqtt-spb-wrapper==2.1.2' 'paho-mqtt==1.6.1' 'protobuf==3.20.3'

cat >"$there/names.py" <<'PYTHON'
from mqtt_spb_wrapper import MqttSpbEntityDevice
from mqtt_spb_wrapper.spb_protobuf.sparkplug_b import Payload


def names(data):
    payload = Payload()
    payload.ParseFromString(bytes(data))
    return ", ".join(m.name for m in payload.metrics if m.name not in {"bdSeq"})


device = MqttSpbEntityDevice("group", "node", "device")
device.data.set_value("t", 21.5)
print("birth:", names(device.serialize_payload_birth()))
print("data:", names(device.serialize_payload_data(send_all=True)))
PYTHON
found=$("$there/venv/bin/python" "$there/names.py")
echo "$found"
[ "$found" = $'birth: DATA/t\ndata: t' ]
