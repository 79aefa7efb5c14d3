# Set-up happens by itself: every target first makes the environment in .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MODEL ?= data/digits_classifier
EXAMPLES ?= 100
SEED ?= 0
FAMILIES ?=
FAULTS ?= 150
OUT ?= out/$(notdir $(MODEL))

.PHONY: setup migrate test check properties lab lock clean bench faults

setup: $(VENV)/.ready

$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

migrate: setup            ## migrate the sample model (or MODEL=path/to/model)
	$(BIN)/workbench migrate $(MODEL) --out $(OUT)

test: setup               ## lint, types, unit tests, notebooks, browser tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore=tests/browser
	$(BIN)/python -m pytest tests/browser || $(BIN)/python -m pytest tests/browser --last-failed

properties: setup         ## random cases for all operator families (FAMILIES, EXAMPLES, SEED); long
	$(BIN)/python -m tests.properties.campaign --examples $(EXAMPLES) --seed $(SEED) $(FAMILIES)

lab: setup                ## JupyterLab on the first notebook
	$(BIN)/jupyter lab notebooks/01_migrate_a_model.ipynb

faults: setup             ## plant FAULTS faults in rules, functions, mappings and modules
	$(BIN)/python -m benchmarks.faults --sample $(FAULTS) --seed $(SEED)

bench: setup              ## compare with the detour; needs the extra `detour`
	$(BIN)/python -m benchmarks

lock:                     ## renew requirements.lock (needs uv)
	uv pip compile pyproject.toml --extra test --universal --python-version 3.11 \
		--no-header --no-annotate -o requirements.lock

clean:
	rm -rf $(VENV) out
