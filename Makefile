# Two commands are enough: `make app` opens the explorer, `make test` proves that it works.
# Everything is installed into .venv on first use and again only when a requirements file changes.

SHELL := /bin/bash
PYTHON ?= $(firstword $(shell command -v python3.11 python3.12 python3.13 python3))
VENV := .venv
RUN := $(VENV)/bin/python
TYPED := $(wildcard app.py pages/*.py rnnviz benchmarks scripts)
# Handed to pytest (or to the app, or to the benchmarks): make test ARGS="-k lstm"
ARGS ?=
PORT ?=

.DEFAULT_GOAL := help
.PHONY: help app setup test test-slow check format bench browser clean

help: ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' Makefile

app: $(VENV)/.app-ready ## open the explorer (PORT=8600 to choose the port)
	@$(RUN) scripts/serve.py $(if $(PORT),--server.port=$(PORT)) $(ARGS)

setup: $(VENV)/.dev-ready ## prepare .venv for app, tests and checks

test: $(VENV)/.dev-ready browser ## run every test but the slow ones, real browser included
	@$(RUN) -m pytest -n 2 --max-worker-restart=0 $(ARGS)

test-slow: $(VENV)/.dev-ready browser ## run the slow tests (long trainings)
	@$(RUN) -m pytest -m slow $(ARGS)

check: $(VENV)/.dev-ready ## lint, formatting, types, import rules
	@$(RUN) -m ruff check .
	@$(RUN) -m ruff format --check .
	@$(RUN) -m mypy $(TYPED)
	@$(RUN) -m pytest -q tests/test_architecture.py

format: $(VENV)/.dev-ready ## let ruff mend what it can
	@$(RUN) -m ruff check --fix .
	@$(RUN) -m ruff format .

bench: $(VENV)/.dev-ready ## print measured speed ratios
	@$(RUN) -m benchmarks $(ARGS)

clean: ## forget .venv and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis test-output

# The real browser that the browser tests drive: installed where that needs no question, otherwise left to the tests to
# report (skipped for a person, failed where CI=true).
browser:
	@test -n "$$RNNVIZ_CHROMIUM" || command -v chromium chromium-browser google-chrome >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "No Chromium found: installing Debian's for the browser tests."; \
	    apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
	      apt-get -qq install -y --no-install-recommends chromium fonts-liberation >/dev/null || \
	      echo "Chromium could not be installed."; \
	  fi; }

$(VENV)/.app-ready: requirements.txt | $(VENV)/bin/pip
	@echo "Preparing $(VENV) for the app: once, a minute or more."
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(RUN) -m rnnviz # compiles the cells' loops, once
	@touch $@

$(VENV)/.dev-ready: requirements.txt requirements-cluster.txt requirements-dev.txt | $(VENV)/bin/pip
	@echo "Preparing $(VENV) for tests and checks: once, a minute or more."
	@$(RUN) -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(RUN) -m rnnviz # compiles the cells' loops, once
	@touch $@ $(VENV)/.app-ready

$(VENV)/bin/pip:
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "rnnviz needs Python 3.11 or newer. Found: $(or $(PYTHON),none). Name one with make PYTHON=/path/to/python3.11"; exit 1; }
	@"$(PYTHON)" -m venv $(VENV) || { echo "Python cannot make a virtual environment. On Debian: apt-get install python3-venv"; exit 1; }
