"""From a design to hardware."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..hw.add import Add as AddUnit
from ..hw.binarize import Binarize as BinarizeUnit
from ..hw.bits import bits
from ..hw.core import Core, Stage
from ..hw.deep_queue import DeepQueue
from ..hw.fork import Fork as ForkUnit
from ..hw.lookup import Lookup as LookupUnit
from ..hw.planes import BitPlanes
from ..hw.pool import OrReduce
from ..hw.replay import ReplayBuffer
from ..hw.sums import WindowSums
from ..hw.threshold import Threshold as ThresholdUnit
from ..hw.width import WidthConverter
from ..hw.window import SlidingWindow
from .ir import Add, Binarize, Conv2d, Fork, Lookup, MaxPool, Threshold
from .shortcut_queue import depths
from .stage import forks, input_lanes, stages

__all__ = ["lower"]


def _padding_words(stage):
    """The padding bit in each lane of a pixel's words that holds a channel, 0 in those that hold none."""
    layer, window = stage.layer, stage.window
    if not isinstance(layer, Conv2d):
        return (0,) * window.slices
    channels = layer.channels // layer.groups
    per_group = window.slices // window.groups
    words = [
        (1 << stage.planes * min(stage.i_lanes, channels - at * stage.i_lanes)) - 1 for at in range(per_group)
    ]
    return tuple(word * layer.padding_bit for word in words) * window.groups


def _elements(stage):
    """Shape of the beats that a stage takes."""
    return data.ArrayLayout(unsigned(stage.i_greatest.bit_length()), stage.i_lanes)


def _vector(planes, lanes):
    """Shape of a beat of elements of so many bits."""
    return bits(lanes) if planes == 1 else data.ArrayLayout(unsigned(planes), lanes)


def _parts(stage):
    layer = stage.layer
    match layer:
        case Binarize():
            return (BinarizeUnit(thresholds=layer.thresholds.tolist(), lanes=stage.i_lanes),)
        case Lookup():
            return (LookupUnit(table=layer.table.tolist(), pixels=stage.i_length, lanes=stage.i_lanes),)
        case Fork():
            return (ForkUnit(shape=_elements(stage)),)
        case Add():
            return (
                AddUnit(
                    greatest=stage.i_greatest,
                    kept_greatest=stage.kept_greatest,
                    scale=layer.scale,
                    lanes=stage.i_lanes,
                ),
            )
        case Threshold():
            return (
                ThresholdUnit(
                    thresholds=layer.thresholds.tolist(),
                    inverted=layer.inverted.tolist(),
                    width=stage.i_greatest.bit_length(),
                    lanes=stage.i_lanes,
                    store=stage.folding.preset_store,
                ),
            )
    parts = []
    if stage.window:
        parts.append(
            SlidingWindow(
                shape=_vector(stage.planes, stage.i_lanes),
                geometry=stage.window,
                padding_words=_padding_words(stage),
                store=stage.folding.replay_store,
            )
        )
    if stage.gathers:
        parts.append(
            WidthConverter(
                shape=stage.planes,
                length=stage.unit.inputs,
                i_lanes=stage.i_lanes,
                o_lanes=stage.unit.simd,
                reset_less=stage.folding.registered,
            )
        )
    if stage.repeats > 1:
        parts.append(
            ReplayBuffer(
                shape=_vector(stage.planes, stage.unit.simd),
                beats=stage.unit.slices,
                repeats=stage.repeats,
                store=stage.folding.replay_store,
            )
        )
    if stage.unit and stage.planes > 1 and not stage.folding.unrolled:
        parts.append(BitPlanes(lanes=stage.unit.simd, beats=stage.unit.plane_beats, planes=stage.planes))
    if stage.sums:
        parts.append(
            WindowSums(
                lanes=stage.i_lanes,
                geometry=stage.sums,
                store=stage.folding.replay_store,
                greatest=stage.i_greatest,
            )
        )
    elif isinstance(layer, MaxPool):
        parts.append(OrReduce(lanes=stage.i_lanes, beats=layer.kernel[0] * layer.kernel[1]))
    else:
        parts.append(stage.unit.create())
    return tuple(parts)


def lower(design):
    """The core that computes `design`."""
    fork_of, depth_of, made = forks(design.network), depths(design), []
    for n, stage in enumerate(stages(design)):
        queue = None
        if n in depth_of:
            queue = DeepQueue(shape=_elements(stage), depth=depth_of[n], store=stage.folding.replay_store)
        made.append(
            Stage(
                parts=_parts(stage),
                i_length=stage.i_length,
                o_length=stage.o_length,
                queue=queue,
                fork=fork_of.get(n),
            )
        )
    return Core(
        stages=made,
        lanes=input_lanes(design),
        pixels=design.network.pixels,
        outputs=design.network.outputs,
        scale=stage.scaling and stage.scaling.create(),
        top=design.top_k,
        signs=design.network.decision == "sign",
        reset_less=any(folding.registered for folding in design.foldings),
    )
