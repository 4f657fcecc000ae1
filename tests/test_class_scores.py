import importlib
from fractions import Fraction

import numpy as np
import pytest

from sbgen.compiler.frontends.class_scores import integer_scores
from sbgen.compiler.reference import run_layer
from sbgen.errors import ModelError


def form(scales, biases, reach):
    """Scales and offsets for lines; the reach of each class, or of all."""
    reach = np.broadcast_to(reach, len(scales))
    rows = np.array(biases, float)[:, None] + np.array(scales, float)[:, None] * np.minimum(
        np.arange(reach.max() + 1), reach[:, None]
    )
    return integer_scores("net.onnx: the output", rows, reach)


def test_one_scale():
    scales, offsets = form([0.25, 0.25, 0.25], [0.5, -0.25, 0.0], 9)
    assert scales is None and offsets.tolist() == [0, -3, -2]


def test_counts_keep_their_offsets():
    scales, offsets = form([1, 1], [5, -7], 9)
    assert scales is None and offsets.tolist() == [5, -7]


def test_common_denominator():
    scales, offsets = form([0.5, 0.75, 0.0], [0.25, 0, 1], 9)
    assert scales.tolist() == [2, 3, 0] and offsets.tolist() == [1, 0, 4]


def test_order_of_all_scores_is_kept_by_few_bits():
    random = np.random.default_rng(3)
    a, b = random.normal(3, 1, 10), random.normal(0, 20, 10)
    scales, offsets = form(a, b, 64)
    real, whole = a[:, None] * np.arange(65) + b[:, None], scales[:, None] * np.arange(65) + offsets[:, None]
    assert np.array_equal(np.argsort(real.reshape(-1)), np.argsort(whole.reshape(-1)))
    assert scales.max() < 1 << 24


def test_scores_too_far_apart():
    with pytest.raises(
        ModelError,
        match="^net.onnx: the output must keep the order of its scores as integers of 31 bits.*one scale",
    ):
        form([1, 2**-0.5], [0, 0.1], 1 << 17)


def test_the_same_for_all_counts():
    with pytest.raises(ModelError, match="must tell all counts of the last layer apart"):
        form([0, 0], [1, 2], 9)


def last_layers(seed):
    """A random last layer: the graph's file, inputs, the exact order of its scores, whether classes share
    scale and bias.

    The third is a function of the bits (images, inputs) that the layer takes: rational numbers (images,
    classes).
    """
    graphs = pytest.importorskip("qonnx_graphs", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")
    random = np.random.default_rng([seed, 11])
    graph = graphs.Graph(opset=13)
    inputs, classes = int(random.integers(3, 30)), int(random.integers(2, 9))
    x = graph.input((1, inputs))
    levels = int(random.choice([1, 3]))
    if levels == 1:
        low, step = random.choice([[-1.0, 2.0], [-0.3, 0.6]]).astype(np.float32)
        x = graph.bipolar(graph.add("Sub", x, 0.5), -low)
    else:
        low, step = np.float32(0), np.float32(random.choice([0.25, 0.3]))
        x = graph.add("Quant", x, step, 0.0, 2.0, signed=0, narrow=0, rounding_mode="ROUND")
    weights = random.choice([-1, 0, 1] if random.integers(4) else [-1, 1], (inputs, classes))
    weights[0] = 1
    x = graph.add("MatMul", x, weights)
    one_scale, one_bias = random.integers(2, size=2)
    scales = (
        random.normal(0.02, 0.05 * random.integers(2), classes)
        if random.integers(2)
        else random.choice([0.05, 0.1, 0.2, 1.0], classes)
    )
    scales = np.where(scales == 0, 1, np.where(one_scale, scales[0], scales)).astype(np.float32)
    biases = random.choice([random.normal(0, 1, classes), random.choice([-0.3, 0.0, 0.1], classes)])
    biases = np.where(one_bias, biases[0], biases).astype(np.float32)
    x = graph.add("Mul", x, scales[:1] if one_scale else scales)
    if random.integers(3):
        x = graph.add("Add", x, biases[:1] if one_bias else biases)
    else:
        biases, one_bias = np.zeros_like(biases), True
    if one_scale and one_bias and random.integers(2):  # no line, but one function of all sums
        x = graph.add("LeakyRelu", x, alpha=0.25)

    def exact(bits):
        values = bits.reshape(len(bits), inputs, levels).sum(axis=2, dtype=np.int64)
        sums = [
            [
                Fraction(float(low)) * int(weights[:, c].sum())
                + Fraction(float(2 * -low if levels == 1 else step)) * int(each)
                for c, each in enumerate(row)
            ]
            for row in values @ weights
        ]
        return np.array(
            [
                [Fraction(float(scales[c])) * each + Fraction(float(biases[c])) for c, each in enumerate(row)]
                for row in sums
            ]
        )

    return graph.bytes(x), inputs * levels, exact, bool(one_scale and one_bias)


@pytest.mark.parametrize("seed", range(150))
def test_order_and_ties_of_random_last_layers(seed):
    print("seed", seed)
    file, inputs, exact, alike = last_layers(seed)
    scores = importlib.import_module("sbgen.compiler.frontends.qonnx").loads(file).layers[-1]
    bits = np.random.default_rng(seed).integers(0, 2, (100, inputs)).astype(np.uint8)
    ours, graph = run_layer(scores, bits), exact(bits)
    apart = graph[:, :, None] - graph[:, None]
    rounding = 0 if alike else float(np.abs(graph).max()) * 2.0**-21
    certain = (apart == 0) | (abs(apart) > rounding)
    assert (
        certain.mean() > 0.5
        and ((np.sign(ours[:, :, None] - ours[:, None]) == np.sign(apart)) | ~certain).all()
    )
