"""From a design to hardware."""

from amaranth.hdl import unsigned
from amaranth.lib import data

from ..hw.binarize import Binarize as BinarizeUnit
from ..hw.bits import bits
from ..hw.core import Core, Stage
from ..hw.planes import BitPlanes
from ..hw.pool import OrReduce
from ..hw.replay import ReplayBuffer
from ..hw.sums import WindowSums
from ..hw.window import SlidingWindow
from .ir import Binarize, Conv2d, MaxPool
from .pipeline import input_lanes, stages

__all__ = ["lower"]


def _padding_words(stage):
    """The padding bit in each lane of a pixel's words that holds a channel, 0 in those that hold none."""
    layer, window = stage.layer, stage.window
    if not isinstance(layer, Conv2d):
        return (0,) * window.slices
    channels = layer.channels // layer.groups
    per_group = window.slices // window.groups
    words = [(1 << stage.planes * min(stage.i_lanes, channels - at * stage.i_lanes)) - 1 for at in range(per_group)]
    return tuple(word * layer.padding_bit for word in words) * window.groups


def _parts(stage):
    layer = stage.layer
    if isinstance(layer, Binarize):
        return (BinarizeUnit(thresholds=layer.thresholds.tolist(), lanes=stage.i_lanes),)
    parts = []
    shape = bits(stage.i_lanes) if stage.planes == 1 else data.ArrayLayout(unsigned(stage.planes), stage.i_lanes)
    if stage.window:
        parts.append(SlidingWindow(shape=shape, geometry=stage.window,
                                   padding_words=_padding_words(stage), store=stage.folding.replay_store))
    elif stage.repeats > 1:
        parts.append(ReplayBuffer(shape=shape, beats=stage.unit.slices, repeats=stage.repeats,
                                  store=stage.folding.replay_store))
    if stage.planes > 1:
        parts.append(BitPlanes(lanes=stage.i_lanes, beats=stage.unit.slices, planes=stage.planes))
    if stage.sums:
        parts.append(WindowSums(lanes=stage.i_lanes, geometry=stage.sums, store=stage.folding.replay_store))
    elif isinstance(layer, MaxPool):
        parts.append(OrReduce(lanes=stage.i_lanes, beats=layer.kernel[0] * layer.kernel[1]))
    else:
        parts.append(stage.unit.create())
    return tuple(parts)


def lower(design):
    """The core that computes `design`."""
    found = stages(design)
    scaling = found[-1].scaling
    return Core(
        stages=[Stage(parts=_parts(stage), i_length=stage.i_length, o_length=stage.o_length) for stage in found],
        lanes=input_lanes(design), pixels=design.network.pixels, classes=design.network.classes,
        scale=scaling and scaling.create())
