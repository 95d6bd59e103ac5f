# `make run` serves the app, `make test` checks everything, `make soak` runs what takes long: the whole corpus
# of hostile files, load, memory. `make screenshots` takes docs/screenshots anew.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin

.PHONY: run test soak check screenshots clean

run: $(VENV)/.runtime
	$(BIN)/streamlit run app.py

test: check
	$(BIN)/python -m pytest

check: $(VENV)/.development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

soak: $(VENV)/.development
	$(BIN)/python -m pytest -s -p no:cacheprovider tests/soak

screenshots: $(VENV)/.development
	$(BIN)/python docs/screenshots.py

clean:
	rm -rf $(VENV)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	touch $@

$(VENV)/.development: requirements.txt requirements-dev.txt | $(BIN)/python
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements-dev.txt
	touch $@ $(VENV)/.runtime
