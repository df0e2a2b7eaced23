# On a fresh machine with git, make, Python 3.11+ and the package index: `make demo`, `make test`.
# Every target makes the .venv it needs, from the pinned versions and hashes in constraints/.

PYTHON ?= python3
N ?= 1000000
OUT ?= benchmarks/results

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
CODE := src tests $(wildcard benchmarks docs)

.PHONY: demo test test-all bench bench-kernels bench-messages fmt lint types docs pins clean help

help:
	@echo 'make demo      run the main job on a simulated grid area'
	@echo 'make test      run the tests, less the slow ones'
	@echo 'make test-all  run all tests'
	@echo 'make bench     measure against the references (N=$(N) points, OUT=$(OUT))'
	@echo 'make bench-kernels  measure the kernels, and compare with what was measured before'
	@echo 'make bench-messages measure the messages of a day, and compare likewise'
	@echo 'make fmt       format the code'
	@echo 'make lint      style, clock rule and import contracts'
	@echo 'make types     mypy --strict'
	@echo 'make docs      write the generated pages of docs/ anew'
	@echo 'make pins      resolve constraints/ anew (needs uv)'
	@echo 'make clean     remove .venv and every cache'

demo: $(VENV)/run.stamp
	$(BIN)/kwartier demo

# A process for each core; whoever is done takes over from the other.
PYTEST := $(BIN)/python -m pytest -n logical --dist worksteal

test: $(VENV)/dev.stamp
	$(PYTEST) -m 'not slow'

test-all: $(VENV)/dev.stamp
	$(PYTEST)

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks --points $(N) --out $(OUT)

# What was saved stays in .benchmarks/, so that another commit can be held against it.
bench-kernels: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -q benchmarks/kernels.py --benchmark-autosave --benchmark-compare

bench-messages: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -q benchmarks/messages.py --benchmark-autosave --benchmark-compare

fmt: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/lint-imports

types: $(VENV)/dev.stamp
	$(BIN)/mypy

docs: $(VENV)/dev.stamp
	$(BIN)/python docs/generate.py

# The run pins make the environment anew, so nothing of an older set stays behind; the dev pins are
# the same versions and more, laid on top.
$(VENV)/run.stamp: pyproject.toml constraints/run.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "kwartier needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "'$(PYTHON)' cannot make virtual environments: its venv module is not installed." >&2; \
	  echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(PIP) install --quiet --require-hashes -r constraints/run.txt
	$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp constraints/dev.txt
	$(PIP) install --quiet --require-hashes --no-build-isolation -r constraints/dev.txt
	@touch $@

# Versions and hashes of every wheel, for every Python and platform at once; no index, host or path.
RESOLVE = uv pip compile --quiet --no-config --upgrade --universal --fork-strategy fewest \
	--python-version 3.11 --generate-hashes --custom-compile-command "make pins" --no-annotate --no-emit-index-url \
	--no-emit-find-links pyproject.toml

pins:
	$(RESOLVE) --extra spark --group dev -o constraints/dev.txt
	$(RESOLVE) --group build -c constraints/dev.txt -o constraints/run.txt

clean:
	rm -rf $(VENV) build dist .benchmarks .hypothesis .import_linter_cache .mypy_cache \
	  .pytest_cache .ruff_cache
	find src tests $(wildcard benchmarks docs) -name __pycache__ -type d -prune -exec rm -rf {} +
