# Everything that a person or CI runs here. Needs git, make and Python 3.11 or newer; 'make help' lists the targets.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
# Written when all that the package needs is installed, when it is itself, and when all that its developers need is.
REQUIREMENTS := $(VENV)/.requirements
PACKAGE := $(VENV)/.package
TOOLS := $(VENV)/.tools

# The example that 'make run' runs.
EXAMPLE := 01-quickstart
# The instances that benchmarks create, and for how many seconds connections are watched.
N := 1000
SECONDS := 180

.PHONY: help setup run test check format generate generate-screens lock bench bench-cli bench-watch bench-sealing clean

help: ## List these targets.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1|/' | awk -F '|' '{ printf "make %-16s %s\n", $$1, $$2 }'

setup: $(PACKAGE) ## Make .venv with the operator and the command 'hub' in it.

# The quickstart needs nothing but the operator; other examples bring servers with them.
run: $(if $(filter 01-quickstart,$(EXAMPLE)),$(PACKAGE),$(TOOLS)) ## Run the quickstart until Ctrl-C; with ONCE=1, until its verdicts; EXAMPLE=name runs another.
	@$(BIN)/hub example $(EXAMPLE) $(if $(filter-out 0,$(ONCE)),--once)

test: check ## Do all that CI does: 'make check', the control plane's build where needed, every test.
	@$(BIN)/python tools/bootstrap_control_plane.py
	@$(BIN)/python tools/bootstrap_prometheus.py
	@$(BIN)/python tools/bootstrap_kubeseal.py
	@$(BIN)/python tools/bootstrap_s3.py
	@$(BIN)/python tools/bootstrap_gitea.py
	@$(BIN)/python tools/bootstrap_keycloak.py
	@$(BIN)/python tools/bootstrap_chromium.py
	@$(BIN)/python tools/run_tests.py

check: $(TOOLS) ## Check style, types, layers, and that generated files are up to date.
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	@for tool in tools/generate_*.py; do echo "$$tool --check"; $(BIN)/python "$$tool" --check || exit 1; done

format: $(TOOLS) ## Write the code in the project's style, and mend what can be mended without thinking.
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

generate: $(TOOLS) ## Write the files that are made from the code: the CRDs and pages of the documentation.
	@for tool in tools/generate_*.py; do echo "$$tool"; $(BIN)/python "$$tool" || exit 1; done

generate-screens: $(TOOLS) ## Record the screens of docs/cli.md that have changed, on a cluster of their own.
	HUB_RECORD_SCREENS=1 $(BIN)/pytest tests/integration/test_hub_screens.py
	@$(BIN)/python tools/generate_cli_docs.py

# The lock holds for every platform and every Python that the project supports, whoever writes it.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url

lock: $(TOOLS) ## Write requirements/*.txt from pyproject.toml; UPGRADE=1 takes the newest versions.
	$(BIN)/$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --output-file requirements/runtime.txt
	$(BIN)/$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --group dev --output-file requirements/dev.txt
	$(BIN)/$(LOCK) $(if $(UPGRADE),--upgrade) pyproject.toml --group build --constraint requirements/dev.txt --output-file requirements/setup.txt

bench: $(TOOLS) ## Measure the operator against a bare client, with N=1000 instances, then how connections are watched.
	PYTHONPATH=tests $(BIN)/python benchmarks/bench.py -n $(N)
	PYTHONPATH=tests $(BIN)/python benchmarks/watch.py --seconds $(SECONDS)

bench-watch: $(TOOLS) ## Measure only how connections are watched; SCENARIO=watch or limits, N=1000, SECONDS=180.
	PYTHONPATH=tests $(BIN)/python benchmarks/watch.py -n $(N) --seconds $(SECONDS) $(if $(SCENARIO),--scenario $(SCENARIO))

bench-cli: $(TOOLS) ## Measure how long commands take beside kubectl and a bare Python, on a cluster with N instances.
	PYTHONPATH=tests $(BIN)/python benchmarks/command.py -n $(N)

bench-sealing: $(TOOLS) ## Measure what sealing and opening one record costs; needs no cluster.
	PYTHONPATH=tests $(BIN)/python benchmarks/sealing.py

clean: ## Remove .venv and all caches in this folder; 'hub dev down --purge' removes the development cluster.
	rm -rf $(VENV) dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find operator tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

# Stamps are written last, so an interrupted installation is done again from the start.
$(REQUIREMENTS): requirements/setup.txt requirements/dev.txt tools/bootstrap.sh
	@sh tools/bootstrap.sh requirements $(VENV)
	@touch $@

$(PACKAGE): $(REQUIREMENTS) pyproject.toml
	@sh tools/bootstrap.sh package $(VENV)
	@touch $@

$(TOOLS): $(PACKAGE)
	@sh tools/bootstrap.sh tools $(VENV)
	@touch $@
