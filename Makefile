# The commands a person types are the ones CI runs.
PYTHON ?= python3
ARGS ?=
UV := .tools/bin/uv
BIN := .venv/bin
# Many processes import the same packages: each should find them compiled.
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export GX_ANALYTICS_ENABLED := false

.PHONY: help demo install up test test-stack test-kills test-readers test-swaps pictures bench docs lint lock format clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: .venv/.runtime ## Run the whole way on this machine and stay up (ARGS=--exit leaves at the end)
	@$(BIN)/canopy demo $(ARGS)

install: .venv/.runtime ## Install everything that runs into .venv

up: .venv/.runtime ## Run the stack in containers, with MinIO, MySQL and PostgreSQL (ARGS="--profile simulator")
	@$(BIN)/canopy up --stack $(ARGS)

test: .venv/.dev ## Install what the tests need, and run them
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long" $(ARGS)

test-long: .venv/.dev ## The tests that kill, start the whole stack or measure, in their short form
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m long $(ARGS)

test-kills: .venv/.dev ## Kill collectors 240 times, refines and trainings 40 times each (the long form of tests)
	$(BIN)/python -m pytest tests/source/test_kills.py tests/dbt_project/test_kills.py tests/training/test_kills.py \
	    --kills 240 $(ARGS)

test-readers: .venv/.dev ## Publish 100 times under two readers (the long form of a test)
	$(BIN)/python -m pytest tests/lake/test_readers.py --publications 100 $(ARGS)

test-swaps: .venv/.dev ## Compare 50,000 replies under 20 swaps of the champion (the long form of a test)
	$(BIN)/python -m pytest tests/serving/test_swaps.py --replies 50000 $(ARGS)

pictures: .venv/.dev ## Walk through the UI on the running stack; the README's pictures come from there
	$(BIN)/python -m pytest tests/ui/test_newcomer.py --pictures docs/images $(ARGS)

bench: .venv/.dev .bench-venv/.bench ## Take the measurements that docs/benchmarks.md reports
	@for file in bench/[a-z]*.py; do $(BIN)/python -m bench.$$(basename $$file .py) || exit 1; done

docs: .venv/.runtime ## Build the documentation's site (ARGS=FOLDER; else .canopy/site/pages)
	$(BIN)/canopy docs $(ARGS)

test-stack: ## The stack in containers with stand-ins of Debian's packages, and its tests (root, 15 minutes or more)
	.ci/stack

lint: .venv/.dev .lint-venv/.lint ## Style, types, imports, SQL, containers
	.lint-venv/bin/ruff check .
	.lint-venv/bin/ruff format --check .
	.lint-venv/bin/mypy --python-executable $(BIN)/python
	PYTHONPATH=. .lint-venv/bin/lint-imports
	.lint-venv/bin/sqlfluff lint dbt_project
	.lint-venv/bin/hadolint Dockerfile
	.lint-venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml

format: .lint-venv/.lint ## Put the code into shape
	.lint-venv/bin/ruff check --fix .
	.lint-venv/bin/ruff format .
	.lint-venv/bin/sqlfluff fix dbt_project

lock: $(UV) ## Resolve pyproject.toml anew into requirements/
	$(UV) pip compile $(LOCK) pyproject.toml -o requirements/runtime.txt
	$(UV) pip compile $(LOCK) -c requirements/runtime.txt --group dev pyproject.toml -o requirements/dev.txt
	$(UV) pip compile $(LOCK) --group lint -o requirements/lint.txt
	$(UV) pip compile $(LOCK) --group bench -o requirements/bench.txt
LOCK := --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
        --custom-compile-command "make lock"

clean: ## Remove the environments; what was collected stays in .canopy
	rm -rf .venv .lint-venv .bench-venv .tools

$(UV):
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 13) else "Canopy needs Python 3.11 or 3.12; this is %d.%d. Set PYTHON=python3.11." % v)'
	$(PYTHON) -m venv .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check uv

.venv/.runtime: requirements/runtime.txt pyproject.toml | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	$(UV) pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e .
	@touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@touch $@

.bench-venv/.bench: requirements/bench.txt | $(UV)
	test -x .bench-venv/bin/python || $(UV) venv --quiet --python $(PYTHON) .bench-venv
	$(UV) pip install --quiet --python .bench-venv/bin/python --require-hashes -r requirements/bench.txt
	@touch $@

.lint-venv/.lint: requirements/lint.txt | $(UV)
	test -x .lint-venv/bin/python || $(UV) venv --quiet --python $(PYTHON) .lint-venv
	$(UV) pip install --quiet --python .lint-venv/bin/python --require-hashes -r requirements/lint.txt
	@touch $@
