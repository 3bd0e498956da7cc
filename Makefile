# The commands a person types are the ones CI runs.
.DEFAULT_GOAL := help
PYTHON ?= python3
ARGS ?=
UV := .tools/bin/uv
BIN := .venv/bin
# Many processes import the same packages: each should find them compiled.
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON_DOWNLOADS := never
export GX_ANALYTICS_ENABLED := false
# Certificates of one's own, such as a company's: uv reads these variables, and pip another. The system's store has no
# name that pip knows before 23.3: the file is one of these.
STORES := /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem
ifneq ($(SSL_CERT_FILE),)
export PIP_CERT ?= $(SSL_CERT_FILE)
else ifneq ($(filter-out 0 false,$(UV_SYSTEM_CERTS)$(UV_NATIVE_TLS)),)
export PIP_CERT ?= $(firstword $(wildcard $(STORES)))
endif
# The letters of a folder's name, where the locale has none but those of ASCII.
export LC_ALL := $(if $(filter C POSIX,$(LC_ALL)),C.UTF-8,$(LC_ALL))
# Where a person's own installations go is nothing to these environments.
export PIP_USER := 0
export PIP_REQUIRE_VIRTUALENV := 0
unexport PIP_TARGET PIP_PREFIX PIP_ROOT PYTHONHOME PYTHONPATH UV_SYSTEM_PYTHON UV_TARGET UV_PREFIX

