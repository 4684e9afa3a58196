#!/usr/bin/env bash
# /internal/force_flush of VictoriaMetrics returns before all accepted rows can be found.
#
# Versions: Debian 12's victoria-metrics 1.79.5+ds1-2+b5, with curl and Python 3.
#
# Documented as the way for tests to make accepted rows searchable, it flushes the rows
# that wait in memory. Once a second a background task does the same. Rows that this task
# has just taken wait no longer, but cannot be found yet; force_flush does not wait for
# the task, and returns. (For the index it does wait: lib/mergeset/table.go, DebugFlush;
# for rows it does not: lib/storage/partition.go, flushRawRows.)
#
# Seen, on two busy cores, each round writing 200,000 rows more:
#   round 13: 0 of 200000 rows found after force_flush, all of them 0.1 s later
#   round 36: 35000 of 200000 rows found after force_flush, all of them 0.8 s later
# and, in 24 such rounds in which no goroutine was at work on rows any more: never.
#
# Exits with 1 when it finds every row in each of 80 rounds.
set -euo pipefail

package=victoria-metrics version=1.79.5+ds1-2+b5
work=$(mktemp -d)
server=
hogs=()
finish() {
    for pid in $server "${hogs[@]}"; do kill "$pid" 2>/dev/null || true; done
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap finish EXIT
cd "$work"
if ! apt-get download -q "$package=$version" >apt.log 2>&1; then cat apt.log >&2; exit 2; fi
dpkg-deb -x ./"$package"_*.deb root

for _ in 1 2 3 4; do
    (exec timeout 240 bash -c 'while :; do :; done') &
    hogs+=($!)
done
port=$((32000 - RANDOM % 500))
root/usr/bin/victoria-metrics -storageDataPath="$work/data" -retentionPeriod=100y \
    -httpListenAddr="127.0.0.1:$port" >server.log 2>&1 &
server=$!

cat >rounds.py <<'PYTHON'
import json, random, sys, time, urllib.parse, urllib.request

url, rows, rounds = sys.argv[1], 200_000, 80
random.seed(1)

def ask(path, data=None):
    with urllib.request.urlopen(url + path, data=data, timeout=60) as reply:
        return reply.read()

def found():
    query = urllib.parse.urlencode({"query": 'sum(count_over_time({__name__!=""}[20y]))'})
    result = json.loads(ask(f"/api/v1/query?{query}"))["data"]["result"]
    return int(result[0]["value"][1]) if result else 0

for attempt in range(500):
    try:
        ask("/ping")
        break
    except OSError:
        time.sleep(0.02)
for number in range(1, rounds + 1):
    first = 1_600_000_000 + number * rows // 1000 * 60
    for step in range(0, rows // 1000, 5):
        lines = (f"m,s={s} v={s} {first + at * 60}" for at in range(step, step + 5) for s in range(1000))
        ask("/write?precision=s", "\n".join(lines).encode())
    time.sleep(random.random())
    ask("/internal/force_flush")
    short = number * rows - found()
    began = time.monotonic()
    while short and found() < number * rows:
        time.sleep(0.02)
    if short:
        seconds = time.monotonic() - began
        print(f"round {number}: {rows - short} of {rows} rows found after force_flush, "
              f"all of them {seconds:.1f} s later")
        sys.exit(0)
print(f"force_flush was followed by all rows in each of {rounds} rounds", file=sys.stderr)
sys.exit(1)
PYTHON
python3 rounds.py "http://127.0.0.1:$port"
