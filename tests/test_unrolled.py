"""Layers with their weights wired in: the tables against the folded unit, the hardware against the tables,
and what is shared.
"""

import random
from dataclasses import replace

import pytest
from streams import beats, elements, transfer
from test_hw_mvtu import random_parameters

from sbgen.compiler.unrolled import contents, unroll
from sbgen.compiler.unrolled.fusion import merged


def run(parameters, vectors, *, seed=None):
    """The outputs for each vector, and the cycles in which they left."""
    given = beats(vectors, parameters.inputs, parameters.planes)
    taken = transfer(parameters.create(), given, len(vectors), seed=seed)
    signed = parameters.sum_width > 1
    found, _ = elements(
        [word for _, word in taken], parameters.pe, parameters.sum_width, parameters.pe, signed=signed
    )
    return found, [cycle for cycle, _ in taken]


SHAPES = [(12, 8), (40, 30), (1, 1), (1, 9), (2, 3), (3, 3), (9, 1), (7, 70)]  # inputs, outputs


@pytest.mark.parametrize("inputs, outputs", SHAPES)
@pytest.mark.parametrize(
    "planes, signs, ternary",
    [(1, True, False), (1, False, False), (1, True, True), (3, False, True), (2, True, False)],
)
def test_tables_equal_the_folded_unit(inputs, outputs, planes, signs, ternary):
    rng = random.Random(f"{inputs} {outputs} {planes} {signs} {ternary}")
    unit = random_parameters(
        rng, inputs=inputs, outputs=outputs, pe=1, simd=1, planes=planes, signs=signs, ternary=ternary
    )
    unrolled = unroll(unit, levels=4)
    top = (1 << planes) - 1
    vectors = [[rng.randint(0, top) for _ in range(inputs)] for _ in range(40)] + [
        [0] * inputs,
        [top] * inputs,
    ]
    for vector in vectors:
        assert unrolled.compute(vector) == unit.compute(vector)


@pytest.mark.parametrize("inputs, outputs", [(1, 1), (1, 9), (13, 7), (23, 5)])
@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("levels, seed", [(1, None), (3, 1), (50, 2)])
def test_hardware_equals_tables(inputs, outputs, signs, levels, seed):
    rng = random.Random(f"{inputs} {outputs} {signs} {levels}")
    unrolled = unroll(
        random_parameters(rng, inputs=inputs, outputs=outputs, pe=1, simd=1, signs=signs), levels=levels
    )
    vectors = [[rng.getrandbits(1) for _ in range(inputs)] for _ in range(12)]
    found, cycles = run(unrolled, vectors, seed=seed)
    assert found == [unrolled.compute(vector) for vector in vectors]
    if seed is None:
        assert cycles == [unrolled.latency + n for n in range(12)], "one vector each cycle"


def neurons(inputs, outputs, **change):
    return replace(
        random_parameters(random.Random(5), inputs=inputs, outputs=outputs, pe=1, simd=1), **change
    )


def test_neurons_alike_are_made_once():
    unit = neurons(30, 4)
    twice = replace(unit, weights=unit.weights * 2, presets=unit.presets * 2)
    assert unroll(twice, levels=4).tables == unroll(unit, levels=4).tables


def test_a_complement_is_an_inversion():
    # So many inputs agree with weights as disagree with their complement: count >= t is not (30 - count >= 31
    # - t).
    unit = neurons(30, 1, presets=(-13,))
    both = replace(unit, weights=(*unit.weights, (1 << 30) - 1 - unit.weights[0]), presets=(-13, -18))
    unrolled = unroll(both, levels=4)
    assert unrolled.tables == unroll(unit, levels=4).tables
    assert unrolled.outputs[0][0] == unrolled.outputs[1][0] ^ 1


def test_always_and_never_on_take_no_tables():
    unrolled = unroll(neurons(9, 2, presets=(0, -10)), levels=4)
    assert unrolled.tables == () and unrolled.outputs == ((1,), (0,)) and unrolled.latency == 1


