"""A design on a board's top level without a build, at any level: random designs are tried on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..compiler import exchange, linked, lower, verilog
from ..errors import ToolError
from . import flash_image, flow, netlist, netlist_verilog, pins, simulated, workarounds
from .harness import Top

if TYPE_CHECKING:
    from ..compiler.design import Design
    from .board_spec import BoardSpec
    from .plan import Plan
from .seeds import too_big

__all__ = ["LEVELS", "ask"]

#: What a simulator can run: the emitted Verilog, and the netlists after synthesis and after place and route.
LEVELS = ("emitted", "synthesised", "placed")

#: Clock cycles per bit of the serial line: as few as the link tolerates, as each is simulated.
_DIVISOR = 16


def ask(
    design: Design,
    images: np.ndarray,
    *,
    board: BoardSpec,
    simulator: str,
    folder: str | Path,
    seed: int = 1,
    level: str = "placed",
    faults: bool = False,
    sleeps: bool = False,
) -> tuple[pins.Answers, netlist.Netlist | None]:
    """Send images through the pins of a board's top level, which a simulator runs.

    Parameters
    ----------
    design : `Design`
    images : uint8 array, shape (N, *image_shape)
    board : `BoardSpec`
        Its oscillator is the clock, without a PLL: a simulation would wait too long for its lock.
    simulator : str
        One of `sbgen.compiler.simulate.SIMULATORS`.
    folder : path
        Where everything is written; it exists already.
    seed : int
        Of place and route.
    level : str
        One of `LEVELS`.
    faults : bool
        Whether packets of a link over USB are damaged, lost and late at random.
    sleeps : bool
        Whether the clock stops between requests. The line then rests at random for so long that it does.

    Returns
    -------
    answers : `pins.Answers`
    netlist : dict or None
        As `netlist.load` returns it; None of emitted Verilog.

    Raises
    ------
    FitError
        When the device is too small, or the host link cannot serve the design.
    UnknownCellError
        When the netlist has a cell that cannot be simulated.
    HardwareError
        When the board does not answer.
    """
    folder = Path(folder)
    clock_mhz = board.oscillator_mhz
    link = linked.link_parameters(design, board.device, flow_control=board.usb_link)
    core = lower.lower(design)
    top = Top(
        core=core,
        # Nothing but the divisor matters here: no converter has to make the rate.
        board=replace(board, usb_chip=None),
        link=link,
        clock_mhz=clock_mhz,
        baud=None if board.usb_link else clock_mhz * 1e6 / _DIVISOR,
        digest=bytes.fromhex(exchange.digest(design.network)),
        patchable=design.patchable,
        sleeps=sleeps,
    )
    text = verilog.convert(top)

    def ask_pins(text: str) -> pins.Answers:
        return pins.Pins(
            text,
            design.network,
            simulator=simulator,
            divisor=top.divisor,
            usb=board.usb_link,
            faults=faults,
            reset_cycles=top.reset_cycles + top.load_cycles + 100,
            flash=flash_image.weight_bytes(core.ram_contents),
            folder=folder / "sim",
            pause=2 * top.hold,
        ).ask(images)

    if level == "emitted":
        return ask_pins(simulated.top_level(text, board=board)), None
    plan = flow.plan(verilog=text, board=board, clock_mhz=clock_mhz, seeds=[seed], pins=top.pins)
    cells = _implement(plan, folder, routed=level == "placed")
    return ask_pins(netlist_verilog.verilog(cells, family=board.family)), cells


def _implement(plan: Plan, folder: Path, *, routed: bool) -> netlist.Netlist:
    """The netlist of a plan after synthesis or, with `routed`, after place and route."""
    for name, text in plan.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    workarounds.run(plan.synthesis, folder)
    (result,) = plan.synthesis.writes
    if routed:
        (step,) = plan.placements
        try:
            workarounds.run(step, folder)
        except ToolError as error:
            raise too_big(plan, folder / step.log, family=plan.board.family) or error from None
        _, result, *_ = step.writes
    netlist.compact(folder / result, folder / "netlist.json.gz")
    return netlist.load(folder / "netlist.json.gz")
