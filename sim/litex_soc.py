"""A SoC of LiteX around a core that reads digits, and the program in C that its processor runs."""

import subprocess
import sys
from pathlib import Path

from network_c import network_header

from sbgen.compiler import cycles, fold, passes
from sbgen.compiler.device import DEVICES
from sbgen.compiler.frontends import model as model_file
from sbgen.handover import folder
from sbgen.trial_images import choose

__all__ = ["COMPILER", "HERE", "prepare"]

HERE = Path(__file__).parent / "litex"
COMPILER = "riscv64-unknown-elf-"


def prepare(out: Path, *, core_cycles: int = 2000, packed: bool = True, ulx3s: bool = False) -> None:
    """Write the core's folder, the program and the SoC with the program in its ROM.

    Parameters
    ----------
    out : Path
        A folder that is there, for everything.
    core_cycles : int
        The most cycles that the core may take per image.
    packed : bool
        Whether the core takes packed pixels.
    ulx3s : bool
        Whether the SoC is for the board or for a simulator.
    """
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
    soc = [sys.executable, str(HERE / "soc.py"), str(core), "digits", str(out), *["--ulx3s"] * ulx3s]
    _run(soc, out)  # for the addresses that the program needs
    _run(
        [
            *(f"{COMPILER}gcc", "-march=rv32im", "-mabi=ilp32", "-O2", "-ffreestanding", "-nostdlib"),
            *("-Wall", "-Wextra", "-Werror", f"-I{core}", f"-I{out}", "-T", str(HERE / "link.ld")),
            *("-o", "program.elf", str(HERE / "start.S"), str(HERE / "main.c"), str(core / "digits.c")),
            "-lgcc",
        ],
        out,
    )
    _run([f"{COMPILER}objcopy", "-O", "binary", "program.elf", "program.bin"], out)
    _run([*soc, "--program", str(out / "program.bin")], out)


def _run(command: list[str], cwd: Path) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
