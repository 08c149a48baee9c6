# One environment, made once, serves every target. `make demo` and `make test` need nothing before them.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo check test test-slow docs gpu lint format constraints clean

help:
	@echo "make demo       train, attack and report on bundled data (about a minute after installation)"
	@echo "make test       the test suite, without the tests that are marked slow"
	@echo "make check      ruff, pyright, the site and the test suite, as continuous integration runs them"
	@echo "make test-slow  the tests that are marked slow, and the laws with 5,000 examples (half an hour)"
	@echo "make docs       build the site into site/; a warning is an error"
	@echo "make gpu        on a machine with a card: check its kernels' memory accesses, then time them"
	@echo "make lint       ruff and pyright"
	@echo "make format     let ruff rewrite what it can"
	@echo "make constraints  write the versions of this environment to constraints.txt"
	@echo "make clean      remove the environment and all caches"

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else 'holonet needs Python 3.11 to 3.13, this is %s: try make PYTHON=python3.12' % sys.version.split()[0])"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable ".[dev]"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps torchattacks auto_LiRPA  # they pin old versions of what others need
	@touch $(READY)

demo: $(READY)
	$(BIN)/holonet demo --out reports/demo --overwrite

check: lint docs test

test: $(READY)
	HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-ci} $(BIN)/python -m pytest -n auto --dist worksteal -m "not slow"

test-slow: $(READY)
	HYPOTHESIS_PROFILE=ci $(BIN)/python -m pytest -n auto --dist worksteal -m slow
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -o addopts="--import-mode=importlib -ra" -n auto --dist worksteal --timeout 7200 tests/laws

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

gpu: $(READY)
	@command -v compute-sanitizer >/dev/null || { echo "compute-sanitizer is missing: it comes with the CUDA toolkit"; exit 1; }
	compute-sanitizer --error-exitcode 1 $(BIN)/python -m pytest --timeout 0 tests/ops/test_triton_code.py tests/ops/affine
	$(BIN)/holonet bench gpu --out docs/benchmarks/gpu.csv --page docs/performance.md

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

constraints: $(READY)
	{ sed -n '/^#/p' constraints.txt; $(BIN)/python -m pip freeze --all --exclude-editable | sed 's/+cpu$$//' | grep -vE '^(pip|nvidia-|cuda-)'; } > $(VENV)/constraints.txt
	mv $(VENV)/constraints.txt constraints.txt

clean:
	rm -rf site $(VENV) .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
