"""Every component of the core over its emitted Verilog, against what it means in software."""

from dataclasses import replace

import numpy as np
import pytest
from bench import SIMULATORS, Bench, run
from cases import Case, pack, save

from sbgen.compiler import verilog
from sbgen.compiler.folding import Rom, WeightedFolding
from sbgen.compiler.ir import Binarize, Dense, Scores, Signal, SumPool, Threshold
from sbgen.compiler.layers import rule
from sbgen.compiler.reference import run_layer
from sbgen.hw import (
    argmax,
    best,
    binarize,
    deep_queue,
    maximum,
    pool,
    queue,
    replay,
    scale,
    short_queue,
    sums,
    threshold,
    width,
    window,
)
from sbgen.hw.window import Geometry

SEED = 1
VECTORS = 6

# length, i_lanes, o_lanes, bits of an element
WIDTHS = [
    (12, 3, 3, 1),
    (12, 2, 6, 1),
    (13, 2, 6, 1),
    (12, 6, 2, 1),
    (13, 6, 2, 3),
    (1, 1, 4, 1),
    (1, 4, 1, 1),
    (7, 4, 6, 1),
    (23, 6, 9, 2),
    (10, 7, 3, 1),
    (5, 8, 12, 1),
    (9, 1, 1, 4),
]
# beats, repeats, store
REPLAYS = [
    (1, 1, "bram"),
    (1, 5, "lut"),
    (5, 1, "bram"),
    (4, 3, "lut"),
    (7, 6, "bram"),
    (8, 2, "bram"),
    (3, 4, "lut"),
]
QUEUES = [1, 2, 3, 5]
# words, store
DEEP_QUEUES = [(2, "lut"), (7, "bram"), (16, "bram")]
# channels, lanes, bits of a number, thresholds of each, store
THRESHOLDS = [
    (1, 1, 1, 1, "lut"),
    (6, 6, 4, 1, "lut"),
    (7, 2, 5, 1, "bram"),
    (5, 8, 3, 1, "lut"),
    (40, 1, 6, 1, "lut"),
    (7, 3, 5, 3, "bram"),
    (6, 2, 4, 2, "lut"),
]
# pixels, levels, lanes
BINARIZES = [(1, 1, 1), (12, 1, 4), (13, 2, 5), (9, 3, 9), (10, 1, 3), (7, 1, 1)]
# inputs, outputs, pe, simd, weight store, preset store
MVTUS = [
    (1, 1, 1, 1, "bram", "lut"),
    (8, 4, 4, 8, "lut", "bram"),
    (16, 8, 1, 1, "bram", "bram"),
    (17, 9, 2, 5, "bram", "lut"),
    (33, 7, 3, 8, "lut", "lut"),
    (64, 10, 10, 64, "lut", "lut"),
    (30, 5, 5, 7, "bram", "bram"),
    (12, 6, 4, 12, "bram", "lut"),
    (40, 3, 2, 33, "bram", "lut"),
]
# inputs, classes, pe, simd
SCORES = [(20, 10, 3, 6), (9, 1, 1, 4), (16, 5, 5, 16), (11, 4, 1, 1)]
# height, columns, words of a pixel, kernel, stride, padding (rows, columns), repeats
WINDOWS = [
    (4, 5, 2, (3, 3), (1, 1), ((1, 1), (1, 1)), 1),
    (7, 6, 1, (2, 2), (2, 2), ((0, 0), (0, 0)), 1),
    (5, 4, 3, (2, 4), (1, 1), ((1, 0), (2, 1)), 2),
    (8, 7, 1, (2, 2), (3, 3), ((0, 0), (0, 0)), 3),
    (1, 1, 1, (1, 1), (1, 1), ((0, 0), (0, 0)), 2),
]
# lanes, beats
POOLS = [(1, 1), (3, 4), (5, 9)]
# lanes, bits of a number, words in a result
MAXIMA = [(1, 2, 1), (3, 2, 4), (2, 5, 9)]
# lanes, height, columns, words of a pixel, kernel, stride, maximum element
SUMS = [
    (1, 3, 5, 1, (3, 5), (3, 5), 1),
    (3, 5, 8, 2, (2, 3), (2, 3), 1),
    (4, 7, 6, 1, (2, 1), (3, 2), 1),
    (2, 1, 9, 1, (1, 9), (1, 9), 1),
    (2, 3, 5, 2, (3, 5), (3, 5), 20),
    (3, 4, 6, 1, (2, 2), (2, 3), 3),
]
# maximum count, scales, offsets, store
SCALES = [
    (1, (1,), (0,), "lut"),
    (300, (3, 200, 17), (-5, 4000, 0), "bram"),
    (64, (-31, 7, 0, -1), (9, -9, 1, -70), "lut"),
]
# classes, bits of a score
ARGMAXES = [(1, 4), (2, 1), (3, 8), (10, 3)]


