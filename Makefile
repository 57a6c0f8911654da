# `make` lists the targets. VENV=/path uses another virtual environment, PYTHON=python3.12 another Python,
# TEST_PROCESSES=8 more processes for the tests, INSTALLER=pip installs with pip in uv's place.
VENV ?= .venv
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
  $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null && echo $$python && break; done)
BIN := $(VENV)/bin
TEST_PROCESSES ?= 2
PYTEST_OPTIONS = --numprocesses $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder
STAMP := $(VENV)/.sr_deepfake-installed
DEMO_STAMP := $(VENV)/.sr_deepfake-demo-installed
INSTALLER ?= uv
INSTALL = $(if $(filter uv,$(INSTALLER)),$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python,$(BIN)/python -m pip install --quiet)
WITH_INSTALLER = @test -x $(BIN)/$(INSTALLER) || $(BIN)/python -m pip install --quiet $(INSTALLER)

.DEFAULT_GOAL := help
.PHONY: help install constraints demo sweep test test-nightly test-all test-fast lint format docs notebook benchmark clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 20

install: $(STAMP)  ## make the virtual environment with all that development needs, once

# uv installs faster than pip; INSTALLER=pip does without it. Compiled once, as pip does: where PYTHONDONTWRITEBYTECODE is set,
# as in many containers, each start would compile torch again. constraints.txt: the versions that were tested.
$(BIN)/python:
	@test -n "$(PYTHON)" \
	  || { echo "error: no Python 3.11, 3.12 or 3.13 found; name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(DEMO_STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(WITH_INSTALLER)
	$(INSTALL) --constraint constraints.txt --editable '.[demo]'
	@touch $@

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(WITH_INSTALLER)
	$(INSTALL) --constraint constraints.txt --editable '.[dev]'
	# What our EDSR is compared with, Hydra's launcher for Ray, and the playground's gradio. Without their dependencies: they ask
	# for packages that the parts used here do not need, and old bounds must not move torch, cloudpickle or Pillow.
	$(INSTALL) --no-deps torchsr==1.0.4 hydra-ray-launcher==1.2.2 gradio==6.31.0 gradio-client==2.7.2 groovy==0.1.2 \
	  hf-gradio==0.4.1 safehttpx==0.1.7 semantic-version==2.10.0
	@touch $@ $(DEMO_STAMP)

constraints: $(STAMP)  ## renew constraints.txt with the newest versions; run the tests before it is kept
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --upgrade --quiet \
	  --no-header --no-annotate --no-emit-index-url --output-file constraints.txt

demo: $(DEMO_STAMP)  ## train a detector on the sample, attack it, print the paper's table row, make a report (minutes, on a CPU)
	$(BIN)/python -m sr_deepfake.train experiment=demo
	@echo "5 of 5: Report"
	$(BIN)/python -m sr_deepfake.report short=true

sweep: $(DEMO_STAMP)  ## the paper's grid on the sample, small: models x forgery methods x attacked or not (an hour, on a CPU)
	$(BIN)/python -m sr_deepfake.train -m experiment=sample_sweep
	$(BIN)/python -m sr_deepfake.status experiment=sample_sweep
	$(BIN)/python -m sr_deepfake.report

test: $(STAMP)  ## run the tests (minutes)
	$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m 'not nightly'

test-nightly: $(STAMP)  ## run those that are left: launchers, the wheel, kills of each program, DDP
	$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m nightly

test-all: test test-nightly  ## run all tests

test-fast: $(STAMP)  ## run the tests that take seconds
	$(BIN)/python -m pytest $(PYTEST_OPTIONS) -m 'not slow and not nightly'

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## let ruff fix what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## build the documentation into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

notebook: $(STAMP)  ## run notebooks/t4.ipynb on this machine, with small settings on the sample
	$(BIN)/python notebooks/execute.py notebooks/t4.ipynb

benchmark: $(STAMP)  ## measure speed against the references in benchmarks/
	for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

clean:  ## remove what tests and tools left behind (not outputs/)
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site *.egg-info
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
