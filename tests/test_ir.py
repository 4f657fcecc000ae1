import numpy as np
import pytest

from sbgen.compiler.ir import Add, Binarize, Dense, Fork, MaxPool, Network, Scores, Switch, Threshold
from sbgen.errors import ModelError


def binarize(**change):
    return Binarize(**{"name": "pixels", "thresholds": np.full((4, 1), 128), **change})


def dense(**change):
    return Dense(
        **{"name": "dense", "weights": np.zeros((3, 4), int), "thresholds": np.zeros(3, int), **change}
    )


def scores(**change):
    return Scores(
        **{"name": "scores", "weights": np.ones((2, 3), int), "offsets": np.zeros(2, int), **change}
    )


def levels(**change):
    return Threshold(
        **{"name": "levels", "thresholds": np.array([[1, 2], [3, 3]]), "inverted": np.zeros(2, int), **change}
    )


def network(**change):
    return Network(
        **{
            "name": "net",
            "image_shape": (2, 2),
            "layers": (binarize(), dense(), scores()),
            "labels": ("a", "b"),
            **change,
        }
    )


def test_sizes():
    net = network(
        layers=(binarize(thresholds=np.full((4, 2), 128)), dense(weights=np.zeros((3, 8), int)), scores())
    )
    assert (net.pixels, net.classes, net.weight_bits) == (4, 2, 24 + 6)
    assert [(layer.inputs, layer.outputs) for layer in net.layers] == [(4, 8), (8, 3), (3, 2)]


def projection():
    """A sum of two layers of three neurons on the same four bits."""
    return network(
        layers=(
            binarize(),
            Fork(name="f"),
            dense(thresholds=None),
            Switch(name="s", fork="f"),
            dense(name="e"),
            Add(name="a", fork="s", scale=2),
            scores(planes=4),
        )
    )


def test_both_sides_of_a_sum_start_at_the_fork():
    net = projection()
    assert net.shapes == ((2, 2), (2, 2, 1), (2, 2, 1), (3,), (2, 2, 1), (3,), (3,), (2,))
    assert net.maxima == (255, 1, 1, 4, 1, 1, 9, 0)
    assert net.shortcuts == ((1, 3), (3, 5)) and net.switches == {3: 1}


def test_arrays_are_private_and_read_only():
    weights = np.zeros((3, 4), int)
    layer = dense(weights=weights)
    weights[0, 0] = 1
    assert layer.weights[0, 0] == 0
    with pytest.raises(ValueError, match="read-only"):
        layer.weights[0, 0] = 1


def test_equality_is_by_content():
    assert network() == network()
    assert network() != network(layers=(binarize(), dense(thresholds=np.array([0, 0, 1])), scores()))


