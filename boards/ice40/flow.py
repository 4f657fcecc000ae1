"""The iCE40's tools: yosys, nextpnr-ice40 and icepack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ... import tools
from ..converter import Command
from ..plan import FLAT, Plan, Step, placement
from .clock_buffer import CLOCK_BUFFER
from .constraints import pcf

if TYPE_CHECKING:
    from ..board_spec import BoardSpec, Pin

__all__ = ["BRAMS", "PACKER", "SYNTHESIS", "UNPACKER", "plan"]

#: Maps block RAMs in place of yosys' own file, at once.
BRAMS = Path(__file__).with_name("brams.v")

#: The synthesis of any iCE40. A clock enable of few flip-flops becomes part of the logic before them, which
#: often takes no more cells: the enable would take a cell and the time to leave it, and would keep flip-flops
#: with other enables out of its tile (TFC on the iCEBreaker: 2 % fewer cells).
SYNTHESIS = "synth_ice40 -dffe_min_ce_use 5"

PACKER = Command(name="icepack", args=("{source}", "{target}"))
UNPACKER = Command(name="iceunpack", args=("{source}", "{target}"))


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
    place = tools.find("nextpnr-ice40")
    options = (
        f"--{board.device.name}",
        "--package",
        board.package.lower(),
        "--json",
        "top.json",
        "--pcf",
        "top.pcf",
        "--freq",
        f"{clock_mhz * (1 + margin):g}",
        # A clock that never stops would be put on a global network, which takes most of the power of a clock.
        *(("--no-promote-globals",) if f"{CLOCK_BUFFER} " in verilog else ()),
    )
    return Plan(
        board=board,
        clock_mhz=clock_mhz,
        bitstream="top.bin",
        files={"top.v": verilog, "top.pcf": pcf(board, pins), "brams.v": BRAMS.read_text(encoding="ascii")},
        synthesis=_synthesis(board, patchable),
        placements=tuple(
            placement(
                seed,
                tool=place,
                reads=("top.json", "top.pcf"),
                layout_option="--asc",
                suffix="asc",
                args=options,
            )
            for seed in seeds
        ),
        packing=Step(
            title="bitstream",
            tool=tools.find(PACKER.name),
            reads=("top.asc",),
            writes=("top.bin",),
            args=PACKER.arguments("top.asc", "top.bin"),
        ),
    )


def _synthesis(board: BoardSpec, patchable: bool) -> Step:
    model = {"h": "hx", "l": "lp", "u": "u"}[board.device.name[0]]
    synth = f"{SYNTHESIS} -device {model} -top top"
    return Step(
        title="synthesis",
        tool=tools.find("yosys"),
        reads=("top.v", "brams.v"),
        writes=("top.json",),
        args=(
            "-p",
            (
                f"read_verilog {'-DSBGEN_ICE40 ' if patchable else ''}top.v; {synth} -run begin:map_ram;"
                " memory_libmap -lib +/ice40/brams.txt -lib +/ice40/spram.txt -no-auto-huge; techmap"
                f" -map brams.v; {synth} -run map_ram:; {FLAT}"
            ),
        ),
    )
