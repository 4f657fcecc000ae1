"""A design placed and routed for a board without a build around it: what random designs are tried on."""

from pathlib import Path

from ..compiler import exchange, lower, verilog
from ..errors import ToolError
from . import flash_image, flow, netlist, netlist_verilog, pins
from .harness import Top

__all__ = ["ask"]

#: Clock cycles in a bit of the serial line: as few as the link can bear, as each is simulated.
_DIVISOR = 16


def ask(design, images, *, board, simulator, folder, seed=1, placed=True):
    """Images through the pins of a board's top level, of which a simulator runs the netlist.

    Parameters
    ----------
    design : `Design`
    images : uint8 array, shape (N, *image_shape)
    board : `Board`
        Its oscillator is the clock: the PLL, which a simulation has no time to wait for, is left out.
    simulator : str
        One of `sbgen.compiler.simulate.SIMULATORS`.
    folder : path
        Where everything is written; it is there already.
    seed : int
        Of place and route.
    placed : bool
        Whether the netlist is that behind place and route, or that behind synthesis.

    Returns
    -------
    answers : `pins.Answers`
    netlist : dict
        As `netlist.load` gives it.

    Raises
    ------
    FitError
        When the device is too small.
    UnknownCellError
        When the netlist has a cell that cannot be simulated.
    HardwareError
        When the board does not answer.
    """
    folder = Path(folder)
    clock_mhz = board.oscillator_mhz
    core = lower.lower(design)
    top = Top(core=core, board=board, clock_mhz=clock_mhz, baud=clock_mhz * 1e6 / _DIVISOR,
              digest=bytes.fromhex(exchange.digest(design.network)))
    plan = flow.plan(verilog=verilog.convert(top), board=board, clock_mhz=clock_mhz, seeds=[seed], pins=top.pins)
    for name, text in plan.files.items():
        (folder / name).write_text(text, encoding="utf-8")
    flow.run(plan.synthesis, folder)
    made, = plan.synthesis.writes
    if placed:
        step, = plan.placements
        try:
            flow.run(step, folder)
        except ToolError as error:
            raise flow.too_big(plan, folder / step.log) or error from None
        _, _, made = step.writes
    netlist.compact(folder / made, folder / "netlist.json.gz")
    cells = netlist.load(folder / "netlist.json.gz")
    simulation = pins.Pins(netlist_verilog.verilog(cells, family=board.device.family), design.network, simulator=simulator,
                           divisor=top.divisor, reset_cycles=top.reset_cycles + top.load_cycles + 100,
                           flash=flash_image.weight_bytes(core.image), folder=folder / "sim")
    return simulation.ask(images), cells
