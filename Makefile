# `make run` needs Python >= 3.11 with venv and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: run test check format lock docs bench drill clean

run: $(VENV)/.run
	@exec $(BIN)/customer-pipeline dev $(ARGS)

test: $(VENV)/.dev
	$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=95 $(ARGS)

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

# All named drills; one of them with DRILL=name; SEED=7 repeats a random one, SEEDS=200 goes on from there.
drill: $(VENV)/.dev
	$(BIN)/python -m customer_pipeline_tests.drills $(if $(SEED),--seed $(SEED) --seeds $(or $(SEEDS),1)) $(DRILL) $(ARGS)

docs: $(VENV)/.dev
	$(BIN)/python -m customer_pipeline.schemas docs

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --no-strip-extras \
	  pyproject.toml --extra api --group build -o requirements/run.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header --no-strip-extras \
	  pyproject.toml --extra api --group dev -c requirements/run.txt -o requirements/dev.txt

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "customer_pipeline needs Python >= 3.11; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes --only-binary :all: -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes --only-binary :all: -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@ $(VENV)/.run

clean:
	rm -rf $(VENV)
