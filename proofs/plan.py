"""What is to be proved of a design: a statement for each part that it consists of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from amaranth.hdl import Elaboratable, Fragment, Shape, ShapeLike
from amaranth.lib import crc, memory, wiring

from ..compiler import lower, verilog
from ..compiler.design import Design
from ..compiler.ir import Add, Binarize, Conv2d, Dense, Layer, Lookup, MaxPool, Scores, SumPool, Threshold
from ..compiler.pipeline import ends, memory_path, stages, submodules
from ..hw import (
    add,
    argmax,
    binarize,
    collector,
    deep_queue,
    discard,
    fork,
    lookup,
    maximum,
    mvtu,
    patches,
    planes,
    pool,
    replay,
    scale,
    short_queue,
    signs,
    slip,
    splitter,
    sums,
    threshold,
    uart,
    width,
    window,
)
from ..hw import best as best_class
from ..hw import unrolled as unrolled_unit
from ..hw.byte_ram import ByteRam
from ..hw.core import Core
from ..hw.flash_loader import FlashLoader
from ..hw.frame_check import Appender, Checker
from ..hw.host_link import HostLink
from ..hw.link_reader import Reader
from ..hw.link_receiver import Receiver
from ..hw.link_responder import Responder
from ..hw.packet_store import PacketStore
from ..hw.part import Part
from ..hw.popcount import XnorPopcount
from ..hw.queue import Queue
from ..hw.ranks import Ranks
from ..hw.result_bytes import ResultBytes
from ..hw.rom import Rom
from ..hw.spram import Spram
from ..hw.unpacker import Unpacker
from . import batches, best, contents, decisions, images, line, loaded, moves, neurons, unrolled, values
from .statement import Statement

if TYPE_CHECKING:
    from ..boards.harness import Top

__all__ = ["COMPONENTS", "PARTS", "Planned", "plan"]

Statements = tuple[Statement, ...]


class Planned(dict):
    """Statements by subject, each with the places in the design that it is about; and the parts that no
    statement is about.

    Attributes
    ----------
    unstated : list of str
    """

    def __init__(self) -> None:
        super().__init__()
        self.unstated: list[str] = []

    def add(self, statement: Statement, place: str) -> None:
        """Another place of a statement."""
        self.setdefault(statement.subject, (statement, Counter()))[1][place] += 1


def plan(
    design: Design, core_verilog: str, *, top: Top | None = None, top_verilog: str = "", weights: bytes = b""
) -> Planned:
    """The statements about a design and the Verilog that was emitted for it.

    Parameters
    ----------
    design : Design
    core_verilog : str
    top : `sbgen.boards.harness.Top`, optional
        The board around the core, if that is to be proved too, and its Verilog `top_verilog`.
    weights : bytes
        What is loaded at start-up (``weights.bin``).
    """
    planned = Planned()
    planned.add(
        contents.same_verilog("core.v", core_verilog, lambda: verilog.convert(lower.lower(design))), "core.v"
    )
    if top is not None:
        planned.add(contents.same_verilog("top.v", top_verilog, lambda: verilog.convert(top)), "top.v")
    _plan_contents(planned, design, core_verilog, weights)
    layers = {
        each.name: design.network.layers[-1 if each.layer is None else each.layer]
        for each in submodules(design)
    }
    _walk(planned, Fragment.get(lower.lower(design), None), layers)
    if top is not None:
        _walk(planned, Fragment.get(top, None), layers, "board.")
    return planned


def _plan_contents(planned: Planned, design: Design, core_verilog: str, weights: bytes) -> None:
    """Statements about what is in the memories of the emitted Verilog."""
    made, roms = stages(design), contents.memory_words(core_verilog)
    for n, stage in enumerate(made):
        unit = stage.part(mvtu.Parameters)
        if unit is None:
            continue
        place = f"{unit.rtl_name}_{n}"
        planned.add(contents.presets(stage), place)
        name = f"top.{memory_path(unit, 'weight_rom', n)}"
        words = roms.get(name, {})
        if unit.weight_blocks:
            rest = roms.get(f"top.{memory_path(unit, 'weight_rom.rest', n)}", {})
            words, weights = contents.loaded_words(unit, weights, rest)
        planned.add(contents.weights(name, stage, words), place)
    _, scaling, _ = ends(design, made[-1])
    for part in scaling:
        words = roms.get(f"top.{memory_path(part, 'rom')}", {})
        planned.add(
            contents.scales(cast(Scores, made[-1].layer), cast(scale.Parameters, part), words), part.rtl_name
        )


def _walk(planned: Planned, fragment: Fragment, layers: dict[str, Layer], inside: str = "") -> None:
    """Plan the statements about all components in a fragment, and about what they consist of."""
    for inner, name, _ in fragment.subfragments:
        component = next(
            (each for each in inner.origins or () if isinstance(each, wiring.Component | crc.Processor)), None
        )
        if component is None or isinstance(component, memory.Memory | Core):
            continue  # the core is looked at by itself
        statements = _statements(component, layers.get(name), name)
        if statements is None:
            planned.unstated.append(f"{inside}{name} ({type(component).__name__})")
        elif isinstance(component, unrolled_unit.Unrolled) and len(statements) < 2:
            planned.unstated.append(
                f"what the tables of {inside}{name} compute (Unrolled; more than {unrolled.MOST_INPUTS} input"
                " bits)"
            )
        for statement in statements or ():
            planned.add(statement, inside + name)
        _walk(planned, inner, layers, f"{inside}{name}.")


def _statements(component: Elaboratable, layer: Layer | None, name: str) -> Statements | None:
    """The statements about a component, () where they are made elsewhere, or None."""
    part = getattr(component, "parameters", None)
    if isinstance(part, Part):
        return PARTS[type(part)](part, layer, name) if type(part) in PARTS else None
    return COMPONENTS[type(component)](component) if type(component) in COMPONENTS else None


def _width_of(shape: ShapeLike) -> int:
    return Shape.cast(shape).width


def _add(p: add.Parameters, layer: Add, name: str) -> Statements:
    widths = tuple(_width_of(shape) // p.lanes for shape in (p.i_shape, p.kept_shape))
    return (values.add(p.create, scale=layer.scale, lanes=p.lanes, widths=widths),)


def _argmax(p: argmax.Parameters, layer: Layer, name: str) -> Statements:
    return (decisions.argmax(p.create, width=p.score_width, classes=p.classes, top=p.top_k),)


def _best(p: best_class.Parameters, layer: Layer, name: str) -> Statements:
    def make(levels: int | None) -> best_class.Best:
        return (p if levels is None else replace(p, levels=levels)).create()

    return best.traffic(make), best.whole(make)


def _binarize(p: binarize.Parameters, layer: Binarize, name: str) -> Statements:
    return (values.binarize(p.create, thresholds=layer.thresholds.tolist(), lanes=p.lanes),)


def _collector(p: collector.Parameters, layer: Layer, name: str) -> Statements:
    return (batches.collects(collector.Parameters.create, parameters=p),)


def _discard(p: discard.Parameters, layer: Layer, name: str) -> Statements:
    return (batches.discards(discard.Parameters.create, parameters=p),)


def _deep_queue(p: deep_queue.Parameters, layer: Layer, name: str) -> Statements:
    def make(shape: ShapeLike) -> deep_queue.DeepQueue:
        return replace(p, shape=shape, store="lut").create()

    return (moves.deep_queue(make, width=p.width, depth=p.depth),)


def _fork(p: fork.Parameters, layer: Layer, name: str) -> Statements:
    return (moves.fork(lambda shape: replace(p, shape=shape).create(), width=_width_of(p.shape)),)


def _lookup(p: lookup.Parameters, layer: Lookup, name: str) -> Statements:
    return (values.lookup(p.create, table=layer.table.tolist(), pixels=p.pixels, lanes=p.lanes),)


def _mvtu(p: mvtu.Parameters, layer: Layer, name: str) -> Statements:
    return neurons.operands(p), neurons.sums(p, name=name), neurons.traffic(p)


def _planes(p: planes.Parameters, layer: Layer, name: str) -> Statements:
    return (values.planes(p.create, lanes=p.lanes, beats=p.beats, planes=p.planes),)


def _patches(p: patches.Parameters, layer: Layer, name: str) -> Statements:
    return (images.patches(patches.Parameters.create, parameters=p),)


def _pool(p: pool.Parameters, layer: Layer, name: str) -> Statements:
    return (images.or_reduce(lambda lanes: replace(p, lanes=lanes).create(), lanes=p.lanes, beats=p.beats),)


def _maximum(p: maximum.Parameters, layer: Layer, name: str) -> Statements:
    def make(lanes: int) -> maximum.Maximum:
        return replace(p, lanes=lanes).create()

    return (images.maximum(make, lanes=p.lanes, width=p.width, beats=p.beats),)


def _replay(p: replay.Parameters, layer: Layer, name: str) -> Statements:
    def make(shape: ShapeLike, beats: int, repeats: int) -> replay.ReplayBuffer:
        return replay.Parameters(shape=shape, beats=beats, repeats=repeats, store="lut").create()

    return (moves.replay(make, width=_width_of(p.shape), beats=p.beats, repeats=p.repeats),)


def _scale(p: scale.Parameters, layer: Layer, name: str) -> Statements:
    return (
        values.scale(
            p.create,
            classes=p.classes,
            count_width=p.count_width,
            scale_width=p.scale_width,
            score_width=p.score_width,
            negative=p.signed,
        ),
    )


def _short_queue(p: short_queue.Parameters, layer: Layer, name: str) -> Statements:
    return (moves.queue(lambda shape: replace(p, shape=shape).create(), width=p.width, depth=p.depth),)


def _signs(p: signs.Parameters, layer: Layer, name: str) -> Statements:
    return (decisions.signs(p.create, outputs=p.outputs, width=p.score_width),)


def _splitter(p: splitter.Parameters, layer: Layer, name: str) -> Statements:
    return (moves.splitter(splitter.Parameters.create, parameters=p),)


def _sums(p: sums.Parameters, layer: Layer, name: str) -> Statements:
    def make(geometry: window.Geometry, maximum: int) -> sums.WindowSums:
        return sums.Parameters(lanes=1, geometry=geometry, store="lut", maximum=maximum).create()

    return (images.sums(make, lanes=p.lanes, geometry=p.geometry, maximum=p.maximum),)


def _threshold(p: threshold.Parameters, layer: Threshold, name: str) -> Statements:
    return (
        values.threshold(
            replace(p, store="lut").create,
            thresholds=layer.steps.tolist(),
            inverted=layer.inverted.tolist(),
            lanes=p.lanes,
            width=p.width,
            name=layer.name,
        ),
    )


def _unrolled(p: unrolled_unit.Parameters, layer: Dense | Scores, name: str) -> Statements:
    small = p.inputs * p.planes <= unrolled.MOST_INPUTS
    return unrolled.traffic(p), *([unrolled.whole(p, layer, name=layer.name)] if small else [])


def _width(p: width.Parameters, layer: Layer, name: str) -> Statements:
    def make(shape: ShapeLike) -> width.WidthConverter:
        return replace(p, shape=shape).create()

    bits = _width_of(p.shape)
    if p.i_lanes == p.o_lanes:
        wires = width.Parameters(shape=bits, length=1, i_lanes=1, o_lanes=1)
        return (moves.wires(lambda shape: replace(wires, shape=shape).create(), width=bits * p.i_lanes),)
    if p.narrow_lanes not in (p.i_lanes, p.o_lanes):
        return ()  # a converter to fewer lanes and one to more, each of which keeps the order
    return (moves.width(make, bits=bits, length=p.length, i_lanes=p.i_lanes, o_lanes=p.o_lanes),)


def _window(p: window.Parameters, layer: Conv2d | MaxPool | SumPool, name: str) -> Statements:
    def make(shape: ShapeLike, geometry: window.Geometry, words: tuple[int, ...]) -> window.SlidingWindow:
        return window.Parameters(
            shape=shape, geometry=geometry, padding_words=tuple(words), store="lut"
        ).create()

    padding_bit = layer.padding_bit if isinstance(layer, Conv2d) else 0
    return (images.window(make, width=p.width, geometry=p.geometry, padding_bit=padding_bit),)


#: The statements about a part: from its parameters, the layer that it belongs to, and its name.
PARTS: dict[type[Part], Callable[..., Statements]] = {
    add.Parameters: _add,
    argmax.Parameters: _argmax,
    best_class.Parameters: _best,
    binarize.Parameters: _binarize,
    collector.Parameters: _collector,
    deep_queue.Parameters: _deep_queue,
    discard.Parameters: _discard,
    fork.Parameters: _fork,
    lookup.Parameters: _lookup,
    mvtu.Parameters: _mvtu,
    patches.Parameters: _patches,
    planes.Parameters: _planes,
    maximum.Parameters: _maximum,
    pool.Parameters: _pool,
    replay.Parameters: _replay,
    scale.Parameters: _scale,
    short_queue.Parameters: _short_queue,
    signs.Parameters: _signs,
    splitter.Parameters: _splitter,
    sums.Parameters: _sums,
    threshold.Parameters: _threshold,
    unrolled_unit.Parameters: _unrolled,
    width.Parameters: _width,
    window.Parameters: _window,
}


def _queue(component: Queue) -> Statements:
    def make(shape: ShapeLike) -> Queue:
        return Queue(shape=shape, depth=component.depth)

    return (moves.queue(make, width=_width_of(component.i.payload.shape()), depth=component.depth),)


def _spram(component: Spram) -> Statements:
    sizes = {"width": component.width, "depth": component.depth}
    rest_width = len(component.data) - component.width

    def make() -> Spram:
        words = [0] * component.depth
        rest = Rom(width=rest_width, words=words, store="bram") if rest_width else None
        return Spram(**sizes, rest=rest)

    return (loaded.spram(make, **sizes, blocks=len(component.load.en), rest_width=rest_width),)


def _checksum(component: crc.Processor) -> Statements:
    return (line.checksum(lambda: crc.catalog.CRC32_ISO_HDLC(data_width=1).create()),)


def _transmitter(component: uart.Tx) -> Statements:
    return (line.transmitter(lambda divisor: uart.Tx(divisor=divisor), divisor=component.divisor),)


def _receiver(component: uart.Rx) -> Statements:
    return (line.receiver(lambda divisor: uart.Rx(divisor=divisor), divisor=component.divisor),)


#: What a host link consists of besides the line, its checksums and queues.
_LINK = (Appender, ByteRam, Checker, PacketStore, Ranks, Reader, Receiver, Responder, ResultBytes, Unpacker)

#: The statements about a component that is not a part of a core, but in one or in the board's top level.
COMPONENTS: dict[type[Elaboratable], Callable[..., Statements]] = {
    FlashLoader: lambda _: (),  # consists of others; the proof report says that the whole is not proved
    HostLink: lambda _: (),  # the same
    **dict.fromkeys(_LINK, lambda _: ()),  # the same
    Queue: _queue,
    Rom: lambda _: (),  # its words are compared; that it reads them is part of `operands` and `sums`
    Spram: _spram,
    XnorPopcount: lambda component: (neurons.popcount(width=len(component.a)),),
    crc.Processor: _checksum,
    slip.Decoder: lambda _: (line.decoder(slip.Decoder), line.round_trip()),
    slip.Encoder: lambda _: (line.encoder(slip.Encoder), line.round_trip()),
    uart.Rx: _receiver,
    uart.Tx: _transmitter,
}
