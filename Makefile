# Every target does its own set-up in .venv; a second call does not install again.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export PYTHONUNBUFFERED := 1

.PHONY: install demo test check lint docs clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"bgm needs Python 3.11 or newer; $(PYTHON) is {v.major}.{v.minor} (make PYTHON=python3.11)")'
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[export,report,runtimes,video,exr,heif,ocio,dev]'
	touch $@

demo: install
	$(RUN) -m bgm demo

test: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -m pytest -n 2 -m "not slow"

check: test
	$(RUN) -m pytest -m slow

lint: install
	$(RUN) -m ruff check --fix .
	$(RUN) -m ruff format .

docs: $(VENV)/docs  # build/site/index.html; warnings are errors
	rm -rf build/docs && mkdir -p build/docs/weights
	cp -r README.md CHANGELOG.md docs examples conf build/docs/ && cp weights/*.md build/docs/weights/
	$(RUN) -m mkdocs build --quiet

$(VENV)/docs: $(VENV)/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf build runs outputs multirun .pytest_cache .ruff_cache .mypy_cache