def test_fewer_tables_than_weights():
    for inputs, share, depth in (64, 0.64, 10), (128, 0.71, 13), (256, 0.74, 15):
        unrolled = unroll(neurons(inputs, 64, presets=(-inputs // 2,) * 64), levels=4)
        assert len(unrolled.tables) < share * inputs * 64 and unrolled.depth <= depth
    a_neuron = unroll(neurons(64, 1, presets=(-32,)), levels=4)
    assert len(a_neuron.tables) < 1.75 * 64


#: Tables of four and of six inputs that a neuron of so many inputs takes at most, whatever its threshold.
DIRECT = {4: (1, 1), 5: (3, 1), 6: (3, 1), 7: (5, 3), 8: (7, 3)}


@pytest.mark.parametrize("bits", DIRECT)
@pytest.mark.parametrize("size", [4, 6])
def test_few_inputs_are_decomposed_by_classes(bits, size):
    for threshold in range(1, bits + 1):
        unit = neurons(20, 3, presets=(-threshold,) * 3)
        masks = tuple(((1 << bits) - 1) << n for n in range(3))
        sparse = replace(unit, masks=masks)
        unrolled = unroll(sparse, levels=9, size=size)
        assert len(unrolled.tables) <= 3 * DIRECT[bits][size == 6]
        assert max(len(ins) for _, ins in unrolled.tables) <= size
        for value in range(1 << bits):
            vector = [value >> n % bits & 1 for n in range(20)]
            assert unrolled.compute(vector) == sparse.compute(vector), (threshold, value)


def test_integers_of_few_bits_are_decomposed():
    rng = random.Random(1)
    for planes, inputs in (2, 4), (4, 2), (3, 2), (8, 1), (4, 1):
        unit = random_parameters(rng, inputs=inputs, outputs=40, pe=1, simd=1, planes=planes, signs=True)
        for size in 4, 5, 8:
            unrolled = unroll(unit, levels=4, size=size)
            for _ in range(50):
                vector = [rng.getrandbits(planes) for _ in range(inputs)]
                assert unrolled.compute(vector) == unit.compute(vector)


def test_groups_are_added_without_empty_places():
    # Ten classes with twelve inputs of their own: adding one bit takes less than two tables.
    masks = tuple(((1 << 12) - 1) << 12 * n for n in range(10))
    unit = neurons(120, 10, signs=False, presets=(0, 3, -2, 1, 0, 5, 0, 0, 7, -9), masks=masks)
    rng = random.Random(2)
    for size, most in (4, 2 * 120), (5, 2 * 120), (6, 1.3 * 120):
        unrolled = unroll(unit, levels=4, size=size)
        assert len(unrolled.tables) < most
        assert unrolled.sum_width == 6, "-9 ... 19"
        assert max(len(ins) for _, ins in unrolled.tables) <= size
        for _ in range(50):
            vector = [rng.getrandbits(1) for _ in range(120)]
            assert unrolled.compute(vector) == unit.compute(vector)


@pytest.mark.parametrize("planes", [1, 3])
def test_counters_of_six_bits(planes):
    rng = random.Random(planes)
    for inputs in 1, 2, 3, 7, 13, 40:
        unit = random_parameters(
            rng, inputs=inputs, outputs=5, pe=1, simd=1, planes=planes, signs=False, ternary=True
        )
        unrolled = unroll(unit, levels=4, size=6)
        for _ in range(60):
            vector = [rng.getrandbits(planes) for _ in range(inputs)]
            assert unrolled.compute(vector) == unit.compute(vector)


def test_tables_take_in_others():
    # Of inputs a, b, c, d at places 1 ... 4: a and b, twice; their difference, which is 0; that or c; that
    # and d.
    tables = [(0b1000, (1, 2)), (0b1000, (1, 2)), (0b0110, (5, 6)), (0b1110, (3, 7)), (0b1000, (4, 8))]
    assert merged(5, tables, [[2 * 9], [2 * 7 + 1], [2 * 5]]) == (
        [(0b1000, (1, 2)), (0b1000, (3, 4))],
        [[2 * 6], [1], [2 * 5]],
    )
    # a xor b is read by c xor it alone; both are read with d by the last, which has room for three of them.
    tables = [(0b0110, (1, 2)), (0b0110, (3, 5)), (0b1000, (4, 6))]
    made, outputs = merged(5, tables, [[2 * 7]])
    contents, ins = made[outputs[0][0] // 2 - 5]
    assert ins == (1, 2, 3, 4)
    assert [contents >> n & 1 for n in range(16)] == [(n ^ n >> 1 ^ n >> 2) & n >> 3 & 1 for n in range(16)]


def test_registers_between_levels():
    unit = neurons(40, 20)
    for levels in 1, 2, 5, 100:
        unrolled = unroll(unit, levels=levels)
        assert unrolled.latency == -(-unrolled.depth // levels)
        for place, (_, ins) in enumerate(unrolled.tables, start=unrolled.first_table):
            for each in ins:
                at = range(unrolled.stage(each), unrolled.stage(place))
                assert all(each in unrolled.held[register] for register in at)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"levels": 0}, "levels must be at least 1, not 0"),
        ({"outputs": ((2, 4),)}, "each output must have 1 bits"),
        (
            {"tables": ((2, (1,)), (6, (1, 5)))},
            r"the table at place 5 must take places before it, not \(1, 5\)",
        ),
    ],
)
def test_parameters_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        replace(unroll(neurons(3, 1), levels=1), **change)


def test_contents_are_those_of_every_input():
    """Tables whose inputs are tables, and without the inputs that they do not need, input by input."""
    for seed in range(60):
        rng = random.Random(seed)
        count, inner = rng.randint(0, 6), rng.randint(0, 5)
        ins = [rng.choice((*contents.variables(count), rng.getrandbits(1 << count))) for _ in range(inner)]
        outer = rng.getrandbits(1 << inner)
        found = contents.composed(outer, ins, count=count)
        left, used = contents.reduced(found, count=count)
        for at in range(1 << count):
            expected = outer >> sum((each >> at & 1) << n for n, each in enumerate(ins)) & 1
            assert found >> at & 1 == expected
            assert left >> sum((at >> n & 1) << m for m, n in enumerate(used)) & 1 == expected
        for n in used:
            assert any((found >> at ^ found >> (at ^ 1 << n)) & 1 for at in range(1 << count))
