"""The core of a folder in a SoC of LiteX: a program in C drives it, and the console says what it found."""

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from network_c import network_header

from sbgen import tools
from sbgen.compiler import cycles, fold, passes
from sbgen.compiler.device import DEVICES
from sbgen.compiler.frontends import model as model_file
from sbgen.compiler.simulate import require
from sbgen.compiler.simulate.programs import verilator_flags
from sbgen.errors import ToolError
from sbgen.handover import folder
from sbgen.trial_images import choose

HERE = Path(__file__).parent / "litex"
COMPILER = "riscv64-unknown-elf-"
PATIENCE = 20_000_000


def needed():
    """Skip by name what is not installed."""
    for package in ("litex", "pythondata_cpu_vexriscv"):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed; try: pip install 'sbgen[soc]'")
    if not shutil.which(f"{COMPILER}gcc"):
        pytest.skip(f"{COMPILER}gcc is not installed (apt: gcc-riscv64-unknown-elf)")
    try:
        require("verilator")
    except ToolError as error:
        pytest.skip(str(error))


def run_soc(out, *, core_cycles=2000, packed=True):
    """What the console of the SoC says of ten digits; `out` is a folder for everything."""
    model = model_file.load(Path("digits"))
    network = passes.apply_passes(model.network)
    design = fold.fold(network, DEVICES["ecp5-85f"], cycles=core_cycles)
    images = choose(network=network, trained_on=model.info, count=10).images[:10]
    context = folder.prepare(
        design,
        images,
        name="digits",
        shell="wishbone",
        cycles=cycles.predict(design),
        clock_mhz=50,
        packed=packed,
    )
    core = out / "core"
    core.mkdir()
    for name, text in folder.files(context).items():
        (core / name).write_text(text)
    (out / "network.h").write_text(network_header(network, images))
    (out / "core.h").write_text(
        '#include "digits.h"\n#define CORE(what) DIGITS_##what\n#define core(what) digits_##what\n'
    )
    soc = [sys.executable, str(HERE / "soc.py"), str(core), "digits", str(out)]
    run(soc, out)  # for the addresses that the program needs
    run(
        [
            *(f"{COMPILER}gcc", "-march=rv32im", "-mabi=ilp32", "-O2", "-ffreestanding", "-nostdlib"),
            *("-Wall", "-Wextra", "-Werror", f"-I{core}", f"-I{out}", "-T", str(HERE / "link.ld")),
            *(
                "-o",
                "program.elf",
                str(HERE / "start.S"),
                str(HERE / "main.c"),
                str(core / "digits.c"),
                "-lgcc",
            ),
        ],
        out,
    )
    run([f"{COMPILER}objcopy", "-O", "binary", "program.elf", "program.bin"], out)
    run([*soc, "program.bin"], out)
    return console(out)


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]


def console(out):
    """Run the SoC in Verilator."""
    main = (Path(folder.__file__).parent.parent / "compiler" / "simulate" / "main.cpp").read_text()
    (out / "main.cpp").write_text(main.replace("testbench", "console"))
    sources = [*(out / "sources.txt").read_text().split(), "soc.v", str(HERE / "console.v"), "main.cpp"]
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
    said = run_soc(tmp_path)
    print(said)
    lines = re.findall(r"^image (\d) class (\d) right core (\d+) packed (\d+) c (\d+)$", said, re.MULTILINE)
    assert [int(line[0]) for line in lines] == list(range(10)) and "10 images right" in said
    for *_, with_core, packed, in_c in lines:
        assert int(packed) < int(with_core) < int(in_c)
