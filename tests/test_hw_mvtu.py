import random
from dataclasses import replace

import pytest
from streams import beats, elements, transfer, unpack

from sbgen.hw.mvtu import Parameters


def random_parameters(rng, *, inputs, outputs, pe, simd, signs=True, ternary=False, **stores):
    weights = tuple(rng.getrandbits(inputs) for _ in range(outputs))
    presets = tuple(-rng.randint(0, inputs + 1) if signs else rng.randint(-50, 50) for _ in range(outputs))
    return Parameters(
        inputs=inputs,
        weights=weights,
        presets=presets,
        pe=pe,
        simd=simd,
        signs=signs,
        masks=tuple(rng.getrandbits(inputs) for _ in range(outputs)) if ternary else None,
        **stores,
    )


def run(parameters, vectors, *, seed=None):
    """The unit's outputs for each vector, what was in unused lanes, and the cycles in which beats left."""
    width = 1 if parameters.signs else parameters.sum_width
    given = []
    for vector in vectors:
        planes = [[value >> plane & 1 for value in vector] for plane in reversed(range(parameters.planes))]
        passes = [plane for plane in planes for _ in range(parameters.halves)]
        given += beats(passes, parameters.simd, 1) * parameters.groups
    taken = transfer(parameters.create(), given, len(vectors) * parameters.groups, seed=seed)
    found, unused = elements(
        [word for _, word in taken], parameters.pe, width, parameters.outputs, signed=not parameters.signs
    )
    return found, unused, [cycle for cycle, _ in taken]


SHAPES = [  # inputs, outputs, pe, simd
    (12, 8, 4, 6),
    (12, 8, 8, 12),
    (12, 8, 1, 1),
    (12, 8, 8, 1),
    (12, 8, 1, 12),
    (13, 7, 3, 5),
    (13, 7, 4, 12),
    (13, 7, 6, 2),
    (40, 5, 2, 19),
    (40, 70, 3, 9),
    (1, 1, 1, 1),
    (1, 9, 2, 1),
    (9, 1, 1, 4),
]


@pytest.mark.parametrize("inputs, outputs, pe, simd", SHAPES)
@pytest.mark.parametrize("signs", [True, False])
@pytest.mark.parametrize("seed", [None, 1])
def test_hardware_equals_software(inputs, outputs, pe, simd, signs, seed):
    rng = random.Random(f"{inputs} {outputs} {pe} {simd}")
    parameters = random_parameters(rng, inputs=inputs, outputs=outputs, pe=pe, simd=simd, signs=signs)
    vectors = [[rng.getrandbits(1) for _ in range(inputs)] for _ in range(6)] + [[0] * inputs, [1] * inputs]
    found, unused, _ = run(parameters, vectors, seed=seed)
    assert found == [parameters.compute(vector) for vector in vectors]
    assert not any(unused), "unused lanes must be 0"