def _case(name, component, i, o):
    """Most components need a cycle a beat and a few more; twice that leaves room for the pipeline between."""
    return name, component, Case(name=name, component=name, i=i, o=o, cycles=2 * (len(i) + len(o)) + 60)


def _widths(rng):
    for length, i_lanes, o_lanes, bits in WIDTHS:
        vectors = rng.integers(0, 1 << bits, (VECTORS, length))
        yield _case(
            f"width_{length}_{i_lanes}_{o_lanes}",
            width.Parameters(shape=bits, length=length, i_lanes=i_lanes, o_lanes=o_lanes).create(),
            [beat for vector in vectors for beat in pack(vector, lanes=i_lanes, width=bits)],
            [beat for vector in vectors for beat in pack(vector, lanes=o_lanes, width=bits)],
        )


def _replays(rng):
    for beats, repeats, store in REPLAYS:
        vectors = rng.integers(0, 64, (VECTORS, beats)).tolist()
        yield _case(
            f"replay_{beats}_{repeats}",
            replay.Parameters(shape=6, beats=beats, repeats=repeats, store=store).create(),
            [beat for vector in vectors for beat in vector],
            [beat for vector in vectors for beat in vector * repeats],
        )


def _queues(rng):
    for depth in QUEUES:
        beats = rng.integers(0, 32, 40).tolist()
        yield _case(f"queue_{depth}", queue.Queue(shape=5, depth=depth), beats, beats)
        if depth > 1:
            part = short_queue.Parameters(shape=5, depth=depth)
            yield _case(f"short_queue_{depth}", part.create(), beats, beats)


