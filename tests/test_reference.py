"""The reference against arithmetic in plus and minus one, which it does not use."""

import numpy as np
import pytest

from sbgen.compiler import reference
from sbgen.compiler.ir import (
    Add,
    Binarize,
    Conv2d,
    Dense,
    Fork,
    Lookup,
    MaxPool,
    Network,
    Scores,
    SumPool,
    Switch,
    Threshold,
)
from sbgen.compiler.random_network import random_images, random_network


def agreeing(row, x, planes=1, mask=None):
    """Agreeing bits, by the dot product of -1 and +1; of integers, by what is shared and what is lacking."""
    if mask is not None:
        row, x = (
            [value for value, counts in zip(values, mask, strict=True) if counts] for values in (row, x)
        )
    if planes > 1:
        return sum(value if weight else 2**planes - 1 - value for weight, value in zip(row, x, strict=True))
    product = sum((1 if weight else -1) * value for weight, value in zip(row, x, strict=True))
    return (product + len(x)) // 2


def masks(layer):
    """For each neuron which of its inputs count, None for all."""
    return [None] * layer.outputs if layer.mask is None else layer.mask.reshape(layer.outputs, -1).tolist()


def sign(values, thresholds):
    return [1 if value >= threshold else -1 for value, threshold in zip(values, thresholds, strict=True)]


def activate(layer, counts):
    """Neurons' outputs; a count of one input is no more than its bit."""
    if layer.thresholds is not None:
        return sign(counts, layer.thresholds.tolist())
    return [2 * count - 1 for count in counts] if layer.reach == 1 else counts


def each_vector(function, x, *others):
    """`function` on the innermost vectors of nested lists."""
    if isinstance(x[0], list):
        return [each_vector(function, *parts) for parts in zip(x, *others, strict=True)]
    return function(x, *others)


