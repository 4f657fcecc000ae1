import re
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")

from qonnx_graphs import DOMAINS, Graph, execute, random_graph

from sbgen.compiler import ir, reference
from sbgen.compiler.frontends.qonnx import load, loads
from sbgen.errors import ModelError

FIXTURES = sorted((Path(__file__).parent / "qonnx").glob("*.onnx"))


def assert_same_order(scores, logits):
    """All classes in the same order, ties included, for each image."""
    assert (
        np.sign(scores[:, :, None] - scores[:, None]) == np.sign(logits[:, :, None] - logits[:, None])
    ).all()
    assert (scores.argmax(1) == logits.argmax(1)).all()


class TestBrevitas:
    """Files of `benchmarks/qonnx_fixtures.py`, and what the `qonnx` package's executor made of them."""

    def read(self, path, data=None):
        kept = np.load(path.with_suffix(".npz"))
        network = loads(data or path.read_bytes(), pixels=str(kept["pixels"]))
        images = kept["images"].reshape(-1, *network.image_shape)
        # Where scales are no powers of two, the framework's roundings tell equal scores apart.
        return network, reference.evaluate(network, images)[0], np.round(kept["logits"], 4)

    @pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
    def test_as_the_framework(self, path):
        network, scores, logits = self.read(path)
        assert_same_order(scores, logits)
        assert [type(layer) for layer in network.layers].count(ir.MaxPool) == (
            2 if path.stem.startswith("c") else 0
        )
        assert len(np.unique(logits, axis=0)) > 3  # the images are told apart

    def test_fixtures_are_there(self):
        assert len(FIXTURES) >= 13

    @pytest.mark.parametrize("name", ["tfc-opset9", "cnn-opset13"])
    def test_unnamed_nodes_and_the_older_domain(self, name):
        path = next(each for each in FIXTURES if each.stem == name)
        model = onnx.load(path)
        for node in model.graph.node:
            node.name = ""
            if node.domain:
                node.domain = "onnx.brevitas"
        network, scores, logits = self.read(path, model.SerializeToString())
        assert_same_order(scores, logits)
        assert network.layers[1].name in ("dense", "conv")


@pytest.mark.parametrize("seed", range(80))
def test_random_graph(seed):
    print("seed", seed)
    file, model, images, inputs = random_graph(seed)
    network = loads(file.SerializeToString())
    scores, _ = reference.evaluate(network, images)
    assert_same_order(scores, execute(model, inputs))


# ---------------------------------------------------------------------------------------------- single cases


def dense(weights, *, graph=None, scale=1.0, before=None, after=None, **arguments):
    """Pixels -> sign at 128 -> MatMul -> what `after` adds; gives the graph and its end."""
    graph = graph or Graph(**arguments)
    x = graph.add("Sub", graph.input((1, len(weights)), onnx.TensorProto.FLOAT), 0.5)
    x = graph.bipolar(x, scale) if before is None else before(graph, x)
    x = graph.add("MatMul", x, np.asarray(weights, np.float32))
    return graph, x if after is None else after(graph, x)


def ones(rows, columns=2):
    return np.ones((rows, columns))


def test_sign_of_zero_is_plus_one():
    graph, end = dense(ones(2), after=lambda graph, x: graph.add("MatMul", graph.bipolar(x), ones(2)))
    network = loads(graph.bytes(end))
    assert network.layers[1].thresholds.tolist() == [1, 1]  # a sum of 0 is one agreement of two
    assert network.layers[0].thresholds.tolist() == [[128], [128]]  # 127/255 is below one half


