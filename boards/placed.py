"""A design under a board's top level without a build around it, at any level: what random designs are tried
on.
"""

from pathlib import Path

from ..compiler import exchange, linked, lower, verilog
from ..errors import ToolError
from . import flash_image, flow, netlist, netlist_verilog, pins, workarounds
from .harness import Top
from .place import too_big

__all__ = ["LEVELS", "ask"]

#: What a simulator can run: the emitted Verilog, the netlist after synthesis, and that after place and route.
LEVELS = ("emitted", "synthesised", "placed")

#: Clock cycles in a bit of the serial line: as few as the link can bear, as each is simulated.
_DIVISOR = 16


def ask(design, images, *, board, simulator, folder, seed=1, level="placed"):
    """Images through the pins of a board's top level, which a simulator runs.

    Parameters
    ----------
    design : `Design`
    images : uint8 array, shape (N, *image_shape)
    board : `BoardSpec`
        Its oscillator is the clock: the PLL, which a simulation has no time to wait for, is left out.
    simulator : str
        One of `sbgen.compiler.simulate.SIMULATORS`.
    folder : path
        Where everything is written; it is there already.
    seed : int
        Of place and route.
    level : str
        One of `LEVELS`.

    Returns
    -------
    answers : `pins.Answers`
    netlist : dict or None
        As `netlist.load` returns it; None of what is emitted.

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
    linked.check_design(design)
    core = lower.lower(design)
    top = Top(
        core=core,
        board=board,
        clock_mhz=clock_mhz,
        baud=clock_mhz * 1e6 / _DIVISOR,
        digest=bytes.fromhex(exchange.digest(design.network)),
        patchable=design.patchable,
    )
    text = verilog.convert(top)

    def ask_pins(text):
        return pins.Pins(
            text,
            design.network,
            simulator=simulator,
            divisor=top.divisor,
            reset_cycles=top.reset_cycles + top.load_cycles + 100,
            flash=flash_image.weight_bytes(core.image),
            folder=folder / "sim",
        ).ask(images)

    if level == "emitted":
        return ask_pins(text), None
    plan = flow.plan(verilog=text, board=board, clock_mhz=clock_mhz, seeds=[seed], pins=top.pins)
    for name, text in plan.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    workarounds.run(plan.synthesis, folder)
    (made,) = plan.synthesis.writes
    if level == "placed":
        (step,) = plan.placements
        try:
            workarounds.run(step, folder)
        except ToolError as error:
            raise too_big(plan, folder / step.log, family=board.family) or error from None
        _, _, made = step.writes
    netlist.compact(folder / made, folder / "netlist.json.gz")
    cells = netlist.load(folder / "netlist.json.gz")
    return ask_pins(netlist_verilog.verilog(cells, family=board.family)), cells
