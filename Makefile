# Each target sets up what it needs: Python 3.11 or newer, with pip, is enough to start from. `make` lists them.

# $(call find-python,3.12) is the first Python of that version that runs: a pyenv shim may be on the PATH and refuse.
candidates = python$(1) $(wildcard $(HOME)/.pyenv/versions/$(1).*/bin/python)
if-it-runs = $(shell $(1) -c '' 2>/dev/null && echo $(1))
find-python = $(firstword $(foreach python,$(call candidates,$(1)),$(call if-it-runs,$(python))))

PYTHON ?= $(or $(call find-python,3.11),python3)
VENV ?= .venv

# Passed on to pytest, the demo or the benchmarks: make test ARGS="-k lease"
ARGS ?=
# The further Pythons to test on, where they are installed. Only the first one: make test ALSO=
ALSO ?= 3.12 3.13

.DEFAULT_GOAL := help
.NOTPARALLEL: # two installations at once would break the environment
.PHONY: fuse help demo test torture ci bench lint format clean faults schedules-at-length stores-at-length

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: $(VENV)/.has-demo ## run the example site
	$(VENV)/bin/python -m examples.site $(ARGS)

test: $(VENV)/.has-test fuse ## run the tests, on each Python of 3.11, 3.12 and 3.13 that is installed
	@$(foreach version,$(ALSO),$(call set-up-also,$(version),$(call find-python,$(version)))) wait; \
	venvs="$(VENV)"; absent=""; \
	for version in $(ALSO); do \
	    if test -e .venv-$$version/.has-test; then venvs="$$venvs .venv-$$version"; else absent="$$absent $$version"; fi; \
	done; \
	echo "Testing with$$(for venv in $$venvs; do $$venv/bin/python -c \
	    'import platform; print(end=f" {platform.python_version()}")'; done); absent:$${absent:- none}"; \
	$(VENV)/bin/python tests/shares.py '$(ARGS)' $$(for venv in $$venvs; do echo $$venv/bin/python; done)

# The disk that fails when it is told to is a file system of FUSE's: without it, its tests are skipped, and say so.
fuse:
	@command -v fusermount3 >/dev/null || ! test -w /dev/fuse || ! command -v apt-get >/dev/null || { \
	    echo "Installing fuse3"; install="apt-get install -y -qq fuse3"; \
	    $$install >/dev/null 2>&1 || { apt-get update -qq && $$install; } >/dev/null 2>&1 || \
	    echo "fuse3 cannot be installed: what needs it will be skipped"; }

# $(call set-up-also,3.12,its python): a further Python that is missing, or for which the pinned packages cannot be
# installed, is reported as absent; it is no reason to fail. They are set up side by side.
define set-up-also
{ test -n "$(2)" && $(MAKE) --no-print-directory VENV=.venv-$(1) PYTHON=$(2) .venv-$(1)/.has-test \
    || rm -f .venv-$(1)/.has-test; } &
endef

# The seconds are those after which a run counts as hung: `make test` allows 300 for each test.
torture: $(VENV)/.has-test ## pre-empt a million times: GREENROOM_PREEMPTIONS=1000000
	GREENROOM_PREEMPTIONS=$${GREENROOM_PREEMPTIONS:-1000000} $(VENV)/bin/python -m pytest -s \
	    -o faulthandler_timeout=14400 tests/torture/test_torture.py $(ARGS)

faults: stores-at-length
stores-at-length: $(VENV)/.has-test fuse
	GREENROOM_CORRUPTIONS=2000 GREENROOM_CUTS=200 GREENROOM_EVERY_CALL=1 GREENROOM_PRUNED=10000000 GREENROOM_SOAK=3600 \
	    $(VENV)/bin/python -m pytest -s -o faulthandler_timeout=14400 tests/faults \
	    tests/stores/test_sqlite_disk_errors.py tests/integration/test_serve_trouble.py $(ARGS)

faults: $(VENV)/.has-test ## kill and stop processes at length, as is done before a release
	$(VENV)/bin/python -m tests.faults.nth_kills
	$(VENV)/bin/python -m tests.faults.kills --kills $${GREENROOM_KILLS:-1000}
	$(VENV)/bin/python -m tests.faults.stops --stops $${GREENROOM_STOPS:-1000}
	$(VENV)/bin/python -m tests.faults.poisons --rounds 5
	$(VENV)/bin/python -m tests.faults.siblings --jobs 10000 --quiet-machine
	$(VENV)/bin/python -m tests.faults.deploys --deploys 200
	$(VENV)/bin/python -m tests.faults.deploys --deploys 200 --busy

ci: lint test ## check everything, as is done before a change goes in

bench: $(VENV)/.has-bench ## measure
	$(VENV)/bin/python -m benchmarks $(ARGS)

faults: schedules-at-length
schedules-at-length: $(VENV)/.has-test
	$(VENV)/bin/python -m tests.faults.schedule_kills --days 7 --seconds 120
	$(VENV)/bin/python -m tests.faults.schedule_days --all-zones
	$(VENV)/bin/python -m tests.faults.faketime

lint: $(VENV)/.has-test $(VENV)/.has-lint ## check style, types and floors
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

format: $(VENV)/.has-lint ## put the code into the house's format
	$(VENV)/bin/ruff check --fix-only .
	$(VENV)/bin/ruff format .

clean: ## remove what the other targets made
	rm -rf .venv .venv-3.* build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# An extra is installed once into an environment, and again when what it is made of changes.
$(VENV)/.has-%: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the $* extra into $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$*]"
	@touch $@

# Some systems ship Python without ensurepip: then the pip of $(PYTHON) installs one.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	    { echo "greenroom needs Python 3.11 or newer. Name one: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) 2>/dev/null || { \
	    $(PYTHON) -m venv --clear --without-pip $(VENV) && \
	    $(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; }
