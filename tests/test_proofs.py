"""What is proved, without the solvers that prove it: statements, their circuits run at random, and what is compared one by one."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.lib import crc
from amaranth.sim import Simulator

from sbgen import proofs
from sbgen.compiler import pipeline, random_network
from sbgen.compiler.design import Design, Folding
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.unrolled import unroll
from sbgen.hw import mvtu
from sbgen.hw.add import Add
from sbgen.hw.argmax import Argmax
from sbgen.hw.fork import Fork
from sbgen.hw.pool import OrReduce
from sbgen.hw.queue import Queue
from sbgen.hw.replay import ReplayBuffer
from sbgen.hw.rom import Rom
from sbgen.hw.scale import Parameters as Scaling
from sbgen.hw.slip import Decoder, Encoder
from sbgen.hw.spram import Spram
from sbgen.hw.sums import WindowSums
from sbgen.hw.threshold import Threshold
from sbgen.hw.uart import Rx, Tx
from sbgen.hw.width import WidthConverter
from sbgen.hw.window import Geometry, SlidingWindow
from sbgen.proofs import contents, engine, images, line, loaded, moves, neurons, values
from sbgen.proofs.circuit import Circuit
from sbgen.proofs.plan import plan
from sbgen.proofs.vectors import Count


def violated(circuit, *, cycles=300, seed=0):
    """Names of the violations that random inputs show; each input is rare or frequent for a while."""
    print(f"seed {seed}")
    rng, seen = random.Random(seed), set()

    async def bench(ctx):
        frequent = {}
        for cycle in range(cycles):
            for signal in circuit.inputs[2:]:
                if cycle % 20 == 0:
                    frequent[signal.name] = rng.choice((0.1, 0.5, 1))
                ctx.set(signal, rng.random() < frequent[signal.name] if len(signal) == 1 else rng.getrandbits(len(signal)))
            seen.update(name for name, signal in circuit.violations.items() if ctx.get(signal))
            await ctx.tick()

    simulator = Simulator(circuit.m)
    simulator.add_clock(1e-6)
    simulator.add_testbench(bench)
    simulator.run()
    return seen


def network(*, seed=0):
    rng = np.random.default_rng(seed)
    return Network(name="small", image_shape=(9,), labels=("a", "b", "c"), layers=(
        Binarize(name="binarize", thresholds=rng.integers(0, 257, (9, 1))),
        Dense(name="hidden", weights=rng.integers(0, 2, (6, 9)), thresholds=rng.integers(0, 11, 6)),
        Scores(name="scores", weights=rng.integers(0, 2, (3, 6)), offsets=rng.integers(-5, 6, 3))))


def design():
    return Design(network=network(), foldings=(Folding(pe=4, simd=4), Folding(pe=4, simd=4), Folding(pe=1, simd=3)))


def rom(stage):
    return dict(enumerate(stage.unit.weight_words))


#: Of numbers of 6 bits, 3 at once, of a vector of 5.
THRESHOLDS = {"thresholds": [0, 64, 20, 33, 1], "inverted": [1, 1, 0, 1, 0], "width": 6, "lanes": 3}
SCALING = Scaling(greatest=20, scales=(3, -5, 0), offsets=(7, -100, 12))


def scaling(unit):
    return values.scale(unit.create, classes=unit.classes, count_width=unit.count_width, scale_width=unit.scale_width,
                        score_width=unit.score_width, negative=unit.signed)


def unrolled():
    rng = random.Random(3)
    unit = mvtu.Parameters(inputs=20, weights=tuple(rng.getrandbits(20) for _ in range(4)), presets=(-7, -11, -10, -14), pe=1, simd=1)
    return unroll(unit, levels=2)


def replay(*, beats, repeats):
    """The statement about a replay buffer of 8 bits."""
    return moves.replay(lambda shape, beats, repeats: ReplayBuffer(shape=shape, beats=beats, repeats=repeats, store="lut"),
                        width=8, beats=beats, repeats=repeats)


#: The unit of a layer whose contents can be replaced, with its weights in block RAM and in LUTs.
PATCHABLE = [pipeline.mvtu_parameters(network().layers[1], Folding(pe=3, simd=3 + at, store=store), patchable=True)
             for at, store in enumerate(("bram", "lut"))]

STATEMENTS = [
    moves.wires(lambda shape: WidthConverter(shape=shape, length=1, i_lanes=1, o_lanes=1), width=8),
    line.encoder(Encoder), line.decoder(Decoder), line.round_trip(),
    line.checksum(lambda: crc.catalog.CRC32_ISO_HDLC(data_width=1).create()),
    line.transmitter(lambda divisor: Tx(divisor=divisor), divisor=20), line.receiver(lambda divisor: Rx(divisor=divisor), divisor=20),
    loaded.spram(lambda: Spram(width=18, depth=6, rest=Rom(width=3, words=[0] * 6, store="bram")), depth=6, blocks=2, width=18, rest_width=3),
    images.sums(lambda geometry, greatest: WindowSums(lanes=1, geometry=geometry, store="lut", greatest=greatest), lanes=3,
                geometry=Geometry(height=8, width=9, slices=2, kernel=(2, 2), stride=(2, 3))),
    images.sums(lambda geometry, greatest: WindowSums(lanes=1, geometry=geometry, store="lut", greatest=greatest), lanes=3, greatest=20,
                geometry=Geometry(height=8, width=9, slices=2, kernel=(2, 2), stride=(2, 3))),
    proofs.unrolled.traffic(unrolled()),
    moves.fork(lambda shape: Fork(shape=shape), width=3),
    values.add(lambda: Add(greatest=9, kept_greatest=5, scale=3, lanes=2), widths=(4, 3), scale=3, lanes=2),
    values.threshold(lambda: Threshold(store="lut", **THRESHOLDS), name="levels", **THRESHOLDS),
    scaling(SCALING),
    values.argmax(lambda: Argmax(score_width=3, classes=5, top=3), width=3, classes=5, top=3),
    moves.queue(lambda shape: Queue(shape=shape, depth=3), width=8, depth=3),
    replay(beats=1, repeats=3),
    replay(beats=3, repeats=2), replay(beats=64, repeats=10),
    moves.width(lambda shape: WidthConverter(shape=shape, length=7, i_lanes=2, o_lanes=3), bits=1, length=7, i_lanes=2, o_lanes=3),
    images.or_reduce(lambda lanes: OrReduce(lanes=lanes, beats=4), lanes=3, beats=4),
    images.window(lambda shape, geometry, words: SlidingWindow(shape=shape, geometry=geometry, padding_words=words, store="lut"), width=4,
                  geometry=Geometry(height=9, width=9, slices=2, kernel=(3, 3), padding=((1, 1), (1, 0)), repeats=3), padding_bit=1),
    neurons.popcount(width=9),
    *[make(pipeline.stages(design())[1].unit) for make in (neurons.operands, neurons.traffic)],
    neurons.sums(pipeline.stages(design())[1].unit, name="hidden"),
    *[make(unit) for unit in PATCHABLE for make in (neurons.operands, neurons.traffic, lambda unit: neurons.sums(unit, name="patchable"))],
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
    statement = moves.replay(lambda shape, *_: ReplayBuffer(shape=shape, beats=3, repeats=2, store="lut"), width=1, beats=3, repeats=3)
    assert violated(statement.circuit())


def test_a_long_replay_buffer_is_proved_in_a_smaller_size_and_says_so():
    assert "50 beats, 3 times, stand for 800, 10 times" in replay(beats=800, repeats=10).scope
    # Still a vector that fills its bank.
    assert "32 beats, 2 times, stand for 1024, 2 times" in replay(beats=1024, repeats=2).scope
    assert "stand for 5" not in replay(beats=50, repeats=10).scope
    assert "beats" not in replay(beats=1, repeats=1000).scope


def test_a_wrong_threshold_is_seen():
    from sbgen.hw.binarize import Binarize as Unit

    statement = values.binarize(lambda: Unit(thresholds=[[100], [7]], lanes=1), thresholds=[[100], [8]], lanes=1)
    assert violated(statement.circuit(), cycles=3000) == {"bit 0 of a beat is wrong"}


def test_a_wrong_table_of_an_unrolled_layer_is_seen():
    layer = network().layers[1]
    unit = pipeline.unrolled_parameters(layer, Folding(pe=6, simd=9, store="unrolled"))
    assert violated(proofs.unrolled.whole(unit, layer, name="hidden").circuit()) == set()
    (contents, ins), *others = unit.tables
    wrong = replace(unit, tables=((contents ^ 1, ins), *others))
    assert violated(proofs.unrolled.whole(wrong, layer, name="hidden").circuit(), cycles=100)


def test_loaded_words_are_put_together():
    unit = mvtu.Parameters(inputs=9, weights=(5, 99, 127, 0), presets=(0, 0, 0, 0), pe=3, simd=7, weight_store="spram", sprams=1)
    image = b"".join(word.to_bytes(2, "little") for words in unit.image for word in words) + b"next"
    assert contents.loaded_words(unit, image, dict(enumerate(unit.rest_words))) == (dict(enumerate(unit.weight_words)), b"next")


def test_a_wrong_inversion_is_seen():
    statement = values.threshold(lambda: Threshold(store="lut", **THRESHOLDS), name="levels", **THRESHOLDS | {"inverted": [1, 1, 0, 0, 0]})
    assert violated(statement.circuit()) == {"bit 0 of a beat is wrong"}


def test_another_scale_of_a_shortcut_is_seen():
    statement = values.add(lambda: Add(greatest=9, kept_greatest=5, scale=3, lanes=1), widths=(4, 3), scale=2, lanes=1)
    assert violated(statement.circuit()) == {"sum 0 of a beat is wrong"}


def test_scales_are_compared():
    layer = Scores(name="scores", weights=np.ones((3, 20), int), offsets=np.array(SCALING.offsets), scales=np.array(SCALING.scales))
    stage = pipeline.stage(layer, Folding(pe=1, simd=1), (20,), i_greatest=1, o_greatest=0)
    words = dict(enumerate(SCALING.words))
    assert contents.scales(stage, words).check() == []
    words[1] ^= 1
    assert contents.scales(stage, words).check() == ["class 1: the ROM has -6 and -100, the network -5 and -100"]


def test_best_class_with_equal_scores_and_several_told():
    for top in 1, 2, 3:
        statement = values.argmax(lambda top=top: Argmax(score_width=2, classes=5, top=top), width=2, classes=5, top=top)
        assert violated(statement.circuit(), cycles=1000) == set()


def test_weights_are_compared_bit_by_bit():
    stage = pipeline.stages(design())[1]
    words = rom(stage)
    assert contents.weights("rom", stage, words).check() == []
    words[1] ^= 1 << 4 + 3  # group 0, slice 1, the second output, its last bit
    assert contents.weights("rom", stage, words).check() == [
        f"rom: output 1, input 7: the ROM has {1 - stage.layer.weights[1, 7]}, the network does not"]
    del words[1]
    assert contents.weights("rom", stage, words).check() == [f"rom has {len(words)} words, not {len(words) + 1}"]


def test_thresholds_are_compared_and_widths_hold_the_sums():
    stage = pipeline.stages(design())[1]
    assert contents.presets(stage).check() == []
    other = replace(stage.layer, thresholds=np.where(np.arange(6) == 2, 3 if stage.layer.thresholds[2] != 3 else 4, stage.layer.thresholds))
    assert contents.presets(replace(stage, layer=other)).check() == [
        f"output 2 starts from {-stage.layer.thresholds[2]}, the network has {-other.thresholds[2]}"]


def test_memories_are_read_from_verilog():
    text = ("module \\top.mvtu_1.weight_rom (a);\n  initial begin\n    memory[0] = 12'h0af;\n    memory[1] = 32'd7;\n  end\nendmodule\n"
            "module top(a);\nendmodule\n")
    assert contents.memory_words(text) == {"top.mvtu_1.weight_rom": {0: 0xaf, 1: 7}}


def test_verilog_that_differs_is_told_by_its_line():
    assert contents.same_verilog("core.v", "a\nb\n", lambda: "a\nb\n").check() == []
    assert "from line 2 on" in contents.same_verilog("core.v", "a\nc\n", lambda: "a\nb\n").check()[0]


def test_each_part_of_a_dense_design_has_a_statement():
    planned = plan(design(), "")
    assert planned.unstated == []
    places = {place.split(".")[0] for _, places in planned.values() for place in places}
    assert places >= {"core", "binarize_0", "replaybuffer_1", "mvtu_1", "width_2_0", "replaybuffer_2", "mvtu_2", "argmax"}


def test_parts_without_a_statement_are_named():
    for seed in range(8):
        planned = plan(random_network.random_design(seed, largest=12), "")
        assert all(part.endswith(")") for part in planned.unstated)
        assert any(subject.startswith(("unit of", "queue of", "popcount of", "width converter of")) for subject in planned) or planned.unstated


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
