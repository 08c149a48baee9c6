# One environment, made once, serves every target. `make demo` and `make test` need nothing before them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test test-slow lint format clean

help:
	@echo "make demo       train, attack and report on bundled data (about a minute after installation)"
	@echo "make test       the test suite, as continuous integration runs it"
	@echo "make test-slow  the laws with 5,000 examples each (half an hour)"
	@echo "make lint       ruff and pyright"
	@echo "make format     let ruff rewrite what it can"
	@echo "make clean      remove the environment and all caches"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else 'holonet needs Python 3.11 to 3.13, this is %s: try make PYTHON=python3.12' % sys.version.split()[0])"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	@touch $(READY)

demo: $(READY)
	$(BIN)/holonet demo --out reports/demo --overwrite

test: $(READY)
	HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-ci} $(BIN)/python -m pytest -n 2

test-slow: $(READY)
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -o addopts="--import-mode=importlib -ra" -n 2 --dist worksteal --timeout 7200 tests/laws

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
