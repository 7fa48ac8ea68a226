# Everything sets itself up: each target makes its environment first, from nothing but Python 3.11+.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=

.PHONY: demo test lint types layers check sample fuzz examples kills faults verdicts clean help

help: ## Show these targets.
	@grep -E '^[a-z]+:.*## ' Makefile | sed -E 's/:.*## /\t/' | expand -t 10

$(VENV)/.run: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "error: Python 3.11 or newer is needed; name one with: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
		|| { echo "error: $(PYTHON) can't make environments; on Debian: apt-get install python3-venv"; exit 1; }
	@echo "installing harness and what it needs into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "installing what the tests need into $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: $(VENV)/.run ## Run the sample suites on the embedded server and write an HTML report.
	@$(BIN)/harness run suites/acme

test: $(VENV)/.dev ## Run all tests.
	$(BIN)/pytest -n auto --dist loadfile $(PYTEST_ARGS)

lint: $(VENV)/.dev ## Format and style.
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(VENV)/.dev ## mypy --strict.
	$(BIN)/mypy

layers: $(VENV)/.dev ## Who may import whom.
	$(BIN)/lint-imports

check: lint types layers test ## All of it, as CI does.

sample: $(VENV)/.dev ## Make the sample documents, data, schemas, recordings and the coverage page again.
	$(BIN)/python fixtures/make.py
	$(BIN)/python -m harness.suite.schema docs/schema
	$(BIN)/python -m harness.server.description docs/server-coverage.md
	for suite in acme harbor_library; do \
		$(BIN)/harness run suites/$$suite --record fixtures/recordings/$$suite.yaml --no-progress \
			--store .harness/sample.sqlite --out .harness/sample || exit 1; \
	done

fuzz: $(VENV)/.dev ## Try the bounds of every field of the server's API, and many calls that are always others.
	FUZZ_EXAMPLES=100 $(BIN)/pytest -n auto tests/server/test_fuzz.py $(PYTEST_ARGS)

examples: $(VENV)/.dev ## Try the properties of everything on examples that are always others.
	$(BIN)/pytest -n auto -m hypothesis --hypothesis-profile=search $(PYTEST_ARGS)

kills: $(VENV)/.dev ## Kill servers and runs at many moments, and look for what is lost, half there or paid twice.
	KILL_SEEDS=20 $(BIN)/pytest -n auto tests/end_to_end/test_random_kills.py tests/end_to_end/test_trial_kills.py $(PYTEST_ARGS)

faults: $(VENV)/.dev ## Run 2,000 trials in each way against a server with all its faults on.
	FAULT_TRIALS=2000 $(BIN)/pytest tests/end_to_end/test_faulty_servers.py $(PYTEST_ARGS)

verdicts: $(VENV)/.dev ## Run a suite 200 times on a busy machine: never red when all passed, never green when one was lost.
	VERDICTS=200 $(BIN)/pytest tests/end_to_end/test_verdicts.py $(PYTEST_ARGS)

clean: ## Remove the environment and caches.
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage*
