# make demo: from an empty machine to a bitstream, a verdict and a report.
# make test: every test of minutes at most.   make full: the campaigns that take hours (random networks, mutations, ...).
# Needs python3 (3.11 or later), pip, make, g++ and perl; everything else is installed into .venv by pip, except
# Icarus Verilog, icebox_vlog, Tcl and Chromium, which the tests need and which come from apt.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Training and the tests share the machine; one thread each is fastest there.
export OMP_NUM_THREADS ?= 1

ALL_TOOLS ?= 1

# What of sbgen the machines without a network need.
EXTRAS ?= all

.PHONY: demo test full lint docs notebooks setup tools soc clean wheelhouse

demo: setup
	$(BIN)/sbgen build --model models/digits.pt --board icebreaker --out build/digits

# Slow tests run too, and a test whose tool is missing fails; pytest alone skips both. `make test ALL_TOOLS=`
# installs nothing through apt and skips tests whose tool is missing: for systems without apt.
# aeon comes alone: only its data sets are read, and what it depends on holds NumPy back.
test: setup $(if $(ALL_TOOLS),tools)
	$(if $(ALL_TOOLS),$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'aeon~=1.6.0')
	SBGEN_ALL_TOOLS=$(ALL_TOOLS) $(BIN)/python -m pytest -m "not longest" --numprocesses auto --maxprocesses 8 --dist worksteal

full: setup tools soc
	$(BIN)/python benchmarks/full.py

lint: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check ruff mypy --constraint constraints.txt
	$(BIN)/python -m ruff check
	$(BIN)/python -m ruff format --check
	$(BIN)/python -m mypy

# The site, in build/docs. Its notebooks run, nothing is fetched, and a warning or a broken link is an error.
docs: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]' --constraint constraints.txt
	$(BIN)/python -m sphinx -W --keep-going -q -b html docs build/docs
	@echo "see build/docs/index.html"

# The tutorials as notebooks for Jupyter, in build/notebooks; what they link to outside is its text.
notebooks: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[docs]' --constraint constraints.txt
	@mkdir -p build/notebooks
	@for page in docs/tutorials/*.md; do \
	  notebook=build/notebooks/$$(basename $$page .md).ipynb; \
	  $(BIN)/mystnb-to-jupyter -o $$page $$notebook && \
	  sed -i.bak -E 's/\[([^]]*)\]\(\.\.\/[^)]*\)/\1/g; s/\(([a-z_]+)\.md\)/(\1.ipynb)/g' $$notebook && \
	  rm $$notebook.bak || exit; \
	done

setup: $(READY)

# Done again only when what is to be installed has changed. Some systems' Python has venv but not the pip to put in.
$(READY): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (some minutes the first time)"
	@$(PYTHON) -m venv $(VENV) || $(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check \
	  --editable '.[all]' --constraint constraints.txt
	@touch $@

# The tools of the tests that PyPI does not have. A browser may be there under another name.
tools:
	@browser=$$(command -v chromium || command -v chromium-browser || command -v google-chrome || echo); \
	command -v iverilog >/dev/null && command -v icebox_vlog >/dev/null && command -v tclsh >/dev/null && test -n "$$browser" && exit; \
	packages="iverilog fpga-icestorm tcl"; test -n "$$browser" || packages="$$packages chromium"; \
	echo "Installing $$packages"; \
	as_root=; test "$$(id -u)" = 0 || as_root="sudo -n"; \
	quiet() { $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$$@" >/dev/null 2>&1; }; \
	quiet install -y $$packages || { quiet update && quiet install -y $$packages; } || \
	{ echo "The tests need Icarus Verilog, icebox_vlog, Tcl and Chromium, and apt could not install them; try: apt install $$packages" >&2; exit 1; }

# What the SoC around a handed-over core needs besides: LiteX, and a compiler for its processor.
soc: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[soc]' --constraint constraints.txt
	command -v riscv64-unknown-elf-gcc >/dev/null || apt-get -qq install -y gcc-riscv64-unknown-elf

# Everything for an installation without a network: copy the folder, then
# pip install --no-index --find-links wheelhouse 'sbgen[all]'
wheelhouse:
	$(PYTHON) -m pip wheel --quiet --disable-pip-version-check --wheel-dir wheelhouse '.[$(EXTRAS)]' --constraint constraints.txt
	@ls wheelhouse | wc -l | xargs echo "wheelhouse: files"

clean:
	rm -rf $(VENV) build
