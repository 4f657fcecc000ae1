import numpy as np
import pytest

from sbgen.compiler.class_scores import integer_scores
from sbgen.errors import ModelError


def form(scales, biases, reach):
    """Scales and offsets for lines; the reach of each class, or of all."""
    reach = np.broadcast_to(reach, len(scales))
    rows = np.array(biases, float)[:, None] + np.array(scales, float)[:, None] * np.minimum(np.arange(reach.max() + 1), reach[:, None])
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
    with pytest.raises(ModelError, match="^net.onnx: the output must keep the order of its scores as integers of 31 bits.*one scale"):
        form([1, 2**-0.5], [0, 0.1], 1 << 17)


def test_the_same_for_all_counts():
    with pytest.raises(ModelError, match="must tell all counts of the last layer apart"):
        form([0, 0], [1, 2], 9)
