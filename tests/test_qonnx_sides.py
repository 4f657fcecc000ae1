"""QONNX graphs with sums of which both sides have layers, as a projection beside the layers of a block."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")

from qonnx_graphs import Graph, execute

from sbgen.compiler import ir, reference
from sbgen.compiler.frontends import qonnx
from sbgen.compiler.frontends.qonnx import loads
from sbgen.errors import ModelError


class Block:
    """A graph of an image, and what blocks are made of."""

    def __init__(self, seed, shape=(2, 7, 7)):
        self.rng, self.graph, self.shape = np.random.default_rng([seed, 16]), Graph(), shape
        self.image = self.graph.bipolar(self.graph.add("Sub", self.graph.input((1, *shape)), 0.5))

    def conv(self, x, inputs, outputs, kernel=3, stride=1):
        if kernel > 1:
            x = self.graph.pad(x, [0, 0, kernel // 2, kernel // 2] * 2, -1.0)
        weights = self.rng.choice([-1.0, 1.0], (outputs, inputs, kernel, kernel))
        return self.graph.add("Conv", x, weights, kernel_shape=[kernel, kernel], strides=[stride, stride])

    def bits(self, x, channels):
        return self.graph.bipolar(self.graph.add("Add", x, self.rng.integers(-3, 4, (channels, 1, 1)) + 0.25))

    def scaled(self, x, factor):
        return x if factor == 1 else self.graph.add("Mul", x, factor)

    def network(self, x, size, *, classes=3):
        """The network that ends with scores of `x`, which orders the classes of random images as the graph
        does, and does so written and read again.
        """
        weights = self.rng.choice([-1.0, 1.0], (size, classes))
        end = self.graph.add("MatMul", self.graph.add("Flatten", x), weights)
        network = loads(self.graph.bytes(end))
        images = self.rng.integers(0, 256, (60, *self.shape), dtype=np.uint8)
        ours = images.transpose(0, 2, 3, 1)
        expected = execute(self.graph.model(end), images / np.float32(255))
        assert len(np.unique(expected, axis=0)) > 6, "a test of constants would be none"
        for found in network, loads(qonnx.to_model(network).SerializeToString()):
            scores = reference.evaluate(found, ours)[0]
            for each in scores, expected:
                assert each.shape == (60, classes)
            order, wanted = (np.sign(each[:, :, None] - each[:, None]) for each in (scores, expected))
            assert np.array_equal(order, wanted)
        return network


def kinds(network):
    return " ".join(type(layer).__name__ for layer in network.layers)


def test_two_layers_on_the_same_bits():
    block = Block(1)
    x = block.bits(block.conv(block.image, 2, 4), 4)
    x = block.graph.add("Add", block.conv(x, 4, 6, 1, 2), block.conv(x, 4, 6, 3, 2))
    network = block.network(block.bits(x, 6), 96)
    assert kinds(network) == "Binarize Conv2d Fork Conv2d Switch Conv2d Add Threshold Scores"


@pytest.mark.parametrize("first", ["body", "projection", "projection in between"])
def test_a_block_whose_nodes_come_in_any_order(first):
    """As PyTorch exports it, the body first; or the projection, before or between its layers."""
    block = Block(2)
    x = block.bits(block.conv(block.image, 2, 4), 4)
    side = block.conv(x, 4, 6, 1, 2) if first == "projection" else None
    y = block.conv(x, 4, 5)
    if first == "projection in between":
        side = block.conv(x, 4, 6, 1, 2)
    y = block.conv(block.bits(y, 5), 5, 6, 3, 2)
    side = block.conv(x, 4, 6, 1, 2) if side is None else side
    network = block.network(block.bits(block.graph.add("Add", y, side), 6), 96)
    sides = ["Conv2d Conv2d", "Conv2d"] if first == "body" else ["Conv2d", "Conv2d Conv2d"]
    assert kinds(network) == f"Binarize Conv2d Fork {sides[0]} Switch {sides[1]} Add Threshold Scores"


@pytest.mark.parametrize("factors", [(1.0, 1.0), (0.25, 1.0), (1.0, 0.5), (-0.5, 1.0), (3.0, -1.0)])
@pytest.mark.parametrize("body_first", [True, False])
def test_the_larger_steps_come_first_and_have_the_scale(factors, body_first):
    block = Block(3)
    x = block.bits(block.conv(block.image, 2, 4), 4)

    def body():
        return block.scaled(block.conv(block.bits(block.conv(x, 4, 5), 5), 5, 6, 3, 2), factors[0])

    def projection():
        return block.scaled(block.conv(x, 4, 6, 1, 2), factors[1])

    parts = [part() for part in ((body, projection) if body_first else (projection, body))]
    network = block.network(block.bits(block.graph.add("Add", *parts), 6), 96)
    (add,) = (layer for layer in network.layers if isinstance(layer, ir.Add))
    large = max(np.abs(factors)) / min(np.abs(factors))
    assert add.scale == large
    if large > 1:
        sides = kinds(network).partition("Fork ")[2].partition(" Switch ")
        assert (sides[0] == "Conv2d") == (abs(factors[1]) > abs(factors[0]))


def test_sums_go_on_as_in_bi_real_net():
    """Each side begins with signs of its own of the same sums; between blocks there are sums."""
    block = Block(4)
    sums = block.conv(block.image, 2, 4)
    for inputs, outputs, stride in (4, 4, 1), (4, 6, 2), (6, 6, 1):
        body = block.conv(block.bits(sums, inputs), inputs, outputs, 3, stride)
        side = sums if inputs == outputs else block.conv(block.bits(sums, inputs), inputs, outputs, 1, stride)
        sums = block.graph.add("Add", body, side)
    network = block.network(block.bits(sums, 6), 96)
    assert kinds(network) == (
        "Binarize Conv2d Fork Threshold Conv2d Add Fork Threshold Conv2d Switch Threshold Conv2d Add"
        " Fork Threshold Conv2d Add Threshold Scores"
    )


def test_three_sides():
    block = Block(5)
    x = block.bits(block.conv(block.image, 2, 4), 4)
    one, two, three = (block.conv(x, 4, 5, kernel) for kernel in (1, 3, 5))
    x = block.graph.add("Add", block.graph.add("Add", one, two), three)
    assert kinds(block.network(block.bits(x, 5), 245)).count("Switch") == 2


def test_bits_and_sums_of_one_layer_in_two_shortcuts():
    """Its thresholds become a layer of their own for the first; the second is of the bits."""
    block = Block(6)
    sums = block.conv(block.image, 2, 4)
    bits = block.graph.bipolar(sums)
    y = block.graph.add("Add", block.conv(bits, 4, 4), sums)
    z = block.graph.add("Add", block.conv(block.bits(y, 4), 4, 4), bits)
    block.network(block.bits(z, 4), 196)


def test_a_projection_and_sums_of_one_layer():
    block = Block(7)
    sums = block.conv(block.image, 2, 4)
    bits = block.graph.bipolar(sums)
    side = block.conv(bits, 4, 4, 1)
    y = block.graph.add("Add", block.conv(bits, 4, 4), sums)
    z = block.graph.add("Add", block.conv(block.bits(y, 4), 4, 4), side)
    block.network(block.bits(z, 4), 196)


@pytest.mark.parametrize("seed", range(30))
def test_random_blocks(seed):
    print("seed", seed)
    block = Block(200 + seed, (2, int(np.random.default_rng(seed).integers(5, 9)), 6))
    rng, graph = block.rng, block.graph
    channels, sides = 4, list(block.shape[1:])
    x = block.bits(block.conv(block.image, 2, channels), channels)

    def side(x, outputs, stride):
        """Some layers; the last steps over the image."""
        inputs = channels
        for _ in range(rng.integers(3)):
            hidden = int(rng.integers(2, 6))
            x, inputs = block.bits(block.conv(x, inputs, hidden, rng.choice([1, 3])), hidden), hidden
        if rng.integers(4) == 0:
            x = graph.add("MaxPool", x, kernel_shape=[stride, stride], strides=[stride, stride], ceil_mode=1)
            stride = 1
        if rng.integers(4) == 0:
            x = graph.add("Add", block.conv(x, inputs, inputs), x)
            x = block.bits(x, inputs)
        x = block.conv(x, inputs, outputs, rng.choice([1, 3]), stride)
        x = block.scaled(x, rng.choice([1.0, 1.0, -1.0, 0.5]))
        return block.bits(x, outputs) if rng.integers(4) == 0 else x

    for _ in range(rng.integers(1, 3)):
        outputs, stride = int(rng.integers(3, 7)), int(rng.integers(1, 3))
        sums = graph.add("Add", side(x, outputs, stride), side(x, outputs, stride))
        x, channels, sides = block.bits(sums, outputs), outputs, [-(-each // stride) for each in sides]
    network = block.network(x, channels * sides[0] * sides[1])
    assert ir.Switch in map(type, network.layers)


def refused(block, x, size):
    end = block.graph.add("MatMul", block.graph.add("Flatten", x), np.ones((size, 2)))
    with pytest.raises(ModelError) as caught:
        loads(block.graph.bytes(end))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_branch_that_no_sum_joins():
    block = Block(8)
    x = block.bits(block.conv(block.image, 2, 4), 4)
    block.conv(block.bits(block.conv(x, 4, 4), 4), 4, 4)  # leads nowhere and is not read
    y = block.bits(block.conv(x, 4, 4), 4)
    pooled = block.graph.add("MaxPool", y, kernel_shape=[2, 2], strides=[2, 2])
    z = block.graph.add("Add", block.conv(x, 4, 4, 3, 2), block.conv(pooled, 4, 4, 1))
    assert "must be equal element by element" in refused(block, block.bits(z, 4), 64)


def test_a_sum_of_sums_across_sides():
    """A shortcut that begins on one side and ends on the other is not read."""
    block = Block(9)
    x = block.bits(block.conv(block.image, 2, 4), 4)
    y = block.bits(block.conv(x, 4, 4), 4)
    one = block.conv(y, 4, 4)
    two = block.graph.add("Add", block.conv(x, 4, 4, 1), y)
    z = block.graph.add("Add", one, two)
    refused(block, block.bits(z, 4), 196)
