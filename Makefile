# Every command of this repository. `make` alone lists them.
#
# A machine needs Python 3.11 or later (with its venv module) and make. Everything else is
# installed inside this folder: Python packages into .venv, Azurite into harness/node/node_modules.

PYTHON ?= python3
ARGS ?=

VENV_PYTHON := .venv/bin/python
PIP := $(VENV_PYTHON) -m pip install --quiet --disable-pip-version-check
NPM_CI := npm ci --prefix harness/node --ignore-scripts --omit=optional --loglevel=error
NODE_OLDEST := 22

# Stamps: what they stand for is redone only when one of their prerequisites changes.
VENV := .venv/.made
PACKAGES := .venv/.packages
AZURITE := harness/node/node_modules/.made
COMPARED := .bench/.made
POLICIES := .checkov/.made
READERS := .readers/.made

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test readers check format lint types imports policies snapshots release bench bench-cost bench-parts bench-loss bench-overload clean

help: ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/make \1|\2/p' Makefile | awk -F'|' '{printf "  %-16s %s\n", $$1, $$2}'

setup: $(PACKAGES) $(AZURITE) ## install what the other commands need, inside this folder

demo: setup ## run the function against a simulated API and a real storage emulator
	@$(VENV_PYTHON) -m harness.demo $(ARGS)

test: setup ## run every test; ARGS="-k name" passes options to pytest
	@$(VENV_PYTHON) -m pytest --numprocesses auto --dist worksteal $(ARGS)

readers: setup $(READERS) ## read parts with every reader of docs/reading.md; needs Java and jq
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

policies: $(PACKAGES) $(POLICIES) ## scan infra/ for what policies usually forbid; needs the Bicep compiler
	@if command -v bicep >/dev/null 2>&1 || [ -n "$$CI" ]; then \
	    $(VENV_PYTHON) -m harness.infra --policies .checkov/bin/checkov; \
	else \
	    echo "left out the policies of infra/: there is no 'bicep' on PATH (az bicep install)"; \
	fi

snapshots: $(PACKAGES) ## predict the deployment of every combination again, into infra/snapshots
	@$(VENV_PYTHON) -m harness.infra --write

release: $(PACKAGES) ## build template, package and bill of materials of a release, into .release
	@rm -rf .release
	@$(VENV_PYTHON) -m harness.release .release

bench: setup $(COMPARED) ## measure speed and size, into docs/performance.md; ARGS=--quick tries it
	@$(VENV_PYTHON) -m bench.speed $(if $(ARGS),$(ARGS),--write)

bench-cost: setup ## count what a month costs, into docs/deployment.md
	@$(VENV_PYTHON) -m bench.cost --write

bench-parts: $(PACKAGES) ## count the parts that a scan writes, into docs/reading.md
	@$(VENV_PYTHON) -m bench.parts --write

bench-loss: $(PACKAGES) ## count what collectors lose and store twice, into docs/loss.md
	@$(VENV_PYTHON) -m bench.loss --write $(ARGS)

bench-overload: $(PACKAGES) ## count what an overloaded scan covers, into docs/adr/0015-lanes-by-the-counter.md
	@$(VENV_PYTHON) -m bench.overload --write
	@$(VENV_PYTHON) -m tests.overloaded

clean: ## remove everything that these commands made
	rm -rf .bench .checkov .readers .release .venv harness/node/node_modules
	rm -rf .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV):
	@command -v $(PYTHON) >/dev/null 2>&1 || { \
	    echo "make: there is no '$(PYTHON)'. Install Python 3.11 or later, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "make: '$(PYTHON)' is $$($(PYTHON) --version 2>&1); 3.11 or later is needed. Name another: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "make: '$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@rm -rf .venv
	@$(PYTHON) -m venv .venv
	@touch $@

# The worker's library asks for Python 3.13, where Azure runs the function. It works on 3.11 and
# 3.12 too, as a test aid only; its requirements are in the file, so none are resolved here.
$(PACKAGES): $(VENV) requirements.in requirements-cli.txt requirements-dev.txt
	@echo "Installing the Python packages into .venv"
	@$(PIP) -r requirements-dev.txt
	@$(PIP) --no-deps --ignore-requires-python \
	    "$$(sed -n 's/^\(azure-functions-runtime==[0-9.]*\).*/\1/p' requirements-dev.txt)"
	@touch $@

# What speed is compared with has an environment of its own: its requirements are not ours.
$(COMPARED): $(VENV) bench/requirements.txt
	@echo "Installing what is compared with into .bench"
	@rm -rf .bench
	@$(PYTHON) -m venv .bench
	@.bench/bin/python -m pip install --quiet --disable-pip-version-check -r bench/requirements.txt
	@touch $@

# So have the readers.
$(READERS): $(VENV) tests/readers/requirements.txt
	@echo "Installing the readers into .readers"
	@rm -rf .readers
	@$(PYTHON) -m venv .readers
	@.readers/bin/python -m pip install --quiet --disable-pip-version-check -r tests/readers/requirements.txt
	@touch $@

# So does the scanner.
$(POLICIES): $(VENV) infra/requirements-checkov.txt
	@echo "Installing the scanner of infra/ into .checkov"
	@rm -rf .checkov
	@$(PYTHON) -m venv .checkov
	@.checkov/bin/python -m pip install --quiet --disable-pip-version-check -r infra/requirements-checkov.txt
	@touch $@

# Node from the machine when it is new enough and has npm, else from the Python packages. It trusts
# what the machine trusts, as pip does: some networks have a certificate authority of their own.
$(AZURITE): $(VENV) harness/node/package.json harness/node/package-lock.json harness/node/requirements.txt
	@major=$$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0); \
	if [ "$$major" -lt $(NODE_OLDEST) ] || ! command -v npm >/dev/null 2>&1; then \
	    echo "Installing Node into .venv (the machine has none of version $(NODE_OLDEST) or later)"; \
	    $(PIP) -r harness/node/requirements.txt; \
	fi
	@echo "Installing Azurite into harness/node/node_modules"
	@PATH="$(CURDIR)/.venv/bin:$$PATH" NODE_USE_SYSTEM_CA=1 $(NPM_CI)
	@touch $@
