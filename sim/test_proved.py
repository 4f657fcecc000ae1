"""The proofs themselves, in small, and that they fail where a component is broken."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import crc, wiring

from sbgen import tools
from sbgen.compiler.unrolled import unroll
from sbgen.errors import ToolError
from sbgen.hw import (
    add,
    argmax,
    binarize,
    collector,
    deep_queue,
    discard,
    fork,
    lookup,
    maximum,
    patches,
    planes,
    pool,
    signs,
    splitter,
    threshold,
    width,
    window,
)
from sbgen.hw import popcount as popcount_module
from sbgen.hw import replay as replay_part
from sbgen.hw.bits import bits
from sbgen.hw.mvtu import Mvtu, Parameters
from sbgen.hw.queue import Queue
from sbgen.hw.rom import Rom
from sbgen.hw.scale import Parameters as Scaling
from sbgen.hw.slip import Decoder, Encoder
from sbgen.hw.spram import Spram
from sbgen.hw.uart import Rx, Tx
from sbgen.hw.window import Geometry
from sbgen.proofs import batches, decisions, images, line, loaded, moves, neurons, unrolled, values
from sbgen.proofs.engine import decide

BUDGET = 60


@pytest.fixture(autouse=True)
def solver():
    try:
        tools.find("yosys-abc")
    except ToolError as error:
        pytest.skip(str(error))


def unit(**changes):
    """A unit of 7 inputs and 5 outputs, 2 x 3 at once."""
    return Parameters(
        **{"inputs": 7, "weights": (5, 99, 127, 0, 77), "presets": (-3, -7, 0, -8, -1), "pe": 2, "simd": 3}
        | changes
    )


def replay(*, beats, repeats):
    """The statement about a replay buffer of 8 bits."""
    return moves.replay(
        lambda shape, beats, repeats: replay_part.Parameters(
            shape=shape, beats=beats, repeats=repeats, store="lut"
        ).create(),
        width=8,
        beats=beats,
        repeats=repeats,
    )


#: Of numbers of 6 bits, 3 at once, of a vector of 5.
THRESHOLDS = {"thresholds": [[0], [64], [20], [33], [1]], "inverted": [1, 1, 0, 1, 0], "width": 6, "lanes": 3}

#: The same with three thresholds for each.
LEVELS = THRESHOLDS | {"thresholds": [[0, 5, 64], [64, 64, 64], [20, 20, 21], [1, 33, 60], [0, 1, 2]]}

STATEMENTS = [
    moves.queue(lambda shape: Queue(shape=shape, depth=1), width=8, depth=1),
    moves.queue(lambda shape: Queue(shape=shape, depth=3), width=8, depth=3),
    moves.deep_queue(
        lambda shape: deep_queue.Parameters(shape=shape, depth=5, store="lut").create(), width=8, depth=5
    ),
    moves.width(
        lambda shape: width.Parameters(shape=shape, length=7, i_lanes=1, o_lanes=4).create(),
        bits=1,
        length=7,
        i_lanes=1,
        o_lanes=4,
    ),
    moves.width(
        lambda shape: width.Parameters(shape=shape, length=8, i_lanes=4, o_lanes=1).create(),
        bits=1,
        length=8,
        i_lanes=4,
        o_lanes=1,
    ),
    moves.width(
        lambda shape: width.Parameters(shape=shape, length=7, i_lanes=3, o_lanes=2).create(),
        bits=1,
        length=7,
        i_lanes=3,
        o_lanes=2,
    ),
    replay(beats=1, repeats=3),
    replay(beats=3, repeats=2),
    images.or_reduce(lambda lanes: pool.Parameters(lanes=lanes, beats=4).create(), lanes=3, beats=4),
    images.maximum(
        lambda lanes: maximum.Parameters(lanes=lanes, width=3, beats=3).create(), lanes=2, width=3, beats=3
    ),
    images.window(
        lambda shape, geometry, words: window.Parameters(
            shape=shape, geometry=geometry, padding_words=words, store="lut"
        ).create(),
        width=4,
        geometry=Geometry(height=9, width=9, slices=1, kernel=(2, 2), stride=(2, 2)),
        padding_bit=0,
    ),
    images.window(
        lambda shape, geometry, words: window.Parameters(
            shape=shape, geometry=geometry, padding_words=words, store="lut"
        ).create(),
        width=4,
        geometry=Geometry(height=9, width=9, slices=1, kernel=(2, 2), padding=((0, 0), (1, 0)), at_once=2),
        padding_bit=1,
    ),
    images.patches(
        patches.Parameters.create,
        parameters=patches.Parameters(
            pixel=bits(2), width=9, kernel=(2, 3), padding=(1, 1), padding_word=3, at_once=2
        ),
    ),
    moves.splitter(
        splitter.Parameters.create,
        parameters=splitter.Parameters(element=1, lanes=3, at_once=2, beats=3, row=5, pace=2),
    ),
    moves.splitter(
        splitter.Parameters.create,
        parameters=splitter.Parameters(element=1, lanes=3, at_once=3, beats=2, row=4, store="bram"),
    ),
    batches.collects(
        collector.Parameters.create,
        parameters=collector.Parameters(shape=bits(3), beats=3, batch=3, repeats=2, store="bram"),
    ),
    batches.collects(
        collector.Parameters.create,
        parameters=collector.Parameters(shape=bits(3), beats=1, batch=2, repeats=1, store="lut"),
    ),
    batches.discards(
        discard.Parameters.create, parameters=discard.Parameters(shape=8, beats=3, batch=3, depth=4)
    ),
    neurons.popcount(width=1),
    neurons.popcount(width=13),
    neurons.operands(unit()),
    neurons.operands(unit(vectors=2)),
    neurons.sums(unit(vectors=2), name="side by side"),
    neurons.sums(unit(vectors=2, interleaved=True), name="interleaved"),
    neurons.sums(unit(), name="unit"),
    neurons.traffic(unit()),
    neurons.sums(unit(planes=2, signs=False), name="planes"),
    neurons.sums(unit(masks=(127, 3, 0, 99, 1)), name="masks"),
    values.binarize(
        lambda: binarize.Parameters(thresholds=[[0], [256], [100], [7], [8]], lanes=2).create(),
        thresholds=[[0], [256], [100], [7], [8]],
        lanes=2,
    ),
    values.lookup(
        lambda: lookup.Parameters(table=[n * 7 % 256 for n in range(256)], pixels=3, lanes=2).create(),
        table=[n * 7 % 256 for n in range(256)],
        pixels=3,
        lanes=2,
    ),
    values.planes(lambda: planes.Parameters(lanes=2, beats=3, planes=4).create(), lanes=2, beats=3, planes=4),
    decisions.argmax(
        lambda: argmax.Parameters(score_width=8, classes=10, top_k=3).create(), width=8, classes=10, top=3
    ),
    decisions.signs(lambda: signs.Parameters(score_width=9, outputs=5).create(), width=9, outputs=5),
    moves.fork(lambda shape: fork.Parameters(shape=shape).create(), width=8),
    line.encoder(Encoder),
    line.decoder(Decoder),
    line.round_trip(),
    line.checksum(lambda: crc.catalog.CRC32_ISO_HDLC(data_width=1).create()),
    line.transmitter(lambda divisor: Tx(divisor=divisor), divisor=20),
    line.receiver(lambda divisor: Rx(divisor=divisor), divisor=4),
    loaded.spram(
        lambda: Spram(width=18, depth=600, rest=Rom(width=3, words=[0] * 600, store="bram")),
        depth=600,
        blocks=2,
        width=18,
        rest_width=3,
    ),
    unrolled.traffic(unroll(unit(), levels=2)),
    values.add(
        lambda: add.Parameters(maximum=9, kept_maximum=5, scale=3, lanes=2).create(),
        widths=(4, 3),
        scale=3,
        lanes=2,
    ),
    values.threshold(
        lambda: threshold.Parameters(store="lut", **THRESHOLDS).create(), name="levels", **THRESHOLDS
    ),
    values.threshold(lambda: threshold.Parameters(store="lut", **LEVELS).create(), name="several", **LEVELS),
    values.scale(
        Scaling(maximum=20, scales=(3, -5, 0), offsets=(7, -100, 12)).create,
        classes=3,
        count_width=5,
        scale_width=4,
        score_width=9,
        negative=True,
    ),
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.subject)
def test_proved(statement):
    outcome = decide(statement.circuit(), budget=BUDGET)
    print(outcome)
    assert outcome.status == "proved"


class Behind(wiring.Component):
    """A component of which something is spoilt on its way out or in."""

    def __init__(self, part, spoil):
        self._part, self._spoil = part, spoil
        super().__init__(dict(part.signature.members))

    def elaborate(self, platform):
        m = Module()
        m.submodules.part = part = self._part
        m.d.comb += [
            part.i.valid.eq(self.i.valid),
            part.i.payload.eq(self.i.payload),
            self.i.ready.eq(part.i.ready),
            self.o.valid.eq(part.o.valid),
            self.o.payload.eq(part.o.payload),
            part.o.ready.eq(self.o.ready),
        ]
        beats = Signal(3)
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += beats.eq(beats + 1)
        self._spoil(m, self, part, beats)
        return m


def loses(m, outer, part, beats):
    """The sixth beat is not passed in."""
    with m.If(beats == 5):
        m.d.comb += part.i.valid.eq(0)


def doubles(m, outer, part, beats):
    """The sixth beat is sent until another comes."""
    with m.If(beats == 5):
        m.d.comb += part.o.ready.eq(0)


def changes(m, outer, part, beats):
    """A payload changes while it is refused."""
    with m.If(beats == 5):
        m.d.comb += outer.o.payload.eq(~part.o.payload)


def hangs(m, outer, part, beats):
    """Valid waits for ready."""
    with m.If(~outer.o.ready):
        m.d.comb += outer.o.valid.eq(0)


def invents(m, outer, part, beats):
    """A beat comes out that never came in."""
    with m.If(beats == 0):
        m.d.comb += outer.o.valid.eq(1)


@pytest.mark.parametrize("spoil", [loses, doubles, changes, hangs, invents], ids=lambda spoil: spoil.__name__)
def test_a_spoilt_queue_is_refuted(spoil, tmp_path):
    statement = moves.queue(lambda shape: Behind(Queue(shape=shape, depth=2), spoil), width=1, depth=2)
    outcome = decide(statement.circuit(), budget=BUDGET, trace=tmp_path / "refuted.vcd")
    print(outcome)
    assert outcome.status == "refuted" and outcome.violated
    assert "violation_0" in (tmp_path / "refuted.vcd").read_text()


def test_a_popcount_that_counts_a_bit_twice_is_refuted(monkeypatch):
    count = popcount_module._count
    monkeypatch.setattr(popcount_module, "_count", lambda m, bits: count(m, [*bits, bits[0]]))
    assert decide(neurons.popcount(width=4).circuit(), budget=BUDGET).status == "refuted"


def test_out_of_time_is_undecided(monkeypatch):
    seen = []

    def run(tool, args, *, processor_seconds=None, **settings):
        seen.append(processor_seconds)
        if processor_seconds not in (None, 100):
            raise tools.OutOfTime("too long")
        return real(tool, args, **settings)

    real = tools.run
    monkeypatch.setattr(tools, "run", run)
    statement = moves.width(
        lambda shape: width.Parameters(shape=shape, length=7, i_lanes=3, o_lanes=2).create(),
        bits=1,
        length=7,
        i_lanes=3,
        o_lanes=2,
    )
    outcome = decide(statement.circuit(), budget=100)
    assert (outcome.status, outcome.depth, outcome.solver) == ("undecided", None, "abc scorr, pdr/reach")
    assert seen == [None, 100, 3, 67, 30]


def test_a_bit_of_another_output_is_refuted():
    outcome = decide(
        decisions.signs(
            lambda: signs.Parameters(score_width=4, outputs=3).create(), width=4, outputs=4
        ).circuit(),
        budget=BUDGET,
    )
    assert outcome.status == "refuted" and "the bit of an output is wrong" in outcome.violated


def test_one_class_too_few_is_refuted():
    # The hardware goes on to the next image before the specification does.
    outcome = decide(
        decisions.argmax(
            lambda: argmax.Parameters(score_width=4, classes=3).create(), width=4, classes=4, top=1
        ).circuit(),
        budget=BUDGET,
    )
    assert outcome.status == "refuted"


def test_a_threshold_off_by_one_is_refuted(monkeypatch):
    wrong = unit(presets=(-3, -7, 0, -8, -2))
    # The circuit takes the specification from the one and the hardware from the other.
    monkeypatch.setattr(Parameters, "create", lambda right: Mvtu(wrong))
    outcome = decide(neurons.sums(unit(), name="unit").circuit(), budget=BUDGET)
    assert outcome.status == "refuted"
    assert outcome.violated == ("output 0 of a group is not made from its sum",)


def test_a_repeat_too_few_is_refuted():
    statement = moves.replay(
        lambda shape, *_: replay_part.Parameters(shape=shape, beats=2, repeats=2, store="lut").create(),
        width=1,
        beats=2,
        repeats=3,
    )
    assert decide(statement.circuit(), budget=BUDGET).status == "refuted"
