# `make demo`, `make test`, `make docs`: each makes the environment it needs.
PYTHON ?= python3
VENV ?= .venv
# Installed first: any later install of a range keeps it. On Linux without a GPU, point pip at an
# index with PyTorch's CPU builds (PIP_EXTRA_INDEX_URL) to save gigabytes of CUDA packages.
TORCH ?= torch==2.13.0
BIN = $(VENV)/bin
# What runs exports in a browser, for the tests of examples/browser.
WEB = $(VENV)/web/node_modules/onnxruntime-web/dist
export ONNXRUNTIME_WEB ?= $(abspath $(WEB))
export HF_HUB_OFFLINE = 1
export HF_HUB_DISABLE_TELEMETRY = 1

.PHONY: demo test tools check docs format clean

demo: $(VENV)/ready
	$(BIN)/aesthetic-tv demo

test: $(VENV)/ready-dev tools $(WEB)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

# Programs that tests try things with: a browser for the app, and exiftool and exiv2, which read the
# stars that were written. Where one cannot be installed, its tests say so and are skipped.
tools:
	@missing=; \
	for name in "$$CHROMIUM" chromium chromium-browser google-chrome; do \
		command -v "$$name" >/dev/null 2>&1 && break; \
	done || missing="chromium"; \
	command -v exiftool >/dev/null 2>&1 || missing="$$missing libimage-exiftool-perl"; \
	command -v exiv2 >/dev/null 2>&1 || missing="$$missing exiv2"; \
	[ -z "$$missing" ] && exit 0; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq; \
		for package in $$missing; do \
			apt-get install -y -qq --no-install-recommends $$package >/dev/null || failed=1; \
		done; [ -z "$$failed" ]; \
	else false; fi || echo "Not installed:$${missing:+ }$$missing; the tests that need it are skipped."

# Where there is no npm, the tests that need it say so and are skipped.
$(WEB): | $(BIN)/python
	@command -v npm >/dev/null && npm install --silent --no-audit --no-fund --ignore-scripts \
		--prefix $(VENV)/web onnxruntime-web@1.30.0 \
	|| echo "onnxruntime-web could not be installed; its tests are skipped."

check: $(VENV)/ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The site, in docs/_build/html; warnings are errors, and notebooks are run.
docs: $(VENV)/ready-docs
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build -W --keep-going -E -q docs docs/_build/html
	@echo "Look at docs/_build/html/index.html."

format: $(VENV)/ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/ready: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --editable .
	touch $@

$(VENV)/ready-dev: pyproject.toml $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable ".[dev]"
	touch $@

$(VENV)/ready-docs: pyproject.toml $(VENV)/ready
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	touch $@

clean:
	rm -rf $(VENV) build dist demo-output test-artifacts docs/_build docs/_generated
