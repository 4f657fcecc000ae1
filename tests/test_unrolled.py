import random

import pytest
from streams import beats, elements, transfer
from test_hw_mvtu import random_parameters

from sbgen.compiler.unrolled import unroll


def run(parameters, vectors, *, seed=None):
    """The outputs for each vector, and the cycles in which they left."""
    given = beats(vectors, parameters.inputs, parameters.planes)
    taken = transfer(parameters.create(), given, len(vectors), seed=seed)
    signed = parameters.sum_width > 1
    found, _ = elements([word for _, word in taken], parameters.pe, parameters.sum_width, parameters.pe, signed=signed)
    return found, [cycle for cycle, _ in taken]


SHAPES = [(12, 8), (13, 7), (40, 5), (40, 30), (64, 20), (1, 1), (1, 9), (2, 3), (3, 3), (9, 1), (7, 70)]  # inputs, outputs


@pytest.mark.parametrize("inputs, outputs", SHAPES)
@pytest.mark.parametrize("planes, signs, ternary", [(1, True, False), (1, False, False), (1, True, True), (3, False, True),
                                                    (2, True, False)])
def test_tables_equal_the_folded_unit(inputs, outputs, planes, signs, ternary):
    rng = random.Random(f"{inputs} {outputs} {planes} {signs} {ternary}")
    unit = random_parameters(rng, inputs=inputs, outputs=outputs, pe=1, simd=1, planes=planes, signs=signs, ternary=ternary)
    unrolled = unroll(unit, levels=4)
    top = (1 << planes) - 1
    vectors = [[rng.randint(0, top) for _ in range(inputs)] for _ in range(40)] + [[0] * inputs, [top] * inputs]
    for vector in vectors:
        assert unrolled.compute(vector) == unit.compute(vector)


@pytest.mark.parametrize("inputs, outputs", SHAPES)
@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("levels, seed", [(1, None), (3, 1), (50, 2)])
def test_hardware_equals_tables(inputs, outputs, signs, levels, seed):
    rng = random.Random(f"{inputs} {outputs} {signs} {levels}")
    unrolled = unroll(random_parameters(rng, inputs=inputs, outputs=outputs, pe=1, simd=1, signs=signs), levels=levels)
    vectors = [[rng.getrandbits(1) for _ in range(inputs)] for _ in range(12)]
    found, cycles = run(unrolled, vectors, seed=seed)
    assert found == [unrolled.compute(vector) for vector in vectors]
    if seed is None:
        assert cycles == [unrolled.latency + n for n in range(12)], "one vector each cycle"