@pytest.mark.parametrize("inputs, outputs, pe, simd", SHAPES)
@pytest.mark.parametrize("planes, signs", [(2, True), (3, False), (8, True), (8, False)])
@pytest.mark.parametrize("seed", [None, 1])
def test_bit_planes(inputs, outputs, pe, simd, planes, signs, seed):
    rng = random.Random(f"{inputs} {outputs} {pe} {simd} {planes}")
    parameters = random_parameters(
        rng, inputs=inputs, outputs=outputs, pe=pe, simd=simd, signs=signs, planes=planes
    )
    if signs:
        reach = inputs * ((1 << planes) - 1)
        parameters = replace(
            parameters, presets=tuple(-rng.randint(reach // 3, reach // 2 + 2) for _ in range(outputs))
        )
    top = (1 << planes) - 1
    vectors = [[rng.randint(0, top) for _ in range(inputs)] for _ in range(4)] + [
        [0] * inputs,
        [top] * inputs,
    ]
    found, unused, _ = run(parameters, vectors, seed=seed)
    assert found == [parameters.compute(vector) for vector in vectors]
    assert not any(unused), "unused lanes must be 0"


@pytest.mark.parametrize("inputs, outputs, pe, simd", SHAPES)
@pytest.mark.parametrize("planes, signs", [(1, True), (1, False), (3, True), (3, False)])
@pytest.mark.parametrize("seed", [None, 1])
def test_ternary_weights(inputs, outputs, pe, simd, planes, signs, seed):
    rng = random.Random(f"{inputs} {outputs} {pe} {simd} {planes}")
    parameters = random_parameters(
        rng, inputs=inputs, outputs=outputs, pe=pe, simd=simd, signs=signs, planes=planes, ternary=True
    )
    top = (1 << planes) - 1
    if signs:
        parameters = replace(
            parameters,
            presets=tuple(-rng.randint(0, mask.bit_count() * top * 3 // 4 + 1) for mask in parameters.masks),
        )
    vectors = [[rng.randint(0, top) for _ in range(inputs)] for _ in range(4)] + [
        [0] * inputs,
        [top] * inputs,
    ]
    found, unused, _ = run(parameters, vectors, seed=seed)
    assert found == [parameters.compute(vector) for vector in vectors]
    assert not any(unused), "unused lanes must be 0"


@pytest.mark.parametrize("vectors", [2, 3])
@pytest.mark.parametrize("inputs, outputs, pe, simd", [SHAPES[n] for n in (0, 4, 5, 8, 9, 12)])
@pytest.mark.parametrize(
    "options", [{}, {"signs": False}, {"planes": 2}, {"ternary": True, "registered": True}]
)
def test_vectors_side_by_side(vectors, inputs, outputs, pe, simd, options):
    """Each meets the same weights; the bits of a place lead, the outputs of a vector."""
    rng = random.Random(f"{inputs} {outputs} {pe} {simd}")
    one = random_parameters(rng, inputs=inputs, outputs=outputs, pe=pe, simd=simd, **options)
    together = replace(one, vectors=vectors)
    given = [
        [[rng.randint(0, one.max_input) for _ in range(inputs)] for _ in range(vectors)] for _ in range(4)
    ]
    words = []
    for each in given:
        bits = [
            [value >> plane & 1 for at in zip(*each, strict=True) for value in at]
            for plane in reversed(range(one.planes))
        ]
        passes = [plane for plane in bits for _ in range(one.halves)]
        words += beats(passes, simd * vectors, 1) * one.groups
    taken = transfer(together.create(), words, len(given) * one.groups, seed=rng.choice([None, 1]))
    width = 1 if one.signs else one.sum_width
    for n, each in enumerate(given):
        groups = [
            unpack(word, width, pe * vectors, signed=not one.signs)
            for _, word in taken[n * one.groups : (n + 1) * one.groups]
        ]
        for v, vector in enumerate(each):
            found = [value for group in groups for value in group[v * pe : (v + 1) * pe]]
            assert found[:outputs] == one.compute(vector)
            assert not any(found[outputs:]), "unused lanes must be 0"


def test_a_mask_of_nothing_and_of_everything():
    all_on = Parameters(
        inputs=5, weights=(0b10110,) * 2, masks=(0, 0b11111), presets=(3, -2), pe=1, simd=2, signs=False
    )
    vectors = [[0, 1, 1, 0, 1], [1, 0, 0, 1, 0]]
    assert run(all_on, vectors)[0] == [[3, 3], [3, -2]] == [all_on.compute(vector) for vector in vectors]


@pytest.mark.parametrize("weight_store", ["bram", "lut"])
@pytest.mark.parametrize("preset_store", ["bram", "lut"])
@pytest.mark.parametrize("registered", [False, True])
@pytest.mark.parametrize("simd", [7, 21])
def test_stores(weight_store, preset_store, registered, simd):
    rng = random.Random(3)
    parameters = random_parameters(
        rng,
        inputs=21,
        outputs=20,
        pe=3,
        simd=simd,
        weight_store=weight_store,
        preset_store=preset_store,
        registered=registered,
    )
    vectors = [[rng.getrandbits(1) for _ in range(21)] for _ in range(5)]
    assert run(parameters, vectors, seed=4)[0] == [parameters.compute(vector) for vector in vectors]


def test_threshold_at_either_end():
    rng = random.Random(9)
    parameters = replace(random_parameters(rng, inputs=10, outputs=3, pe=2, simd=4), presets=(0, -11, -5))
    rows = [unpack(row, 1, 10) for row in parameters.weights]
    vectors = [*rows, [1 - bit for bit in rows[1]]]
    found, _, _ = run(parameters, vectors)
    assert [outputs[:2] for outputs in found] == [[1, 0]] * 4
    assert found == [parameters.compute(vector) for vector in vectors]


def test_sum_of_zero_is_on():
    parameters = Parameters(inputs=3, weights=(0b101,), presets=(-2,), pe=1, simd=3)
    vectors = [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    assert [parameters.compute(vector) for vector in vectors] == [[1], [0], [1]]
    assert run(parameters, vectors)[0] == [[1], [0], [1]]


@pytest.mark.parametrize("inputs, outputs, pe, simd", SHAPES)
def test_latency_and_interval(inputs, outputs, pe, simd):
    parameters = random_parameters(random.Random(1), inputs=inputs, outputs=outputs, pe=pe, simd=simd)
    _, _, cycles = run(parameters, [[0] * inputs] * 8)
    first = parameters.slices - 1 + parameters.latency
    assert cycles == [first + n * parameters.slices for n in range(8 * parameters.groups)]


def test_a_deep_rom_has_a_register():
    rng = random.Random(5)
    shallow, deep = (random_parameters(rng, inputs=16, outputs=outputs, pe=1, simd=1) for outputs in (16, 17))
    assert deep.latency == shallow.latency + 1
    vectors = [[rng.getrandbits(1) for _ in range(16)] for _ in range(3)]
    found, _, cycles = run(deep, vectors)
    assert found == [deep.compute(vector) for vector in vectors]
    assert cycles[0] == deep.slices - 1 + deep.latency and cycles[-1] - cycles[0] == (3 * 17 - 1) * 16


def test_padded_input_never_counts():
    # With simd 4 the second slice has three unused lanes, which the input leaves at 0.
    parameters = Parameters(inputs=5, weights=(0,), presets=(0,), pe=1, simd=4, signs=False)
    assert run(parameters, [[1] * 5, [0] * 5])[0] == [[0], [5]]


@pytest.mark.parametrize("ternary", [False, True])
def test_refolded_is_as_replaced(ternary):
    """Also where what no folding changes was known before, and what one changes."""
    rng = random.Random(ternary)
    first = random_parameters(rng, inputs=20, outputs=9, pe=1, simd=1, ternary=ternary)
    assert first.cycles and first.weight_words and first.preset_words
    for _ in range(20):
        folding = {
            "pe": rng.randint(1, 9),
            "simd": rng.randint(1, 20),
            "weight_store": rng.choice(["bram", "lut", "spram"]),
            "preset_store": rng.choice(["bram", "lut"]),
            "registered": rng.random() < 0.5,
            "vectors": rng.randint(1, 3),
        }
        for name in dir(expected := replace(first, **folding)):
            if not name.startswith("_") and not callable(getattr(Parameters, name, None)):
                assert getattr(first.refolded(**folding), name) == getattr(expected, name), name
    with pytest.raises(ValueError, match=r"pe must be in 1 ... 9, not 10"):
        first.refolded(pe=10)
    with pytest.raises(ValueError, match="vectors must be at least 1, not 0"):
        first.refolded(vectors=0)


def test_sum_width_holds_every_sum():
    for presets, inputs, width in [
        ((-4,), 3, 3),
        ((-4,), 8, 4),
        ((0,), 1, 2),
        ((5,), 2, 4),
        ((-1,), 1, 1),
        ((-9,), 3, 5),
    ]:
        parameters = Parameters(inputs=inputs, weights=(0,), presets=presets, pe=1, simd=1, signs=False)
        assert parameters.sum_width == width, (presets, inputs)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"pe": 0}, "pe must be in 1 ... 2, not 0"),
        ({"pe": 3}, "pe must be in 1 ... 2, not 3"),
        ({"weights": (2, 8)}, "each row of weights must have 3 bits"),
        ({"simd": 4}, "simd must be in 1 ... 3, not 4"),
        ({"presets": (1,)}, "2 outputs need as many presets, not 1"),
        ({"sprams": 2}, "sprams must be in 1 ... 1, not 2"),
        ({"weight_store": "sram"}, "weight_store must be one of bram, lut, spram, not 'sram'"),
    ],
)
def test_parameters_are_checked(change, message):
    with pytest.raises(ValueError, match=message):
        replace(Parameters(inputs=3, weights=(2, 2), presets=(0, 0), pe=1, simd=1), **change)
