#!/usr/bin/env bash
# InfluxDB 1.6.7 takes a measurement with a backslash before an escaped comma, and finds it no more.
#
# Versions: Debian 12's influxdb 1.6.7~rc0-1+b13, with curl.
#
# In line protocol a backslash stands for itself unless it is before a comma, a blank, an equals
# sign or a quote, so `m\\,x v=1 1` is a point of the measurement `m\,x`. It is answered 204. The
# list of measurements then has `m,x`: the name was unescaped twice, once for the series and once
# more for the index, which do not meet again. No query gives the point: not by either name, and
# not that for all measurements. A comma that is escaped alone, as in `n\,x`, does no harm.
#
# Output seen:
#   m\\,x v=1 1: 204, listed as m,x; found by m\,x: 0, by m,x: 0, by all: 0
#   n\,x v=1 1: 204, listed as n,x; found by n\,x: 0, by n,x: 1, by all: 1
#
# Exits with 1 when every measurement that was taken is found.
set -euo pipefail

package=influxdb version=1.6.7~rc0-1+b13
work=$(mktemp -d)
server=
finish() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
cd "$work"
if ! apt-get download -q "$package=$version" >apt.log 2>&1; then cat apt.log >&2; exit 2; fi
dpkg-deb -x ./"$package"_*.deb root

port=$((32600 - RANDOM % 500))
cat >influxdb.conf <<CONF
reporting-disabled = true
bind-address = "127.0.0.1:$((port + 1))"
[meta]
  dir = "$work/meta"
[data]
  dir = "$work/data"
  wal-dir = "$work/wal"
[http]
  bind-address = "127.0.0.1:$port"
CONF
root/usr/bin/influxd -config influxdb.conf >server.log 2>&1 &
server=$!
url="http://127.0.0.1:$port"
for _ in $(seq 500); do
    if curl -s -o /dev/null "$url/ping"; then break; fi
    sleep 0.02
done

cat >try.py <<'PYTHON'
import json, sys, urllib.parse, urllib.request

url = sys.argv[1]

def ask(path, body=None, **query):
    address = f"{url}{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(urllib.request.Request(address, body, method="POST")) as reply:
        return reply.status, reply.read()

def rows(database, query):
    series = json.loads(ask("/query", db=database, q=query)[1])["results"][0].get("series", [])
    return [row for each in series for row in each["values"]]

def named(name):
    return '"' + name.replace("\\", "\\\\") + '"'

lost = 0
for letter, escape in (("m", "\\\\,"), ("n", "\\,")):
    ask("/query", q=f"CREATE DATABASE {letter}")
    line = f"{letter}{escape}x v=1 1"
    status, _ = ask("/write", line.encode(), db=letter)
    ((listed,),) = rows(letter, "SHOW MEASUREMENTS")
    counts = [len(rows(letter, f"SELECT * FROM {named(letter + each)}")) for each in ("\\,x", ",x")]
    every = len(rows(letter, "SELECT * FROM /.*/"))
    print(f"{line}: {status}, listed as {listed}; found by {letter}\\,x: {counts[0]}, "
          f"by {letter},x: {counts[1]}, by all: {every}")
    lost += status == 204 and not any((*counts, every))
sys.exit(0 if lost else 1)
PYTHON
python3 try.py "$url"
