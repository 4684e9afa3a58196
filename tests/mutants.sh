#!/usr/bin/env bash
# Which changes of a line do the tests of a package miss? Not part of CI: it takes minutes to an hour.
#
#   tests/mutants.sh PACKAGE [MUTANTS]      e.g. tests/mutants.sh delivery 'ingestd.delivery.outage*'
#
# What only the slow tests notice counts as missed, unless MARKED is given ("slow or not slow": all of them).
# mutmut wants the source in src/ and follows no links, so it works on a copy in a temporary folder,
# whose virtualenv is kept beside it for the next time (MUTANTS_DIR says where).
set -euo pipefail
package=${1:?usage: tests/mutants.sh PACKAGE [MUTANTS]}
which=${2:-"ingestd.$package.*"}
others=
# What a run asks for through `ctx` is tested where that is.
[ "$package" != collecting ] || others=$'\n    tests/context'
checkout=$(cd "$(dirname "$0")/.." && pwd)
folder=${MUTANTS_DIR:-$(mktemp -d -t ingestd-mutants-XXXXXX)}
mkdir -p "$folder"

if [ ! -x "$folder/venv/bin/mutmut" ]; then
    "${PYTHON:-python3}" -m venv "$folder/venv"
    "$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        "$checkout[test]" 'mutmut==3.8.1'
    "$folder/venv/bin/python" -m pip uninstall --quiet --yes ingestd
fi

rm -rf "$folder/tree"
git -C "$checkout" archive --prefix=tree/ HEAD | tar -x -C "$folder"
cd "$folder/tree"
mv daemon src
rm src/ingestd/plugins
cp -r plugins src/ingestd/plugins
sed -i 's/^where = daemon/where = src/; s/^files = daemon, tests, bench/files = src/; s/^mypy_path = daemon/mypy_path = src/
        s/^    = daemon$/    = src/; s/^pythonpath = \.$/pythonpath = . src/' setup.cfg
# Beside a fault mypy may say that it cannot determine a type somewhere else, where mutmut finds no mutant to blame.
cat >>setup.cfg <<CONFIG

[mutmut]
source_paths =
    src
only_mutate =
    src/ingestd/$package/*
pytest_add_cli_args_test_selection =
    tests/$package$others
pytest_add_cli_args =
    -p
    no:randomly
    -p
    no:xdist
    -m
    ${MARKED:-not slow}
type_check_command =
    sh
    -c
    "\$0" -m "\$@" | grep -v '"code": "has-type"'
    $folder/venv/bin/python
    mypy
    --output=json
    --no-warn-unused-ignores
    src/ingestd/$package
also_copy =
    bench
    conf
    docs
    plugins
    systemd
    tests
    pyproject.toml
CONFIG
# Processes that tests start find the same mutant here. Python never looks again for a folder that was missing.
mkdir -p mutants/src
export PYTHONPATH=$folder/tree/mutants/src
export PYTHONDONTWRITEBYTECODE=1
"$folder/venv/bin/mutmut" run --max-children "${JOBS:-2}" "$which"
"$folder/venv/bin/mutmut" results --all true | sed 's/.*: //' | sort | uniq -c
echo "To read a survivor: cd $folder/tree; ../venv/bin/mutmut results; ../venv/bin/mutmut show NAME"
