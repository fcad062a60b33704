# The two commands of the README: `make demo` and `make test`. The environment is made once, in .venv, and made again only
# when pyproject.toml or constraints.txt changes.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
STEPS ?=
# One file is one process's, in the order that tests/conftest.py sets.
BY_FILE := -n 2 --dist loadfile --no-loadscope-reorder

.PHONY: demo test quick lint docs clean help

demo: $(READY) ## trains the default, shows what it learned, kills a run and resumes it; STEPS=40 for fewer steps
	@$(BIN)/python scripts/demo.py $(if $(STEPS),trainer.max_steps=$(STEPS))

test: $(READY) lint ## lint, then all tests
	@$(BIN)/python -m pytest $(BY_FILE) --jaxtyping-packages=lmlab,beartype.beartype
	@$(BIN)/python -m pytest -n 2 tests/model/test_compile.py tests/test_matrix.py

quick: $(READY) ## the tests that are not slow
	@$(BIN)/python -m pytest $(BY_FILE) --jaxtyping-packages=lmlab,beartype.beartype -m "not slow"

lint: $(READY) ## ruff, mypy, import-linter, codespell
	@$(BIN)/ruff check -q . && $(BIN)/ruff format -q --check . && $(BIN)/mypy && $(BIN)/lint-imports && $(BIN)/codespell

docs: $(READY) ## rewrites what README and CONTRIBUTING take from the YAML files
	@$(BIN)/python scripts/docs.py

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "lmlab needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>/dev/null || echo missing);" \
	       "install one, or name one that is there: make PYTHON=python3.12 $(or $(MAKECMDGOALS),demo)"; exit 1; }
	@$(PYTHON) -m venv .venv || { \
	  echo "'$(PYTHON) -m venv' does not work: install the venv package of your Python (Debian: apt install python3-venv)"; exit 1; }
	@echo "making .venv with $$($(PYTHON) --version); packages are downloaded once, which takes some minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

clean: ## removes .venv
	rm -rf .venv

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1	/p' Makefile | expand -t 8
