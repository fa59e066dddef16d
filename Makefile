# Everything a person or a build machine does with this repository. `make help` lists it.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

# Settings of the shell that would reach into the virtual environment.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_ROOT_USER_ACTION := ignore
export PIP_NO_INPUT := 1
export PIP_USER := 0

PYTHON ?=
ARGS ?=
VENV := .venv
PY := $(VENV)/bin/python
REPORTS := .reports
SOURCES := domain application adapters projections entrypoints migrations
CHECKED := $(SOURCES) $(wildcard tests benchmarks examples)

ifdef MAKE_TERMOUT
ifndef NO_COLOR
BOLD := $(shell printf '\033[1m')
PLAIN := $(shell printf '\033[0m')
endif
endif

# Tests by folder. Whatever is in no other list is an integration test, so that nothing is forgotten.
TESTS_UNIT := $(wildcard tests/architecture tests/domain)
TESTS_CONFORMANCE := $(wildcard tests/conformance)
TESTS_CRASH := $(wildcard tests/crash)
TESTS_PACKAGING := $(wildcard tests/packaging)
TESTS_INTEGRATION := $(filter-out \
	$(TESTS_UNIT) $(TESTS_CONFORMANCE) $(TESTS_CRASH) $(TESTS_PACKAGING), \
	$(patsubst %/,%,$(dir $(wildcard tests/*/__init__.py)))) \
	$(wildcard tests/test_*.py)

say = @printf '%s\n' '$(BOLD)$(1)$(PLAIN)'
# $(call pytest,NAME,FOLDERS,OPTIONS)
pytest = $(if $(strip $(2)), \
	$(PY) -m pytest $(2) $(3) --junit-xml=$(REPORTS)/$(1).xml -o junit_suite_name=$(1) $(ARGS), \
	@echo 'There are no $(1) tests yet.')

.PHONY: help
help: ## List the targets
	@echo 'make TARGET [ARGS="…"] [PYTHON=python3.12]'
	@echo
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)$$/\1|\2/p' $(firstword $(MAKEFILE_LIST)) | \
		while IFS='|' read -r target sentence; do \
			printf '  $(BOLD)%-17s$(PLAIN) %s\n' "$$target" "$$sentence"; \
		done

## Running -----------------------------------------------------------------------------------------

.PHONY: setup up
setup: $(VENV)/.project ## Make .venv with the locked dependencies and the `tidemark` command

up: setup ## Run everything on this machine: PostgreSQL, NATS, MQTT and all listeners (ARGS="--data-dir DIR …")
	@exec $(VENV)/bin/tidemark up $(ARGS)

## The gate ----------------------------------------------------------------------------------------

.PHONY: test check static
test: ## Run everything that guards the code; this is what CI runs
	@rm -rf $(REPORTS)
	@$(MAKE) setup
	@$(MAKE) static
	@$(MAKE) test-unit test-integration test-conformance test-crash test-packaging
	@$(MAKE) tally

static: check-format lint types imports asyncapi

check: setup static test-unit ## Run what takes seconds: format, lint, types, imports, unit tests

.PHONY: format check-format lint types imports asyncapi
format: setup ## Rewrite the code in its one format, and fix what can be fixed safely
	@$(PY) -m ruff check --fix --quiet . || true
	@$(PY) -m ruff format .

check-format: setup
	$(call say,format)
	@$(PY) -m ruff format --check --quiet . || { echo 'Run `make format`.' >&2; exit 1; }

lint: setup ## Lint with ruff
	$(call say,lint)
	@$(PY) -m ruff check .

types: setup ## Check the types with mypy, strict in everything we ship
	$(call say,types)
	@$(PY) -m mypy $(CHECKED)

imports: setup ## Check the layers and the independence of the contexts
	$(call say,imports)
	@$(VENV)/bin/lint-imports --no-cache --no-logo

# Switches itself on with the first committed docs/asyncapi.yaml.
asyncapi: setup
ifneq ($(wildcard docs/asyncapi.yaml),)
	$(call say,asyncapi)
	@$(VENV)/bin/tidemark asyncapi --check
endif

.PHONY: test-unit test-integration test-conformance test-crash test-packaging tally
test-unit: setup ## Test the rules of the domain and of the house: nothing is started
	$(call say,unit tests)
	@$(call pytest,unit,$(TESTS_UNIT),-n 2)

test-integration: setup ## Test all other layers on real servers, started and stopped by the tests
	$(call say,integration tests)
	@$(call pytest,integration,$(TESTS_INTEGRATION),-n 2)

test-conformance: setup ## Test the wire contracts, case by case
	$(call say,conformance tests)
	@$(call pytest,conformance,$(TESTS_CONFORMANCE),-n 2 --dist loadgroup)

test-crash: setup ## Kill things under load and count what is left, while others wait for what is away to come back
	$(call say,crash tests)
	@$(call pytest,crash,$(TESTS_CRASH),-n 2 --dist loadgroup)

test-packaging: setup ## Build the wheel, install it into a fresh environment, check locks and deployment files
	$(call say,packaging tests)
	@$(call pytest,packaging,$(TESTS_PACKAGING),)

tally:
	@$(PY) -m tests.tally $(REPORTS)

## The rest ----------------------------------------------------------------------------------------

.PHONY: bench browser docs lock clean
browser: ## Install Chromium, which the browser tests need (Debian, as root)
	@command -v chromium >/dev/null || { apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium; }

bench: setup ## Measure, print the ratios and write docs/benchmarks.md
	@test -d benchmarks || { echo 'There are no benchmarks yet.' >&2; exit 1; }
	@$(PY) -m benchmarks $(ARGS)

docs: setup ## Generate docs/asyncapi.yaml from the event classes
	@$(VENV)/bin/tidemark asyncapi --output docs/asyncapi.yaml

# Resolved for every Python from 3.11 on and every platform at once; versions stay unless ARGS=--upgrade or
# ARGS="--upgrade-package NAME" asks for newer ones. The files name no index: pip uses the one it is told to use.
COMPILE = $(VENV)/bin/uv pip compile --no-config --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --no-annotate $(ARGS)
lock: setup ## Resolve requirements.lock and requirements-dev.lock from pyproject.toml (ARGS=--upgrade for newer ones)
	@$(COMPILE) pyproject.toml --output-file requirements.lock
	@$(COMPILE) pyproject.toml --group dev --constraint requirements.lock --output-file requirements-dev.lock
	@$(MAKE) setup

clean: ## Remove .venv and everything generated; data directories stay
	rm -rf $(VENV) $(REPORTS) build dist tidemark.egg-info .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache .hypothesis
	find $(CHECKED) -name __pycache__ -type d -prune -exec rm -rf {} +

## The virtual environment ---------------------------------------------------------------------------
# Three stamps, so that a changed line in pyproject.toml does not reinstall the world. A copied or moved
# working copy starts afresh, because an environment has its own absolute path written into it.

ifneq ($(shell test -x $(PY) && cat $(VENV)/.home 2>/dev/null),$(CURDIR))
STALE := stale
endif
.PHONY: stale
stale:

$(VENV)/.python: $(STALE)
	@chosen=; \
	for candidate in $(if $(PYTHON),'$(PYTHON)',python3 python3.14 python3.13 python3.12 python3.11); do \
		version=$$("$$candidate" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue; \
		if ! "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
			problem="$$candidate is Python $$version, which is too old."; \
		elif ! "$$candidate" -c 'import venv, ensurepip' 2>/dev/null; then \
			problem="$$candidate (Python $$version) has no venv or no ensurepip; on Debian and Ubuntu they come with: apt install python3-venv"; \
		else chosen=$$candidate; break; fi; \
	done; \
	if [ -z "$$chosen" ]; then \
		echo "Tidemark needs Python 3.11 or newer, with venv. $${problem:-$(or $(PYTHON),python3) was not found or does not run.}" >&2; \
		echo 'Install one, or say which to take: make setup PYTHON=/path/to/python3.12' >&2; \
		exit 1; \
	fi; \
	echo "Making $(VENV) with Python $$version ($$(command -v "$$chosen"))"; \
	"$$chosen" -m venv --clear $(VENV) || { echo 'The virtual environment could not be made; see above.' >&2; exit 1; }
	@printf '%s\n' '$(CURDIR)' >$(VENV)/.home
	@touch $@

$(VENV)/.locked: $(VENV)/.python requirements-dev.lock
	@echo "Installing $$(grep -c '^[A-Za-z0-9]' requirements-dev.lock) locked packages; the first time takes a minute"
	@$(PY) -m pip install -qq --require-hashes --only-binary :all: --requirement requirements-dev.lock
	@touch $@

$(VENV)/.project: $(VENV)/.locked pyproject.toml
	@$(PY) -m pip install -qq --no-deps --no-build-isolation --no-index --editable .
	@touch $@
	@echo 'Ready: $(VENV)/bin/tidemark'
