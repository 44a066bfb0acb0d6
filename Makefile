# `make` lists the targets. Each installs what it needs, once, into .venv and .nightshift.
PYTHON ?= python3
# Stops make with one line where there is no such interpreter; the set-up itself refuses an old one.
SET_UP = $(if $(shell command -v $(PYTHON) 2>/dev/null),$(PYTHON) infra/setup,$(error no $(PYTHON) \
	on this machine: install Python 3.11 or later, or name it: make $@ PYTHON=python3.11))
BIN := .venv/bin
UV := .nightshift/boot/bin/uv
# Two workers share the two cores that the suite is meant for; files stay together because each
# worker has servers of its own, and are in the order that tests/conftest.py gives them.
PYTEST_WORKERS ?= 2
# Only the whole suite can reach the threshold. `coverage report` tells the lines that are missed.
COVERAGE = $(if $(PYTEST_ARGS),,--cov=flows --cov=inference --cov=registry --cov-report= \
	--cov-fail-under=90)

# The longest test of chaos takes minutes on two cores.
CHAOS_TIMEOUT_S ?= 3600

.DEFAULT_GOAL := help
.PHONY: help install demo up test lint types chaos bench bench-registry bench-scale bench-online openapi lock clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: ## build the platform's environment only, without Triton
	@$(SET_UP) install

demo: ## score 336,776 real flights with a real Triton server
	@$(SET_UP) demo
	@$(BIN)/nightshift demo

up: ## run the whole platform on this machine until Ctrl-C (WORKERS=3, DEMO=1 for a model and data)
	@$(SET_UP) up
	@$(BIN)/nightshift up $(if $(WORKERS),--workers $(WORKERS)) $(if $(DEMO),--demo)

test: ## run every test against real servers
	@$(SET_UP) test
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile --no-loadscope-reorder \
		$(COVERAGE) $(PYTEST_ARGS)

chaos: ## kill, stop and cut off real processes for long: SEED=7 replays, SCALE=0.1 does a tenth
	@$(SET_UP) test
	@CHAOS_SEED=$(SEED) CHAOS_SCALE=$(or $(SCALE),1) $(BIN)/python -m pytest -v -m chaos \
		--timeout $(CHAOS_TIMEOUT_S) $(PYTEST_ARGS)

lint: ## check style and the import contracts
	@$(SET_UP) lint
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: ## check types, strictly
	@$(SET_UP) lint
	@$(BIN)/mypy

bench-registry: ## measure resolves, management reads and pages of a hundred thousand versions
	@$(SET_UP) lint
	@$(BIN)/python -m benchmarks.registry

openapi: ## write docs/openapi.json anew after the API was changed
	@$(SET_UP) lint
	@$(BIN)/python -m api.copy docs/openapi.json

LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate --no-emit-index-url
WITHOUT := --excludes excluded.in

bench-online: ## measure online requests beside Triton's own HTTP and MLServer (SECONDS= TURNS= ONLY=)
	@$(SET_UP) bench-online
	@$(BIN)/python -m benchmarks.online $(if $(SECONDS),--seconds "$(SECONDS)") \
		$(if $(TURNS),--turns "$(TURNS)") $(if $(ONLY),--only "$(ONLY)",--keep)

bench-scale: ## measure one job on 1, 2, 4 and 8 workers (SECONDS= each, WORKERS=, SHARDS=20000 for Prefect's health)
	@$(SET_UP) demo
	@$(BIN)/python -m benchmarks.scale --keep $(if $(SECONDS),--seconds $(SECONDS)) \
		$(if $(WORKERS),--workers $(WORKERS)) $(if $(SHARDS),--shards $(SHARDS))

bench: ## compare scoring with Ray Data, Daft, Spark and a loop (WORKLOAD= CASES= REPEATS= TUNE=1)
	@$(SET_UP) bench
	@$(BIN)/python -m benchmarks.run $(if $(WORKLOAD),--workload "$(WORKLOAD)") \
		$(if $(CASES),--cases "$(CASES)") $(if $(REPEATS),--repeats $(REPEATS)) \
		$(if $(ROWS),--rows $(ROWS)) $(if $(TUNE),--tune) $(if $(PROFILE),--profile)

lock: export UV_SYSTEM_CERTS ?= true
lock: ## lock requirements/*.in anew (UPGRADE=1 takes newer versions)
	@$(SET_UP) lock
	@cd requirements && ../$(LOCK) $(if $(UPGRADE),--upgrade) bench.in -o bench.txt
	@cd requirements && ../$(LOCK) $(if $(UPGRADE),--upgrade) mlserver.in -o mlserver.txt
	@cd requirements && $(foreach name,bootstrap dev,../$(LOCK) $(WITHOUT) $(if $(UPGRADE),--upgrade) $(name).in -o $(name).txt &&) true
	@cd requirements && $(foreach name,up demo runtime,../$(LOCK) $(WITHOUT) --constraint dev.txt $(name).in -o $(name).txt &&) true
	@cd requirements && ../$(LOCK) $(WITHOUT) --no-deps $(if $(UPGRADE),--upgrade) triton.in -o triton.txt
	@cd requirements && ../$(LOCK) --no-deps $(if $(UPGRADE),--upgrade) clients.in -o clients.txt

clean: ## remove what was built; data, registry and Prefect's history in .nightshift stay
	rm -rf .venv .nightshift/boot .nightshift/bench-env .nightshift/clients-env .nightshift/mlserver-env .nightshift/triton-env .nightshift/triton .nightshift/prefect/template
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage .coverage.*