def test_pixel_thresholds_of_each_reading():
    def thresholds(kind, pixels=None, level=0.5):
        graph = Graph()
        x = graph.input((1, 1), kind)
        if kind == onnx.TensorProto.UINT8:
            x = graph.add("Cast", x, to=onnx.TensorProto.FLOAT)
        end = graph.add("MatMul", graph.bipolar(graph.add("Sub", x, level)), ones(1))
        return loads(graph.bytes(end), pixels=pixels).layers[0].thresholds.item()

    assert thresholds(onnx.TensorProto.FLOAT) == thresholds(onnx.TensorProto.FLOAT, "unit") == 128
    assert thresholds(onnx.TensorProto.FLOAT, "fixed") == 128
    assert thresholds(onnx.TensorProto.FLOAT, "fixed", 0.25) == 64
    assert thresholds(onnx.TensorProto.FLOAT, "unit", 0.25) == 64
    assert thresholds(onnx.TensorProto.FLOAT, "raw", 99.5) == 100
    assert thresholds(onnx.TensorProto.UINT8, None, 99.0) == 99
    with pytest.raises(ModelError, match="pixels must be one of unit, fixed, raw, signed, not 'x'"):
        thresholds(onnx.TensorProto.FLOAT, "x")
    with pytest.raises(ModelError, match="no pixel of 0 ... 255 changes anything.*--pixels raw"):
        thresholds(onnx.TensorProto.FLOAT, None, 99.0)


def test_negative_and_zero_scales():
    weights = np.array([[1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]])

    def after(graph, x):
        x = graph.add("Mul", x, [1.0, -1.0, 0.0, 0.0])
        return graph.add("MatMul", graph.bipolar(graph.add("Add", x, [-1.0, 1.0, 0.0, -1.0])), ones(4))

    graph, end = dense(weights, after=after)
    layer = loads(graph.bytes(end)).layers[1]
    # s >= 1; s <= 1, which is -s >= -1 on the complement; always; never
    assert layer.thresholds.tolist() == [2, 1, 0, 4]
    assert layer.weights.tolist() == [[1] * 3, [0] * 3, [1] * 3, [1] * 3]


def test_falling_pixels():
    graph, end = dense(ones(2), before=lambda graph, x: graph.bipolar(graph.add("Neg", x)))
    network = loads(graph.bytes(end))
    images = np.array([[0, 0], [255, 0], [127, 128]], np.uint8)
    assert np.array_equal(reference.evaluate(network, images)[0][:, 0], [2, 1, 1])


def test_two_bit_activations_are_two_bits():
    def before(graph, x):
        return graph.add("Quant", x, 0.5, 0.0, 2.0, signed=1, narrow=1, rounding_mode="ROUND")

    graph, end = dense(np.array([[1, -1], [-1, 1], [1, 1]]), before=before)
    network = loads(graph.bytes(end))
    assert network.layers[0].levels == 2
    images = np.random.default_rng(0).integers(0, 256, (200, 3)).astype(np.uint8)
    assert_same_order(
        reference.evaluate(network, images)[0], execute(graph.model(end), images / np.float32(255))
    )


