"""What is to be proved of a design: a statement for each part that it is made of."""

from collections import Counter

from amaranth.hdl import Fragment
from amaranth.lib import memory, wiring

from ..compiler import lower, pipeline, verilog
from ..hw import mvtu
from ..hw import scale as scale_unit
from ..hw.add import Add
from ..hw.argmax import Argmax
from ..hw.binarize import Binarize
from ..hw.deep_queue import DeepQueue
from ..hw.fork import Fork
from ..hw.lookup import Lookup
from ..hw.planes import BitPlanes
from ..hw.pool import OrReduce
from ..hw.popcount import XnorPopcount
from ..hw.queue import Queue
from ..hw.replay import ReplayBuffer
from ..hw.rom import Rom
from ..hw.threshold import Threshold
from ..hw.width import WidthConverter
from ..hw.window import SlidingWindow
from . import contents, images, moves, neurons, values

__all__ = ["Planned", "plan"]


class Planned(dict):
    """Statements by subject, each with the places in the design that it is about; and the parts that no statement is about.

    Attributes
    ----------
    unstated : list of str
    """

    def __init__(self):
        super().__init__()
        self.unstated = []

    def add(self, statement, place):
        """Another place of a statement."""
        self.setdefault(statement.subject, (statement, Counter()))[1][place] += 1


def plan(design, core_verilog):
    """The statements about a design and the Verilog that was emitted for it.

    Returns
    -------
    Planned
    """
    planned, stages = Planned(), pipeline.stages(design)
    planned.add(contents.same_verilog(core_verilog, lambda: verilog.convert(lower.lower(design))), "core.v")
    roms = contents.memory_words(core_verilog)
    for n, stage in enumerate(stages):
        if isinstance(stage.unit, mvtu.Parameters):
            planned.add(contents.presets(stage), f"mvtu_{n}")
            if stage.unit.weight_blocks:
                continue  # they are not in the Verilog; the memory is named as a part without a statement
            name = f"top.mvtu_{n}.weight_rom"
            planned.add(contents.weights(name, stage, roms.get(name, {})), f"mvtu_{n}")
    if stages[-1].scaling:
        planned.add(contents.scales(stages[-1], roms.get("top.scale.rom", {})), "scale")
    _walk(planned, design, Fragment.get(lower.lower(design), None), stages)
    return planned


def _walk(planned, design, fragment, stages, inside=""):
    for part, name, _ in fragment.subfragments:
        component = next((each for each in part.origins or () if isinstance(each, wiring.Component)), None)
        if component is None or isinstance(component, memory.Memory):
            continue
        made = _statements(component, design, name, stages)
        if made is None:
            planned.unstated.append(f"{inside}{name} ({type(component).__name__})")
        for statement in made or ():
            planned.add(statement, inside + name)
        # What a converter is made of, it is proved with.
        if not isinstance(component, WidthConverter):
            _walk(planned, design, part, stages, f"{inside}{name}.")


def _bits(port):
    return len(port.payload.as_value()) if hasattr(port.payload, "as_value") else len(port.payload)


def _statements(component, design, name, stages):
    """The statements about a component, () where they are made elsewhere, or None."""
    match component:
        case Queue():
            return (moves.queue(lambda shape: Queue(shape=shape, depth=component.depth), width=_bits(component.i), depth=component.depth),)
        case DeepQueue():
            return (moves.deep_queue(lambda shape: DeepQueue(shape=shape, depth=component.depth, store="lut"),
                                     width=_bits(component.i), depth=component.depth),)
        case ReplayBuffer():
            return (moves.replay(lambda shape: ReplayBuffer(shape=shape, beats=component.beats, repeats=component.repeats, store="lut"),
                                 width=_bits(component.i), beats=component.beats, repeats=component.repeats),)
        case WidthConverter():
            sizes = {"length": component.length, "i_lanes": component.i_lanes, "o_lanes": component.o_lanes}
            return (moves.width(lambda shape: WidthConverter(shape=shape, **sizes), bits=_bits(component.i) // component.i_lanes, **sizes),)
        case mvtu.Mvtu():
            unit = component.parameters
            return neurons.operands(unit), neurons.sums(unit, name=name), neurons.traffic(unit)
        case XnorPopcount():
            return (neurons.popcount(width=len(component.a)),)
        case Rom():
            return ()  # its words are compared; that it reads them is part of `operands` and `sums`
        case Binarize():
            thresholds = design.network.layers[0].thresholds.tolist()
            return (values.binarize(lambda: Binarize(thresholds=thresholds, lanes=component.lanes), thresholds=thresholds, lanes=component.lanes),)
        case Lookup():
            table, pixels = design.network.layers[0].table.tolist(), design.network.pixels
            return (values.lookup(lambda: Lookup(table=table, pixels=pixels, lanes=component.lanes), table=table, pixels=pixels,
                                  lanes=component.lanes),)
        case BitPlanes():
            stage = stages[int(name.rpartition("_")[2])]
            sizes = {"lanes": component.i.payload.shape().length, "beats": stage.unit.plane_beats, "planes": stage.planes}
            return (values.planes(lambda: BitPlanes(**sizes), **sizes),)
        case SlidingWindow():
            layer = stages[int(name.rpartition("_")[2])].layer
            return (images.window(
                lambda shape, geometry, words: SlidingWindow(shape=shape, geometry=geometry, padding_words=words, store="lut"),
                width=_bits(component.i), geometry=component.geometry, padding_bit=getattr(layer, "padding_bit", 0)),)
        case OrReduce():
            return (images.or_reduce(lambda lanes: OrReduce(lanes=lanes, beats=component.beats), lanes=_bits(component.i),
                                     beats=component.beats),)
        case Fork():
            return (moves.fork(lambda shape: Fork(shape=shape), width=_bits(component.i)),)
        case Add():
            stage = stages[int(name.rpartition("_")[2])]
            sizes = {"scale": stage.layer.scale, "lanes": stage.i_lanes}
            return (values.add(
                lambda: Add(greatest=stage.i_greatest, kept_greatest=stage.kept_greatest, **sizes), **sizes,
                widths=tuple(_bits(port) // stage.i_lanes for port in (component.i, component.kept))),)
        case Threshold():
            stage = stages[int(name.rpartition("_")[2])]
            layer = stage.layer
            sizes = {"thresholds": layer.thresholds.tolist(), "inverted": layer.inverted.tolist(), "lanes": stage.i_lanes,
                     "width": _bits(component.i) // stage.i_lanes}
            return (values.threshold(lambda: Threshold(store="lut", **sizes), **sizes, name=layer.name),)
        case scale_unit.Scale():
            unit = component.parameters
            return (values.scale(unit.create, classes=unit.classes, count_width=unit.count_width, scale_width=unit.scale_width,
                                 score_width=unit.score_width, negative=unit.signed),)
        case Argmax():
            sizes = {"classes": design.network.classes, "top": design.top}
            width = len(component.i.payload[0])
            return (values.argmax(lambda: Argmax(score_width=width, **sizes), width=width, **sizes),)
    return None
