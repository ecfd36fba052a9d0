# Every command of this repository. `make` alone lists them.
#
# All you need is Python 3.11 or later (with its venv module) and make. Everything else is installed
# inside this folder: Python packages into .venv, Azurite into harness/node/node_modules.

PYTHON ?= python3
ARGS ?=

VENV_PYTHON := .venv/bin/python
PIP := $(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check
NPM_CI := npm ci --prefix harness/node --ignore-scripts --omit=optional --loglevel=error
NODE_OLDEST := 22
TESTS := $(VENV_PYTHON) -m pytest --numprocesses auto --dist worksteal
QUICK_TESTS := tests/unit tests/simulator tests/test_house.py

# Keep compiled modules, even if the environment says otherwise: without them, every process of a
# test run compiles everything again.
export PYTHONDONTWRITEBYTECODE :=

# Stamps: each installation is repeated only when one of its prerequisites changes.
VENV := .venv/.made
PACKAGES := .venv/.packages
AZURITE := harness/node/node_modules/.made
COMPARED := .bench/.made
POLICIES := .checkov/.made
READERS := .readers/.made

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test proofs quick quick-list coverage readers check format lint types imports policies snapshots picture release bench bench-cost bench-fleet bench-parts bench-loss bench-overload bench-quiet bench-table bench-verify bench-workers clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/make \1|\2/p' Makefile | awk -F'|' '{printf "  %-16s %s\n", $$1, $$2}'

setup: $(PACKAGES) $(AZURITE) ## install what the other commands need, inside this folder

demo: setup ## run the function against a simulated API and a real storage emulator
	@$(VENV_PYTHON) -m harness.demo $(ARGS)

test: setup ## run every test, in random order; ARGS="-k name" passes options to pytest
	@$(TESTS) $(ARGS)

proofs: $(PACKAGES) ## try every case of the proofs of which the tests try a sample; takes minutes
	@PROOFS=all $(TESTS) tests/crash $(ARGS)

quick: $(PACKAGES) ## run the tests of product and simulator that take no time
	@$(TESTS) -m quick $(QUICK_TESTS) $(ARGS)

quick-list: $(PACKAGES) ## measure again which tests are quick, into tests/slow.txt
	@$(TESTS) --write-slow $(QUICK_TESTS)

coverage: setup ## run every test, and check which branches of shared/ they take
	@rm -rf .coverage && mkdir .coverage
	@$(VENV_PYTHON) -m coverage run -m pytest --numprocesses auto --dist worksteal $(ARGS)
	@$(VENV_PYTHON) -m coverage combine --quiet
	@$(VENV_PYTHON) -m coverage report --include='shared/core/*' --fail-under=100
	@$(VENV_PYTHON) -m coverage report --fail-under=95

readers: setup $(READERS) ## read parts and table with every reader in docs; needs Java and jq
	@missing=; for it in java jq; do command -v $$it >/dev/null 2>&1 || missing="$$missing $$it"; done; \
	if [ -z "$$missing" ]; then \
	    $(VENV_PYTHON) -m pytest -m readers tests/readers; \
	elif [ -n "$$CI" ]; then \
	    echo "make: the readers need$$missing" >&2; exit 1; \
	else \
	    echo "left out the readers: there is no$$missing on PATH"; \
	fi

check: lint types imports policies readers test ## everything that must pass before a change is merged

format: $(PACKAGES) ## rewrite the sources in the one format
	@$(VENV_PYTHON) -m ruff format .
	@$(VENV_PYTHON) -m ruff check --fix-only .

lint: $(PACKAGES) ## check format and lint
	@$(VENV_PYTHON) -m ruff format --check .
	@$(VENV_PYTHON) -m ruff check .

types: $(PACKAGES) ## check types
	@$(VENV_PYTHON) -m mypy

imports: $(PACKAGES) ## check which module imports which
	@.venv/bin/lint-imports

policies: $(PACKAGES) $(POLICIES) ## scan infra/ for common policy violations; needs the Bicep compiler
	@if command -v bicep >/dev/null 2>&1 || [ -n "$$CI" ]; then \
	    $(VENV_PYTHON) -m harness.infra --policies .checkov/bin/checkov; \
	else \
	    echo "left out the policies of infra/: there is no 'bicep' on PATH (az bicep install)"; \
	fi

snapshots: $(PACKAGES) ## predict the deployment of every combination again, into infra/snapshots
	@$(VENV_PYTHON) -m harness.infra --write

picture: $(PACKAGES) ## take the picture of the status page in README.md again; needs Chromium
	@$(VENV_PYTHON) -m tests.browser.picture

release: $(PACKAGES) ## build the template, package and bill of materials of a release in .release
	@rm -rf .release
	@$(VENV_PYTHON) -m harness.release .release

bench: setup $(COMPARED) ## measure speed and memory for docs/performance.md; ARGS=--quick for a trial
	@$(VENV_PYTHON) -m bench.speed $(if $(ARGS),$(ARGS),--write)

bench-cost: setup ## count what a month costs, for docs/deployment.md
	@$(VENV_PYTHON) -m bench.cost --write

bench-fleet: $(PACKAGES) ## simulate a month of 1,000 tenants, for docs/providers.md
	@$(VENV_PYTHON) -m bench.fleet --write

bench-parts: $(PACKAGES) ## count the parts that a scan writes, for docs/reading.md
	@$(VENV_PYTHON) -m bench.parts --write

bench-loss: $(PACKAGES) ## count what collectors lose and store twice, for docs/loss.md
	@$(VENV_PYTHON) -m bench.loss --write $(ARGS)

bench-overload: $(PACKAGES) ## simulate overloaded scans, for docs/adr/0015-lanes-by-the-counter.md
	@$(VENV_PYTHON) -m bench.overload --write
	@$(VENV_PYTHON) -m tests.overloaded

bench-quiet: $(PACKAGES) ## count false alarms of quiet hours, for docs/monitoring.md
	@$(VENV_PYTHON) -m bench.quiet --write

bench-verify: setup ## measure verify and ledger rebuild over slow storage, for docs/verify.md
	@$(VENV_PYTHON) -m bench.checking --write

bench-table: $(PACKAGES) ## measure the table beside the parts, for docs/table.md
	@$(VENV_PYTHON) -m bench.delta --write

bench-workers: setup ## measure what several workers do together, for docs/performance.md
	@$(VENV_PYTHON) -m bench.workers --write

clean: ## remove everything that these commands created
	rm -rf .bench .checkov .readers .release .venv harness/node/node_modules
	rm -rf .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV):
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	    echo "make: there is no '$(PYTHON)'. Install Python 3.11 or later, or choose one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: '$(PYTHON)' is $$($(PYTHON) --version 2>&1); 3.11 or later is needed. Choose another: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "make: '$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@touch $@