def test_zeros_and_ones_pad_with_zero():
    graph = Graph()
    x = graph.add("Sub", graph.input((1, 1, 4, 4)), 0.5)
    x = graph.add("MultiThreshold", x, [[0.0]], out_dtype="BINARY", out_scale=1.0, out_bias=0.0)
    x = graph.add("Conv", x, np.ones((2, 1, 3, 3)), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    x = graph.bipolar(graph.add("Sub", x, 2.5))
    end = graph.add("MatMul", graph.add("Flatten", x), np.random.default_rng(0).choice([-1.0, 1.0], (32, 3)))
    network = loads(graph.bytes(end))
    assert network.layers[1].padding_bit == 0 and network.layers[1].padding == ((1, 1), (1, 1))
    images = np.random.default_rng(1).integers(0, 256, (50, 1, 4, 4)).astype(np.uint8)
    assert_same_order(
        reference.evaluate(network, images.reshape(50, 4, 4))[0],
        execute(graph.model(end), images / np.float32(255)),
    )


def test_pixels_without_a_quantiser_come_in_as_planes():
    graph = Graph()
    x = graph.add("Sub", graph.add("Mul", graph.input((1, 2, 5, 5)), 2.0), 1.0)
    x = graph.add("Conv", x, np.random.default_rng(0).choice([-1.0, 1.0], (4, 2, 3, 3)), kernel_shape=[3, 3])
    x = graph.bipolar(graph.add("Add", x, np.array([0.13, -0.7, 1.11, 0.37]).reshape(4, 1, 1)))
    end = graph.add("MatMul", graph.add("Flatten", x), np.random.default_rng(1).choice([-1.0, 1.0], (36, 5)))
    network = loads(graph.bytes(end), pixels="fixed")
    assert isinstance(network.layers[0], ir.Conv2d) and network.layers[0].planes == 8
    images = np.random.default_rng(2).integers(0, 256, (50, 2, 5, 5)).astype(np.uint8)
    assert_same_order(
        reference.evaluate(network, images.transpose(0, 2, 3, 1))[0],
        execute(graph.model(end), images / np.float32(256)),
    )


def test_channels_last_input():
    graph = Graph()
    x = graph.add("Transpose", graph.input((1, 4, 5, 3)), perm=[0, 3, 1, 2])
    x = graph.add(
        "Conv",
        graph.bipolar(graph.add("Sub", x, 0.5)),
        np.random.default_rng(0).choice([-1.0, 1.0], (2, 3, 2, 2)),
        kernel_shape=[2, 2],
    )
    end = graph.add(
        "MatMul",
        graph.add("Flatten", graph.bipolar(x)),
        np.random.default_rng(1).choice([-1.0, 1.0], (24, 3)),
    )
    network = loads(graph.bytes(end))
    assert network.image_shape == (4, 5, 3)
    images = np.random.default_rng(2).integers(0, 256, (50, 4, 5, 3)).astype(np.uint8)
    assert_same_order(
        reference.evaluate(network, images)[0], execute(graph.model(end), images / np.float32(255))
    )


def test_scores_keep_whole_offsets_of_classes():
    graph, end = dense(
        ones(3, 4),
        after=lambda graph, x: graph.add("Add", graph.add("Mul", x, 0.25), [0.25, 0.75, -0.25, 2.25]),
    )
    assert loads(graph.bytes(end)).layers[-1].offsets.tolist() == [0, 1, -1, 4]


def test_file_is_read(tmp_path):
    from sbgen.compiler.frontends import model

    graph, end = dense(ones(3))
    path = tmp_path / "some-net.onnx"
    path.write_bytes(graph.bytes(end))
    assert load(path) == loads(graph.bytes(end), name="some-net")
    kept = model.load(path)
    assert kept.network.name == "some-net" and kept.network.labels == ("0", "1") and kept.info == {}
    renamed = path.rename(tmp_path / "net.pt")
    assert model.load(renamed).network.layers == kept.network.layers


# ------------------------------------------------------------------------------------------------- bad input


def sigmoid(graph, x):
    return graph.add("Sigmoid", x)


#: Ends of a graph that decide by signs: what they add, and which of their values are a 1. None for the scores
#: before the end.
SIGN_ENDS = {
    "scores": (lambda graph, x, _: x, lambda y: y >= 0),
    "sigmoid": (lambda graph, x, _: sigmoid(graph, x), None),
    "hard sigmoid": (lambda graph, x, _: graph.add("HardSigmoid", x), None),
    "sigmoid, moved": (
        lambda graph, x, _: graph.add("Flatten", graph.add("Identity", sigmoid(graph, x))),
        None,
    ),
    "bipolar": (lambda graph, x, _: graph.bipolar(x), lambda y: y >= 0),
    "bipolar, scaled by output": (
        lambda graph, x, n: graph.bipolar(x, 2.0 ** np.arange(n)),
        lambda y: y >= 0,
    ),
    "bipolar, then a line": (
        lambda graph, x, _: graph.add("Add", graph.add("Mul", graph.bipolar(x), 0.5), 0.5),
        lambda y: y > 0,
    ),
    "comparison": (
        lambda graph, x, _: graph.add("Cast", graph.add("GreaterOrEqual", x, 0.0), to=1),
        lambda y: y > 0,
    ),
    "sigmoid, compared": (
        lambda graph, x, _: graph.add("Cast", graph.add("Greater", sigmoid(graph, x), 0.5), to=1),
        lambda y: y > 0,
    ),
    "multi threshold": (
        lambda graph, x, n: graph.add(
            "MultiThreshold", x, np.arange(n)[:, None] - 1.0, out_scale=1.0, out_bias=0.0
        ),
        lambda y: y > 0,
    ),
    "quant": (
        lambda graph, x, _: graph.add("Quant", x, 1.0, 0.0, 1.0, signed=1, narrow=0, rounding_mode="ROUND"),
        lambda y: y >= 0,
    ),
}


@pytest.mark.parametrize("end", SIGN_ENDS)
@pytest.mark.parametrize("outputs", [1, 4])
@pytest.mark.parametrize("seed", range(6))
def test_outputs_decide_by_their_signs(seed, outputs, end):
    if end == "scores" and outputs > 1:
        return  # these are classes
    rng = np.random.default_rng([seed, outputs, len(end)])
    pixels, hidden = int(rng.integers(2, 12)), int(rng.integers(1, 9))
    graph = Graph(opset=13)
    x = graph.bipolar(graph.add("Sub", graph.input((1, pixels)), 0.5))
    x = graph.bipolar(
        graph.add(
            "Add",
            graph.add("MatMul", x, rng.choice([-1.0, 1.0], (pixels, hidden))),
            rng.choice([0.0, 1.0, 0.5], hidden),
        )
    )
    # Scores of 0 for some images where the bias has the parity of the sums; scales of both signs, and none.
    x = graph.add("MatMul", x, rng.choice([-1.0, 1.0], (hidden, outputs)))
    bias = rng.choice([hidden % 2, 0.5, -hidden - 1, hidden + 1], outputs)
    x = before = graph.add(
        "Mul", graph.add("Add", x, bias), rng.choice([1.0, -0.25, 0.3, 0.0], outputs, p=[0.4, 0.3, 0.2, 0.1])
    )
    make, on = SIGN_ENDS[end]
    after = make(graph, x, outputs)
    network = loads(graph.bytes(after))
    assert (network.decision, len(network.labels), network.multi_label) == (
        "sign",
        2 if outputs == 1 else outputs,
        outputs > 1,
    )
    images = rng.integers(0, 256, (60, pixels), dtype=np.uint8)
    inputs = images.astype(np.float32) / np.float32(255)
    scores, decided = reference.evaluate(network, images)
    values = execute(graph.model(after if on else before), inputs).reshape(scores.shape)
    bits = (on or (lambda y: y >= 0))(values)
    assert np.array_equal(decided.reshape(scores.shape), bits)
    if on is None or end == "scores":
        assert np.array_equal(np.sign(scores), np.sign(values))
    else:
        assert np.isin(scores, (-1, 1)).all() or end == "scores"
    for ours, theirs in zip(scores.T, values.T, strict=True):  # the order of each output, ties included
        assert np.array_equal(np.sign(ours[:, None] - ours), np.sign(theirs[:, None] - theirs))


def test_several_scores_are_classes_and_one_is_none():
    two, one = (loads(graph.bytes(end)) for graph, end in (dense(np.ones((4, n))) for n in (2, 1)))
    assert (two.decision, two.labels) == ("argmax", ("0", "1")) and (one.decision, one.labels) == (
        "sign",
        ("0", "1"),
    )


def bad(graph, end):
    with pytest.raises(ModelError) as caught:
        loads(graph.bytes(*(end if isinstance(end, tuple) else (end,))), source="net.onnx")
    message = str(caught.value)
    assert message.startswith("net.onnx: ") and "\n" not in message and len(message) < 420, message
    return message


def conv(*, pads=(0, 0, 0, 0), weights=None, **attributes):
    graph = Graph()
    x = graph.bipolar(graph.add("Sub", graph.input((1, 1, 4, 4)), 0.5))
    weights = np.ones((2, 1, 2, 2)) if weights is None else weights
    return graph, graph.add("Conv", x, weights, kernel_shape=[2, 2], pads=pads, **attributes)


def end_of(graph, x, size=18):
    return graph.add("MatMul", graph.add("Flatten", graph.bipolar(x)), ones(size))


class TestRefused:
    def test_unsupported_operator(self):
        graph, end = dense(ones(2), after=lambda graph, x: graph.add("Sinh", x))
        assert (
            "node '/Sinh_7' (Sinh): the operator Sinh is not supported; write the graph with the operators"
            in bad(graph, end)
        )

    def test_unsupported_operator_without_a_name(self):
        graph, end = dense(ones(2), named=False, after=lambda graph, x: graph.add("Sinh", x))
        assert "unnamed node 3 (Sinh): the operator" in bad(graph, end)

    def test_unknown_domain(self):
        graph, end = dense(ones(2), domain="somebody.else")
        assert "the operator somebody.else.BipolarQuant is not supported" in bad(graph, end)

    def test_dynamic_shape(self):
        graph = Graph()
        x = graph.input((1, 3, "height", 4))
        assert "dynamic shape (height on axis 2); export the model with a fixed input shape" in bad(
            graph, graph.bipolar(x)
        )

    def test_no_shape(self):
        graph = Graph()
        x = graph.input(None)
        assert "has no shape; export" in bad(graph, graph.bipolar(x))

    def test_fixed_batch(self):
        graph = Graph()
        x = graph.input((8, 3))
        assert "a fixed batch of 8; export the model with a batch of 1" in bad(graph, graph.bipolar(x))

    def test_old_opset(self):
        assert "must have opset 7 or later, not 6, whose operators mean something else; export" in bad(
            *dense(ones(2), opset=6)
        )

    def test_second_input(self):
        graph, end = dense(ones(2))
        graph.inputs.append(onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, (1, 2)))
        assert "must have one input, the image, but has 'x', 'y'" in bad(graph, end)

    @pytest.mark.parametrize(
        "weights, shown",
        [
            ([[1.0, 1], [0.5, 1]], "0.5, 1"),
            ([[2.0, 1], [0, -1], [1, 1]], "0, 1, 2"),
            ([[float("nan"), 1], [1, 1]], "nan"),
            ([[float("inf"), 1], [float("inf"), 1]], "inf"),
        ],
    )
    def test_weight_of_another_number(self, weights, shown):
        message = bad(*dense(weights))
        assert (
            "weights must be -1, 0 and +1 times one scale for each output, but output 0" in message
            and shown in message
        )

    def test_two_bit_weight_of_minus_two(self):
        graph = Graph()
        x = graph.bipolar(graph.add("Sub", graph.input((1, 4)), 0.5))
        weights = graph.add("Quant", np.linspace(-2, 2, 8).reshape(4, 2), 1.0, 0.0, 2.0, signed=1, narrow=0)
        message = bad(graph, graph.add("MatMul", x, weights))
        assert "(MatMul): its weights must be -1, 0 and +1" in message and "a narrow 2-bit Quant" in message

    def test_weight_made_in_the_graph(self):
        graph = Graph()
        x = graph.bipolar(graph.add("Sub", graph.input((1, 4)), 0.5))
        assert "weights must be known when the file is read" in bad(graph, graph.add("MatMul", ones(1, 1), x))

    def test_scores_that_turn(self):
        message = bad(*dense(ones(4), after=lambda graph, x: graph.add("Abs", x)))
        assert (
            "rises and falls" in message and "no threshold" in message and "the output after node" in message
        )

    def test_pool_of_many_values_that_turn(self):
        graph, end = dense(
            ones(40, 4),
            after=lambda graph, x: graph.add(
                "MaxPool",
                graph.add("Reshape", graph.add("Abs", x), graph.constant([1, 1, 2, 2], np.int64)),
                kernel_shape=[2, 2],
            ),
        )
        assert "has 21 values; quantise it to 1 bit" in bad(graph, end)

    def test_zero_padding(self):
        graph, x = conv(pads=(1, 1, 1, 1))
        message = bad(graph, end_of(graph, x, 50))
        assert (
            "(Conv): pads with 0, which is not one of the values of its inputs (-1, 1): a bit has no 0"
            in message
        )
        assert "padding of -1 or +1" in message and "torch.nn.functional.pad" in message

    def test_padding_behind_a_pool_and_a_negative_scale(self):
        graph, x = conv()
        x = graph.add("Mul", graph.add("MaxPool", x, kernel_shape=[2, 2]), np.reshape([1.0, -1.0], (2, 1, 1)))
        x = graph.pad(graph.bipolar(x), [0, 0, 1, 1, 0, 0, 0, 0], -1.0)
        x = graph.add("Conv", x, np.ones((2, 2, 2, 2)), kernel_shape=[2, 2])
        assert "put the MaxPool after the sign" in bad(graph, end_of(graph, x, 8))

    def test_mean_padding(self):
        graph, x = conv()
        x = graph.add("AveragePool", graph.bipolar(x), kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        assert "must take means without padding" in bad(graph, end_of(graph, x))

    @pytest.mark.parametrize("value", [0.0, 1.0])
    def test_pool_of_what_is_padded_above_the_lowest_value(self, value):
        graph, x = conv()
        x = graph.add(
            "MaxPool", graph.pad(graph.bipolar(x), [0, 0, 1, 1, 0, 0, 1, 1], value), kernel_shape=[3, 3]
        )
        assert f"its input is padded with {value:g}, which must be no value above the lowest" in bad(
            graph, end_of(graph, x)
        )

    def test_dilation(self):
        graph, x = conv(dilations=[2, 2])
        assert "must have dilations of 1, not [2, 2]" in bad(graph, end_of(graph, x, 8))

    def test_activation_that_is_not_quantised(self):
        graph, end = dense(
            ones(40), after=lambda graph, x: graph.add("MatMul", graph.add("Relu", x), ones(2))
        )
        assert "must take bits, but node '/Relu_7' (Relu) has 21 values; quantise it" in bad(graph, end)

    def test_uneven_steps(self):
        graph, end = dense(ones(3), after=lambda graph, x: graph.add("MatMul", graph.add("Exp", x), ones(2)))
        assert "must take values in even steps, but node '/Exp_7' (Exp) has the values" in bad(graph, end)

    def test_pixels_in_uneven_steps(self):
        graph, end = dense(ones(2), before=lambda graph, x: graph.add("Exp", x))
        assert "256 values in uneven steps over the 256 of a pixel; quantise it uniformly" in bad(graph, end)

    def test_pixels_quantised_behind_a_mean_of_each_channel(self):
        graph = Graph()
        x = graph.add("Sub", graph.input((1, 2, 4, 4)), np.reshape([0.45, 0.5], (2, 1, 1)))
        x = graph.add("Quant", x, 2.0**-7, 0.0, 8.0, signed=1, narrow=0, rounding_mode="ROUND")
        x = graph.add("Conv", x, np.ones((2, 2, 3, 3)), kernel_shape=[3, 3])
        assert "which differ between pixels; quantise all pixels alike" in bad(graph, end_of(graph, x, 8))

    def test_pool_of_falling_functions(self):
        graph, x = conv()
        x = graph.add("MaxPool", x, kernel_shape=[2, 2])
        x = graph.add("MaxPool", graph.add("Neg", x), kernel_shape=[2, 2])
        assert "falls, so that it has no threshold" in bad(graph, end_of(graph, x, 2))

    def test_branch(self):
        def after(graph, x):
            bits = graph.bipolar(x)
            return graph.add("MatMul", bits, ones(2)), graph.add("MatMul", bits, ones(2))

        assert "do not depend on one last layer; keep only the scores" in bad(*dense(ones(3), after=after))

    def test_scores_that_bend_apart(self):
        message = bad(
            *dense(ones(30), after=lambda graph, x: graph.add("Mul", graph.add("Exp", x), [1.0, 2.0]))
        )
        assert "must be a line of each class's count or the same function of all of them" in message

    def test_output_that_is_quantised(self):
        assert "must be a line of each class's count" in bad(
            *dense(np.ones((4, 3)), after=lambda graph, x: graph.clip(x, -2.0, 2.0))
        )
        assert "must tell all counts of the last layer apart" in bad(
            *dense(np.ones((4, 1)), after=lambda graph, x: graph.clip(x, -2.0, 2.0))
        )

    @pytest.mark.parametrize("op", ["Relu", "Softplus", "Exp"])
    def test_one_output_that_is_never_negative(self, op):
        assert f"has one output that is never negative after its {op}" in bad(
            *dense(np.ones((2, 1)), after=lambda graph, x: graph.add(op, x))
        )

    @pytest.mark.parametrize("op", ["Softmax", "ArgMax"])
    def test_a_rank_of_one_output(self, op):
        assert "ranks the one output of" in bad(
            *dense(np.ones((4, 1)), after=lambda graph, x: graph.add(op, x, axis=1))
        )

    def test_something_behind_the_classes(self):
        assert "end the graph with that node" in bad(
            *dense(ones(3), after=lambda graph, x: graph.add("Mul", graph.add("Softmax", x), 2.0))
        )

    def test_not_finite(self):
        assert "its result must be finite for every input" in bad(
            *dense(ones(3), after=lambda graph, x: graph.bipolar(graph.add("Div", x, [0.0, 1.0])))
        )

    def test_different_scales_of_channels(self):
        def before(graph, x):
            return graph.bipolar(x, [[1.0, 1.7, 1.0]])

        assert "must have the same scale" in bad(*dense(ones(3), before=before))


def test_build_of_a_refused_file_writes_nothing(tmp_path, capsys):
    from sbgen import cli

    graph, x = conv(pads=(1, 1, 1, 1))
    path = tmp_path / "net.onnx"
    path.write_bytes(graph.bytes(end_of(graph, x, 50)))
    code = cli.main(["build", "--model", str(path), "--board", "icebreaker", "--out", str(tmp_path / "out")])
    assert code == 1 and [each.name for each in tmp_path.iterdir()] == ["net.onnx"]
    assert capsys.readouterr().err.startswith(f"error: {path}: node '/Conv_6' (Conv): pads with 0")


class TestDamaged:
    def refused(self, data):
        with pytest.raises(ModelError) as caught:
            loads(data, source="net.onnx")
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_truncated(self):
        graph, end = dense(ones(3))
        data = graph.bytes(end)
        random = np.random.default_rng(0)
        for at in random.integers(1, len(data), 60):
            self.refused(data[:at])

    def test_any_byte_changed(self):
        graph, end = dense(ones(3))
        data = graph.bytes(end)
        random = np.random.default_rng(1)
        print("seed 1")
        for _ in range(300):
            changed = bytearray(data)
            changed[random.integers(len(data))] = random.integers(256)
            try:
                loads(bytes(changed))
            except ModelError as error:
                assert "\n" not in str(error)

    def test_noise(self):
        for seed in range(50):
            self.refused(np.random.default_rng(seed).bytes(200))
        assert "has 0 nodes" in self.refused(b"")

    def test_deep_nesting(self):
        data = b""
        for _ in range(3000):  # a message in a message ...
            length, size = len(data), b""
            while length > 127:
                size, length = size + bytes([length & 127 | 128]), length >> 7
            data = b"\x3a" + size + bytes([length]) + data
        self.refused(data)

    def test_huge_initialiser(self):
        graph, end = dense(ones(3))
        model = graph.model(end)
        model.graph.initializer[0].dims[:] = [1 << 40, 1 << 40]
        assert "more than 16,777,216 elements" in self.refused(model.SerializeToString())

    def test_huge_shape(self):
        graph = Graph()
        x = graph.bipolar(graph.input((1, 1 << 30, 1 << 30)))
        assert "more than 16,777,216 elements" in self.refused(graph.bytes(x))

    def test_huge_constant(self):
        graph, end = dense(
            ones(3),
            after=lambda graph, x: graph.add(
                "Add", x, graph.add("ConstantOfShape", graph.constant([1 << 20, 1 << 20], np.int64))
            ),
        )
        assert "more than 16,777,216 elements" in self.refused(graph.bytes(end))

    def test_many_large_constants(self):
        def after(graph, x):
            for _ in range(8):
                x = graph.add(
                    "Add",
                    x,
                    graph.add(
                        "Gather",
                        graph.add("ConstantOfShape", graph.constant([1 << 23, 2], np.int64)),
                        graph.constant([0], np.int64),
                    ),
                )
            return x

        graph, end = dense(ones(3), after=after)
        assert "all values up to here have more than 67,108,864" in self.refused(graph.bytes(end))

    def test_huge_padding(self):
        graph, x = conv()
        graph.nodes.pop()
        x = graph.pad(graph.nodes[-1].output[0], [0, 0, 0, 0, 0, 0, 1 << 20, 1 << 20], 1.0)
        assert "more than 16,777,216 elements" in self.refused(graph.bytes(x))

    def test_padding_beyond_the_kernel(self):
        graph, x = conv(pads=(1, 1, 1, 2))
        assert "must pad by less than its kernel of (2, 2), not by [1, 1, 1, 2]" in self.refused(
            graph.bytes(x)
        )

    def test_external_data(self, tmp_path):
        graph, end = dense(ones(3))
        model = graph.model(end)
        tensor = model.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", "../../etc/passwd"
        assert "is stored in another file; save the model as a single file" in self.refused(
            model.SerializeToString()
        )

    def test_missing_tensor(self):
        graph, end = dense(ones(3))
        graph.nodes[-1].input[1] = "nowhere"
        assert "its input 'nowhere' must be the output of a node before it" in self.refused(graph.bytes(end))

    def test_cycle(self):
        graph, end = dense(ones(3))
        graph.nodes[0].input[1] = end
        assert "must be the output of a node before it" in self.refused(graph.bytes(end))

    def test_file_too_large(self, tmp_path):
        from sbgen.compiler.frontends import model

        path = tmp_path / "net.onnx"
        with path.open("wb") as file:
            file.truncate(600 << 20)
        with pytest.raises(ModelError, match="must have at most 512 MiB, but has 600 MiB"):
            model.load(path)

    def test_missing_file(self, tmp_path):
        with pytest.raises(ModelError, match="cannot be read: No such file"):
            load(tmp_path / "net.onnx")


def test_documentation_lists_every_operator():
    from sbgen.compiler.frontends.qonnx.layout import CONSTANT, LAYOUT
    from sbgen.compiler.frontends.qonnx.operators import ELEMENTWISE

    text = (Path(__file__).parent.parent / "docs/qonnx.md").read_text()
    listed = set(re.findall(r"\w+", text[text.index("| quantisers |") : text.index("* **Weights**")]))
    assert {*CONSTANT, *ELEMENTWISE, *LAYOUT} <= listed


@pytest.mark.parametrize("domain", DOMAINS)
def test_both_domains(domain):
    graph, end = dense(ones(3), domain=domain)
    assert loads(graph.bytes(end)).layers[0].thresholds.tolist() == [[128]] * 3
