"""What is to be proved of a design: a statement for each part that it is made of."""

from collections import Counter

from amaranth.hdl import Fragment
from amaranth.lib import crc, memory, wiring

from ..compiler import lower, verilog
from ..compiler.stage import stages as stages_of
from ..hw import mvtu, slip, uart
from ..hw import scale as scale_unit
from ..hw import unrolled as unrolled_unit
from ..hw.add import Add
from ..hw.argmax import Argmax
from ..hw.binarize import Binarize
from ..hw.core import Core
from ..hw.deep_queue import DeepQueue
from ..hw.flash_loader import FlashLoader
from ..hw.fork import Fork
from ..hw.host_link import HostLink
from ..hw.lookup import Lookup
from ..hw.planes import BitPlanes
from ..hw.pool import OrReduce
from ..hw.popcount import XnorPopcount
from ..hw.queue import Queue
from ..hw.replay import ReplayBuffer
from ..hw.rom import Rom
from ..hw.signs import Signs
from ..hw.spram import Spram
from ..hw.sums import WindowSums
from ..hw.threshold import Threshold
from ..hw.width import WidthConverter
from ..hw.window import SlidingWindow
from . import contents, images, line, loaded, moves, neurons, unrolled, values

__all__ = ["Planned", "plan"]


class Planned(dict):
    """Statements by subject, each with the places in the design that it is about; and the parts that no
    statement is about.

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


def plan(design, core_verilog, *, top=None, top_verilog="", weights=b""):
    """The statements about a design and the Verilog that was emitted for it.

    Parameters
    ----------
    design : Design
    core_verilog : str
    top : `sbgen.boards.harness.Top`, optional
        The board around the core, where that is to be looked at too, and its Verilog `top_verilog`.
    weights : bytes
        What is loaded at start-up (``weights.bin``).

    Returns
    -------
    Planned
    """
    planned, stages = Planned(), stages_of(design)
    planned.add(
        contents.same_verilog("core.v", core_verilog, lambda: verilog.convert(lower.lower(design))), "core.v"
    )
    if top is not None:
        planned.add(contents.same_verilog("top.v", top_verilog, lambda: verilog.convert(top)), "top.v")
    roms = contents.memory_words(core_verilog)
    for n, stage in enumerate(stages):
        if isinstance(stage.unit, mvtu.Parameters):
            planned.add(contents.presets(stage), f"mvtu_{n}")
            name, words = f"top.mvtu_{n}.weight_rom", None
            if stage.unit.weight_blocks:
                words, weights = contents.loaded_words(stage.unit, weights, roms.get(f"{name}.rest", {}))
            planned.add(
                contents.weights(name, stage, roms.get(name, {}) if words is None else words), f"mvtu_{n}"
            )
    if stages[-1].scaling:
        planned.add(contents.scales(stages[-1], roms.get("top.scale.rom", {})), "scale")
    _walk(planned, design, Fragment.get(lower.lower(design), None), stages)
    if top is not None:
        _walk(planned, design, Fragment.get(top, None), stages, "board.")
    return planned


def _walk(planned, design, fragment, stages, inside=""):
    for part, name, _ in fragment.subfragments:
        component = next(
            (each for each in part.origins or () if isinstance(each, wiring.Component | crc.Processor)), None
        )
        if component is None or isinstance(component, memory.Memory | Core):
            continue  # the core has been looked at by itself
        made = _statements(component, design, name, stages)
        if made is None:
            planned.unstated.append(f"{inside}{name} ({type(component).__name__})")
        elif isinstance(component, unrolled_unit.Unrolled) and len(made) < 2:
            planned.unstated.append(
                f"what the tables of {inside}{name} compute (Unrolled; more than {unrolled.MOST_INPUTS} input"
                " bits)"
            )
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
            return (
                moves.queue(
                    lambda shape: Queue(shape=shape, depth=component.depth, reset_less=component.reset_less),
                    width=_bits(component.i),
                    depth=component.depth,
                ),
            )
        case DeepQueue():
            return (
                moves.deep_queue(
                    lambda shape: DeepQueue(shape=shape, depth=component.depth, store="lut"),
                    width=_bits(component.i),
                    depth=component.depth,
                ),
            )
        case ReplayBuffer():
            return (
                moves.replay(
                    lambda shape, beats, repeats: ReplayBuffer(
                        shape=shape, beats=beats, repeats=repeats, store="lut"
                    ),
                    width=_bits(component.i),
                    beats=component.beats,
                    repeats=component.repeats,
                ),
            )
        case WidthConverter() if component.i_lanes == component.o_lanes:
            return (
                moves.wires(
                    lambda shape: WidthConverter(shape=shape, length=1, i_lanes=1, o_lanes=1),
                    width=_bits(component.i),
                ),
            )
        case WidthConverter():
            sizes = {"length": component.length, "i_lanes": component.i_lanes, "o_lanes": component.o_lanes}
            return (
                moves.width(
                    lambda shape: WidthConverter(shape=shape, reset_less=component.reset_less, **sizes),
                    bits=_bits(component.i) // component.i_lanes,
                    **sizes,
                ),
            )
        case mvtu.Mvtu():
            unit = component.parameters
            return neurons.operands(unit), neurons.sums(unit, name=name), neurons.traffic(unit)
        case XnorPopcount():
            return (neurons.popcount(width=len(component.a)),)
        case unrolled_unit.Unrolled():
            unit, layer = component.parameters, stages[int(name.rpartition("_")[2])].layer
            small = unit.inputs * unit.planes <= unrolled.MOST_INPUTS
            return unrolled.traffic(unit), *([unrolled.whole(unit, layer, name=layer.name)] if small else [])
        case Spram():
            sizes = {"width": component.width, "depth": component.depth}
            rest = len(component.data) - component.width
            return (
                loaded.spram(
                    lambda: Spram(
                        **sizes,
                        rest=Rom(width=rest, words=[0] * component.depth, store="bram") if rest else None,
                    ),
                    **sizes,
                    blocks=len(component.load.en),
                    rest_width=rest,
                ),
            )
        case WindowSums():
            stage = stages[int(name.rpartition("_")[2])]
            return (
                images.sums(
                    lambda geometry, greatest: WindowSums(
                        lanes=1, geometry=geometry, store="lut", greatest=greatest
                    ),
                    lanes=stage.i_lanes,
                    geometry=stage.sums,
                    greatest=stage.i_greatest,
                ),
            )
        case slip.Encoder():
            return line.encoder(slip.Encoder), line.round_trip()
        case slip.Decoder():
            return line.decoder(slip.Decoder), line.round_trip()
        case crc.Processor():
            return (line.checksum(lambda: crc.catalog.CRC32_ISO_HDLC(data_width=1).create()),)
        case uart.Tx():
            return (line.transmitter(lambda divisor: uart.Tx(divisor=divisor), divisor=component.divisor),)
        case uart.Rx():
            return (line.receiver(lambda divisor: uart.Rx(divisor=divisor), divisor=component.divisor),)
        case HostLink() | FlashLoader():
            return ()  # made of other parts; what they do as a whole is told not to be proved
        case Rom():
            return ()  # its words are compared; that it reads them is part of `operands` and `sums`
        case Binarize():
            thresholds = design.network.layers[0].thresholds.tolist()
            return (
                values.binarize(
                    lambda: Binarize(thresholds=thresholds, lanes=component.lanes),
                    thresholds=thresholds,
                    lanes=component.lanes,
                ),
            )
        case Lookup():
            table, pixels = design.network.layers[0].table.tolist(), design.network.pixels
            return (
                values.lookup(
                    lambda: Lookup(table=table, pixels=pixels, lanes=component.lanes),
                    table=table,
                    pixels=pixels,
                    lanes=component.lanes,
                ),
            )
        case BitPlanes():
            stage = stages[int(name.rpartition("_")[2])]
            sizes = {
                "lanes": component.i.payload.shape().length,
                "beats": stage.unit.plane_beats,
                "planes": stage.planes,
            }
            return (values.planes(lambda: BitPlanes(**sizes), **sizes),)
        case SlidingWindow():
            layer = stages[int(name.rpartition("_")[2])].layer
            return (
                images.window(
                    lambda shape, geometry, words: SlidingWindow(
                        shape=shape, geometry=geometry, padding_words=words, store="lut"
                    ),
                    width=_bits(component.i),
                    geometry=component.geometry,
                    padding_bit=getattr(layer, "padding_bit", 0),
                ),
            )
        case OrReduce():
            return (
                images.or_reduce(
                    lambda lanes: OrReduce(lanes=lanes, beats=component.beats),
                    lanes=_bits(component.i),
                    beats=component.beats,
                ),
            )
        case Fork():
            return (moves.fork(lambda shape: Fork(shape=shape), width=_bits(component.i)),)
        case Add():
            stage = stages[int(name.rpartition("_")[2])]
            sizes = {"scale": stage.layer.scale, "lanes": stage.i_lanes}
            return (
                values.add(
                    lambda: Add(greatest=stage.i_greatest, kept_greatest=stage.kept_greatest, **sizes),
                    **sizes,
                    widths=tuple(_bits(port) // stage.i_lanes for port in (component.i, component.kept)),
                ),
            )
        case Threshold():
            stage = stages[int(name.rpartition("_")[2])]
            layer = stage.layer
            sizes = {
                "thresholds": layer.thresholds.tolist(),
                "inverted": layer.inverted.tolist(),
                "lanes": stage.i_lanes,
                "width": _bits(component.i) // stage.i_lanes,
            }
            return (values.threshold(lambda: Threshold(store="lut", **sizes), **sizes, name=layer.name),)
        case scale_unit.Scale():
            unit = component.parameters
            return (
                values.scale(
                    unit.create,
                    classes=unit.classes,
                    count_width=unit.count_width,
                    scale_width=unit.scale_width,
                    score_width=unit.score_width,
                    negative=unit.signed,
                ),
            )
        case Argmax():
            sizes = {"classes": design.network.outputs, "top": design.top_k}
            width = len(component.i.payload[0])
            return (values.argmax(lambda: Argmax(score_width=width, **sizes), width=width, **sizes),)
        case Signs():
            sizes = {"outputs": design.network.outputs, "width": len(component.i.payload[0])}
            return (
                values.signs(lambda: Signs(score_width=sizes["width"], outputs=sizes["outputs"]), **sizes),
            )
    return None