# The worker's library requires Python 3.13, with which Azure runs the function. For the tests it also
# works on 3.11 and 3.12. Its requirements are in the file, so none are resolved here.
$(PACKAGES): $(VENV) requirements.in requirements-cli.txt requirements-table.txt requirements-dev.txt
	@echo "Installing the Python packages into .venv"
	@$(PIP) -r requirements-dev.txt
	@$(PIP) --no-deps --ignore-requires-python \
	    "$$(sed -n 's/^\(azure-functions-runtime==[0-9.]*\).*/\1/p' requirements-dev.txt)"
	@touch $@

# The peers of the speed comparison have their own environment, since their requirements differ from ours.
$(COMPARED): $(VENV) bench/requirements.txt
	@echo "Installing what is compared with into .bench"
	@rm -rf .bench
	@$(PYTHON) -m venv .bench
	@.bench/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@

# The readers have their own environment, too.
$(READERS): $(VENV) tests/readers/requirements.txt
	@echo "Installing the readers into .readers"
	@rm -rf .readers
	@$(PYTHON) -m venv .readers
	@.readers/bin/python -m pip install --quiet --disable-pip-version-check -r tests/readers/requirements.txt
	@touch $@

# So does the scanner of infra/.
$(POLICIES): $(VENV) infra/requirements-checkov.txt
	@echo "Installing the scanner of infra/ into .checkov"
	@rm -rf .checkov
	@$(PYTHON) -m venv .checkov
	@.checkov/bin/python -m pip install --quiet --disable-pip-version-check -r infra/requirements-checkov.txt
	@touch $@

# Uses the machine's Node if it is new enough and has npm, otherwise Node from a Python package. npm
# trusts the same certificate authorities as the machine: some networks have their own.
$(AZURITE): $(VENV) harness/node/package.json harness/node/package-lock.json harness/node/requirements.txt
	@major=$$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0); \
	if [ "$$major" -lt $(NODE_OLDEST) ] || ! command -v npm >/dev/null 2>&1; then \
	    echo "Installing Node into .venv (the machine has none of version $(NODE_OLDEST) or later)"; \
	    $(PIP) -r harness/node/requirements.txt; \
	fi
	@echo "Installing Azurite into harness/node/node_modules"
	@PATH="$(CURDIR)/.venv/bin:$$PATH" NODE_USE_SYSTEM_CA=1 $(NPM_CI)
	@touch $@
