"""What is proved, without the solvers that prove it: statements, their circuits run at random, and what is
compared one by one.
"""

import random
import re
from dataclasses import replace

import by_hand
import numpy as np
import pytest
from amaranth.hdl import Fragment, Module, Signal, Value
from amaranth.lib import crc, wiring
from amaranth.lib.wiring import Out
from amaranth.sim import Simulator

from sbgen import proofs
from sbgen.compiler import folding, random_network
from sbgen.compiler.folding import Unrolled, WeightedFolding
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.ir import Signal as Between
from sbgen.compiler.layers import rule, rules
from sbgen.compiler.pipeline import stages
from sbgen.compiler.unrolled import unroll
from sbgen.hw import add, argmax, fork, maximum, mvtu, pool, sums, width
from sbgen.hw import replay as replay_part
from sbgen.hw import threshold as threshold_part
from sbgen.hw import window as window_part
from sbgen.hw.queue import Queue
from sbgen.hw.rom import Rom
from sbgen.hw.scale import Parameters as Scaling
from sbgen.hw.slip import END, ESC, ESC_END, ESC_ESC, Decoder, Encoder
from sbgen.hw.spram import Spram
from sbgen.hw.uart import Rx, Tx
from sbgen.hw.window import Geometry
from sbgen.proofs import contents, decisions, engine, images, line, loaded, moves, neurons, values
from sbgen.proofs.circuit import Circuit
from sbgen.proofs.plan import Planned, _walk, plan
from sbgen.proofs.vectors import Count


