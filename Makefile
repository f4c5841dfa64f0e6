# Needs make and Python 3.11 or newer with venv (Debian: apt install make python3-venv). No root, no
# node. Each command makes the virtual environment it needs; a second run finds it there.

PYTHON ?= python3
VENVS ?= .venv
ARGS ?=
WORKERS ?= 2

MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

export PIP_DISABLE_PIP_VERSION_CHECK := 1
unexport PYTHONDONTWRITEBYTECODE # compiled modules are what makes the second run fast
unexport PYTHONPATH VIRTUAL_ENV

# A virtual environment is made anew when one of these is newer than its stamp.
FRONT := $(wildcard $(addprefix widgets/,package.json package-lock.json tsconfig.json build.mjs)) \
	$(shell find widgets/src -type f 2>/dev/null)
PACKAGING := pyproject.toml hatch_build.py server_extension/etc/orion_nb_server.json $(FRONT)
PYTHON_CODE := $(shell find orion_nb server_extension widgets/orion_nb_widgets -name '*.py')

## demo: schedule a notebook, watch it run and be retried, then look around in JupyterLab
.PHONY: demo
demo: $(VENVS)/demo/.installed
	@PATH="$(abspath $(VENVS)/demo/bin):$$PATH" orion-nb demo $(ARGS)

## test: run the tests (ARGS="tests/rules -x" for some of them, WORKERS=0 in one process)
.PHONY: test
test: $(VENVS)/test/.installed
	@PATH="$(abspath $(VENVS)/test/bin):$$PATH" python -m pytest \
		--numprocesses=$(WORKERS) --dist=loadfile --no-loadscope-reorder $(ARGS)

## check: format, lint, types, and who may import whom
.PHONY: check
check: $(VENVS)/dev/.installed
	@export PATH="$(abspath $(VENVS)/dev/bin):$$PATH"; \
	ruff format --check && ruff check && mypy && lint-imports

## fmt: format the code, and mend what the linter can
.PHONY: fmt
fmt: $(VENVS)/dev/.installed
	@export PATH="$(abspath $(VENVS)/dev/bin):$$PATH"; ruff check --fix-only && ruff format

## docs: build the documentation into site/
.PHONY: docs
docs: $(VENVS)/docs/.installed
	@PATH="$(abspath $(VENVS)/docs/bin):$$PATH" NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict $(ARGS)

## reference: write docs/reference/ anew, from the rules, the routes and the commands
.PHONY: reference
reference: $(VENVS)/dev/.installed
	@for page in docs/generate_*.py; do $(VENVS)/dev/bin/python $$page; done

## wheel: build dist/*.tar.gz, and dist/*.whl from it
.PHONY: wheel
wheel: $(VENVS)/dev/.installed
	@$(VENVS)/dev/bin/python -m build $(ARGS)

## clean: remove the virtual environments and everything that was built
.PHONY: clean
clean:
	rm -rf $(VENVS) build dist site widgets/node_modules \
		widgets/orion_nb_widgets/static server_extension/orion_nb_server/static \
		server_extension/labextensions \
		.coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find orion_nb server_extension widgets tests -name __pycache__ -prune -exec rm -rf {} +

## help: this list
.PHONY: help
help:
	@sed -n 's/^## \([a-z]*\): /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 18

# -- virtual environments ------------------------------------------------------------------------

# The demo runs what a user gets: an installed package, not this folder.
$(VENVS)/demo/.installed: WHAT := .[lab]
$(VENVS)/demo/.installed: $(PYTHON_CODE)
$(VENVS)/test/.installed: WHAT := --editable .[test]
$(VENVS)/dev/.installed: WHAT := --editable .[dev]
$(VENVS)/docs/.installed: WHAT := --editable .[docs]

$(VENVS)/%/.installed: $(PACKAGING)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "orion_nb needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1)." \
			"Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) can't make virtual environments. Debian: apt install python3-venv" >&2; \
		exit 1; }
	@echo "Installing orion_nb into $(@D) (a minute or two) ..."
	@test -x $(@D)/bin/python || $(PYTHON) -m venv $(@D)
	@$(@D)/bin/python -m pip install --quiet $(WHAT)
	@touch $@
