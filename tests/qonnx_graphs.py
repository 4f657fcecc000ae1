"""QONNX graphs for tests: a builder, random graphs in the forms that exporters write, and an executor.

The executor is onnx's reference evaluator with quantisers as the ``qonnx`` package defines them. It shares no
code with sbgen's reader.
"""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun

DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas")


class Graph:
    """Builds a graph node by node. Operators whose form depends on the opset have a method."""

    def __init__(self, *, opset=13, domain=DOMAINS[0], named=True):
        self.opset, self.domain, self.named = opset, domain, named
        self.nodes, self.constants, self.made, self.inputs = [], [], 0, []

    def fresh(self):
        self.made += 1
        return f"t{self.made}"

    def constant(self, value, kind=np.float32):
        self.constants.append(numpy_helper.from_array(np.asarray(value, kind), self.fresh()))
        return self.constants[-1].name

    def add(self, op, *inputs, outputs=1, **attributes):
        names = [self.fresh() for _ in range(outputs)]
        quantiser = op in ("BipolarQuant", "MultiThreshold", "Quant")
        self.nodes.append(
            helper.make_node(
                op,
                [each if isinstance(each, str) else self.constant(each) for each in inputs],
                names,
                name=f"/{op}_{self.made}" if self.named else "",
                domain=self.domain if quantiser else "",
                **attributes,
            )
        )
        return names[0] if outputs == 1 else names

    def input(self, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info("x", kind, shape))
        return "x"

    def bipolar(self, x, scale=1.0):
        return self.add("BipolarQuant", x, scale)

    def unsqueeze(self, x, axis):
        if self.opset < 13:
            return self.add("Unsqueeze", x, axes=[axis])
        return self.add("Unsqueeze", x, self.constant([axis], np.int64))

    def pad(self, x, pads, value):
        if self.opset < 11:
            return self.add("Pad", x, pads=pads, value=value)
        return self.add("Pad", x, self.constant(pads, np.int64), value)

    def clip(self, x, low, high):
        return self.add("Clip", x, min=low, max=high) if self.opset < 11 else self.add("Clip", x, low, high)

    def model(self, *outputs):
        graph = helper.make_graph(
            self.nodes,
            "graph",
            self.inputs,
            [helper.make_tensor_value_info(each, TensorProto.FLOAT, None) for each in outputs],
            self.constants,
        )
        return helper.make_model(
            graph,
            ir_version=4 if self.opset < 11 else 8,
            opset_imports=[helper.make_opsetid("", self.opset), helper.make_opsetid(self.domain, 1)],
        )

    def bytes(self, *outputs):
        return self.model(*outputs).SerializeToString()


