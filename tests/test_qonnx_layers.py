"""QONNX graphs with integers between layers: sums, shortcuts, ternary weights, tables of pixels, scales of
classes.
"""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")

from qonnx_graphs import Graph, execute

from sbgen.compiler import ir, reference
from sbgen.compiler.frontends import qonnx
from sbgen.compiler.frontends.qonnx import loads
from sbgen.errors import ModelError

random = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def anew():
    """Every test has random numbers of its own, whatever ran before it."""
    global random
    random = np.random.default_rng(0)


def signs(*shape):
    return random.choice([-1.0, 1.0], shape)


def ternary(*shape, scale=1.0):
    return random.integers(-1, 2, shape) * scale


def image(*shape):
    """Pixels -> sign at 128."""
    graph = Graph()
    return graph, graph.bipolar(graph.add("Sub", graph.input((1, *shape)), 0.5))


def conv(graph, x, outputs, channels, kernel=3, weights=None, **attributes):
    weights = signs(outputs, channels, kernel, kernel) if weights is None else weights
    return graph.add("Conv", x, weights, kernel_shape=[kernel, kernel], **attributes)


def same(graph, x):
    """A border of one -1."""
    return graph.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], -1.0)


def scores(graph, x, inputs, classes=4):
    return graph.add("MatMul", graph.add("Flatten", x), signs(inputs, classes))


def photographs(count, shape):
    """Raw images of the shape, some bright and some dark."""
    brightness = random.integers(0, 256, (count, *[1] * len(shape)))
    return np.clip(brightness + random.normal(0, 70, (count, *shape)), 0, 255).astype(np.uint8)


def network_of(graph, end, shape, *, count=100, apart=6, form=True):
    """The network of a graph that was found to order the classes as the graph does, on images of the shape.

    Written and read again, it is the same, with `form` also in its layers.
    """
    network = loads(graph.bytes(end))
    images = photographs(count, shape)
    ours = (images.transpose(0, 2, 3, 1) if len(shape) == 3 else images).reshape(count, *network.image_shape)
    got, logits = reference.evaluate(network, ours)[0], execute(graph.model(end), images / np.float32(255))
    assert len(np.unique(logits, axis=0)) >= apart  # the images are told apart
    assert (np.sign(got[:, :, None] - got[:, None]) == np.sign(logits[:, :, None] - logits[:, None])).all()
    low, high = network.layers[-1].score_range
    if max(-low, high) >= 1 << 23:  # more than float32 holds
        return network
    file = qonnx.to_model(network)
    pixels = images.astype(np.float32).reshape(
        count, *[dim.dim_value for dim in file.graph.input[0].type.tensor_type.shape.dim][1:]
    )
    assert np.array_equal(execute(file, pixels), got)
    again = loads(file.SerializeToString())
    assert np.array_equal(reference.evaluate(again, ours)[0], got) and (
        kinds(again) == kinds(network) or not form
    )
    return network


def kinds(network):
    return " ".join(type(layer).__name__ for layer in network.layers)