def violated(circuit, *, cycles=300, seed=0, faults=None):
    """Names of the violations that random inputs show; each input is rare or frequent for a while, and now
    and then there is a reset.

    With `faults`, signals by name, each in turn is on for so many cycles behind a reset: now and then, often,
    and steadily. The names are then a dict by fault.
    """
    print(f"seed {seed}")
    rng, reset = random.Random(seed), circuit.inputs[1]
    seen = {fault: set() for fault in faults or (None,)}

    def anything(bits):
        if bits in (8, 9) and rng.random() < 0.5:  # a byte, of which few are special
            return rng.choice((END, ESC, ESC_END, ESC_ESC)) | rng.getrandbits(1) << 8 & (1 << bits) - 1
        return rng.getrandbits(bits)

    async def bench(ctx):
        frequent, resets = {}, 0
        for fault, names in seen.items():
            for cycle in range(-2 if faults else 0, cycles):
                for signal in circuit.inputs[2:]:
                    if cycle % 20 == 0 or signal.name not in frequent:
                        frequent[signal.name] = rng.choice((0.1, 0.5, 1))
                    ctx.set(
                        signal,
                        rng.random() < frequent[signal.name] if len(signal) == 1 else anything(len(signal)),
                    )
                if cycle % 100 == 0:
                    resets = rng.choice((0, 0.05))
                ctx.set(reset, cycle < 0 or rng.random() < resets)
                if faults:
                    signal, share = faults[fault], (0.03, 0.5, 1)[3 * max(cycle, 0) // cycles]
                    if share < 1 or cycle % 20 == 0:
                        wrong = rng.choice((1 << rng.randrange(len(signal)), rng.getrandbits(len(signal))))
                    ctx.set(signal, wrong if cycle >= 0 and rng.random() < share else 0)
                if cycle >= 0:
                    names.update(name for name, signal in circuit.violations.items() if ctx.get(signal))
                await ctx.tick()
            for signal in (faults or {}).values():
                ctx.set(signal, 0)

    simulator = Simulator(circuit.m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen if faults else seen[None]


class Faulty(wiring.Component):
    """A component each of whose ports may be wrong: what goes in, or what comes out. A silent stream passes
    nothing on.
    """

    def __init__(self, part):
        self._part, self.faults = part, {}
        super().__init__(dict(part.signature.members))
        for name, _, port, _ in self._ports():
            self.faults[name] = Signal(len(port), name=f"fault_{name}")
            if name.endswith(".valid"):
                silent = name.replace("valid", "silent")
                self.faults[silent] = Signal(name=f"fault_{silent}")

    def _ports(self):
        for (path, member, outer), (_, _, inner) in zip(
            self.signature.flatten(self), self._part.signature.flatten(self._part), strict=True
        ):
            yield ".".join(map(str, path)), member.flow, Value.cast(outer), Value.cast(inner)

    def elaborate(self, platform):
        m = Module()
        m.submodules.part = self._part
        for name, flow, outer, inner in self._ports():
            to, come = (outer, inner) if flow == Out else (inner, outer)
            stream, _, what = name.rpartition(".")
            silent = self.faults[f"{stream}.silent"] if what in ("valid", "ready") else 0
            m.d.comb += to.eq((come ^ self.faults[name]) & ~silent)
        return m


def network(*, seed=0):
    rng = np.random.default_rng(seed)
    return Network(
        name="small",
        image_shape=(9,),
        labels=("a", "b", "c"),
        layers=(
            Binarize(name="binarize", thresholds=rng.integers(0, 257, (9, 1))),
            Dense(name="hidden", weights=rng.integers(0, 2, (6, 9)), thresholds=rng.integers(0, 11, 6)),
            Scores(name="scores", weights=rng.integers(0, 2, (3, 6)), offsets=rng.integers(-5, 6, 3)),
        ),
    )


def design():
    return by_hand.fold(network(), (4, 4), (4, 4), (1, 3))


def rom(stage):
    return dict(enumerate(stage.unit.weight_words))


#: Of numbers of 6 bits, 3 at once, of a vector of 5.
THRESHOLDS = {"thresholds": [[0], [64], [20], [33], [1]], "inverted": [1, 1, 0, 1, 0], "width": 6, "lanes": 3}

#: The same with three thresholds for each.
LEVELS = THRESHOLDS | {"thresholds": [[0, 5, 64], [64, 64, 64], [20, 20, 21], [1, 33, 60], [0, 1, 2]]}
SCALING = Scaling(maximum=20, scales=(3, -5, 0), offsets=(7, -100, 12))


def scaling(unit):
    return values.scale(
        unit.create,
        classes=unit.classes,
        count_width=unit.count_width,
        scale_width=unit.scale_width,
        score_width=unit.score_width,
        negative=unit.signed,
    )


def unrolled():
    rng = random.Random(3)
    unit = mvtu.Parameters(
        inputs=20,
        weights=tuple(rng.getrandbits(20) for _ in range(4)),
        presets=(-7, -11, -10, -14),
        pe=1,
        simd=1,
    )
    return unroll(unit, levels=2)


def converter(length, i_lanes, o_lanes, *, built=None):
    """The statement about a width converter; what it is about is built for vectors of `built` elements."""
    lanes = {"i_lanes": i_lanes, "o_lanes": o_lanes}
    return moves.width(
        lambda shape: width.Parameters(shape=shape, length=built or length, **lanes).create(),
        bits=1,
        length=length,
        **lanes,
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


def window_sums(geometry, maximum):
    return sums.Parameters(lanes=1, geometry=geometry, store="lut", maximum=maximum).create()


#: The unit of a layer whose contents can be replaced, with its weights in block RAM and in LUTs.
PATCHABLE = [
    rules(network())[1].unit(WeightedFolding(pe=3, simd=3 + at, weights=folding.Rom(store)), patchable=True)
    for at, store in enumerate(("bram", "lut"))
]

STATEMENTS = [
    moves.wires(
        lambda shape: width.Parameters(shape=shape, length=1, i_lanes=1, o_lanes=1).create(), width=8
    ),
    line.encoder(Encoder),
    line.decoder(Decoder),
    line.round_trip(),
    line.checksum(lambda: crc.catalog.CRC32_ISO_HDLC(data_width=1).create()),
    line.transmitter(lambda divisor: Tx(divisor=divisor), divisor=20),
    line.receiver(lambda divisor: Rx(divisor=divisor), divisor=20),
    loaded.spram(
        lambda: Spram(width=18, depth=6, rest=Rom(width=3, words=[0] * 6, store="bram")),
        depth=6,
        blocks=2,
        width=18,
        rest_width=3,
    ),
    images.sums(
        window_sums, lanes=3, geometry=Geometry(height=8, width=9, slices=2, kernel=(2, 2), stride=(2, 3))
    ),
    images.sums(
        window_sums,
        lanes=3,
        maximum=20,
        geometry=Geometry(height=8, width=9, slices=2, kernel=(2, 2), stride=(2, 3)),
    ),
    images.sums(
        window_sums, lanes=3, geometry=Geometry(height=7, width=6, slices=1, kernel=(1, 2), stride=(2, 2))
    ),
    images.sums(
        window_sums, lanes=1, geometry=Geometry(height=4, width=6, slices=1, kernel=(2, 1), stride=(2, 2))
    ),
    proofs.unrolled.traffic(unrolled()),
    moves.fork(lambda shape: fork.Parameters(shape=shape).create(), width=3),
    values.add(
        lambda: add.Parameters(maximum=9, kept_maximum=5, scale=3, lanes=2).create(),
        widths=(4, 3),
        scale=3,
        lanes=2,
    ),
    values.threshold(
        lambda: threshold_part.Parameters(store="lut", **THRESHOLDS).create(), name="levels", **THRESHOLDS
    ),
    values.threshold(
        lambda: threshold_part.Parameters(store="lut", **LEVELS).create(), name="several", **LEVELS
    ),
    scaling(SCALING),
    decisions.argmax(
        lambda: argmax.Parameters(score_width=3, classes=5, top_k=3).create(), width=3, classes=5, top=3
    ),
    moves.queue(lambda shape: Queue(shape=shape, depth=3), width=8, depth=3),
    replay(beats=1, repeats=3),
    replay(beats=3, repeats=2),
    replay(beats=64, repeats=10),
    converter(7, 2, 3),
    # Vectors of whole beats on both sides: gathered, cut, both.
    converter(784, 1, 7),
    converter(24, 6, 2),
    converter(24, 4, 6),
    images.or_reduce(lambda lanes: pool.Parameters(lanes=lanes, beats=4).create(), lanes=3, beats=4),
    images.maximum(
        lambda lanes: maximum.Parameters(lanes=lanes, width=3, beats=3).create(), lanes=2, width=3, beats=3
    ),
    images.window(
        lambda shape, geometry, words: window_part.Parameters(
            shape=shape, geometry=geometry, padding_words=words, store="lut"
        ).create(),
        width=4,
        geometry=Geometry(height=9, width=9, slices=2, kernel=(3, 3), padding=((1, 1), (1, 0)), repeats=3),
        padding_bit=1,
    ),
    neurons.popcount(width=9),
    *[make(stages(design())[1].unit) for make in (neurons.operands, neurons.traffic)],
    neurons.sums(stages(design())[1].unit, name="hidden"),
    *[
        make(unit)
        for unit in PATCHABLE
        for make in (neurons.operands, neurons.traffic, lambda unit: neurons.sums(unit, name="patchable"))
    ],
]


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.subject)
def test_random_inputs_show_no_violation(statement):
    assert violated(statement.circuit()) == set()


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda statement: statement.subject)
def test_every_violation_can_be_read_by_yosys(statement):
    text = engine._rtlil(statement.circuit())
    assert "module \\top" in text and "\\bad" in text


def test_a_capacity_is_a_promise():
    circuit = moves.queue(lambda shape: Queue(shape=shape, depth=3), width=1, depth=2).circuit()
    # A queue of 3 holds more than the 2 that are claimed.
    assert violated(circuit) == {"more inside than there is room for"}


def test_a_wrong_number_of_repeats_is_seen():
    statement = moves.replay(
        lambda shape, *_: replay_part.Parameters(shape=shape, beats=3, repeats=2, store="lut").create(),
        width=1,
        beats=3,
        repeats=3,
    )
    assert violated(statement.circuit())


def test_a_converter_that_cuts_and_gathers_is_proved_as_these_two():
    planned = Planned()
    part = width.Parameters(shape=1, length=24, i_lanes=4, o_lanes=6)
    m = Module()
    m.submodules.width_1 = part.create()
    _walk(planned, Fragment.get(m, None), {})
    assert not planned.unstated
    assert {subject: list(places) for subject, (_, places) in planned.items()} == {
        "width converter of 24 x 1 bits from 4 to 2 per beat": ["width_1.cut"],
        "width converter of 24 x 1 bits from 2 to 6 per beat": ["width_1.gather"],
    }


@pytest.mark.parametrize("lanes", [(2, 6), (6, 2), (4, 6)])
def test_a_converter_for_shorter_vectors_is_seen(lanes):
    """Where vectors are whole beats on both sides, too: the statement does not look at where they end."""
    assert violated(converter(24, *lanes).circuit()) == set()
    assert violated(converter(24, *lanes, built=20).circuit(), cycles=1000)


def test_a_long_replay_buffer_is_proved_in_a_smaller_size_and_says_so():
    assert "50 beats, 3 times, stand for 800, 10 times" in replay(beats=800, repeats=10).scope
    # Still a vector that fills its bank.
    assert "32 beats, 2 times, stand for 1024, 2 times" in replay(beats=1024, repeats=2).scope
    assert "stand for 5" not in replay(beats=50, repeats=10).scope
    assert "beats" not in replay(beats=1, repeats=1000).scope


def window(**sizes):
    geometry = Geometry(**{"height": 3, "width": 2, "slices": 1, "kernel": (1, 1)} | sizes)
    return images.window(
        lambda shape, geometry, words: window_part.Parameters(
            shape=shape, geometry=geometry, padding_words=words, store="lut"
        ).create(),
        width=4,
        geometry=geometry,
        padding_bit=0,
    )


def test_what_is_proved_in_a_smaller_size_says_so():
    """And what is proved in its own does not."""
    receiver, transmitter = (lambda divisor: Rx(divisor=divisor)), (lambda divisor: Tx(divisor=divisor))
    for large, small, words in (
        (
            window(height=30, width=20),
            window(),
            "an image of 3 x 2 pixels of 1 word(s) stands for 30 x 20 of 1",
        ),
        (
            window(slices=6, repeats=7),
            window(slices=2, repeats=2),
            "of 2 word(s) stands for 3 x 2 of 6, 2 repeats for 7",
        ),
        (
            line.receiver(receiver, divisor=20),
            line.receiver(receiver, divisor=8),
            "a bit of 8 cycles stands for one of 20",
        ),
        (
            line.transmitter(transmitter, divisor=9),
            line.transmitter(transmitter, divisor=8),
            "a bit of 8 cycles stands for one of 9",
        ),
    ):
        assert words in large.scope
        assert (
            "stands for one of" not in small.scope
            and "an image of" not in small.scope
            and "repeats for" not in small.scope
        )


@pytest.mark.parametrize("cycles, right", [(3, True), (-3, False)])
def test_a_line_must_rest_behind_a_reset(monkeypatch, cycles, right):
    """A reset leaves levels in the synchroniser, which may look like a start bit of what comes at once."""
    monkeypatch.setattr(line, "_SYNCHRONISER", cycles)
    statement = line.receiver(lambda divisor: Rx(divisor=divisor), divisor=20)
    for seed in range(3):
        assert (violated(statement.circuit(), cycles=3000, seed=seed) == set()) == right


def test_weights_of_another_lane_are_seen(monkeypatch):
    weights = mvtu.Mvtu._weights
    monkeypatch.setattr(
        mvtu.Mvtu,
        "_weights",
        lambda self, m, address, read: weights(self, m, address, read).rotate_left(self.parameters.simd),
    )
    statement = neurons.operands(stages(design())[1].unit)
    assert violated(statement.circuit()) == {
        f"processing element {lane} sees other weights" for lane in range(4)
    }


def test_a_queue_too_short_for_its_unit_is_seen(monkeypatch):
    statement = neurons.traffic(stages(design())[1].unit)
    monkeypatch.setattr(mvtu, "Queue", lambda *, depth, **settings: Queue(depth=depth - 1, **settings))
    assert "a result meets a full queue" in violated(statement.circuit(), cycles=1000)


def test_a_wrong_threshold_is_seen():
    from sbgen.hw.binarize import Parameters

    unit = Parameters(thresholds=((100,), (7,)), lanes=1)
    statement = values.binarize(unit.create, thresholds=[[100], [8]], lanes=1)
    assert violated(statement.circuit(), cycles=3000) == {"bit 0 of a beat is wrong"}


def test_a_wrong_table_of_an_unrolled_layer_is_seen():
    layer = network().layers[1]
    unit = rules(network())[1].stage(Unrolled()).unit
    assert violated(proofs.unrolled.whole(unit, layer, name="hidden").circuit()) == set()
    (contents, ins), *others = unit.tables
    wrong = replace(unit, tables=((contents ^ 1, ins), *others))
    assert violated(proofs.unrolled.whole(wrong, layer, name="hidden").circuit(), cycles=100)


def test_every_bit_of_a_vector_counts_in_an_unrolled_layer(monkeypatch):
    """Each alone, the wrong way round, is seen."""
    rng = np.random.default_rng(5)
    layer = Dense(name="planes", weights=rng.integers(0, 2, (3, 5)), thresholds=np.array([7, 8, 9]), planes=2)
    unit = rule(layer, Between(shape=(5,), maximum=3)).stage(Unrolled()).unit
    statement = proofs.unrolled.whole(unit, layer, name="planes")
    assert violated(statement.circuit()) == set()
    # All vectors are claimed: each of their bits is free.
    assert "for all 2^10 vectors" in statement.claim and sum(map(len, statement.circuit().inputs[2:])) == 10
    made = Circuit.__init__
    monkeypatch.setattr(Circuit, "__init__", lambda self, component: made(self, Faulty(component)))
    circuit = statement.circuit()
    wrong = circuit.component.faults["i.payload"]
    seen = violated(circuit, cycles=100, faults={n: wrong[n] for n in range(10)})
    assert len(wrong) == 10 and all(seen.values())


@pytest.mark.parametrize("channel", range(5))
def test_a_wrong_threshold_of_any_channel_is_seen(channel):
    wrong = [[35] if n == channel else threshold for n, threshold in enumerate(THRESHOLDS["thresholds"])]
    wrong[3] = [10] if channel == 3 else wrong[3]
    statement = values.threshold(
        lambda: threshold_part.Parameters(store="lut", **THRESHOLDS).create(),
        name="levels",
        **THRESHOLDS | {"thresholds": wrong},
    )
    assert violated(statement.circuit(), cycles=500) == {f"bit {channel % 3} of a beat is wrong"}


@pytest.mark.parametrize("level", range(3))
def test_each_of_several_thresholds_is_seen(level):
    wrong = [list(levels) for levels in LEVELS["thresholds"]]
    wrong[3][level] = (10, 40, 50)[level]
    statement = values.threshold(
        lambda: threshold_part.Parameters(store="lut", **LEVELS).create(),
        name="several",
        **LEVELS | {"thresholds": wrong},
    )
    assert violated(statement.circuit(), cycles=500) == {"bit 0 of a beat is wrong"}


def test_loaded_words_are_put_together():
    unit = mvtu.Parameters(
        inputs=9, weights=(5, 99, 127, 0), presets=(0, 0, 0, 0), pe=3, simd=7, weight_store="spram", sprams=1
    )
    image = b"".join(word.to_bytes(2, "little") for words in unit.ram_contents for word in words) + b"next"
    assert contents.loaded_words(unit, image, dict(enumerate(unit.rest_words))) == (
        dict(enumerate(unit.weight_words)),
        b"next",
    )


def test_a_wrong_inversion_is_seen():
    statement = values.threshold(
        lambda: threshold_part.Parameters(store="lut", **THRESHOLDS).create(),
        name="levels",
        **THRESHOLDS | {"inverted": [1, 1, 0, 0, 0]},
    )
    assert violated(statement.circuit()) == {"bit 0 of a beat is wrong"}


def test_another_scale_of_a_shortcut_is_seen():
    statement = values.add(
        lambda: add.Parameters(maximum=9, kept_maximum=5, scale=3, lanes=1).create(),
        widths=(4, 3),
        scale=2,
        lanes=1,
    )
    assert violated(statement.circuit()) == {"sum 0 of a beat is wrong"}


def test_scales_are_compared():
    layer = Scores(
        name="scores",
        weights=np.ones((3, 20), int),
        offsets=np.array(SCALING.offsets),
        scales=np.array(SCALING.scales),
    )
    words = dict(enumerate(SCALING.words))
    assert contents.scales(layer, SCALING, words).check() == []
    words[1] ^= 1
    assert contents.scales(layer, SCALING, words).check() == [
        "class 1: the ROM has -6 and -100, the network -5 and -100"
    ]


def test_best_class_with_equal_scores_and_several_told():
    for top in 1, 2, 3:
        statement = decisions.argmax(
            lambda top=top: argmax.Parameters(score_width=2, classes=5, top_k=top).create(),
            width=2,
            classes=5,
            top=top,
        )
        assert violated(statement.circuit(), cycles=1000) == set()


def test_weights_are_compared_bit_by_bit():
    stage = stages(design())[1]
    words = rom(stage)
    assert contents.weights("rom", stage, words).check() == []
    words[1] ^= 1 << 4 + 3  # group 0, slice 1, the second output, its last bit
    assert contents.weights("rom", stage, words).check() == [
        f"rom: output 1, input 7: the ROM has {1 - stage.layer.weights[1, 7]}, the network does not"
    ]
    del words[1]
    assert contents.weights("rom", stage, words).check() == [
        f"rom has {len(words)} words, not {len(words) + 1}"
    ]


def test_thresholds_are_compared_and_widths_hold_the_sums():
    stage = stages(design())[1]
    assert contents.presets(stage).check() == []
    other = replace(
        stage.layer,
        thresholds=np.where(
            np.arange(6) == 2, 3 if stage.layer.thresholds[2] != 3 else 4, stage.layer.thresholds
        ),
    )
    assert contents.presets(replace(stage, layer=other)).check() == [
        f"output 2 starts from {-stage.layer.thresholds[2]}, the network has {-other.thresholds[2]}"
    ]


def test_memories_are_read_from_verilog():
    text = (
        "module \\top.mvtu_1.weight_rom (a);\n  initial begin\n    memory[0] = 12'h0af;\n    memory[1] ="
        " 32'd7;\n  end\nendmodule\nmodule top(a);\nendmodule\n"
    )
    assert contents.memory_words(text) == {"top.mvtu_1.weight_rom": {0: 0xAF, 1: 7}}


def test_verilog_that_differs_is_told_by_its_line():
    assert contents.same_verilog("core.v", "a\nb\n", lambda: "a\nb\n").check() == []
    assert "from line 2 on" in contents.same_verilog("core.v", "a\nc\n", lambda: "a\nb\n").check()[0]


def test_each_part_of_a_dense_design_has_a_statement():
    planned = plan(design(), "")
    assert planned.unstated == []
    places = {place.split(".")[0] for _, places in planned.values() for place in places}
    assert places >= {
        "core",
        "binarize_0",
        "replaybuffer_1",
        "mvtu_1",
        "width_2_0",
        "replaybuffer_2",
        "mvtu_2",
        "argmax",
    }


def test_parts_without_a_statement_are_named():
    for seed in range(8):
        planned = plan(random_network.random_design(seed, largest=12), "")
        assert all(part.endswith(")") for part in planned.unstated)
        assert (
            any(
                subject.startswith(("unit of", "queue of", "popcount of", "width converter of"))
                for subject in planned
            )
            or planned.unstated
        )


def test_answers_of_abc():
    assert engine._status("...\nStatus = 1  Frames = 12   Cex is not defined.\n") == ("proved", 12)
    assert engine._status("Status = 0  Frames = 3   Cex is defined") == ("refuted", 3)
    assert engine._status("Status = -1  Frames = 5") == ("undecided", 5)
    assert engine._status("killed") == ("undecided", None)


def test_violations_are_read_from_a_waveform():
    waveform = "$var wire 1 n1 violation_0 $end\n$var wire 1 n2 violation_11 $end\n#0\nb0 n1\nb1 n2\n"
    assert engine._violated(waveform) == [11]


def test_loops_count_as_nested():
    circuit = Circuit(Queue(shape=1, depth=1))
    count = Count(circuit.m, loops={"inner": 2, "outer": 3}, step=1, name="at")
    found = []

    async def bench(ctx):
        for _ in range(7):
            found.append((ctx.get(count.at["outer"]), ctx.get(count.at["inner"]), ctx.get(count.last)))
            await ctx.tick()

    simulator = Simulator(circuit.m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    assert found == [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 0), (2, 0, 0), (2, 1, 1), (0, 0, 0)]


#: Claims about what is inside, which the ports cannot show, and one that the specification shows of itself
#: for the solvers' sake.
INNER = re.compile(
    r"processing element \d+ sees other weights|a result meets a full queue|the class before is another"
)
#: Claims about values: a fault of a payload alone must violate them.
VALUES = re.compile(
    r"another (payload|byte)|is not the one|is wrong|the OR of|not the number|not that of|not padding|unused"
    r" lane|another vector|from its count"
)


@pytest.mark.parametrize(
    "statement",
    [each for each in STATEMENTS if not each.subject.startswith(("replay buffer of 64", "CRC-32"))],
    ids=lambda statement: statement.subject,
)
def test_every_claim_can_be_violated(statement, monkeypatch):
    """A claim that no fault violates says nothing."""
    made = Circuit.__init__
    monkeypatch.setattr(Circuit, "__init__", lambda self, component: made(self, Faulty(component)))
    claims, by_any, by_payload = set(statement.circuit().violations), set(), set()
    claims -= {name for name in claims if INNER.fullmatch(name)}
    values = {name for name in claims if VALUES.search(name)}
    for seed in range(10):
        circuit = statement.circuit()
        for fault, names in violated(
            circuit,
            cycles=600 if statement.subject.startswith("window") else 300,
            seed=seed,
            faults=circuit.component.faults,
        ).items():
            by_any |= names
            if fault.rpartition(".")[2] not in ("valid", "ready", "silent", "en"):
                by_payload |= names
        if by_any >= claims and by_payload >= values:
            break
    assert claims - by_any == set()
    assert values - by_payload == set()
