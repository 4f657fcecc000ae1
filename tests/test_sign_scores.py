import numpy as np
import pytest

from sbgen.compiler.frontends.sign_scores import signed_scores
from sbgen.errors import ModelError


def lines_of(scores, reach):
    """The integers of each output's counts."""
    scales, offsets = scores
    return [
        offset + scale * np.arange(each + 1)
        for scale, offset, each in zip(
            np.ones(len(offsets), int) if scales is None else scales, offsets, reach, strict=True
        )
    ]


@pytest.mark.parametrize("seed", range(300))
def test_signs_and_order_of_each_output_are_kept(seed):
    rng = np.random.default_rng([seed, 5])
    outputs = int(rng.integers(1, 6))
    reach = rng.integers(0, 40, outputs)
    counts = np.minimum(np.arange(reach.max() + 1), reach[:, None])
    scales = rng.choice([0.0, 1.0, 0.1, 0.3333, 2.0, rng.uniform(0.01, 5)], outputs) * 10.0 ** rng.integers(
        -6, 4
    )
    zeros = rng.choice([0, 0.5, 0.3, -5, 100, rng.uniform(-10, 50)], outputs) + rng.integers(
        0, reach + 1
    )  # the counts that score 0
    biases = np.where(scales > 0, -scales * zeros, rng.choice([-1.0, 0.0, 2.0], outputs))
    rows = (scales[:, None] * counts + biases[:, None]).astype(np.float32).astype(np.float64)
    found = signed_scores("net.onnx: the output", rows, reach)
    for row, integers in zip(rows, lines_of(found, reach), strict=True):
        row = row[: len(integers)]
        assert (np.sign(integers) == np.sign(row)).all()
        assert (np.sign(np.diff(integers)) == np.sign(np.diff(row))).all()
    assert max(abs(integers).max() for integers in lines_of(found, reach)) < 2**31


@pytest.mark.parametrize(
    "scales, biases",
    [([1, 1, 1], [-4.25, -3.5, -4]), ([0.1, 0.2, 0.3], [-0.4, -0.5, -0.6]), ([0.7, 0.7], [-2.1, -0.137])],
)
def test_order_between_outputs_is_kept_too(scales, biases):
    reach = np.full(len(scales), 9)
    rows = np.array(biases)[:, None] + np.array(scales)[:, None] * np.arange(10.0)
    integers = np.concatenate(lines_of(signed_scores("", rows, reach), reach))
    near = np.abs(rows.reshape(-1, 1) - rows.reshape(-1)) < 1e-9
    order = np.where(near, 0, np.sign(rows.reshape(-1, 1) - rows.reshape(-1)))
    assert (np.sign(integers[:, None] - integers) == order).all()


def test_a_detector_needs_no_wide_scale():
    for bias, scale, offset in ((-4.3, [2], -9), (-4, None, -4), (-40, None, -40), (0.3, None, 1)):
        scales, offsets = signed_scores("", np.array([bias + np.arange(9.0)]), np.array([8]))
        assert (scales if scales is None else scales.tolist(), offsets.tolist()) == (scale, [offset]), bias


def test_any_rising_function_has_a_sign():
    rows = np.tanh(np.arange(9.0)[None] - 3.5)
    scales, offsets = signed_scores("", rows, np.array([8]))
    assert (np.sign(scales[0] * np.arange(9) + offsets[0]) == np.sign(rows[0])).all()


def test_signs_of_counts_that_score_the_same():
    with pytest.raises(ModelError, match="must tell all counts of the last layer apart"):
        signed_scores("", np.clip(np.arange(9.0)[None] - 4, 0, 9), np.array([8]))
