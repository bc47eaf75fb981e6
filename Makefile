# Every target does its own set-up in .venv; a second call does not install again.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
export PYTHONUNBUFFERED := 1

.PHONY: install demo test check lint docs browser matrix clean

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else f"bgm needs Python 3.11 or newer; $(PYTHON) is {v.major}.{v.minor} (make PYTHON=python3.11)")'
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[train,export,report,runtimes,video,exr,heif,ocio,dev]'
	touch $@

demo: install
	$(RUN) -m bgm demo

test: install
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy & types=$$!; $(RUN) -m pytest -n 2 -m "not slow" && { wait $$types || { echo "mypy found something, see above"; exit 1; }; }

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

# How the networks that come with bgm export; an hour or two, and it goes on where it was stopped.
# make matrix ONLY=export=aoti,select=full: the command lines that hold these words.
matrix: install
	$(RUN) -m bgm matrix $(if $(ONLY),"only=[$(ONLY)]")

# The page of examples/browser with its network, built and driven in headless Chromium.
SITE := build/browser/site
ORT := build/browser/node_modules/onnxruntime-web/dist

browser: $(VENV)/browser $(SITE)/model.onnx $(SITE)/ort
	cp $(addprefix examples/browser/,index.html page.css page.js matting.js worker.js pixels.js) $(SITE)/
	$(RUN) -m pytest -m slow tests/examples/test_browser.py
	@echo "python examples/browser/serve.py $(SITE)"

$(SITE)/model.onnx: weights/efficientnet_lite0.safetensors $(VENV)/installed
	mkdir -p $(SITE)
	$(RUN) export.py ckpt=efficientnet_lite0 export=onnx precision=int8_weights crop=cells \
		backbone_scale=0.5 sample_pixels=20000 licence=MIT out=$@

$(SITE)/ort: examples/browser/package.json
	@command -v npm > /dev/null || { echo "make browser needs npm, which comes with Node.js (Debian: nodejs, npm)"; exit 1; }
	mkdir -p $@
	cp examples/browser/package.json build/browser/
	npm install --prefix build/browser --no-package-lock --no-audit --no-fund --ignore-scripts
	cp $(ORT)/ort.wasm.min.mjs $(ORT)/ort.jspi.min.mjs $(ORT)/ort.webgpu.min.mjs $@
	for build in "" .jspi .asyncify; do cp $(ORT)/ort-wasm-simd-threaded$$build.mjs $(ORT)/ort-wasm-simd-threaded$$build.wasm $@; done
	touch $@

$(VENV)/browser: $(VENV)/installed
	$(RUN) -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[browser]'
	touch $@

clean:
	rm -rf build runs outputs multirun .pytest_cache .ruff_cache .mypy_cache
