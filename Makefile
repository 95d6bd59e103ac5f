# `make help` lists the targets.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: help run test browser check format soak wheel screenshots clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.runtime  ## serve the app at http://localhost:8501
	MALLOC_ARENA_MAX=2 $(BIN)/streamlit run app.py

test: check  ## run all checks and the fast tests: ruff, mypy, import-linter, pytest
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not slow and not browser"

browser: $(VENV)/.development  ## run the tests in a real Chromium and the slow ones, one after the other
	$(BIN)/python -m pytest -m "slow or browser"

check: $(VENV)/.development  ## check style, types and imports, without tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.development  ## format the code and apply ruff's fixes
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: $(VENV)/.development  ## run the tests that take an hour: hostile files, load, memory
	$(BIN)/python -m pytest -s -p no:cacheprovider tests/soak

wheel: $(VENV)/.development  ## build the package into dist/
	$(BIN)/python -m build --no-isolation

screenshots: $(VENV)/.development  ## retake docs/screenshots
	$(BIN)/python docs/screenshots.py

clean:  ## remove the virtual environment and build outputs
	rm -rf $(VENV) dist

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.development: requirements.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/.runtime