# An environment is believed as long as it lies where it was made, as the stamp in it says, and its Python runs.
LOST := $(shell for stamp in .venv/.runtime .lint-venv/.lint .bench-venv/.bench; do [ ! -e $$stamp ] \
    || { [ "$$(cat $$stamp)" = "$$(pwd -P)" ] && $${stamp%/*}/bin/python -c '' 2>/dev/null; } || echo $$stamp; done)
ifneq ($(LOST),)
$(LOST): moved
endif
# Makes an environment, and one that is lost anew.
define venv
@case " $(LOST) " in *" $@ "*) echo "$(@D) was moved, or has lost its Python: it is made anew."; rm -rf $(@D);; esac
@test -x $(@D)/bin/python || $(UV) venv --quiet --allow-existing --python $(PYTHON) $(@D)
endef

.PHONY: moved help demo install up test audit digests test-stack test-questions test-longest test-kills test-readers test-swaps test-fuzz pictures bench settings docs lint lock format clean

help: ## What can be made
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: .venv/.runtime ## Run the whole way on this machine and stay up (ARGS=--exit leaves at the end)
	@$(BIN)/python -m canopy demo $(ARGS)

install: .venv/.runtime ## Install everything that runs into .venv

up: .venv/.runtime ## Run the stack in containers, with MinIO, MySQL and PostgreSQL (ARGS="--profile simulator")
	@$(BIN)/python -m canopy up --stack $(ARGS)

test: .venv/.dev ## Install what the tests need, and run them
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not long and not longest" $(ARGS)

test-long: .venv/.dev ## The tests that kill, start the whole stack or measure, in their short form
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "long and not longest" $(ARGS)

test-longest: .venv/.dev ## What CI has no time for: all garbage in all places, each alert, whole scenarios (an hour or two)
	$(BIN)/python -m pytest -m longest $(ARGS)

test-kills: .venv/.dev ## Kill collectors 240 times, refines and trainings 40 times each (the long form of tests)
	$(BIN)/python -m pytest tests/source/test_kills.py tests/dbt_project/test_kills.py tests/training/test_kills.py \
	    --kills 240 $(ARGS)

test-readers: .venv/.dev ## Publish 100 times under two readers (the long form of a test)
	$(BIN)/python -m pytest tests/lake/test_readers.py --publications 100 $(ARGS)

test-swaps: .venv/.dev ## Compare 50,000 replies under 20 swaps of the champion (the long form of a test)
	$(BIN)/python -m pytest tests/serving/test_swaps.py --replies 50000 $(ARGS)

test-fuzz: .venv/.dev ## 20,000 changed bodies and rows of each form, 2,000 answers and segments (the long form of tests)
	$(BIN)/python -m pytest tests/attacks/test_bodies.py tests/attacks/test_rows.py --mutations 20000 --timeout 0 $(ARGS)
	$(BIN)/python -m pytest tests/attacks/test_responses.py tests/attacks/test_spool.py --mutations 2000 --timeout 0 $(ARGS)

pictures: .venv/.dev ## Walk through the UI on the running stack; the README's pictures come from there
	$(BIN)/python -m pytest tests/ui/test_newcomer.py --pictures docs/images $(ARGS)

bench: .venv/.dev .bench-venv/.bench ## Take the measurements that docs/benchmarks.md reports
	@for file in bench/[a-z]*.py; do $(BIN)/python -m bench.$$(basename $$file .py) || exit 1; done

settings: .venv/.runtime ## Write .env.example out of the settings classes
	@$(BIN)/python -m deploy.env_example

docs: .venv/.runtime ## Build the documentation's site (ARGS=FOLDER; else .canopy/site/pages)
	$(BIN)/python -m canopy docs $(ARGS)

test-questions: .venv/.dev ## 5,000 questions of a grammar, 20,000 mutated uploads (the long form of tests)
	$(BIN)/python -m pytest tests/attacks/test_questions.py -k grammar --mutations 5000 --timeout 0
	$(BIN)/python -m pytest tests/attacks/test_uploads.py -k mutated --mutations 20000 --timeout 0
	$(BIN)/python -m pytest tests/attacks/test_responses.py -k no_answer --mutations 2000 --timeout 0

test-stack: ## The stack in containers with stand-ins of Debian's packages, and its tests (root, 15 minutes or more)
	.ci/stack

# SQL is linted as dbt compiles it, on a lake of its own that stays empty.
SQLFLUFF = eval "$$(LAKE_URI=.canopy/lint LAKE_CATALOG=sqlite:.canopy/lint/catalog.sqlite $(BIN)/python -m canopy lake env)" \
    && DBT_TARGET_PATH=$$(pwd)/.canopy/lint/dbt $(BIN)/sqlfluff

lint: .venv/.dev .lint-venv/.lint ## Style, types, imports, SQL, containers
	.lint-venv/bin/ruff check .
	.lint-venv/bin/ruff format --check .
	.lint-venv/bin/mypy --python-executable $(BIN)/python
	PYTHONPATH=. .lint-venv/bin/lint-imports
	@mkdir -p .canopy/lint
	$(SQLFLUFF) lint dbt_project
	.lint-venv/bin/hadolint Dockerfile
	.lint-venv/bin/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml
	.lint-venv/bin/python ci/advisories.py
	$(UV) pip check --quiet --python $(BIN)/python

audit: .lint-venv/.lint ## Ask PyPI's database of advisories about all that the locks name (needs that network)
	@for lock in requirements/*.txt; do \
	    .lint-venv/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off -r $$lock || exit 1; \
	done

digests: .venv/.runtime ## Write compose.digests.yaml: the images of others by digest (needs an engine and their registries)
	$(BIN)/python ci/digests.py

format: .venv/.dev .lint-venv/.lint ## Put the code into shape
	.lint-venv/bin/ruff check --fix .
	.lint-venv/bin/ruff format .
	@mkdir -p .canopy/lint
	$(SQLFLUFF) fix dbt_project

lock: $(UV) ## Resolve pyproject.toml anew into requirements/
	$(UV) pip compile $(LOCK) --extra all pyproject.toml -o requirements/runtime.txt
	@for part in $(PARTS); do set -x; \
	    $(UV) pip compile $(LOCK) -c requirements/runtime.txt --extra $$part pyproject.toml -o requirements/$$part.txt || exit 1; \
	done
	$(UV) pip compile $(LOCK) -c requirements/runtime.txt --group dev pyproject.toml -o requirements/dev.txt
	@for group in bench image lint tools; do set -x; \
	    $(UV) pip compile $(LOCK) --group $$group -o requirements/$$group.txt || exit 1; \
	done
PARTS := airflow docs mlflow monitor pages serving source ui
LOCK := --quiet --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
        --custom-compile-command "make lock"

clean: ## Remove the environments; what was collected stays in .canopy
	rm -rf .venv .lint-venv .bench-venv .tools

$(UV): requirements/tools.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 11) <= v < (3, 14) else "Canopy needs Python 3.11, 3.12 or 3.13 (dbt-core 1.11 does not run on 3.14); this is %d.%d. Set PYTHON=python3.11." % v)'
	$(PYTHON) -m venv --clear .tools
	.tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/tools.txt
	@touch $@

.venv/.runtime: requirements/runtime.txt pyproject.toml | $(UV)
	$(venv)
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/runtime.txt
	$(UV) pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation -e .
	@# Relative: Python reads it in the letters of the locale, and dies of others in the folder's name.
	@for file in .venv/lib/python3*/site-packages/_editable_impl_canopy.pth; do echo ../../../.. > $$file; done
	@$(BIN)/python -c 'from lake.catalog.extensions import extension_directory; extension_directory()'
	@pwd -P > $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@pwd -P > $@

.bench-venv/.bench: requirements/bench.txt | $(UV)
	$(venv)
	$(UV) pip install --quiet --python .bench-venv/bin/python --require-hashes -r requirements/bench.txt
	@pwd -P > $@

.lint-venv/.lint: requirements/lint.txt | $(UV)
	$(venv)
	$(UV) pip install --quiet --python .lint-venv/bin/python --require-hashes -r requirements/lint.txt
	@pwd -P > $@
