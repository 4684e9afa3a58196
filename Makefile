# Everything a contributor types. `make` alone says what there is.

VENV := .venv
BIN := $(VENV)/bin
# The same with the newest release of everything, even beyond the bounds of setup.cfg for which
# no reason is given there (.ci/newest.py).
NEWEST := .venv-newest
# The first of these that is Python 3.11 or later makes the virtualenv.
PYTHON ?= python3.13 python3.12 python3.11 python3
# More than there are cores, because most tests wait for a process or a server.
JOBS ?= 6
# Tests start ingestd hundreds of times; where PYTHONDONTWRITEBYTECODE is set, each would compile it.
COMPILE = $(BIN)/python -m compileall -q daemon plugins
# pytest compiles tests itself: here once, and not at the same time in each of its workers.
COMPILE_TESTS = PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -q --collect-only >/dev/null || true
# Where there is room, databases of tests are in memory: what survives a kill does so there as well,
# and a disk takes some milliseconds for each of their commits.
ROOM_KIB := 4000000
TEMPROOT = $(shell free=$$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1); \
    if [ -w /dev/shm ] && [ "$${free:-0}" -gt $(ROOM_KIB) ]; then echo PYTEST_DEBUG_TEMPROOT=/dev/shm; fi)

.PHONY: help run test test-bench test-newest check bench bench-quick clean

help:
	@echo 'make run           collect readings of this machine and store them, until Ctrl-C'
	@echo 'make test          run the tests'
	@echo 'make test-bench    test that the benchmarks work, a minute or two'
	@echo 'make test-newest   run them with the newest release of every dependency'
	@echo 'make check         lint, formatting, types, import layers'
	@echo 'make bench         run the benchmarks and print their table'
	@echo 'make bench-quick   see in two minutes that they work'
	@echo 'make clean         remove virtualenvs, caches and builds (the readings in .state stay)'
	@echo
	@echo 'Needs Python 3.11 or later; another one than is found first: make PYTHON=/path/to/python3 ...'

run: $(VENV)/.installed
	@echo 'Collecting readings of this machine into .state/ until Ctrl-C. To see them:'
	@echo '  $(BIN)/ingestd latest --config conf/demo.yaml'
	@echo '  $(BIN)/ingestd status --config conf/demo.yaml'
	@echo '  http://127.0.0.1:8470/metrics'
	@exec $(BIN)/ingestd run --config conf/demo.yaml

test: $(VENV)/.installed-test
	@$(COMPILE)
	@$(COMPILE_TESTS)
	$(TEMPROOT) $(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup -m "not bench"

test-bench: $(VENV)/.installed-test
	@$(COMPILE)
	$(BIN)/python -m pytest -q -m bench tests/test_bench.py

test-newest: BIN := $(NEWEST)/bin
test-newest:
	@$(MAKE) --no-print-directory VENV=$(NEWEST) $(NEWEST)/bin/pip
	@echo 'Installing the newest release of everything into $(NEWEST)'
	@$(NEWEST)/bin/python .ci/newest.py >$(NEWEST)/requirements.txt
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	    --upgrade --upgrade-strategy eager --requirement $(NEWEST)/requirements.txt
	@$(NEWEST)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@$(COMPILE)
	@$(COMPILE_TESTS)
	$(TEMPROOT) $(NEWEST)/bin/python -m pytest -q -n $(JOBS) --dist loadgroup -m "not bench"

check: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

bench: $(VENV)/.installed-test
	@$(COMPILE)
	$(BIN)/python -m bench

bench-quick: $(VENV)/.installed-test
	@$(COMPILE)
	$(BIN)/python -m bench --quick

clean:
	rm -rf $(VENV) $(NEWEST) .venv-tom build dist daemon/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Installed again whenever a dependency may have changed.
$(VENV)/.installed: setup.cfg pyproject.toml | $(BIN)/pip
	@echo 'Installing ingestd into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.installed-test: setup.cfg pyproject.toml | $(BIN)/pip
	@echo 'Installing ingestd and what its tests need into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(VENV)/.installed

$(BIN)/pip:
	@new_enough='import sys; sys.exit(sys.version_info < (3, 11))'; \
	for python in $(PYTHON); do \
	    if "$$python" -c "$$new_enough" 2>/dev/null; then break; fi; \
	    python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo 'make: ingestd needs Python 3.11 or later: install it (Debian 12, Ubuntu 24.04: apt install python3 python3-venv), or say where it is: make PYTHON=/path/to/python3 ...' >&2; \
	    exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "make: $$python cannot make virtualenvs: install its venv module (Debian, Ubuntu: apt install python3-venv)" >&2; \
	    exit 1; \
	fi; \
	"$$python" -m venv $(VENV)