def _binarizes(rng):
    for pixels, levels, lanes in BINARIZES:
        thresholds = rng.integers(0, 257, (pixels, levels))
        thresholds.flat[:2] = [0, 256][: thresholds.size]
        layer = Binarize(name="binarize", thresholds=thresholds)
        images = rng.integers(0, 256, (VECTORS, pixels))
        images[0], images[1] = 0, 255
        # What the lanes past the image carry must not matter: the last beat is filled up with 255.
        beats = -(-pixels // lanes)
        filled = np.pad(images, ((0, 0), (0, beats * lanes - pixels)), constant_values=255)
        yield _case(
            f"binarize_{pixels}_{levels}_{lanes}",
            binarize.Parameters(thresholds=thresholds.tolist(), lanes=lanes).create(),
            [beat for image in filled for beat in pack(image, lanes=lanes, width=8)],
            [beat for bits in run_layer(layer, images) for beat in pack(bits, lanes=lanes * levels, width=1)],
        )


def _layer(name, rng, layer, folding):
    parameters = rule(layer, Signal(shape=(layer.inputs,), maximum=1)).unit(folding)
    vectors = rng.integers(0, 2, (VECTORS, layer.inputs))
    vectors[0], vectors[1] = (
        layer.weights[0],
        1 - layer.weights[0],
    )  # the maximum and the minimum count of output 0
    bits = 1 if parameters.signs else parameters.sum_width
    return _case(
        name,
        parameters.create(),
        [
            beat
            for vector in vectors
            for beat in pack(vector, lanes=folding.simd, width=1) * parameters.groups
        ],
        [beat for out in run_layer(layer, vectors) for beat in pack(out, lanes=folding.pe, width=bits)],
    )


def _mvtus(rng):
    for inputs, outputs, pe, simd, store, preset_store in MVTUS:
        thresholds = rng.integers(0, inputs + 2, outputs)
        thresholds[-1] = inputs + 1
        thresholds[0] = inputs  # on for one single input
        layer = Dense(name="dense", weights=rng.integers(0, 2, (outputs, inputs)), thresholds=thresholds)
        yield _layer(
            f"mvtu_{inputs}_{outputs}_{pe}_{simd}",
            rng,
            layer,
            WeightedFolding(pe=pe, simd=simd, weights=Rom(store), preset_store=preset_store),
        )


def _scores(rng):
    for reach, (inputs, classes, pe, simd) in enumerate(SCORES):
        layer = Scores(
            name="scores",
            weights=rng.integers(0, 2, (classes, inputs)),
            offsets=rng.integers(-(10**reach), 10**reach + 1, classes),
        )
        yield _layer(f"scores_{inputs}_{classes}_{pe}_{simd}", rng, layer, WeightedFolding(pe=pe, simd=simd))


def _windows(rng):
    for height, columns, slices, kernel, stride, padding, repeats in WINDOWS:
        geometry = Geometry(
            height=height,
            width=columns,
            slices=slices,
            kernel=kernel,
            stride=stride,
            padding=padding,
            repeats=repeats,
        )
        padding_words = rng.integers(0, 16, slices).tolist()
        images = rng.integers(0, 16, (2, height, columns, slices))
        words = []
        for image in images:
            padded = np.stack(
                [
                    np.pad(image[:, :, n], padding, constant_values=word)
                    for n, word in enumerate(padding_words)
                ],
                axis=2,
            )
            for row in range(0, padded.shape[0] - kernel[0] + 1, stride[0]):
                for column in range(0, padded.shape[1] - kernel[1] + 1, stride[1]):
                    words += (
                        padded[row : row + kernel[0], column : column + kernel[1]].ravel().tolist() * repeats
                    )
        yield _case(
            f"window_{height}_{columns}_{slices}",
            window.Parameters(shape=4, geometry=geometry, padding_words=padding_words, store="bram").create(),
            images.ravel().tolist(),
            words,
        )


def _thresholds(rng):
    for channels, lanes, bits, levels, store in THRESHOLDS:
        steps = np.sort(rng.integers(0, (1 << bits) + 1, (channels, levels)), axis=1)
        layer = Threshold(
            name="bits",
            thresholds=steps if levels > 1 else steps[:, 0],
            inverted=rng.integers(0, 2, channels),
        )
        vectors = rng.integers(0, 1 << bits, (VECTORS, channels))
        yield _case(
            f"threshold_{channels}_{lanes}_{levels}",
            threshold.Parameters(
                thresholds=tuple(map(tuple, steps.tolist())),
                inverted=tuple(layer.inverted.tolist()),
                width=bits,
                lanes=lanes,
                store=store,
            ).create(),
            [beat for vector in vectors for beat in pack(vector, lanes=lanes, width=bits)],
            [
                beat
                for out in run_layer(layer, vectors)
                for beat in pack(out, lanes=lanes, width=levels.bit_length())
            ],
        )


def _deep_queues(rng):
    for depth, store in DEEP_QUEUES:
        beats = rng.integers(0, 32, 60).tolist()
        yield _case(
            f"deep_queue_{depth}",
            deep_queue.Parameters(shape=5, depth=depth, store=store).create(),
            beats,
            beats,
        )


def _maxima(rng):
    for lanes, of_bits, beats in MAXIMA:
        numbers = rng.integers(0, 1 << of_bits, (VECTORS, beats, lanes))
        numbers[0] = 0
        yield _case(
            f"maximum_{lanes}_{of_bits}_{beats}",
            maximum.Parameters(lanes=lanes, width=of_bits, beats=beats).create(),
            [beat for word in numbers.reshape(-1, lanes) for beat in pack(word, lanes=lanes, width=of_bits)],
            [beat for word in numbers.max(axis=1) for beat in pack(word, lanes=lanes, width=of_bits)],
        )


def _pools(rng):
    for lanes, beats in POOLS:
        words = rng.integers(0, 1 << lanes, (VECTORS, beats))
        words[0] = 0
        yield _case(
            f"pool_{lanes}_{beats}",
            pool.Parameters(lanes=lanes, beats=beats).create(),
            words.ravel().tolist(),
            np.bitwise_or.reduce(words, axis=1).tolist(),
        )


def _sums(rng):
    for lanes, height, columns, slices, kernel, stride, greatest in SUMS:
        geometry = Geometry(height=height, width=columns, slices=slices, kernel=kernel, stride=stride)
        images = rng.integers(0, greatest + 1, (VECTORS, height, columns, slices * lanes))
        images[0] = greatest
        counts = run_layer(SumPool(name="sums", kernel=kernel, stride=stride), images)
        yield _case(
            f"sums_{lanes}_{height}_{columns}_{greatest}",
            sums.Parameters(lanes=lanes, geometry=geometry, store="bram", maximum=greatest).create(),
            pack(images.ravel(), lanes=lanes, width=greatest.bit_length()),
            pack(counts.ravel(), lanes=lanes, width=(kernel[0] * kernel[1] * greatest).bit_length()),
        )


def _scales(rng):
    for greatest, scales, offsets, store in SCALES:
        parameters = scale.Parameters(maximum=greatest, scales=scales, offsets=offsets, store=store)
        counts = rng.integers(0, greatest + 1, (VECTORS, len(scales)))
        counts[0], counts[1] = 0, greatest
        scores = counts * scales + offsets
        name, component, case = _case(
            f"scale_{greatest}_{len(scales)}",
            parameters.create(),
            [beat for image in counts for beat in pack(image, lanes=1, width=parameters.count_width)],
            [beat for image in scores for beat in pack(image, lanes=1, width=parameters.score_width)],
        )
        yield name, component, replace(case, cycles=parameters.cycles * counts.size + 10)


def _argmaxes(rng):
    for classes, bits in ARGMAXES:
        half, label_bits = 1 << (bits - 1), max(1, (classes - 1).bit_length())
        images = rng.integers(-half, half, (VECTORS, classes))
        images[0] = -half  # all equal: the first class
        beats = []
        for scores in images:
            for n, score in enumerate(scores):
                label = int(scores[: n + 1].argmax())
                beats.append(
                    int(score) & (2 * half - 1) | label << bits | (n == classes - 1) << (bits + label_bits)
                )
        yield _case(
            f"argmax_{classes}_{bits}",
            argmax.Parameters(score_width=bits, classes=classes).create(),
            [beat for scores in images for beat in pack(scores, lanes=1, width=bits)],
            beats,
        )


def _bests(rng):
    for classes, bits in ARGMAXES:
        half, label_bits = 1 << (bits - 1), max(1, (classes - 1).bit_length())
        images = rng.integers(-half, half, (VECTORS, classes))
        images[0] = -half  # all equal: the first class
        yield _case(
            f"best_{classes}_{bits}",
            best.Parameters(score_width=bits, classes=classes).create(),
            [beat for scores in images for beat in pack(scores, lanes=classes, width=bits)],
            [
                int(scores.max()) & (2 * half - 1) | int(scores.argmax()) << bits | 1 << bits + label_bits
                for scores in images
            ],
        )


@pytest.fixture(scope="module")
def layers():
    """All cases and the Verilog of the one bench that holds their components."""
    rng = np.random.default_rng(SEED)
    made = [
        case
        for kind in (
            _widths,
            _replays,
            _queues,
            _deep_queues,
            _thresholds,
            _binarizes,
            _mvtus,
            _scores,
            _windows,
            _pools,
            _maxima,
            _sums,
            _scales,
            _argmaxes,
            _bests,
        )
        for case in kind(rng)
    ]
    return [case for _, _, case in made], verilog.convert(
        Bench({name: component for name, component, _ in made})
    )


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_layers(simulator, layers, tmp_path):
    print(f"seed {SEED}")
    cases, text = layers
    save(cases, tmp_path / "cases.json")
    run(
        {"top.v": text},
        simulator=simulator,
        module="vectors_tests",
        folder=tmp_path / simulator,
        settings={"SBGEN_CASES": str(tmp_path / "cases.json")},
    )
