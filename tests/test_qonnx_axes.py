"""Graphs whose axes are not those of an image with channels first: sequences, channels last, parts of an
image.
"""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")

from onnx import TensorProto
from qonnx_graphs import Graph, execute

from sbgen.compiler import reference
from sbgen.compiler.frontends.qonnx import loads
from sbgen.errors import ModelError

LAST = "qonnx.custom_op.channels_last"


def assert_as_the_graph(file, model, images, inputs, **settings):
    """The file's network on uint8 images, against what `model` computes of the same as `inputs`; None where
    that is always the same.
    """
    logits = np.round(
        execute(model, inputs), 4
    )  # a mean's factor is no power of two, so equal scores may differ by roundings
    try:
        network = loads(file.SerializeToString(), **settings)
    except ModelError as error:
        if "changes anything" not in str(error):
            raise
        assert (logits == logits[0]).all(), error
        return None
    scores = reference.evaluate(network, images)[0]
    assert np.array_equal(
        np.sign(scores[:, :, None] - scores[:, None]), np.sign(logits[:, :, None] - logits[:, None])
    )
    return network


class Random:
    """Two graphs that compute the same: one in the form under test, one in a form that the executor has."""

    def __init__(self, seed):
        print("seed", seed)
        self.rng = np.random.default_rng([seed, 17])

    def pick(self, *choices):
        return choices[self.rng.integers(len(choices))]

    def signs(self, *shape):
        return self.rng.choice([-1.0, 1.0], shape).astype(np.float32)