class TestAveragePool:
    @pytest.mark.parametrize("bits", [1, 2])
    @pytest.mark.parametrize("pool", ["AveragePool", "GlobalAveragePool", "ReduceMean"])
    def test_before_weights(self, pool, bits):
        graph, x = image(2, 8, 8)
        x = conv(graph, x, 5, 2)
        x = (
            graph.bipolar(x)
            if bits == 1
            else graph.add("Quant", x, 2.0, 0.0, 2.0, signed=1, narrow=1, rounding_mode="ROUND")
        )
        match pool:
            case "AveragePool":
                x = graph.add(pool, x, kernel_shape=[2, 2], strides=[2, 2])
            case "GlobalAveragePool":
                x = graph.add(pool, x)
            case "ReduceMean":
                x = graph.add(pool, x, axes=[2, 3], keepdims=0)
        inputs = 45 if pool == "AveragePool" else 5
        x = graph.add("Flatten", x) if pool != "ReduceMean" else x
        x = graph.bipolar(graph.add("Add", graph.add("MatMul", x, signs(inputs, 12)), random.normal(size=12)))
        network = network_of(graph, graph.add("MatMul", x, signs(12, 4)), (2, 8, 8))
        levels = " Threshold" if bits == 2 else ""
        assert kinds(network) == f"Binarize Conv2d{levels} SumPool Dense Scores"
        assert network.maxima[3 + (bits == 2)] == (4 if pool == "AveragePool" else 36) * bits
        assert network.layers[1].outputs == 5

    def test_before_thresholds_of_either_sign(self):
        graph, x = image(2, 8, 8)
        x = graph.add("AveragePool", graph.bipolar(conv(graph, x, 5, 2)), kernel_shape=[3, 3], strides=[1, 1])
        x = graph.bipolar(graph.add("Mul", x, np.reshape([-1.0, 1.0, 2.0, -0.5, 1.0], (5, 1, 1))))
        network = network_of(graph, scores(graph, x, 80), (2, 8, 8))
        assert kinds(network) == "Binarize Conv2d SumPool Threshold Scores"
        assert network.layers[3].inverted.tolist() == [1, 0, 0, 1, 0]

    def test_before_an_activation_of_two_bits(self):
        graph, x = image(2, 8, 8)
        x = graph.add("AveragePool", graph.bipolar(conv(graph, x, 5, 2)), kernel_shape=[3, 3], strides=[1, 1])
        x = graph.add("Mul", x, np.reshape([-1.0, 1.0, 2.0, -0.5, 1.0], (5, 1, 1)))
        x = graph.add("Quant", x, 0.25, 0.0, 2.0, signed=1, narrow=1, rounding_mode="ROUND")
        network = network_of(graph, scores(graph, x, 80), (2, 8, 8))
        assert kinds(network) == "Binarize Conv2d SumPool Threshold Scores" and network.layers[3].levels == 2

    def test_padding(self):
        graph, x = image(2, 8, 8)
        x = graph.add("AveragePool", x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        with pytest.raises(
            ModelError, match="must take means without padding.*means over fewer elements at the border"
        ):
            loads(graph.bytes(scores(graph, x, 128)))

    @pytest.mark.parametrize(
        "kernel, layers", [([6, 6], "SumPool Dense"), ([2, 2], "Conv2d SumPool Threshold")]
    )
    def test_of_counts(self, kernel, layers):
        graph, x = image(2, 8, 8)
        x = graph.add("AveragePool", conv(graph, x, 5, 2), kernel_shape=kernel, strides=kernel)
        x = graph.bipolar(
            graph.add("Mul", graph.add("Sub", x, 0.13), np.reshape([-1.0, 1.0, 2.0, -0.5, 1.0], (5, 1, 1)))
        )
        network = network_of(graph, scores(graph, x, 5 * (6 // kernel[0]) ** 2), (2, 8, 8))
        assert kinds(network) == f"Binarize {layers} Scores"

    def test_of_the_sums_of_a_shortcut(self):
        graph, x = image(2, 8, 8)
        kept = graph.bipolar(conv(graph, x, 4, 2))
        x = graph.add("Add", conv(graph, same(graph, kept), 4, 4), kept)
        network = network_of(graph, scores(graph, graph.add("GlobalAveragePool", x), 4), (2, 8, 8))
        assert kinds(network) == "Binarize Conv2d Fork Conv2d Add SumPool Scores"

    def test_over_other_axes(self):
        graph, x = image(2, 8, 8)
        x = graph.add("ReduceMean", x, axes=[1], keepdims=1)
        with pytest.raises(ModelError, match=r"must be over rows and columns .* not over \[1\]"):
            loads(graph.bytes(scores(graph, x, 64)))


class TestMaxPool:
    @pytest.mark.parametrize("seed", range(40))
    def test_padding(self, seed):
        """Of minus infinity, by the pool itself or by a Pad of the lowest value, on pixels, sums and bits."""
        print("seed", seed)
        global random
        random = np.random.default_rng([seed, 6])
        kernel, stride = ([int(each) for each in random.integers(1, 4, 2)] for _ in range(2))
        pads = [int(random.integers(size)) for size in 2 * kernel]
        graph = Graph(opset=13)
        where = random.choice(["pixels", "sums", "bits", "levels"])
        shape = (2, int(random.integers(5, 9)), int(random.integers(5, 9)))
        x = graph.bipolar(graph.add("Sub", graph.input((1, *shape)), random.uniform(0.3, 0.7, (2, 1, 1))))
        if where != "pixels":
            x = conv(graph, x, 3, 2, 2)
            if where == "sums":
                x = graph.add("Mul", x, 0.5)
            elif where == "bits":
                x = graph.bipolar(
                    graph.add(
                        "Mul",
                        graph.add("Add", x, random.normal(0, 2, (3, 1, 1))),
                        random.choice([-1.0, 1.0], (3, 1, 1)),
                    ),
                    0.5,
                )
            else:
                x = graph.add(
                    "Quant", x, 2.0, 0.0, 2.0, signed=int(random.integers(2)), narrow=0, rounding_mode="ROUND"
                )
        lowest = {"pixels": -1.0, "sums": -4.0, "bits": -0.5, "levels": -4.0}[where]
        own = {}
        match random.choice(["pads", "pad", "both", "same", "ceil"]):
            case "pads":
                own["pads"] = pads
            case "pad":
                x = graph.pad(x, [0, 0, *pads[:2], 0, 0, *pads[2:]], lowest)
            case "both":
                x = graph.pad(x, [0, 0, *pads[:2], 0, 0, 0, 0], lowest)
                own["pads"] = [0, 0, *pads[2:]]
            case "same":
                own["auto_pad"] = str(random.choice(["SAME_UPPER", "SAME_LOWER"]))
            case "ceil":
                own["ceil_mode"] = 1
                stride = [min(pair) for pair in zip(stride, kernel, strict=True)]
        x = graph.add("MaxPool", x, kernel_shape=kernel, strides=stride, **own)
        if where == "sums":
            x = graph.bipolar(graph.add("Add", x, random.normal(0, 1, (3, 1, 1))))
        if random.integers(2):
            x = graph.add("ReduceSum", x, graph.constant([2, 3], np.int64))
            size = 2 if where == "pixels" else 3
        else:
            size = execute(graph.model(x), np.zeros((1, *shape), np.float32)).size
        network = network_of(graph, scores(graph, x, size), shape, apart=3)
        assert ir.MaxPool in map(type, network.layers)


class TestHeads:
    @pytest.mark.parametrize("seed", range(40))
    def test_convolution_or_mean_at_the_end(self, seed):
        print("seed", seed)
        global random
        random = np.random.default_rng([seed, 7])
        graph, x = image(2, 7, 6)
        groups = int(random.choice([1, 1, 2]))
        x = graph.bipolar(graph.add("Add", conv(graph, x, 6, 2, 2), random.normal(0, 2, (6, 1, 1))))  # 6 x 5
        if random.integers(4) == 0:
            x = graph.add("AveragePool", x, kernel_shape=[2, 2], strides=[1, 1])  # 5 x 4, of sums
        height, width = execute(graph.model(x), np.zeros((1, 2, 7, 6), np.float32)).shape[2:]
        end = random.choice(["one position", "mean", "mean", "integers"])
        pads = [0, 0, 0, 0] if random.integers(2) else [int(each) for each in random.integers(0, 2, 4)]
        if any(pads):
            x = graph.bipolar(x)
            x = graph.pad(x, [0, 0, *pads[:2], 0, 0, *pads[2:]], float(random.choice([-1, 1])))
        if end == "one position":
            cut = int(random.integers(2))  # of the image, that the kernel does not see
            kernel = [height + pads[0] + pads[2] - cut, width + pads[1] + pads[3]]
            stride = [2, 3] if cut else [1, 1]
        else:
            kernel = [int(each) for each in random.integers(2 if any(pads) else 1, 4, 2)]
            stride = [int(each) for each in random.integers(1, 4, 2)] if random.integers(2) else [1, 1]
        weights = random.choice(
            [-1.0, 0.0, 1.0] if random.integers(2) else [-1.0, 1.0], (4, 6 // groups, *kernel)
        )
        weights[:, 0, 0, 0] = 1
        x = graph.add(
            "Conv",
            x,
            weights,
            *([random.integers(-3, 4, 4) / 2] if random.integers(2) else []),
            kernel_shape=kernel,
            strides=stride,
            group=groups,
        )
        if random.integers(2):
            x = graph.add("Mul", x, random.choice([0.5, 2.0, -0.25], (4, 1, 1) if random.integers(2) else ()))
        if end == "mean":
            match random.integers(4):
                case 0:
                    x = graph.add("ReduceMean", x, axes=[2, 3], keepdims=0)
                case 1:
                    x = graph.add("ReduceSum", x, graph.constant([2, 3], np.int64), keepdims=1)
                case _:
                    x = graph.add("GlobalAveragePool", x)
        network_of(graph, graph.add("Flatten", x), (2, 7, 6))

    def test_forms(self):
        """A last convolution of 1 x 1 before a mean is counted once, on the sums of its inputs."""
        graph, x = image(2, 6, 6)
        x = conv(graph, graph.bipolar(conv(graph, x, 4, 2)), 3, 4, 1)
        assert (
            kinds(loads(graph.bytes(graph.add("Flatten", graph.add("GlobalAveragePool", x)))))
            == "Binarize Conv2d SumPool Scores"
        )

    def test_order_of_one_integer_each(self):
        graph, x = image(2, 6, 6)
        x = graph.add("GlobalAveragePool", graph.bipolar(conv(graph, x, 5, 2)))
        network = network_of(
            graph,
            graph.add("Flatten", graph.add("Mul", x, np.reshape([1.0, -1.0, 1.0, 1.0, -1.0], (5, 1, 1)))),
            (2, 6, 6),
        )
        assert kinds(network) == "Binarize Conv2d SumPool Scores" and network.layers[-1].mask.sum() == 5

    @pytest.mark.parametrize("end", ["pixels", "pool"])
    def test_refused(self, end):
        graph, x = image(1, 4, 4)
        if end == "pixels":
            graph = Graph()
            x = graph.add("Flatten", graph.input((1, 1, 4, 4)))
        else:
            x = graph.add("Flatten", graph.add("MaxPool", conv(graph, x, 3, 1, 2), kernel_shape=[3, 3]))
        with pytest.raises(
            ModelError, match="must be the scores of a last layer, a MatMul, Gemm or Conv or a mean of such"
        ):
            loads(graph.bytes(x))


class TestShortcut:
    def test_of_bits(self):
        graph, x = image(2, 7, 7)
        x = graph.bipolar(conv(graph, x, 6, 2))
        x = graph.add("Add", conv(graph, same(graph, x), 6, 6), x)
        x = graph.add(
            "BatchNormalization", x, [1.0, -2, 0.5, 1, 1, -0.3], [0.0] * 6, [1.0, 3, -2, 0, 5, -4], [0.25] * 6
        )
        network = network_of(graph, scores(graph, graph.bipolar(x), 150), (2, 7, 7))
        assert kinds(network) == "Binarize Conv2d Fork Conv2d Add Threshold Scores"
        assert network.layers[4].scale == 1 and network.layers[4].fork == network.layers[2].name

    def test_of_integers_through_three_blocks(self):
        graph, x = image(2, 7, 7)
        sums = graph.add("Mul", conv(graph, x, 6, 2), 0.5)
        for block in range(3):
            bits = graph.bipolar(graph.add("Add", sums, random.integers(-3, 4, (6, 1, 1)) + 0.25))
            branch = graph.add("Mul", conv(graph, same(graph, bits), 6, 6), 0.25)
            sums = graph.add("Add", *((sums, branch) if block % 2 else (branch, sums)))
        network = network_of(graph, scores(graph, graph.bipolar(sums), 150), (2, 7, 7))
        assert kinds(network) == "Binarize Conv2d" + " Fork Threshold Conv2d Add" * 3 + " Threshold Scores"
        assert [layer.scale for layer in network.layers if hasattr(layer, "fork")] == [2, 1, 1]

    def test_of_pixels_bits_in_a_dense_layer(self):
        graph, x = image(25)
        x = graph.bipolar(graph.add("Add", x, graph.add("Mul", graph.add("MatMul", x, signs(25, 25)), 0.125)))
        network = network_of(graph, graph.add("MatMul", x, signs(25, 3)), (25,))
        assert kinds(network) == "Binarize Fork Dense Add Threshold Scores" and network.layers[3].scale == 8

    def test_of_a_quantised_branch_into_weights(self):
        graph, x = image(2, 7, 7)
        x = graph.bipolar(conv(graph, x, 6, 2))
        x = graph.add("Add", graph.bipolar(conv(graph, same(graph, x), 6, 6)), x)
        network = network_of(graph, scores(graph, x, 150), (2, 7, 7))
        assert kinds(network) == "Binarize Conv2d Fork Conv2d Add Scores" and network.layers[-1].planes == 2

    def refused(self, graph, end):
        with pytest.raises(ModelError) as caught:
            loads(graph.bytes(end))
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_steps_that_are_no_multiple(self):
        graph, x = image(2, 7, 7)
        x = graph.bipolar(conv(graph, x, 6, 2))
        x = graph.add("Add", graph.add("Mul", conv(graph, same(graph, x), 6, 6), 0.3), x)
        assert (
            "the same whole multiple of a step of node '/Mul_15' (Mul) in every channel, but is 3.33333"
            in self.refused(graph, scores(graph, graph.bipolar(x), 150))
        )

    def test_scale_of_each_channel(self):
        graph, x = image(2, 7, 7)
        x = graph.bipolar(conv(graph, x, 2, 2))
        x = graph.add(
            "Add", graph.add("Mul", conv(graph, same(graph, x), 2, 2), np.reshape([1.0, 0.5], (2, 1, 1))), x
        )
        assert "in every channel, but is 2 times it" in self.refused(
            graph, scores(graph, graph.bipolar(x), 50)
        )

    def test_other_shape(self):
        graph, x = image(2, 7, 7)
        x = graph.bipolar(conv(graph, x, 2, 2))
        x = graph.add(
            "Add",
            conv(graph, x, 2, 2),
            graph.add("Slice", x, *(graph.constant(each, np.int64) for each in ([1, 1], [4, 4], [2, 3]))),
        )
        assert "must be equal element by element" in self.refused(graph, scores(graph, graph.bipolar(x), 18))


QUANTISERS = {
    "bit": lambda graph, x: graph.bipolar(x),
    "two bits": lambda graph, x: graph.add(
        "Quant", x, 2.0, 0.0, 2.0, signed=1, narrow=0, rounding_mode="ROUND"
    ),
    "unsigned": lambda graph, x: graph.add(
        "Quant", x, 2.0, 0.0, 2.0, signed=0, narrow=0, rounding_mode="ROUND"
    ),
    "three bits": lambda graph, x: graph.add(
        "Quant", x, 2.0, 0.0, 3.0, signed=1, narrow=1, rounding_mode="ROUND"
    ),
    "sums": lambda graph, x: x,
}


class TestShortcutOfSeveralBits:
    @pytest.mark.parametrize("shape", [(2, 5, 5), (20,)], ids=["image", "vector"])
    @pytest.mark.parametrize("kept", ["bit", "two bits", "unsigned", "three bits"])
    @pytest.mark.parametrize("branch", QUANTISERS)
    def test_sum(self, shape, kept, branch):
        graph, x = image(*shape)

        def weighted(x, inputs, outputs):
            if len(shape) == 1:
                return graph.add("MatMul", x, signs(inputs, outputs))
            weights = np.where(random.random((outputs, inputs, 3, 3)) < 0.5, -1.0, 1.0)
            return graph.add("Conv", x, weights, kernel_shape=[3, 3])

        x = kept_by = QUANTISERS[kept](
            graph,
            graph.add("Add", weighted(x, shape[0], 6), random.normal(0, 2, (6, *[1] * (len(shape) - 1)))),
        )
        if len(shape) == 3:
            lowest = {"bit": -1.0, "two bits": -4.0, "unsigned": 0.0, "three bits": -6.0}[kept]
            x = graph.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], lowest)
        x = QUANTISERS[branch](graph, weighted(x, 6, 6))
        x = graph.add(
            "Add", x, QUANTISERS[kept](graph, kept_by)
        )  # once more by the same quantiser, as with one that is shared
        x = QUANTISERS["bit" if random.integers(2) else "three bits"](
            graph, graph.add("Add", x, random.normal(0, 2, (6, *[1] * (len(shape) - 1))))
        )
        network = network_of(
            graph, scores(graph, x, 54 if len(shape) == 3 else 6), shape, apart=2, form=False
        )
        assert ir.Add in map(type, network.layers)

    def test_steps_that_are_not_even(self):
        graph, x = image(2, 6, 6)
        x = QUANTISERS["two bits"](graph, conv(graph, x, 4, 2))
        kept = graph.add("Quant", x, 3.0, 0.0, 2.0, signed=1, narrow=0, rounding_mode="ROUND")
        x = graph.add("Add", conv(graph, graph.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], -4.0), 4, 4), kept)
        with pytest.raises(ModelError, match="must add values in even steps"):
            loads(graph.bytes(scores(graph, graph.bipolar(x), 64)))


class TestTernaryWeights:
    def test_in_every_layer(self):
        graph, x = image(2, 8, 8)
        x = graph.bipolar(conv(graph, x, 5, 2, weights=ternary(5, 2, 3, 3, scale=0.25)))
        x = graph.add("MatMul", graph.add("Flatten", x), ternary(180, 7))
        x = graph.add(
            "BatchNormalization",
            x,
            [1.0, -2, 0.5, 1, 1, -0.3, 0],
            [0.0] * 7,
            [1.0, 3, -2, 0, 5, -4, 0],
            [0.25] * 7,
        )
        network = network_of(graph, graph.add("MatMul", graph.bipolar(x), ternary(7, 4)), (2, 8, 8))
        assert all(layer.mask is not None for layer in network.layers[1:])

    def test_of_a_narrow_quantiser(self):
        graph, x = image(2, 8, 8)
        weights = graph.add(
            "Quant",
            random.normal(0, 0.5, (128, 30)),
            0.25,
            0.0,
            2.0,
            signed=1,
            narrow=1,
            rounding_mode="ROUND",
        )
        x = graph.bipolar(graph.add("MatMul", graph.add("Flatten", x), weights))
        network = network_of(graph, graph.add("MatMul", x, signs(30, 4)), (2, 8, 8))
        assert 0.2 < network.layers[1].mask.mean() < 0.9 and network.layers[2].mask is None

    def test_output_without_inputs(self):
        graph, x = image(1, 4, 4)
        weights = signs(16, 5)
        weights[:, 2] = 0
        x = graph.bipolar(
            graph.add("Add", graph.add("MatMul", graph.add("Flatten", x), weights), [0, 0, -1, 0, 0])
        )
        network = network_of(graph, graph.add("MatMul", x, signs(5, 4)), (1, 4, 4))
        assert network.layers[1].thresholds[2] > 0 and not network.layers[1].mask[2].any()

    def test_of_sums(self):
        graph, x = image(2, 8, 8)
        x = graph.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
        x = graph.bipolar(
            graph.add("Add", graph.add("MatMul", graph.add("Flatten", x), ternary(32, 20)), 0.1)
        )
        assert network_of(graph, graph.add("MatMul", x, signs(20, 4)), (2, 8, 8)).layers[2].planes == 3


class TestPixels:
    def test_eight_bits_of_a_scale_between_pixels(self):
        graph = Graph()
        x = graph.add("Sub", graph.add("Mul", graph.input((1, 3, 8, 8)), 2.0), 1.0)
        x = graph.add("Quant", x, 2.0**-7, 0.0, 8.0, signed=1, narrow=1, rounding_mode="ROUND")
        network = network_of(graph, scores(graph, graph.bipolar(conv(graph, x, 5, 3)), 180), (3, 8, 8))
        assert kinds(network) == "Lookup Conv2d Scores"
        table, pixel = network.layers[0].table, np.arange(256)
        assert np.array_equal(table, np.clip(np.round((2 * pixel / 255 - 1) * 128), -127, 127) + 127)

    def test_a_trained_scale(self):
        graph = Graph()
        x = graph.add(
            "Quant", graph.input((1, 3, 8, 8)), 0.0123, 0.0, 8.0, signed=1, narrow=0, rounding_mode="ROUND"
        )
        x = graph.bipolar(graph.add("Sub", conv(graph, x, 5, 3), 1.003))
        network = network_of(graph, scores(graph, x, 180), (3, 8, 8))
        assert network.maxima[1] == 81 and network.layers[1].planes == 7

    def test_a_few_bits_are_bits_of_their_own(self):
        graph = Graph()
        x = graph.add(
            "Quant", graph.input((1, 1, 8, 8)), 0.4, 0.0, 2.0, signed=0, narrow=0, rounding_mode="ROUND"
        )
        x = graph.bipolar(graph.add("Sub", conv(graph, x, 5, 1), 0.7))
        network = network_of(graph, scores(graph, x, 180), (1, 8, 8))
        assert kinds(network) == "Binarize Conv2d Scores" and network.layers[0].levels == 2

    def test_zero_padding_of_the_lowest_number(self):
        graph = Graph()
        x = graph.add(
            "Quant", graph.input((1, 1, 8, 8)), 0.01, 0.0, 8.0, signed=0, narrow=0, rounding_mode="ROUND"
        )
        x = graph.bipolar(graph.add("Sub", conv(graph, x, 5, 1, pads=[1, 1, 1, 1]), 0.703))
        network = network_of(graph, scores(graph, x, 320), (1, 8, 8))
        assert kinds(network) == "Lookup Conv2d Scores" and network.layers[1].padding_bit == 0


class TestActivations:
    @pytest.mark.parametrize("steps", [2, 3, 7])
    def test_several_thresholds(self, steps):
        graph, x = image(2, 8, 8)
        at = np.sort(random.normal(0, 4, (6, steps)), axis=1)
        x = graph.add(
            "MultiThreshold", conv(graph, x, 6, 2), at, out_dtype="UINT4", out_scale=1.0, out_bias=0.0
        )
        network = network_of(graph, scores(graph, x, 216), (2, 8, 8))
        assert kinds(network) == "Binarize Conv2d Threshold Scores"
        assert network.layers[1].outputs == 6 and network.layers[2].levels == steps

    @pytest.mark.parametrize("steps", [2, 3, 7])
    def test_several_thresholds_between_layers(self, steps):
        """Into a pool and a convolution with padding by the lowest value, and into a dense layer."""
        graph, x = image(2, 8, 8)
        for channels in (2, 5):
            at = np.sort(random.normal(0, 4, (5, steps)), axis=1)
            x = graph.add(
                "MultiThreshold",
                conv(graph, x, 5, channels),
                at,
                out_dtype="INT4",
                out_scale=1.0,
                out_bias=-1.0,
            )
            if channels == 2:
                x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
                x = graph.pad(x, [0, 0, 1, 1, 0, 0, 1, 1], -1.0)
        network = network_of(graph, scores(graph, x, 5 * 9), (2, 8, 8))
        assert kinds(network) == "Binarize Conv2d Threshold MaxPool Conv2d Threshold Scores"
        assert [layer.levels for layer in network.layers if type(layer).__name__ == "Threshold"] == [
            steps
        ] * 2
        assert network.layers[4].planes == steps.bit_length()

    def test_a_product_of_counts(self):
        graph, x = image(1, 5, 5)
        x = graph.add("MatMul", graph.add("MatMul", graph.add("Flatten", x), signs(25, 6)), signs(6, 9))
        network = network_of(graph, graph.add("MatMul", graph.bipolar(x), signs(9, 4)), (1, 5, 5))
        assert network.layers[1].thresholds is None and network.layers[2].planes == 5


def activation(graph, x, channels):
    """A random elementwise function, which may turn."""
    form = (-1, *[1] * (len(channels) - 1))
    match random.choice(["PRelu", "Swish", "attributes", "plain", "Abs", "Sin"]):
        case "PRelu":
            return graph.add("PRelu", x, random.choice([-0.5, 0.25, 2.0], channels[0]).reshape(form))
        case "Swish":
            return graph.add("Mul", x, graph.add("Sigmoid", x))
        case "attributes":
            op, *names = (
                ("Elu", "alpha"),
                ("Celu", "alpha"),
                ("HardSigmoid", "alpha", "beta"),
                ("LeakyRelu", "alpha"),
                ("Selu", "alpha", "gamma"),
                ("ThresholdedRelu", "alpha"),
            )[random.integers(6)]
            return graph.add(op, x, **{name: float(random.choice([0.5, 0.75, 1.5])) for name in names})
        case "plain":
            return graph.add(
                str(
                    random.choice(
                        [
                            "Softplus",
                            "Softsign",
                            "HardSwish",
                            "Atan",
                            "Erf",
                            "Gelu",
                            "Mish",
                            "Sigmoid",
                            "Tanh",
                        ]
                    )
                ),
                x,
            )
        case "Abs":
            return graph.add("Abs", graph.add("Sub", x, random.uniform(-0.5, 0.5, channels[0]).reshape(form)))
        case "Sin":  # of several turns
            return graph.add("Sin", graph.add("Mul", x, random.uniform(0.2, 3.0, channels[0]).reshape(form)))


@pytest.mark.parametrize("seed", range(60))
def test_any_function_between_sum_and_quantiser(seed):
    print("seed", seed)
    global random
    random = np.random.default_rng([seed, 4])
    graph = Graph(opset=20)
    images = random.integers(2)
    shape = (2, 5, 4) if images else (20,)
    x = graph.bipolar(graph.add("Sub", graph.input((1, *shape)), 0.5))
    channels = (6, 1, 1) if images else (6,)
    x = conv(graph, x, 6, 2, 2) if images else graph.add("MatMul", x, ternary(20, 6))
    pool = images and random.integers(3)
    if pool == 1:
        x = graph.add("MaxPool", x, kernel_shape=[2, 2])
    x = graph.add("Mul", x, np.float32(random.choice([0.125, 0.25, -0.5], channels)))
    x = graph.add("Add", x, np.float32(random.uniform(-1, 1, channels)))
    for _ in range(random.integers(1, 3)):
        x = activation(graph, x, channels)
    # Between two values: how an executor rounds decides nothing.
    values = np.unique(execute(graph.model(x), photographs(30, shape) / np.float32(255)))
    at = int(len(values) * random.uniform(0.2, 0.7))
    middle = float(values[at : at + 2].mean())
    if random.integers(2):
        x = graph.bipolar(graph.add("Sub", x, middle))
    else:
        x = graph.add(
            "Quant",
            x,
            0.25,
            0.0,
            2.0,
            signed=int(random.integers(2)),
            narrow=int(random.integers(2)),
            rounding_mode="ROUND",
        )
    if pool == 2:
        x = graph.add("MaxPool", x, kernel_shape=[2, 2])
    if images and random.integers(2):
        x = graph.bipolar(graph.add("Sub", conv(graph, x, 5, 6, 2), 0.1))
        size = 5 * (2 if pool else 3) * (1 if pool else 2)
    else:
        size = 6 * (3 if pool else 4) * (2 if pool else 3) if images else 6
    network_of(graph, scores(graph, x, size), shape, apart=1)


def concat(graph, x, functions, axis=1):
    return graph.add("Concat", *(function(x) for function in functions), axis=axis)


class TestConcat:
    @pytest.mark.parametrize("seed", range(12))
    def test_thermometer(self, seed):
        """Of pixels and of sums, flat and over images, into weights and through pools."""
        global random
        random = np.random.default_rng([seed, 5])
        graph = Graph()
        images = seed % 2
        shape = (2, 6, 5) if images else (12,)
        x = graph.input((1, *shape))

        def bits(x, low, high, count):
            scale = random.choice([1.0, 0.5])  # the same for all levels
            return concat(
                graph,
                x,
                [
                    lambda x, at=at: graph.bipolar(graph.add("Sub", x, at), scale)
                    for at in random.uniform(low, high, count)
                ],
            )

        x = bits(x, 0.1, 0.9, 3)
        if images:
            if random.integers(2):
                x = graph.add("MaxPool", x, kernel_shape=[2, 2], strides=[1, 1])
            else:
                x = graph.add("AveragePool", x, kernel_shape=[2, 2], strides=[1, 1])
            x = conv(graph, x, 4, 6, 2)
            x = bits(graph.add("Mul", x, 0.25), -2, 2, 2)
            if random.integers(2):
                x = graph.bipolar(conv(graph, x, 3, 8, 1))
                size = 3 * 4 * 3
            else:
                size = 8 * 4 * 3
        else:
            x = graph.add("MatMul", x, ternary(36, 8))
            x = bits(graph.add("Add", x, random.uniform(-3, 3, 8)), -4, 4, 2)
            size = 16
        network_of(graph, scores(graph, x, size), shape, apart=2)

    def test_groups_that_are_put_together_again(self):
        graph, x = image(2, 6, 5)
        x = graph.add("Mul", conv(graph, x, 6, 1, 2, group=2), 0.5)
        x = concat(graph, x, [graph.bipolar, lambda x: graph.bipolar(graph.add("Sub", x, 1.0))])
        network_of(graph, scores(graph, graph.bipolar(conv(graph, x, 4, 12, 2)), 4 * 4 * 3), (2, 6, 5))

    def test_layers_of_their_own(self):
        graph, x = image(12)
        x = concat(graph, x, [lambda x: graph.bipolar(graph.add("MatMul", x, signs(12, 4)))] * 2)
        with pytest.raises(ModelError, match="joins the branches from .* which have layers of their own"):
            loads(graph.bytes(scores(graph, x, 8)))


class TestRanked:
    @pytest.mark.parametrize(
        "ranking",
        [("Softmax", "ArgMax"), ("LogSoftmax", "ArgMax"), ("Softmax", "TopK"), ("Softmax",), ("TopK",)],
    )
    def test_order(self, ranking):
        graph, x = image(20)
        x = end = scores(graph, graph.bipolar(graph.add("MatMul", x, signs(20, 8))), 8, 5)
        for op in ranking:
            end = (
                graph.add("TopK", end, graph.constant([2], np.int64), outputs=2)[1]
                if op == "TopK"
                else graph.add(op, end, axis=1)
            )
        assert loads(graph.bytes(end)) == loads(graph.bytes(x))

    def test_of_a_map(self):
        graph, x = image(20)
        x = graph.add(
            "Softmax",
            graph.add(
                "Reshape", scores(graph, graph.bipolar(x), 20, 5), graph.constant([1, 5, 1, 1], np.int64)
            ),
            axis=1,
        )
        assert loads(graph.bytes(graph.add("ArgMax", graph.add("Flatten", x), axis=-1))).classes == 5

    @pytest.mark.parametrize(
        "follow",
        [
            lambda graph, x: graph.add("Mul", x, 2.0),
            lambda graph, x: graph.add("Mul", graph.constant(2.0), x),
            lambda graph, x: graph.add("Softmax", graph.add("ArgMax", x, axis=1), axis=1),
        ],
    )
    def test_what_follows_is_refused(self, follow):
        graph, x = image(20)
        x = graph.add("Softmax", scores(graph, x, 20), axis=1)
        with pytest.raises(
            ModelError,
            match=(
                r"must not use the result of node '/(Softmax|ArgMax)_\d+' .*, of which only the order of the"
                r" classes is "
                "known; end the graph with that node"
            ),
        ):
            loads(graph.bytes(follow(graph, x)))


class TestScores:
    def network(self, *after, weights=None):
        graph, x = image(1, 8, 8)
        x = graph.bipolar(graph.add("MatMul", graph.add("Flatten", x), signs(64, 64)))
        x = graph.add("MatMul", x, signs(64, 10) if weights is None else weights)
        for op, *operands in after:
            x = graph.add(op, x, *operands)
        return network_of(graph, x, (1, 8, 8), count=400)

    def test_whole_scales(self):
        layer = self.network(("Mul", np.resize([1.0, 2.0, -1.0], 10))).layers[-1]
        # A count is two steps of the sum; a negative scale complements the weights.
        assert layer.scales.tolist() == np.resize([2, 4, 2], 10).tolist()

    def test_fractions(self):
        layer = self.network(
            ("Mul", np.resize([0.5, 0.75], 10)), ("Add", np.resize([0.0, 0.125], 10))
        ).layers[-1]
        assert set(layer.scales.tolist()) == {8, 12}  # a count is two steps of the sum

    def test_batch_norm(self):
        layer = self.network(
            (
                "BatchNormalization",
                random.normal(size=10) + 2,
                random.normal(size=10),
                random.normal(size=10) * 5,
                random.uniform(2, 90, 10),
            )
        ).layers[-1]
        assert len(set(layer.scales.tolist())) > 5

    def test_bias(self):
        assert self.network(("Add", random.normal(size=10) * 3)).layers[-1].scales is not None

    def test_one_scale_stays_a_count(self):
        layer = self.network(("Mul", 0.0123), ("Add", 0.7)).layers[-1]
        assert layer.scales is None and not layer.offsets.any()

    def test_ternary_weights_have_counts_of_their_own(self):
        layer = self.network(weights=ternary(64, 10)).layers[-1]
        assert layer.scales.tolist() == [2] * 10
        assert len(set((layer.offsets + layer.mask.sum(axis=1)).tolist())) == 1


def test_integers_of_one_bit():
    """Sums over a single element, tables of two numbers, counts of one input: integers that are bits."""
    random = np.random.default_rng(1)
    layers = (
        ir.Lookup(name="table", table=random.integers(0, 2, 256)),
        ir.SumPool(name="pool", kernel=(1, 1), stride=(2, 1)),
        ir.Conv2d(name="conv", weights=random.integers(0, 2, (6, 1, 1, 1)), thresholds=None, groups=2),
        ir.Scores(
            name="scores",
            weights=random.integers(0, 2, (3, 60)),
            offsets=np.arange(3),
            scales=np.array([3, -1, 5]),
        ),
    )
    network = ir.Network(name="net", image_shape=(4, 5, 2), layers=layers, labels=("a", "b", "c"))
    images = random.integers(0, 256, (40, 4, 5, 2)).astype(np.uint8)
    model, scores = qonnx.to_model(network), reference.evaluate(network, images)[0]
    assert np.array_equal(execute(model, images.transpose(0, 3, 1, 2).astype(np.float32)), scores)
    assert np.array_equal(reference.evaluate(loads(model.SerializeToString()), images)[0], scores)
