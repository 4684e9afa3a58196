#!/usr/bin/env bash
# InfluxDB 1.6.7 takes two lines for one behind a tag with backslashes before a blank and a quote.
#
# Versions: Debian 12's influxdb 1.6.7~rc0-1+b13, with curl.
#
# In line protocol a backslash stands for itself unless it is before a comma, a blank or an equals
# sign, and quotes mean something in the values of fields alone. So `m,k=a\\ b\\=c"d v=1 1` is a
# point whose tag k is `a\ b\=c"d`; alone it is stored so. The server looks for the ends of lines
# first, though, by other rules: a blank behind two backslashes begins the fields there, an equals
# sign behind two is one, the quote begins a text, and the line feed is part of that. Both lines
# are lost: the answer is 400, and says that neither could be read.
#
# Output seen:
#   alone: 204, 1 points
#   with a line behind it: 400, 0 points
#
# Exits with 1 when both lines are stored.
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
import json, sys, urllib.error, urllib.parse, urllib.request

url = sys.argv[1]

def ask(path, body=None, **query):
    address = f"{url}{path}?{urllib.parse.urlencode(query)}"
    with urllib.request.urlopen(urllib.request.Request(address, body, method="POST")) as reply:
        return reply.status, reply.read()

def rows(database, query):
    series = json.loads(ask("/query", db=database, q=query)[1])["results"][0].get("series", [])
    return [row for each in series for row in each["values"]]

first, second = 'm,k=a\\\\ b\\\\=c"d v=1 1', "n v=2 2"
stored = []
for database, lines in (("alone", [first]), ("both", [first, second])):
    ask("/query", q=f"CREATE DATABASE {database}")
    try:
        status, _ = ask("/write", "\n".join(lines).encode(), db=database)
    except urllib.error.HTTPError as error:
        status = error.code
    stored.append(len(rows(database, "SELECT * FROM /.*/")))
    what = "alone" if len(lines) == 1 else "with a line behind it"
    print(f"{what}: {status}, {stored[-1]} points")
sys.exit(0 if stored == [1, 0] else 1)
PYTHON
python3 try.py "$url"
