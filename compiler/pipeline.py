"""The stages of a design, connected: what a core consists of."""

from dataclasses import replace

from ..hw import argmax, best, collector, discard, signs
from ..hw.core import Submodule
from ..hw.part import Part
from .design import Design
from .ir import Network
from .layers import rules, scores_rule
from .shortcut_queue import batches, depths
from .stage import Stage, converters, shortcut

__all__ = ["Decision", "ends", "ends_of", "input_lanes", "memory_path", "stages", "submodules"]

#: What computes the classes or signs from the scores: the last part of a core.
Decision = argmax.Parameters | best.Parameters | signs.Parameters


def input_lanes(design: Design) -> int:
    """Pixels in a beat of the core's input."""
    first = rules(design.network)[0]
    _, simd = first.shape(design.foldings[0])
    return first.beat_pixels(simd)


def _with_batches(alone: list[Stage], i_beats: int) -> list[Stage]:
    """The stages, each collector and each `Discard` fitted to the stages around it.

    A collector waits twice as long as the stages before it take for an image, so batches are complete where
    images follow each other without a pause. A `Discard` knows all batches ahead that the stages hold.
    """
    found, first, slowest = list(alone), 0, i_beats
    for n, stage in enumerate(alone):
        parts = list(stage.parts)
        for k, part in enumerate(parts):
            if isinstance(part, collector.Parameters):
                first, parts[k] = n, replace(part, patience=part.patience + 2 * slowest)
            elif isinstance(part, discard.Parameters):
                parts[k] = replace(part, depth=batches(alone[first : n + 1]))
        found[n] = replace(stage, parts=tuple(parts))
        slowest = max(slowest, stage.cycles * stage.images)
    return found


def stages(design: Design) -> list[Stage]:
    """The stages of a design, in order, each with its `entry` and `shortcut`."""
    network = design.network
    alone = [
        rule.stage(folding, patchable=design.patchable)
        for rule, folding in zip(design.rules, design.foldings, strict=True)
    ]
    if design.batch > 1:
        alone = _with_batches(alone, -(-network.pixels // input_lanes(design)))
    length, lanes, element = network.pixels, input_lanes(design), alone[0].parts[0].i_shape.elem_shape
    entered, switches = [], network.switches
    for n, each in enumerate(alone):
        entry = converters(
            element, i_length=length, i_lanes=lanes, o_length=each.i_length, o_lanes=each.i_lanes
        )
        entered.append(replace(each, entry=entry))
        source = alone[switches.get(n, n)]  # after a switch comes what its fork stored
        length, lanes, element = source.o_length, source.o_lanes, source.o_element
    beats = depths(network, alone)
    for start, end in network.shortcuts:
        queue = shortcut(alone[start], beats[start])
        entered[start] = replace(entered[start], shortcut=(queue,))
        if end in switches:
            continue  # what the fork stored enters the layer after the switch
        add = entered[end]
        way = converters(
            queue.shape.elem_shape,
            i_length=add.i_length,
            i_lanes=alone[start].i_lanes,
            o_length=add.i_length,
            o_lanes=add.i_lanes,
        )
        entered[end] = replace(add, shortcut=way)
    return entered


def ends(design: Design, last: Stage) -> tuple[tuple[Part, ...], tuple[Part, ...], Decision]:
    """What is after the last stage: width converters, the scaling of scores if any, the decision."""
    return ends_of(design.network, last, top_k=design.top_k, label_only=design.label_only)


def ends_of(
    network: Network, last: Stage, *, top_k: int = 1, label_only: bool = False
) -> tuple[tuple[Part, ...], tuple[Part, ...], Decision]:
    """`ends` of the designs of a network that have this last stage."""
    scaling = scores_rule(network).scaling(last.folding)
    assert last.unit is not None  # of the scores
    width = scaling.score_width if scaling else last.unit.sum_width
    way = converters(
        last.o_element,
        i_length=last.o_length,
        i_lanes=last.o_lanes,
        o_length=network.outputs,
        o_lanes=network.outputs if label_only else 1,
    )
    if network.decision == "sign":
        decision: Decision = signs.Parameters(score_width=width, outputs=network.outputs)
    elif label_only:
        decision = best.Parameters(score_width=width, classes=network.outputs)
    else:
        decision = argmax.Parameters(score_width=width, classes=network.outputs, top_k=top_k)
    return way, (scaling,) if scaling else (), decision


def submodules(design: Design) -> list[Submodule]:
    """Every part of a design's core in its place, in the order of the RTL."""
    placed: list[Submodule] = []
    made, source, counts = stages(design), "", ""
    switches = design.network.switches
    added = {end: start for start, end in design.network.shortcuts if end not in switches}

    def put(name: str, part: Part, n: int | None, *, i: str, kept: str | None = None) -> str:
        placed.append(Submodule(name=name, part=part, layer=n, i=i, kept=kept))
        return name

    for n, each in enumerate(made):
        for k, part in enumerate(each.entry):
            source = put(f"width_{n}_{k}", part, n, i=source)
        way = [f"shortcut_{n}"]
        if n in added:  # the shortcut's last converter, or its queue
            way = [f"shortcut_{added[n]}", *(f"kept_{n}_{k}" for k in range(len(each.shortcut)))]
        for part in each.parts:
            name, kept = f"{part.rtl_name}_{n}", way[-1] if n in added else None
            if isinstance(part, collector.Parameters):
                counts = f"{name}.kept"
            elif isinstance(part, discard.Parameters):
                kept = counts
            source = put(name, part, n, i=source, kept=kept)
        if n in added:
            for name, before, part in zip(way[1:], way, each.shortcut, strict=False):
                put(name, part, n, i=before)
        else:
            for part in each.shortcut:
                put(f"{part.rtl_name}_{n}", part, n, i=source if n in switches else f"{source}.kept")
        if n in switches:
            source = f"shortcut_{switches[n]}"
    way_out, scaling, decision = ends(design, made[-1])
    for k, part in enumerate(way_out):
        source = put(f"width_out_{k}", part, None, i=source)
    for part in (*scaling, decision):
        source = put(part.rtl_name, part, None, i=source)
    return placed


def memory_path(part: Part, memory: str, n: int | None = None) -> str:
    """The path in RTL of a memory of a part, from the core on.

    Parameters
    ----------
    part : Part
    memory : str
        Its path from the part on, as ``"weight_rom.rest"``.
    n : int, optional
        The place of the part's layer in the network; left out for the parts after the last layer.
    """
    return f"{part.rtl_name}{'' if n is None else f'_{n}'}.{memory}"
