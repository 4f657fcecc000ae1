"""The core of a folder in a SoC of LiteX: a program in C drives it, and the console says what it found."""

import importlib.util
import re
import shutil
from pathlib import Path

import litex_bitstream
import litex_soc
import pytest

from sbgen import tools
from sbgen.compiler import simulate
from sbgen.compiler.simulate import require
from sbgen.compiler.simulate.programs import verilator_flags
from sbgen.errors import ToolError

PATIENCE = 20_000_000


def needed(*packages):
    """Skip by name what is not installed."""
    for package in ("litex", "pythondata_cpu_vexriscv", *packages):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; try: pip install 'sbgen[soc]'")
    if not shutil.which(f"{litex_soc.COMPILER}gcc"):
        pytest.skip(f"{litex_soc.COMPILER}gcc is not installed (apt: gcc-riscv64-unknown-elf)")


def run_soc(out, *, core_cycles=2000):
    """What the console of the SoC says of ten digits; `out` is a folder for everything."""
    litex_soc.prepare(out, core_cycles=core_cycles)
    return console(out)


def console(out):
    """Run the SoC in Verilator."""
    main = (Path(simulate.__file__).parent / "main.cpp").read_text()
    (out / "main.cpp").write_text(main.replace("testbench", "console"))
    sources = [
        *(out / "sources.txt").read_text().split(),
        "soc.v",
        str(litex_soc.HERE / "console.v"),
        "main.cpp",
    ]
    tools.run(
        tools.find("verilator"),
        [
            *("--cc", "--exe", "--build", "-j", "0", "--no-timing", *verilator_flags("-O1")),
            *("--top-module", "console", f"-DPATIENCE={PATIENCE}", "-Mdir", "obj", "-o", "console", *sources),
        ],
        cwd=out,
        log=out / "build.log",
    )
    program = tools.Tool(name="console", argv=(str(out / "obj" / "console"),), version="", origin="build")
    return tools.run(program, [], cwd=out, log=out / "console.log")


@pytest.mark.longest
def test_a_processor_classifies_ten_images(tmp_path):
    needed()
    try:
        require("verilator")
    except ToolError as error:
        pytest.skip(str(error))
    said = run_soc(tmp_path)
    print(said)
    lines = re.findall(r"^image (\d) class (\d) right core (\d+) packed (\d+) c (\d+)$", said, re.MULTILINE)
    assert [int(line[0]) for line in lines] == list(range(10)) and "10 images right" in said
    for *_, with_core, packed, in_c in lines:
        assert int(packed) < int(with_core) < int(in_c)


@pytest.mark.longest
def test_a_bitstream_has_the_core_and_the_program(tmp_path):
    needed("litex_boards")
    built = litex_bitstream.build(tmp_path)
    print(built)
    assert built.fmax_mhz >= litex_bitstream.CLOCK_MHZ
    assert (tmp_path / "soc.bit").stat().st_size > 100_000
