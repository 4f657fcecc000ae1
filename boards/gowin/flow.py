"""Gowin's tools: yosys, nextpnr-himbaechel-gowin and gowin_pack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ... import tools
from ..plan import FLAT, Plan, Step, placement
from .chips import of_device
from .constraints import cst

if TYPE_CHECKING:
    from ..board_spec import BoardSpec, Pin

__all__ = ["plan"]

#: Block RAMs for yosys in place of its own, and how they become cells.
_BRAMS = {
    name: Path(__file__).with_name(name).read_text(encoding="ascii") for name in ("brams.txt", "brams.v")
}

#: Buffers at the pins. As a part of synthesis it would put them around modules that keep their hierarchy too.
_PADS = (
    "setattr -mod -unset keep_hierarchy *; flatten;"
    " iopadmap -bits -inpad IBUF O:I -outpad OBUF I:O -toutpad TBUF ~OEN:I:O -tinoutpad IOBUF ~OEN:O:I:IO"
)


def plan(
    verilog: str,
    board: BoardSpec,
    *,
    clock_mhz: float,
    margin: float,
    seeds: Sequence[int],
    pins: Sequence[Pin] | None,
    patchable: bool,
) -> Plan:
    """As `Family.plan`."""
    chip = of_device(board.device.name)
    place, pack = tools.find("nextpnr-himbaechel-gowin"), tools.find("gowin_pack")
    options = (
        "--device",
        board.part,
        "--vopt",
        f"family={chip.name}",
        "--vopt",
        "cst=top.cst",
        "--json",
        "top.json",
        "--freq",
        f"{clock_mhz * (1 + margin):g}",
    )
    return Plan(
        board=board,
        clock_mhz=clock_mhz,
        bitstream="top.fs",
        files={"top.v": verilog, "top.cst": cst(board, pins), **_BRAMS},
        synthesis=_synthesis(chip.family),
        placements=tuple(
            placement(
                seed,
                tool=place,
                reads=("top.json", "top.cst"),
                args=options,
                # It reports false ones at ROMs of one port (its issue 1803), which brams.txt avoids.
                refused="Hold/min time violation",
            )
            for seed in seeds
        ),
        packing=Step(
            title="bitstream",
            tool=pack,
            reads=("placed.json",),
            writes=("top.fs",),
            args=("-d", chip.name, "-o", "top.fs", "placed.json"),
        ),
    )


def _synthesis(family: str) -> Step:
    # Wide LUTs, as on the ECP5 (yosys issue 4798), make popcounts larger, here by 3 %.
    synth = f"synth_gowin -nowidelut -noiopads -family {family} -top top"
    return Step(
        title="synthesis",
        tool=tools.find("yosys"),
        reads=("top.v", *_BRAMS),
        writes=("top.json",),
        args=(
            "-p",
            (
                f"read_verilog top.v; {synth} -run begin:map_ram; memory_libmap -lib brams.txt;"
                f" techmap -map brams.v; {synth} -run map_ffram:; {_PADS}; {FLAT}"
            ),
        ),
    )