def sequence(seed):
    """A graph on (channels, length) or, behind a Transpose, (length, channels); images and whether they are
    channels last.
    """
    random = Random(seed)
    rng, graph = random.rng, Graph()
    channels, length = int(rng.integers(1, 5)), int(rng.integers(12, 18))
    last, raw = bool(rng.integers(2)), random.pick(0, 0, 1)
    x = graph.input((1, length, channels) if last else (1, channels, length))
    if last:
        x = graph.add("Transpose", x, perm=[0, 2, 1])
    if not raw:
        x = graph.bipolar(graph.add("Sub", x, rng.integers(60, 200, random.pick((1,), (channels, 1))) / 256))
    if random.pick(0, 0, 1):
        start = 2 * int(rng.integers(2))
        x = graph.add("Slice", x, *(graph.constant([each], np.int64) for each in (start, length - 1, 2)))
        length = length - 1 - start
    for at in range(random.pick(1, 2)):
        pool = random.pick("max", "mean", "none") if at or not raw else "none"
        if pool != "none":
            x = graph.add(
                "MaxPool" if pool == "max" else "AveragePool",
                x,
                kernel_shape=[2],
                strides=[random.pick(1, 2)],
            )
            length = (length - 2) // graph.nodes[-1].attribute[-1].ints[0] + 1
            x = graph.bipolar(x) if pool == "max" else graph.bipolar(graph.add("Sub", x, 0.5))
        groups = random.pick(1, channels)
        outputs, kernel, stride = (
            groups * int(rng.integers(1, 4)),
            int(rng.integers(1, 4)),
            random.pick(1, 1, 2),
        )
        pads = [0, 0]
        if not raw and random.pick(0, 1):
            pads = [int(each) for each in rng.integers(0, kernel, 2)]
            x = graph.pad(x, [0, 0, pads[0], 0, 0, pads[1]], -1.0)
        operands = [x, random.signs(outputs, channels // groups, kernel)]
        if random.pick(0, 1):
            operands.append(rng.integers(-2, 3, outputs) + 0.5)
        x = graph.bipolar(graph.add("Conv", *operands, kernel_shape=[kernel], strides=[stride], group=groups))
        length, channels, raw = (length + sum(pads) - kernel) // stride + 1, outputs, False
    match random.pick("flatten", "mean", "global"):
        case "flatten":
            x, size = graph.add("Flatten", x), channels * length
        case "mean":
            x, size = graph.add("ReduceMean", x, axes=[2], keepdims=0), channels
        case "global":
            x, size = graph.add("Flatten", graph.add("GlobalAveragePool", x)), channels
    model = graph.model(graph.add("MatMul", x, random.signs(size, 4)))
    shape = [each.dim_value for each in model.graph.input[0].type.tensor_type.shape.dim][1:]
    return model, rng.integers(0, 256, (40, *shape)).astype(np.uint8)


@pytest.mark.parametrize("seed", range(80))
def test_sequences(seed):
    model, images = sequence(seed)
    try:
        assert_as_the_graph(model, model, images, images / np.float32(256), pixels="fixed")
    except ModelError as error:  # a part that is padded, or not met by strides
        assert "were moved or cut in between" in str(error) and any(
            node.op_type == "Slice" for node in model.graph.node
        )


@pytest.mark.parametrize("layout, axis", [("NCW", 1), ("NWC", 2), (None, 2), ("NCHW", 1)])
@pytest.mark.parametrize("steps", [1, 2])
def test_thresholds_of_sequences(layout, axis, steps):
    rng = np.random.default_rng(steps)
    shape = (3, 16)
    thresholds = np.sort(rng.uniform(0.2, 0.8, (shape[axis - 1], steps)), axis=1)
    graphs = []
    for plain in (False, True):
        graph = Graph()
        x = graph.input((1, *shape))
        if plain and axis == 2:
            x = graph.add("Transpose", x, perm=[0, 2, 1])
        said = {} if layout is None else {"data_layout": layout}
        x = graph.add(
            "MultiThreshold", x, thresholds, out_scale=2.0 / steps, out_bias=-1.0, **({} if plain else said)
        )
        if plain and axis == 2:
            x = graph.add("Transpose", x, perm=[0, 2, 1])
        x = graph.add("Flatten", x)
        graphs.append(
            graph.model(graph.add("MatMul", x, np.random.default_rng(9).choice([-1.0, 1.0], (48, 5))))
        )
    images = rng.integers(0, 256, (50, *shape)).astype(np.uint8)
    assert assert_as_the_graph(*graphs, images, images / np.float32(255)).image_shape in (
        shape,
        (shape[0], 1, shape[1]),
    )


def test_thresholds_of_no_axis():
    graph = Graph()
    x = graph.add("MultiThreshold", graph.input((1, 3, 16)), np.zeros((4, 1)), data_layout="NCW")
    end = graph.add("MatMul", graph.add("Flatten", x), np.ones((48, 2)))
    with pytest.raises(
        ModelError, match="has thresholds of 4 channels, where axis 1 of the shape .* has 3; its data_layout"
    ):
        loads(graph.bytes(end))
    graph.nodes[0].attribute[0].s = b"NHWC"
    with pytest.raises(ModelError, match="has the data_layout 'NHWC', which does not fit the shape"):
        loads(graph.bytes(end))


def image(seed):
    """An image network, channels last by a Transpose, by operators of their own, and channels first."""
    random = Random(seed)
    rng = random.rng
    channels, height, width = int(rng.integers(1, 6)), int(rng.integers(3, 9)), int(rng.integers(3, 9))
    level = rng.integers(60, 200, channels) / 255
    kernels = random.signs(4, channels, 2, 2), random.signs(3, 4, 1, 2)
    norm = rng.choice([0.5, 1.0, -2.0], 4), rng.integers(-2, 3, 4) + 0.5, np.zeros(4), np.ones(4)
    stride, pool, dense = random.pick(1, 2), random.pick(0, 1), None
    graphs = []
    for form in ("first", "transposed", "operators"):
        graph = Graph()
        first = form == "first"
        x = graph.input((1, channels, height, width) if first else (1, height, width, channels))
        if form == "transposed":
            x, first = graph.add("Transpose", x, perm=[0, 3, 1, 2]), True
        x = graph.bipolar(graph.add("Sub", x, level.reshape((-1, 1, 1) if first else (-1,))))
        size = height, width
        for at, weights in enumerate(kernels):
            if not first:
                weights = weights.transpose(0, 2, 3, 1)
            kernel, move = ((2, 2), stride) if at == 0 else ((1, 2), 1)
            x = graph.add("Conv", x, weights, kernel_shape=kernel, strides=[move, move])
            size = tuple((length - each) // move + 1 for length, each in zip(size, kernel, strict=True))
            if min(size) < 2:
                break
            if at == 0:
                x = graph.add("BatchNormalization", x, *norm, epsilon=0.0)
                if pool:
                    x = graph.add("MaxPool", graph.bipolar(x), kernel_shape=[1, 1], strides=[1, 1])
            x = graph.bipolar(x)
        outputs = len(weights)
        if not first:
            for node in graph.nodes:
                if node.op_type in ("Conv", "MaxPool", "BatchNormalization"):
                    node.domain = LAST
        else:
            x = graph.add("Transpose", x, perm=[0, 2, 3, 1])
        x = graph.add("Flatten", graph.bipolar(x))
        dense = random.signs(outputs * size[0] * size[1], 5) if dense is None else dense
        graphs.append(graph.model(graph.add("MatMul", x, dense)))
    return graphs, rng.integers(0, 256, (30, height, width, channels)).astype(np.uint8)


@pytest.mark.parametrize("seed", range(30))
def test_channels_first_and_last(seed):
    (first, *others), images = image(seed)
    inputs = images.transpose(0, 3, 1, 2) / np.float32(255)
    shapes = set()
    for each in (first, *others):
        network = assert_as_the_graph(each, first, images, inputs)
        shapes.add(network and network.image_shape)
    assert len(shapes) == 1


class TestLayoutOfTheInput:
    def shape(self, shape, add, layout=None, **properties):
        graph = Graph()
        x = add(graph, graph.bipolar(graph.add("Sub", graph.input((1, *shape)), 0.5)))
        size = int(np.prod(shape)) if graph.nodes[-1].op_type != "Conv" else None
        x = graph.add("Flatten", x)
        if size is None:
            return graph
        model = graph.model(graph.add("MatMul", x, np.random.default_rng(0).choice([-1.0, 1.0], (size, 3))))
        if layout is not None:
            model.graph.quantization_annotation.append(
                onnx.TensorAnnotation(
                    tensor_name="x",
                    quant_parameter_tensor_names=[
                        onnx.StringStringEntryProto(key="tensor_layout", value=layout)
                    ],
                )
            )
        onnx.helper.set_model_props(model, properties)
        return loads(model.SerializeToString()).image_shape

    def test_nothing_says(self):
        plain = lambda graph, x: x
        assert self.shape((2, 6, 7), plain) == (6, 7, 2)
        assert self.shape((1, 6, 7), plain) == (6, 7) and self.shape((6, 7, 1), plain) == (6, 7)
        assert self.shape((3, 6, 3), plain) == (6, 3, 3) and self.shape((6, 7, 3), plain) == (6, 7, 3)

    def test_annotation(self):
        plain = lambda graph, x: x
        assert self.shape((4, 6, 5), plain, "['N', 'H', 'W', 'C']") == (4, 6, 5)
        assert self.shape((4, 6, 3), plain, "['N', 'C', 'H', 'W']") == (6, 3, 4)

    def test_thresholds_of_channels(self):
        per = lambda count, **said: (
            lambda graph, x: graph.add("MultiThreshold", x, np.zeros((count, 1)), **said)
        )
        assert self.shape((2, 6, 3), per(2)) == (6, 3, 2)
        assert self.shape((6, 2, 5), per(5, data_layout="NHWC")) == (6, 2, 5)

    def test_a_transpose_further_on_does_not_count(self):
        def add(graph, x):
            x = graph.bipolar(graph.add("Conv", x, np.ones((2, 2, 1, 1)), kernel_shape=[1, 1]))
            return graph.add("Transpose", x, perm=[0, 3, 1, 2])

        assert self.shape((2, 9, 3), add) == (9, 3, 2)


@pytest.mark.parametrize("seed", range(40))
def test_parts_of_an_image(seed):
    """Slices of the pixels and of what layers give: what no one takes is left out, whatever its value."""
    random = Random(seed)
    rng, graph = random.rng, Graph()
    channels, size, raw = (
        int(rng.integers(1, 3)),
        [int(each) for each in rng.integers(7, 12, 2)],
        random.pick(0, 1),
    )
    shape = (channels, *size)
    x = graph.input((1, *shape))

    def cut(x, multiple=1):
        at = int(rng.integers(3))  # the axis, or both
        starts, ends = [], []
        for axis in range(2):
            start = int(rng.integers(2)) * multiple if at in (axis, 2) else 0
            end = size[axis] - int(rng.integers(2)) if at in (axis, 2) else size[axis]
            starts.append(start), ends.append(end)
            size[axis] = end - start
        return graph.add("Slice", x, *(graph.constant(each, np.int64) for each in (starts, ends, [2, 3])))

    if random.pick(0, 1):
        x = cut(x, 2)
    if not raw:
        x = graph.bipolar(
            graph.add("Sub", x, rng.integers(60, 200, random.pick((1, 1, 1), (channels, 1, 1))) / 256)
        )
    layers = random.pick(0, 1, 2)
    for at in range(layers):
        stride = random.pick(1, 2) if at == 0 else 1
        x = graph.add(
            "Conv", x, random.signs(3, channels, 2, 2), kernel_shape=[2, 2], strides=[stride, stride]
        )
        size = [(each - 2) // stride + 1 for each in size]
        x, channels = graph.bipolar(graph.add("Add", x, 0.5)), 3
        if min(size) > 2:
            x = cut(x)
        if at and random.pick(0, 1):
            x = graph.add("MaxPool", x, kernel_shape=[1, 1], strides=[1, 1])
    x = graph.add("Flatten", x if layers else cut(x))
    inputs = channels * size[0] * size[1]
    if random.pick(0, 1) or not layers:
        x = graph.bipolar(
            graph.add(
                "Add",
                graph.add("Mul", graph.add("MatMul", x, random.signs(inputs, 9)), rng.choice([-1.0, 2.0], 9)),
                0.25,
            )
        )
        inputs = 9
    model = graph.model(graph.add("MatMul", x, random.signs(inputs, 4)))
    images = rng.integers(0, 256, (40, *shape)).astype(np.uint8)
    assert_as_the_graph(model, model, images.transpose(0, 2, 3, 1), images / np.float32(256), pixels="fixed")


class TestRefused:
    def bad(self, graph, x, size):
        end = graph.add("MatMul", graph.add("Flatten", graph.bipolar(x)), np.ones((size, 2)))
        with pytest.raises(ModelError) as caught:
            loads(graph.bytes(end), source="net.onnx")
        return str(caught.value)

    def pixels(self, graph, *shape):
        return graph.bipolar(graph.add("Sub", graph.input((1, *shape)), 0.5))

    def test_part_that_a_stride_does_not_meet(self):
        graph = Graph()
        x = graph.add(
            "Slice",
            self.pixels(graph, 1, 7, 7),
            *(graph.constant(each, np.int64) for each in ([1, 1], [7, 7], [2, 3])),
        )
        x = graph.add("Conv", x, np.ones((2, 1, 2, 2)), kernel_shape=[2, 2], strides=[2, 2])
        assert (
            "moved or cut in between; use Reshape, Transpose and Slice only after the convolutions, and crop"
            " images before" in self.bad(graph, x, 18)
        )

    @pytest.mark.parametrize("op", ["Conv", "MaxPool"])
    def test_rows_and_columns_that_a_reshape_has_changed(self, op):
        graph = Graph()
        x = graph.add("Reshape", self.pixels(graph, 1, 8, 5), graph.constant([1, 1, 5, 8], np.int64))
        operands = [np.ones((1, 1, 3, 3))] if op == "Conv" else []
        x = graph.add(op, x, *operands, kernel_shape=[3, 3])
        assert "its elements were moved or cut in between" in self.bad(graph, x, 18)

    def test_convolution_of_three_dimensions(self):
        graph = Graph()
        x = graph.add("Reshape", self.pixels(graph, 1, 8, 8), graph.constant([1, 1, 4, 4, 4], np.int64))
        x = graph.add("Conv", x, np.ones((1, 1, 2, 2, 2)), kernel_shape=[2, 2, 2])
        assert (
            "must have a kernel and strides for the 3 axes of an image (rows, columns) or a sequence (length)"
            in self.bad(graph, x, 27)
        )


def test_one_row_of_pixels_is_a_flat_input_that_becomes_a_sequence():
    graph = Graph()
    x = graph.add(
        "Reshape",
        graph.bipolar(graph.add("Sub", graph.input((1, 24)), 0.5)),
        graph.constant([1, 3, 8], np.int64),
    )
    rng = np.random.default_rng(4)
    x = graph.add("Conv", x, rng.choice([-1.0, 1.0], (5, 3, 3)), kernel_shape=[3])
    model = graph.model(
        graph.add("MatMul", graph.add("Flatten", graph.bipolar(x)), rng.choice([-1.0, 1.0], (30, 4)))
    )
    images = rng.integers(0, 256, (40, 24)).astype(np.uint8)
    assert_as_the_graph(model, model, images, images / np.float32(255))


# -------------------------------------------------------------------------------- quantisation by
# QuantizeLinear


@pytest.mark.parametrize("seed", range(60))
def test_quantize_and_dequantize(seed):
    """What Brevitas exports as QCDQ: weights, pixels and activations by QuantizeLinear, Clip and
    DequantizeLinear.
    """
    random = Random(seed)
    rng, graph = random.rng, Graph(opset=21)
    inputs, hidden = int(rng.integers(8, 20)), int(rng.integers(4, 12))

    def quantised(x, scale, zero, low, high, kind, axis=1):
        zero = graph.constant(zero, kind) if zero is not None else None
        scale = graph.constant(scale)
        q = graph.add("QuantizeLinear", x, scale, *([zero] if zero else []), axis=axis)
        if low is not None:
            q = graph.add("Clip", q, graph.constant(low, kind), graph.constant(high, kind))
        return graph.add("DequantizeLinear", q, scale, *([zero] if zero else []), axis=axis)

    def weights(rows, columns):
        latent = rng.uniform(-1.4, 1.4, (rows, columns)).astype(np.float32)
        if random.pick(0, 1):
            latent, low = np.where(latent < 0, -1.0, 1.0), -1
        else:
            low = -1
        scale = 2.0 ** rng.integers(-2, 2, random.pick((), (columns,)))
        zero = np.zeros(np.shape(scale))
        return quantised(graph.constant(latent * scale), scale, zero, low, 1, np.int8)

    raw = random.pick(0, 0, 1)  # integers that the file says how to read
    x = graph.input((1, inputs), TensorProto.UINT8 if raw else TensorProto.FLOAT)
    if raw:
        x = graph.add("DequantizeLinear", x, 2.0**-7, graph.constant(int(rng.integers(100, 156)), np.uint8))
    elif random.pick(0, 1):
        x = quantised(x, 2.0 ** -int(rng.integers(1, 4)), None, None, None, np.uint8)
    else:
        x = quantised(graph.add("Sub", x, 0.5), 2.0 ** -int(rng.integers(0, 8)), 0, -128, 127, np.int8)
    x = graph.add("Add", graph.add("MatMul", x, weights(inputs, hidden)), rng.integers(-2, 3, hidden) / 4)
    match random.pick("signed", "unsigned", "channels", "zero"):
        case "signed":
            x = quantised(x, 1.0, 0, -1, 1, np.int8)
        case "unsigned":
            x = quantised(graph.add("Relu", x), 0.5, 0, 0, 3, np.uint8)
        case "channels":
            x = quantised(x, np.full(hidden, 0.5), np.zeros(hidden), -2, 1, np.int8)
        case "zero":
            x = quantised(x, 0.5, 3, 2, 5, np.uint8)
    model = graph.model(graph.add("MatMul", x, weights(hidden, 5)))
    file = graph.model(model.graph.output[0].name)
    file.opset_import[0].version = random.pick(
        13, 21
    )  # the executor knows the operators of 19 and later only
    images = rng.integers(0, 256, (40, inputs)).astype(np.uint8)
    assert_as_the_graph(
        file, model, images, images if raw else images / np.float32(256), pixels=None if raw else "fixed"
    )


@pytest.mark.parametrize(
    "kind, low, high",
    [("INT4", -8, 7), ("UINT4", 0, 15), ("INT8", -128, 127), ("UINT8", 0, 255), ("INT16", -32768, 32767)],
)
def test_quantisation_saturates_at_its_type(kind, low, high):
    from sbgen.compiler.frontends.qonnx.node import Node
    from sbgen.compiler.frontends.qonnx.quantisers import quantize_linear

    for zero in (None, np.zeros((), onnx.helper.tensor_dtype_to_np_dtype(getattr(TensorProto, kind)))):
        proto = onnx.helper.make_node(
            "QuantizeLinear",
            ["x", "s"],
            ["y"],
            **({"output_dtype": getattr(TensorProto, kind)} if zero is None else {}),
        )
        x = np.array([[-1e6, -0.5, 0.5, 1.5, 2.5, 1e6]], np.float32)
        function, operands = quantize_linear(Node(0, proto, 21), x, np.float32(1), zero)
        assert function(*operands).tolist() == [[low, 0, 0, 2, 2, high]]


@pytest.mark.parametrize(
    "domain, op, remedy",
    [
        ("", "QLinearMatMul", "export the model as QONNX (Brevitas' export_qonnx) or as QCDQ"),
        ("", "ConvInteger", "export the model as QONNX"),
        ("com.microsoft", "QLinearAdd", "export the model as QONNX"),
        (
            "finn.custom_op.fpgadataflow",
            "MatrixVectorActivation",
            "FINN's hardware graph; take the file that FINN was given",
        ),
        ("finn.custom_op.fpgadataflow.hls", "MVAU_hls", "take the file that FINN was given"),
        ("finn.custom_op.fpgadataflow", "StreamingDataflowPartition", "take the file that FINN was given"),
        ("qonnx.custom_op.general", "Im2Col", "take the file that FINN was given"),
    ],
)
def test_operators_of_other_exports(domain, op, remedy):
    graph = Graph()
    x = graph.bipolar(graph.add("Sub", graph.input((1, 3)), 0.5))
    graph.nodes.append(onnx.helper.make_node(op, [x], ["y"], domain=domain))
    with pytest.raises(ModelError) as caught:
        loads(graph.bytes("y"))
    assert f"the operator {domain + '.' if domain else ''}{op} is not supported; " in str(
        caught.value
    ) and remedy in str(caught.value)