def threshold_by_hand(layer, vector, bits):
    values = [(value + 1) // 2 for value in vector] if bits else vector
    if layer.thresholds.ndim == 2:
        return [
            sum((value >= level) != inverted for level in levels)
            for value, levels, inverted in zip(
                values, layer.thresholds.tolist(), layer.inverted.tolist(), strict=True
            )
        ]
    signs = sign(values, layer.thresholds.tolist())
    return [
        -value if inverted else value for value, inverted in zip(signs, layer.inverted.tolist(), strict=True)
    ]


def add_by_hand(layer, vector, kept, bits, kept_bits):
    return [
        ((x + 1) // 2 if bits else x) + layer.scale * ((y + 1) // 2 if kept_bits else y)
        for x, y in zip(vector, kept, strict=True)
    ]


def positions(size, kernel, stride, padding=(0, 0)):
    return range(-padding[0], size + padding[1] - kernel + 1, stride)


def conv_by_hand(layer, x):
    """x[row][column][channel]; every neuron of every position on its own."""
    height, width, each = len(x), len(x[0]), layer.weights.shape[3]
    low, high = (-1, 1) if layer.planes == 1 else (0, 2**layer.planes - 1)
    outside = [high if layer.padding_bit else low] * layer.channels

    def pixel(row, column):
        return x[row][column] if 0 <= row < height and 0 <= column < width else outside

    def neuron(row, column, n):
        first = n // (layer.outputs // layer.groups) * each
        under = [
            value
            for r in range(layer.kernel[0])
            for c in range(layer.kernel[1])
            for value in pixel(row + r, column + c)[first : first + each]
        ]
        return agreeing(layer.weights[n].ravel().tolist(), under, layer.planes, masks(layer)[n])

    return [
        [
            activate(layer, [neuron(row, column, n) for n in range(layer.outputs)])
            for column in positions(width, layer.kernel[1], layer.stride[1], layer.padding[1])
        ]
        for row in positions(height, layer.kernel[0], layer.stride[0], layer.padding[0])
    ]


def pool_by_hand(layer, x, bits):
    """The maximum under the kernel, where padding is minus infinity, or how many are +1 (of one bit there is
    no more than itself), or the sum.
    """

    def of(values):
        if isinstance(layer, MaxPool) or len(values) == 1:
            return max(values)
        return values.count(1) if bits else sum(values)

    def under(row, column, n):
        return [
            x[r][c][n]
            for r in range(row, row + layer.kernel[0])
            for c in range(column, column + layer.kernel[1])
            if 0 <= r < len(x) and 0 <= c < len(x[0])
        ]

    return [
        [
            [of(under(row, column, n)) for n in range(len(x[0][0]))]
            for column in positions(len(x[0]), layer.kernel[1], layer.stride[1], layer.padding[1])
        ]
        for row in positions(len(x), layer.kernel[0], layer.stride[0], layer.padding[0])
    ]


def by_hand(network, image):
    """Scores of one image by the words of docs/semantics.md, one neuron at a time, over -1 and +1."""
    *layers, last = network.layers
    x, kept = image.tolist(), {}
    for layer, shape, greatest in zip(layers, network.shapes[1:], network.maxima, strict=False):
        bits = greatest == 1
        match layer:
            case Binarize():
                signs = [
                    1 if pixel >= threshold else -1
                    for pixel, levels in zip(image.ravel().tolist(), layer.thresholds.tolist(), strict=True)
                    for threshold in levels
                ]
                x = np.array(signs).reshape(shape).tolist()
            case Lookup():
                values = [int(layer.table[pixel]) for pixel in image.ravel().tolist()]
                x = np.reshape(
                    [2 * value - 1 for value in values] if max(layer.table) == 1 else values, shape
                ).tolist()
            case Conv2d():
                x = conv_by_hand(layer, x)
            case MaxPool() | SumPool():
                x = pool_by_hand(layer, x, bits)
            case Dense():
                x = activate(
                    layer,
                    [
                        agreeing(row, np.ravel(x).tolist(), layer.planes, mask)
                        for row, mask in zip(layer.weights.tolist(), masks(layer), strict=True)
                    ],
                )
            case Fork():
                kept[layer.name] = x, bits
            case Switch():
                kept[layer.name] = x, bits
                x, _ = kept[layer.fork]
            case Add():
                other, other_bits = kept[layer.fork]
                x = each_vector(
                    lambda a, b, layer=layer, bits=bits, other_bits=other_bits: add_by_hand(
                        layer, a, b, bits, other_bits
                    ),
                    x,
                    other,
                )
            case Threshold():
                x = each_vector(lambda a, layer=layer, bits=bits: threshold_by_hand(layer, a, bits), x)
    x = np.ravel(x).tolist()
    scales = [1] * last.outputs if last.scales is None else last.scales.tolist()
    return [
        scale * agreeing(row, x, last.planes, mask) + offset
        for row, mask, scale, offset in zip(
            last.weights.tolist(), masks(last), scales, last.offsets.tolist(), strict=True
        )
    ]


@pytest.mark.parametrize("seed", range(40))
def test_scores_and_what_they_decide(seed):
    network = random_network(seed)
    images = random_images(seed, network, 5)
    scores, labels = reference.evaluate(network, images)
    expected = [by_hand(network, image) for image in images]
    assert scores.tolist() == expected
    if network.decision == "argmax":
        assert labels.tolist() == [each.index(max(each)) for each in expected]
    elif network.outputs == 1:
        assert labels.tolist() == [int(score >= 0) for (score,) in expected]
    else:
        assert labels.tolist() == [[int(score >= 0) for score in each] for each in expected]


@pytest.mark.parametrize("seed", range(20))
def test_shortcuts(seed):
    network = random_network(seed, largest=12, shortcuts=True)
    images = random_images(seed, network, 3)
    assert reference.evaluate(network, images)[0].tolist() == [by_hand(network, image) for image in images]


def test_flat_and_shaped_images_are_the_same():
    network = random_network(3)
    images = random_images(3, network, 4)
    np.testing.assert_array_equal(
        reference.evaluate(network, images)[0], reference.evaluate(network, images.reshape(4, -1))[0]
    )


def test_batches_make_no_difference():
    network = random_network(4)
    images = random_images(4, network, 10)
    np.testing.assert_array_equal(
        reference.evaluate(network, images, batch=3)[0], reference.evaluate(network, images)[0]
    )


def test_no_images():
    network = random_network(5)
    scores, labels = reference.evaluate(network, random_images(5, network, 0))
    assert scores.shape == (0, network.outputs) and labels.shape == (0,)


def test_wide_layer_is_exact():
    inputs = 5000
    network = Network(
        name="wide",
        image_shape=(inputs,),
        labels=("no", "yes"),
        decision="sign",
        layers=(
            Binarize(name="pixels", thresholds=np.full((inputs, 1), 1)),
            Dense(name="dense", weights=np.ones((1, inputs), int), thresholds=np.array([inputs])),
            Scores(name="scores", weights=np.array([[1]]), offsets=np.array([0])),
        ),
    )
    images = np.ones((2, inputs), np.uint8)
    images[1, -1] = 0
    assert reference.evaluate(network, images)[0].tolist() == [[1], [0]]


@pytest.mark.parametrize(
    "images, message",
    [
        (np.zeros((1, 4)), "raw uint8 pixels, not float64"),
        (np.zeros((1, 5), np.uint8), r"must have the shape \(N, 2, 2\), not \(1, 5\)"),
    ],
)
def test_images_are_checked(images, message):
    network = Network(
        name="net",
        image_shape=(2, 2),
        labels=("no", "yes"),
        decision="sign",
        layers=(
            Binarize(name="pixels", thresholds=np.full((4, 1), 1)),
            Scores(name="scores", weights=np.ones((1, 4), int), offsets=np.array([0])),
        ),
    )
    with pytest.raises(ValueError, match=message):
        reference.evaluate(network, images)
