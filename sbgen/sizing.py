"""Size and speed of a network without building: what `sbgen estimate` and `sbgen build --fit` print."""

import time
from argparse import Namespace

from . import boards, folding, network_cache
from .arguments import board_name
from .boards import BoardSpec, harness
from .compiler import fold
from .compiler.cycles import predict, stage_cycles
from .compiler.design import Design
from .compiler.estimate import error_band, estimate
from .compiler.ir import Network
from .compiler.weight_count import weights
from .console import Console
from .report import bound

__all__ = ["interval", "show"]

#: Cycles per image times layers up to which the interval between images is predicted exactly. Above, it is
#: the interval of the slowest layer.
_EXACT = 5_000

#: Characters of the longest bar of a trade-off curve.
_BAR = 32


def show(arguments: Namespace) -> None:
    """Print the estimate of one design, or with ``--fit`` of several."""
    start = time.monotonic()
    console = Console()
    board = boards.get(board_name(arguments))
    clock_mhz, _ = harness.clock_and_pll(board, None if arguments.clock == "best" else arguments.clock)
    network = network_cache.load(
        arguments.model,
        force=arguments.force,
        pixels=arguments.pixels,
        patchable=folding.patchable(arguments),
    )
    console.line(
        f"  {network.name}: {sum(weights(network)):,} weights; {board.name}: {board.device.name}, "
        f"{board.device.lut:,} LUTs, {board.device.bram} block RAMs"
    )
    console.line()
    if arguments.fit:
        _show_curve(arguments, console, network, board, clock_mhz)
    else:
        _show_design(arguments, console, network, board, clock_mhz)
    console.line(f"  estimated in {time.monotonic() - start:.1f} s; nothing was built")


def interval(design: Design) -> tuple[int, bool]:
    """Cycles between two images, and whether they are exact; where that would take long, they are those of
    the slowest layer.
    """
    busy = stage_cycles(design)
    exact = max(busy) * len(busy) <= _EXACT
    return (predict(design).interval if exact else max(busy)), exact


def _show_design(
    arguments: Namespace, console: Console, network: Network, board: BoardSpec, clock_mhz: float
) -> None:
    design = folding.fold(arguments, network, board, clock_mhz)
    device, resources, busy = board.device, estimate(design, board.device), stage_cycles(design)
    cycles, exact = interval(design)
    console.table(
        ["layer", "PE", "SIMD", "cycles", "store"],
        [
            [layer.name, *shape, cycles, folded.store]
            for (layer, folded), shape, cycles in zip(design.stages, design.shapes, busy, strict=True)
        ],
    )
    console.line()
    band = error_band(device)
    real = tuple(resources["lut"] * (1 + band[end]) for end in ("low", "high"))
    notes = {
        "lut": (f"; {real[0]:,.0f} ... {real[1]:,.0f} judging by {band['designs']} synthesised designs"),
        "ff": ", at most",
        "bram": "",
        **({"spram": ""} if device.spram else {}),
    }
    for (name, note), label in zip(notes.items(), ("LUT", "FF", "block RAM", "SPRAM"), strict=False):
        used, available = resources[name], getattr(device, name)
        console.line(f"  {label:12}{used:>9,} of {available:,}, {used / available:.0%}{note}")
    console.line(f"  {'cycles':12}{cycles:>9,} per image" + ("" if exact else ", those of the slowest layer"))
    console.line(f"  {'core':12}{clock_mhz * 1e6 / cycles:>9,.0f} images/s, if {clock_mhz:g} MHz is reached")
    limit = bound(network, device, cycles)
    console.line(
        f"  {'bound':12}{limit['cycles']:>9,} cycles per image by {limit['by']}, of which"
        f" {limit['reached']:.0%} is reached"
    )
    console.line()


def _show_curve(
    arguments: Namespace, console: Console, network: Network, board: BoardSpec, clock_mhz: float
) -> None:
    device = board.device
    requested = folding.fold(arguments, network, board, clock_mhz)
    by_hand = any(getattr(arguments, name) is not None for name in ("fps", "pe", "simd", "design"))
    designs = {
        design.foldings: design
        for design in (*fold.trade_off(network, device, patchable=requested.patchable), requested)
    }.values()
    points = sorted(
        (
            (max(stage_cycles(design)), estimate(design, device), design.foldings == requested.foldings)
            for design in designs
        ),
        key=lambda point: (point[0], -point[1]["lut"]),
    )
    most = max(resources["lut"] for _, resources, _ in points)
    rows = [
        [
            f"{clock_mhz * 1e6 / cycles:,.0f}",
            cycles,
            resources["lut"],
            resources["bram"],
            "#" * max(1, round(_BAR * resources["lut"] / most))
            + (" <- with these options" if by_hand else " <- default") * is_requested,
        ]
        for cycles, resources, is_requested in points
    ]
    console.table(
        [f"images/s at {clock_mhz:g} MHz", "cycles", "LUT", "block RAM", f"LUT, of {device.lut:,}"], rows
    )
    console.line()
    band = error_band(device)
    console.line(
        f"  LUTs of {band['designs']} synthesised designs differed by {band['low']:+.0%} ..."
        f" {band['high']:+.0%} from the estimate; `sbgen build --fps N` builds one of these"
    )
