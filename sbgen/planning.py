"""Networks that fit a board, with their size and rate, before anything is trained: what `sbgen plan`
prints.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import own_data
from .console import Console
from .errors import FitError, ModelError, ToolError
from .folding import Request, find
from .target import Target, requested

if TYPE_CHECKING:
    from .compiler.design import Design
    from .compiler.device import Device
    from .compiler.ir import Network
    from .samples import Prepared
    from .train.topology import Topology

__all__ = ["Proposal", "ladder", "propose", "show"]

#: Factors of the widths of a topology, from the smallest network to the largest.
_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """A network on a board.

    Parameters
    ----------
    topology : Topology
    weights : int
    cycles : int
        Between two samples.
    lut, bram : int
        Estimated.
    """

    topology: "Topology"
    weights: int
    cycles: int
    lut: int
    bram: int


def ladder(middle: "Topology") -> list["Topology"]:
    """Topologies from a quarter to four times as wide as one, and without its convolutions, the smaller
    first.
    """

    def scaled(topology: "Topology", factor: float) -> "Topology":
        def size(outputs: int) -> int:
            return max(4, 4 * round(outputs * factor / 4))  # as memories like them

        return replace(
            topology,
            widths=tuple(map(size, topology.widths)),
            convolutions=tuple(replace(one, outputs=size(one.outputs)) for one in topology.convolutions),
        )

    rungs = [scaled(middle, factor) for factor in _FACTORS]
    if middle.convolutions:
        dense = replace(middle, convolutions=(), widths=(128, 64))
        rungs = [scaled(dense, factor) for factor in _FACTORS] + rungs
    return list(dict.fromkeys(rungs))


def propose(
    ready: "Prepared",
    topology: "Topology",
    device: "Device",
    *,
    fold: "Callable[[Network], Design]",
    activation_levels: tuple[int, ...] = (2,),
) -> Proposal | None:
    """The design of a network on a device; None if there is none.

    Weights do not matter for the size, unless they are wired in; those of the proposal are random.

    Parameters
    ----------
    ready : Prepared
    topology : Topology
    device : Device
    fold : callable
        Chooses the design; a `FitError` if there is none.
    activation_levels : tuple of int
        As in `train.settings.Settings`.
    """
    from .compiler import passes
    from .compiler.estimate import estimate
    from .compiler.frontends.from_torch import to_network
    from .compiler.weight_count import weights
    from .sizing import interval
    from .train import own_data as training

    settings = replace(training.default_settings(ready), activation_levels=activation_levels)
    model = training.build(ready, topology, settings)
    try:
        network = passes.apply_passes(
            to_network(model, labels=ready.classes, image_shape=ready.recipe.shape, force=True)
        )
        design = fold(network)
    except FitError:
        return None
    resources = estimate(design, device)
    return Proposal(
        topology=topology,
        weights=sum(weights(network)),
        cycles=interval(design)[0],
        lut=resources["lut"],
        bram=resources["bram"],
    )


def show(arguments: Namespace) -> None:
    """Print a table of networks that fit the board or part, and the command that trains each."""
    start, console = time.monotonic(), Console()
    target = requested(arguments)
    device = target.device
    ready, test = own_data.prepared(arguments)
    own_data.show(console, ready, test)
    try:
        import torch
    except ImportError as error:
        raise ToolError(
            "planning needs torch, which is not installed; try `pip install 'sbgen[train]'`"
        ) from error
    torch.manual_seed(0)
    console.line(
        f"  {target.name}: {device.name}, {device.lut:,} LUTs, {device.bram} block RAMs,"
        f" {target.clock_mhz:g} MHz"
    )
    request = Request(fps=arguments.fps)
    proposals, refused = [], []
    for topology in ladder(own_data.topology(arguments, ready)):
        try:
            proposal = propose(
                ready, topology, device, fold=lambda network: find(request, network, target).design
            )
        except ModelError:  # too deep a pooling for the samples
            continue
        if proposal is None:
            refused.append(topology)
        else:
            proposals.append(proposal)
    if not proposals:
        rate = "" if arguments.fps is None else f" at {arguments.fps:,.12g} samples a second"
        raise FitError(
            f"no network from {refused[0].options()} to {refused[-1].options()} fits {target.name}{rate};"
            " name a larger board, a smaller --size or --levels, fewer --columns, or a lower --fps"
            if refused
            else "no network fits samples of this shape; name --hidden or --conv"
        )
    _table(console, arguments, target, proposals)
    if refused:
        console.line(f"  {len(refused)} larger networks do not fit, from {refused[0].options()}")
    console.line(f"  planned in {time.monotonic() - start:.1f} s; nothing was trained or built")


def _table(console: Console, arguments: Namespace, target: Target, proposals: list[Proposal]) -> None:
    proposals = sorted(proposals, key=lambda each: each.weights)
    device = target.device
    console.line()
    console.table(
        ["", "weights", "samples/s", "cycles", f"LUT of {device.lut:,}", f"block RAM of {device.bram}"],
        [
            [
                chr(ord("a") + n),
                each.weights,
                f"{target.clock_mhz * 1e6 / each.cycles:,.0f}",
                each.cycles,
                each.lut,
                each.bram,
            ]
            for n, each in enumerate(proposals)
        ],
    )
    console.line()
    for n, each in enumerate(proposals):
        console.line(
            f"  {chr(ord('a') + n)}  sbgen train {own_data.command(arguments)} {each.topology.options()}"
        )
    console.line()