def _quantisers(domain):
    class BipolarQuant(OpRun):
        op_domain = domain

        def _run(self, x, scale):
            return (np.where(x >= 0, np.float32(1), np.float32(-1)) * scale,)

    class Quant(OpRun):
        op_domain = domain

        def _run(self, x, scale, zero, bits, narrow=None, signed=None, rounding_mode=None):
            assert rounding_mode in ("ROUND", None)
            y = x / scale + zero
            if not signed:
                y = np.round(np.clip(y, 0, 2**bits - 1 - narrow))
            elif bits == 1:
                y = np.where(y >= 0, np.float32(1), np.float32(-1))
            else:
                y = np.round(np.clip(y, -(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1))
            return (((y - zero) * scale).astype(np.float32),)

    class MultiThreshold(OpRun):
        op_domain = domain

        def _run(self, x, thresholds, out_scale=None, out_bias=None, out_dtype=None, data_layout=None):
            steps = thresholds.reshape(thresholds.shape[0], *(1,) * (x.ndim - 2), -1)
            count = (x[..., None] >= steps[None]).sum(-1)
            return ((out_scale * count + out_bias).astype(np.float32),)

    class BatchNormalization(OpRun):
        """onnx's own takes the statistics of the batch before opset 14, as if it were in training."""

        op_domain = ""

        def _run(self, x, scale, bias, mean, variance, epsilon=None, momentum=None, training_mode=None):
            scale, bias, mean, variance = (
                each.reshape(-1, *(1,) * (x.ndim - 2)) for each in (scale, bias, mean, variance)
            )
            return ((x - mean) / np.sqrt(variance + np.float32(epsilon)) * scale + bias,)

    class Gather(OpRun):
        """onnx's own fails before 1.22 on indices that are not contiguous."""

        op_domain = ""

        def _run(self, x, indices, axis=None):
            return (np.take(x, indices, axis=axis or 0),)

    class MaxPool(OpRun):
        """onnx's own mixes up the sides of pads that differ."""

        op_domain = ""

        def _run(
            self,
            x,
            auto_pad=None,
            ceil_mode=None,
            dilations=None,
            kernel_shape=None,
            pads=None,
            storage_order=None,
            strides=None,
        ):
            if x.ndim == 3:  # a sequence
                pads = pads and [0, pads[0], 0, pads[1]]
                return (
                    self._run(
                        x[:, :, None],
                        auto_pad,
                        ceil_mode,
                        None,
                        [1, *kernel_shape],
                        pads,
                        None,
                        strides and [1, *strides],
                    )[0][:, :, 0],
                )
            strides, pads = strides or [1, 1], pads or [0, 0, 0, 0]
            if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
                total = [
                    max(0, (-(-size // step) - 1) * step + kernel - size)
                    for size, step, kernel in zip(x.shape[2:], strides, kernel_shape, strict=True)
                ]
                small = [each // 2 for each in total]
                large = [each - half for each, half in zip(total, small, strict=True)]
                pads = small + large if auto_pad == "SAME_UPPER" else large + small
            counts = [
                (size + first + last - kernel) / step + 1
                for size, first, last, kernel, step in zip(
                    x.shape[2:], pads[:2], pads[2:], kernel_shape, strides, strict=True
                )
            ]
            rows, columns = (int(np.ceil(count) if ceil_mode else count) for count in counts)
            wide = np.full(
                (*x.shape[:2], *(size + pad + 9 for size, pad in zip(x.shape[2:], pads[:2], strict=True))),
                -np.inf,
                x.dtype,
            )
            wide[:, :, pads[0] : pads[0] + x.shape[2], pads[1] : pads[1] + x.shape[3]] = x
            return (
                np.stack(
                    [
                        np.stack(
                            [
                                wide[
                                    :,
                                    :,
                                    row * strides[0] : row * strides[0] + kernel_shape[0],
                                    column * strides[1] : column * strides[1] + kernel_shape[1],
                                ].max(axis=(2, 3))
                                for column in range(columns)
                            ],
                            axis=-1,
                        )
                        for row in range(rows)
                    ],
                    axis=-2,
                ),
            )

    return [BipolarQuant, Quant, MultiThreshold, BatchNormalization, Gather, MaxPool]


def execute(model, images):
    """The outputs of a model for images in the layout of its graph.

    Images run one by one, as some exporters fix the batch size at 1.
    """
    evaluator = ReferenceEvaluator(
        model,
        new_ops=[
            op
            for domain in {each.domain for each in model.opset_import} & {*DOMAINS}
            for op in _quantisers(domain)
        ],
    )
    name = model.graph.input[0].name
    return np.concatenate([evaluator.run(None, {name: image[None]})[0] for image in images])


class _Random:
    """Builds one random graph. All its numbers are exact in float32, so every executor must agree."""

    def __init__(self, seed):
        self.random = np.random.default_rng([seed, 3])
        self.inverted = False  # whether a negative scale follows a pool
        self.graph = Graph(
            opset=int(self.pick(9, 11, 13, 21)), domain=self.pick(*DOMAINS), named=bool(self.pick(0, 1))
        )

    def pick(self, *choices):
        return choices[self.random.integers(len(choices))]

    def scales(self, count):
        """`count` random powers of two."""
        return 2.0 ** self.random.integers(-3, 3, count)

    def weights(self, shape, *, transposed=False):
        """A weight operand of `shape`, in one of the forms that exporters write."""
        graph = self.graph
        outputs = shape[0]
        latent = self.random.normal(size=shape).astype(np.float32)
        scale = self.scales(outputs if self.pick(0, 1) else 1) * self.pick(1, 1, -1)
        scale = scale.reshape(-1, *(1,) * (len(shape) - 1)).astype(np.float32)
        match self.pick("initialiser", "bipolar", "quant"):
            case "initialiser":
                value = np.where(latent >= 0, np.float32(1), np.float32(-1)) * scale
                return graph.constant(value.T if transposed else value)
            case "bipolar":
                operand = graph.bipolar(graph.constant(latent), scale)
            case "quant":
                operand = graph.add(
                    "Quant",
                    graph.constant(latent),
                    np.abs(scale),
                    0.0,
                    1.0,
                    signed=1,
                    narrow=1,
                    rounding_mode="ROUND",
                )
        return graph.add("Transpose", operand, perm=[1, 0]) if transposed else operand

    def norm(self, x, channels, inputs, image):
        """Nothing, a batch norm or a chain of Mul, Add, Sub and Div."""
        graph, random = self.graph, self.random
        mean = np.where(
            random.integers(0, 2, channels),
            random.integers(-3, 4, channels),
            random.normal(0, inputs**0.5, channels),
        ).astype(np.float32)
        factor = random.choice([-2.0, -0.5, 0.0, 0.25, 1.0, 4.0], channels).astype(np.float32)
        match self.pick("none", "norm", "norm", "chain"):
            case "norm":
                bias = random.choice([0.0, 0.0, 0.5, -1.0], channels)
                return graph.add(
                    "BatchNormalization", x, factor, bias, mean, np.full(channels, 0.25), epsilon=0.0
                )
            case "chain":
                form = (-1, 1, 1) if image else (-1,)
                x = graph.add("Sub", x, mean.reshape(form))
                x = graph.add("Div", x, self.scales(channels).reshape(form))
                x = graph.add("Mul", x, factor.reshape(form))
                return graph.add("Identity", x) if self.pick(0, 1) else graph.clip(x, -1.0, 1.0)
        return x

    def sign(self, x, channels):
        graph = self.graph
        match self.pick("bipolar", "quant", "threshold", "two bits"):
            case "bipolar":
                return graph.bipolar(x, self.pick(1.0, 0.5))
            case "quant":
                return graph.add(
                    "Quant", x, self.pick(1.0, 0.25), 0.0, 1.0, signed=1, narrow=1, rounding_mode="ROUND"
                )
            case "two bits":
                return graph.add(
                    "Quant",
                    x,
                    self.pick(1.0, 0.5),
                    0.0,
                    2.0,
                    signed=1,
                    narrow=self.pick(0, 1),
                    rounding_mode="ROUND",
                )
            case "threshold":
                steps = self.random.normal(0, 0.5, (self.pick(1, channels), 1))
                return graph.add(
                    "MultiThreshold", x, steps, out_dtype="BIPOLAR", out_scale=2.0, out_bias=-1.0
                )

    def build(self):
        graph, random = self.graph, self.random
        channels, height, width = (int(each) for each in random.integers((1, 5, 5), (4, 10, 10)))
        flat = bool(self.pick(0, 0, 1))
        shape = (channels * height * width,) if flat else (channels, height, width)
        raw = bool(self.pick(0, 1))
        batch = self.pick(1, "batch")
        x = graph.input((batch, *shape), TensorProto.UINT8 if raw else TensorProto.FLOAT)
        if raw:
            x = graph.add("Cast", x, to=TensorProto.FLOAT)
            x = graph.add("Sub", x, random.integers(60, 200, (1,) if flat else (channels, 1, 1)))
        else:
            x = graph.add(
                "Sub", graph.add("Mul", x, 2.0), random.uniform(0.5, 1.5, (1,) if flat else (channels, 1, 1))
            )
        x = self.sign(x, shape[0])
        if not flat:
            for _ in range(random.integers(1, 4)):
                x, shape = self.conv(x, shape)
            x = self.flatten(x, shape)
        inputs = int(np.prod(shape))
        for _ in range(random.integers(0, 3)):
            outputs = int(random.integers(1, 20))
            x = self.sign(self.norm(self.dense(x, inputs, outputs), outputs, inputs, False), outputs)
            if self.pick(0, 1):
                x = graph.add("Dropout", x)
            inputs = outputs
        classes = int(random.integers(2, 11))
        x = graph.bipolar(x)  # which offsets classes by whole steps
        x = graph.add("MatMul", x, graph.constant(random.choice([-1.0, 1.0], (inputs, classes))))
        if self.pick(0, 1):
            x = graph.add("Mul", graph.add("Add", x, self.pick(0.0, 1.5, -2.0)), self.pick(0.125, 1.0, 4.0))
        scores = x
        if self.pick(0, 0, 1):
            x = graph.add("Softmax", x, axis=1)
        model = graph.model(scores)
        if x != scores:  # executed without it: what keeps the order may round it away
            file = graph.model(x)
        elif self.pick(0, 1):
            label = graph.add("ArgMax", scores, axis=1, keepdims=0)
            file = graph.model(label)
        else:
            file = model
        images = np.where(
            random.integers(0, 2, (12, 1)),
            random.integers(0, 256, (12, channels * height * width)),
            random.integers(0, 256, (12, 1)),
        ).astype(np.uint8)
        x = images.reshape(12, *((-1,) if flat else (channels, height, width)))
        ours = images if flat else x.transpose(0, 2, 3, 1).reshape(12, -1)
        return file, model, ours, x if raw else x / np.float32(255)

    def conv(self, x, shape):
        graph, random = self.graph, self.random
        channels, height, width = shape
        groups = self.pick(1, 1, channels)
        outputs = groups * int(random.integers(1, 6))
        kernel = [int(random.integers(1, min(4, size + 1))) for size in (height, width)]
        stride = [self.pick(1, 1, 2), self.pick(1, 1, 2)]
        pads, own = [0, 0, 0, 0], [0, 0, 0, 0]
        if self.pick(0, 1) and not self.inverted:
            pads = [int(random.integers(size)) for size in (*kernel, *kernel)]
            if self.pick(0, 1):
                own = pads  # the convolution pads with 0, of bits that are 0 and 1
                x = graph.add("MultiThreshold", x, [[0.0]], out_dtype="BINARY", out_scale=1.0, out_bias=0.0)
            elif any(pads):
                x = self.graph.bipolar(x)  # whatever scale it had, it is -1 and +1 now
                x = graph.pad(x, [0, 0, *pads[:2], 0, 0, *pads[2:]], self.pick(-1.0, 1.0))
        operands = [x, self.weights((outputs, channels // groups, *kernel))]
        if self.pick(0, 1):
            operands.append(random.integers(-4, 5, outputs) / 2)
        x = graph.add("Conv", *operands, kernel_shape=kernel, strides=stride, group=groups, pads=own)
        height, width = (
            (size + pads[at] + pads[at + 2] - kernel[at]) // stride[at] + 1
            for at, size in enumerate((height, width))
        )
        pool = self.pick("none", "before", "after", "bits")
        self.inverted = pool == "before"
        kernel = [self.pick(1, 2) if size > 1 else 1 for size in (height, width)]
        stride = [self.pick(1, 2), 1]
        inputs = channels // groups * 9
        for at in ("before", "after", "bits"):
            if pool == at:
                x = graph.add("MaxPool", x, kernel_shape=kernel, strides=stride)
                height, width = (
                    (size - each) // move + 1
                    for size, each, move in zip((height, width), kernel, stride, strict=True)
                )
            if at == "before":
                x = self.norm(x, outputs, inputs, True)
            elif at == "after":
                x = self.sign(x, outputs)
        return x, (outputs, height, width)

    def flatten(self, x, shape):
        graph, size = self.graph, int(np.prod(shape))
        match self.pick("flatten", "reshape", "arithmetic", "last"):
            case "flatten":
                return graph.add("Flatten", x)
            case "reshape":
                return graph.add("Reshape", x, graph.constant([0, -1], np.int64))
            case "arithmetic":  # x.view(x.shape[0], -1) as PyTorch traces it
                first = graph.add("Gather", graph.add("Shape", x), graph.constant(0, np.int64), axis=0)
                rest = graph.add("Constant", value=numpy_helper.from_array(np.array(-1)))
                where = graph.add("Concat", graph.unsqueeze(first, 0), graph.unsqueeze(rest, 0), axis=0)
                return graph.add("Reshape", x, where)
            case "last":
                return graph.add(
                    "Reshape",
                    graph.add("Transpose", x, perm=[0, 2, 3, 1]),
                    graph.constant([1, size], np.int64),
                )

    def dense(self, x, inputs, outputs):
        graph = self.graph
        match self.pick("matmul", "gemm", "bias"):
            case "matmul":
                return graph.add("MatMul", x, self.weights((outputs, inputs), transposed=True))
            case "gemm":
                return graph.add("Gemm", x, self.weights((outputs, inputs)), np.zeros(outputs), transB=1)
            case "bias":
                bias = self.random.integers(-3, 4, outputs) / 2
                return graph.add(
                    "Gemm", x, self.weights((outputs, inputs), transposed=True), bias, alpha=0.5, beta=2.0
                )


def random_graph(seed):
    """A random graph and images for it.

    Returns
    -------
    tuple
        The file; the same without the nodes after its scores; images in sbgen's layout; the same in the
        graph's layout.
    """
    return _Random(seed).build()
