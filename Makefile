# The verbs of this repository. Needs make, Node.js 20 with npm, and Python 3.11 with venv; everything else is installed
# into node_modules/ and .venv/ from the package registries, at the versions that the lock files name.

PYTHON ?= python3
APP    ?= examples/hello/main.py
BUN    := scripts/bun
VENV   := .venv/bin

# What the comparison is told: which parts, how often, how long it may take, what to leave out.
export ONLY ROUNDS SECONDS BUDGET PIN STACKS WITHOUT PYTHON

.DEFAULT_GOAL := help
.PHONY: help install start test lint format typecheck docs bench peers scaling inflight soak clean

help: ## List these targets
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: node_modules/.installed .venv/.installed ## Install Bun, the tools and the packages of the examples and tests

start: install ## Serve examples/hello and print its URL (APP=path/to/main.py for another app)
	@exec ./headrace run $(APP) $(ARGS)

test: install ## Run every check and every test; the last line is "N passed, N failed"
	@$(BUN) scripts/test.ts $(ARGS)

lint: install ## Check style: Biome, Ruff
	$(BUN) scripts/test.ts --only biome,ruff,ruff-format

format: install ## Rewrite the sources in the one style
	node_modules/.bin/biome check --write .
	$(VENV)/ruff check --fix .
	$(VENV)/ruff format .

typecheck: install ## Check types: tsc, mypy --strict
	$(BUN) scripts/test.ts --only tsc,mypy

docs: install ## Rewrite the tables in docs/ that are made from the source
	$(BUN) scripts/generate-docs.ts

bench: peers ## Compare with named peers, in turns; writes bench/results/ (ONLY=cold-start,overload ROUNDS=9 BUDGET=60)
	$(BUN) bench/run.ts $(ARGS)

peers: install ## Install the peers of the comparison into bench/.venv (WITHOUT=ray,litserve leaves out the large ones)
	$(BUN) bench/install.ts

scaling: peers ## The parts of the comparison about starts, scale-out, churn and overload
	ONLY=cold-start,scale-out,churn,overload $(BUN) bench/run.ts $(ARGS)

inflight: peers ## The part of the comparison with 50,000 requests in flight
	ONLY=in-flight $(BUN) bench/run.ts $(ARGS)

soak: install ## Ten minutes of load; the verdict is on the memory of each process
	$(BUN) bench/soak.ts $(ARGS)

clean: ## Remove what the other targets made
	rm -rf node_modules .venv bench/.venv bench/.venv-* .headrace .mypy_cache .ruff_cache .pytest_cache bench/results/tmp
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

node_modules/.installed: package.json package-lock.json
	@command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer, with npm."; exit 1; }
	npm ci --no-audit --no-fund
	@$(BUN) --version >/dev/null
	@touch $@

.venv/.installed: python/requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "The examples and tests need Python 3.11 or newer; name one with PYTHON=/path/to/python3 make install."; exit 1; }
	$(PYTHON) -m venv .venv
	$(VENV)/python -m pip install --quiet --disable-pip-version-check --no-deps -r python/requirements-dev.txt
	@$(VENV)/python -m pip check --disable-pip-version-check
	@touch $@
