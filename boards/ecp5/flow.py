"""The ECP5's tools: yosys, nextpnr-ecp5 and ecppack."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ... import tools
from ...errors import BoardError
from ..converter import Command
from ..plan import FLAT, Plan, Step, placement
from ..workarounds import ELEMENTS, RIPUP
from .constraints import lpf

if TYPE_CHECKING:
    from ..board_spec import BoardSpec, Pin

__all__ = ["PACKER", "UNPACKER", "plan"]

PACKER = Command(name="ecppack", args=("--compress", "--input", "{source}", "--bit", "{target}"))
UNPACKER = Command(name="ecpunpack", args=("--input", "{source}", "--textcfg", "{target}"))

#: Packages as nextpnr-ecp5 calls them.
_PACKAGES = {
    "BG256": "CABGA256",
    "MG285": "CSFBGA285",
    "BG381": "CABGA381",
    "BG554": "CABGA554",
    "BG756": "CABGA756",
}


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
    package = _package(board)
    place = tools.find("nextpnr-ecp5")
    options = (
        f"--{board.device.name.removeprefix('ecp5-').replace('f', 'k')}",
        "--package",
        package,
        "--speed",
        board.speed,
        "--json",
        "top.json",
        "--lpf",
        "top.lpf",
        "--freq",
        f"{clock_mhz * (1 + margin):g}",
        # Block RAMs all over the device pull a design apart. The analytic placer does not converge on them;
        # the static one halves the length of the wires. The first router takes an hour on 20,000 LUTs,
        # router2 minutes, and it considers the clock.
        "--placer",
        "static",
        "--router",
        "router2",
        RIPUP,
    )
    return Plan(
        board=board,
        clock_mhz=clock_mhz,
        bitstream="top.bit",
        files={"top.v": verilog, "top.lpf": lpf(board, pins, margin=margin)},
        synthesis=_synthesis(),
        placements=tuple(
            placement(
                seed,
                tool=place,
                reads=("top.json", "top.lpf"),
                layout_option="--textcfg",
                suffix="config",
                args=options,
            )
            for seed in seeds
        ),
        packing=Step(
            title="bitstream",
            tool=tools.find(PACKER.name),
            reads=("top.config",),
            writes=("top.bit",),
            args=PACKER.arguments("top.config", "top.bit"),
        ),
    )


def _package(board: BoardSpec) -> str:
    """The package as nextpnr-ecp5 calls it."""
    if board.package not in _PACKAGES:
        raise BoardError(
            f"board {board.name!r}: the package of {board.device.name} must be one of {', '.join(_PACKAGES)},"
            f" but it is {board.package}; is its platform one of another family?"
        )
    return _PACKAGES[board.package]


def _synthesis() -> Step:
    # Wide LUTs cost two to four times the area on popcounts (yosys issue 4798).
    # Only the queues of a USB device would be in LUT RAM; flip-flops and block RAM take them as well.
    synth = "synth_ecp5 -nowidelut -nolutram -top top"
    return Step(
        title="synthesis",
        tool=tools.find("yosys"),
        reads=("top.v",),
        writes=("top.json",),
        args=("-p", f"read_verilog top.v; {synth}; {FLAT}"),
        spare=(
            "-p",
            (
                f"read_verilog top.v; {synth} -run begin:map_luts; rename -hide {ELEMENTS};"
                f" {synth} -run map_luts:; {FLAT}"
            ),
        ),
    )