@pytest.mark.parametrize(
    "make, change, message",
    [
        (
            binarize,
            {"thresholds": np.full((4, 1), 257)},
            "layer 'pixels': thresholds must be in 0 ... 256, not 257",
        ),
        (binarize, {"thresholds": np.full((4, 1), -1)}, "thresholds must be in 0 ... 256, not -1"),
        (
            binarize,
            {"thresholds": np.full(4, 1)},
            r"thresholds must have the shape \(None, None\), not \(4,\)",
        ),
        (
            binarize,
            {"thresholds": np.full((4, 1), 1.0)},
            "thresholds must be an array of integers, not float64",
        ),
        (binarize, {"thresholds": np.zeros((0, 1), int)}, "thresholds must not be empty"),
        (dense, {"weights": np.full((3, 4), 2)}, "weights must be in 0 ... 1, not 2"),
        (dense, {"thresholds": np.full(3, 6)}, "thresholds must be in 0 ... 5, not 6"),
        (dense, {"thresholds": np.zeros(2, int)}, r"thresholds must have the shape \(3,\), not \(2,\)"),
        (
            scores,
            {"offsets": np.full(2, 2**31)},
            "offsets must be in -1073741824 ... 1073741824, not 2147483648",
        ),
        (
            network,
            {"image_shape": (3, 2)},
            r"layer 'pixels': takes 4 inputs, but the shape \(3, 2\) before it has 6",
        ),
        (network, {"labels": ("a",)}, "2 outputs that decide by argmax need 2 labels, not 1"),
        (
            network,
            {"layers": (binarize(), scores())},
            r"layer 'scores': takes 3 inputs, but the shape \(2, 2, 1\) before it has 4",
        ),
        (
            network,
            {"layers": (dense(), scores())},
            "planes must be 8, the bits of an element of 0 ... 255 before it, not 1",
        ),
        (
            network,
            {"layers": (binarize(), dense(planes=8), scores())},
            "planes must be 1, the bits of an element of 0 ... 1 before it, not 8",
        ),
        (network, {"layers": (dense(planes=8), binarize(), scores())}, "found Dense, Binarize, Scores"),
        (
            lambda **about: MaxPool(name="m", kernel=(2, 3), stride=(1, 1), **about),
            {"padding": ((1, 1), (2, 3))},
            "layer 'm': padding must be less than the kernel of 3, not 2 and 3",
        ),
        (dense, {"planes": 17}, "planes must be 1 ... 16, not 17"),
        (dense, {"mask": np.ones((3, 3), int)}, r"mask must have the shape \(3, 4\), not \(3, 3\)"),
        (
            scores,
            {"scales": np.array([1, 2**30])},
            r"scores must stay within 32 bits, but reach 0 ... 3221225472",
        ),
        (
            network,
            {"layers": (binarize(), Fork(name="f"), dense(), Add(name="a", fork="f"), scores())},
            r"layer 'a': the shapes of a sum must be equal, but \(3,\) meets \(2, 2, 1\) from 'f'",
        ),
        (
            network,
            {"layers": (binarize(), Fork(name="f"), dense(), scores())},
            "layer 'f': a Fork needs an Add after it",
        ),
        (
            network,
            {"layers": (binarize(), Switch(name="s", fork="f"), dense(), scores())},
            "layer 's': its fork must be before it and be taken by no other layer; there is no such 'f'",
        ),
        (
            network,
            {
                "layers": (
                    binarize(),
                    Fork(name="f"),
                    dense(),
                    Switch(name="s", fork="f"),
                    dense(name="e"),
                    scores(),
                )
            },
            "layer 's': a Fork needs an Add after it that names it, and so a Switch",
        ),
        (
            network,
            {
                "layers": (
                    binarize(),
                    Fork(name="f"),
                    dense(),
                    Switch(name="s", fork="f"),
                    dense(name="e"),
                    Switch(name="t", fork="s"),
                    Add(name="a", fork="t"),
                    scores(),
                )
            },
            "layer 't': must name a Fork, not the Switch 's'",
        ),
        (
            network,
            {
                "layers": (
                    binarize(),
                    Fork(name="f"),
                    Fork(name="g"),
                    dense(),
                    Switch(name="s", fork="f"),
                    Add(name="a", fork="g"),
                    dense(name="e"),
                    Add(name="b", fork="s"),
                    scores(),
                )
            },
            "every shortcut that begins or ends between the Fork 'f' and its Switch must do both; not so 'g'",
        ),
        (
            network,
            {"layers": (binarize(), dense(), Add(name="a", fork="f"), scores())},
            "layer 'a': its fork must be before it",
        ),
        (
            network,
            {
                "layers": (
                    binarize(),
                    dense(thresholds=None),
                    Threshold(name="t", thresholds=np.full(3, 6), inverted=np.zeros(3, int)),
                    scores(),
                )
            },
            "layer 't': thresholds must be in 0 ... 5, not 6",
        ),
        (levels, {"thresholds": np.array([[1, 2], [4, 3]])}, "thresholds of a channel must not fall"),
        (levels, {"thresholds": np.ones((2, 1), int)}, "channels, 2 ... 255.* not .2, 1."),
        (levels, {"thresholds": np.ones((2, 256), int)}, "channels, 2 ... 255.* not .2, 256."),
        (levels, {"thresholds": np.ones((2, 2, 2), int)}, "channels, 2 ... 255.* not .2, 2, 2."),
        (levels, {"inverted": np.zeros((2, 2), int)}, "inverted must have the shape"),
        (
            dense,
            {"planes": 8, "thresholds": np.full(3, 4 * 255 + 2)},
            "thresholds must be in 0 ... 1021, not 1022",
        ),
        (network, {"layers": ()}, "found no layers"),
        (network, {"layers": (binarize(), dense(name="pixels"), scores())}, "layer names must differ"),
    ],
)
def test_illegal(make, change, message):
    with pytest.raises(ModelError, match=message):
        make(**change)
