"""QONNX files of inputs, pools and last layers of every form, from the file to the scores of their emitted
Verilog, against a NumPy executor of the graph.
"""

import sys
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")

sys.path.append(str(Path(__file__).parent.parent / "tests"))
from qonnx_graphs import Graph, execute

from sbgen.compiler import fold, passes, simulate, verilog
from sbgen.compiler.device import DEVICES
from sbgen.compiler.frontends.qonnx import loads
from sbgen.compiler.lower import lower
from sbgen.errors import ToolError

SEED = 5


def signs(*shape):
    return np.random.default_rng([SEED, *shape]).choice([-1.0, 1.0], shape)


def integers(graph):
    """Neurons on whole values of a signed type."""
    x = graph.add("MatMul", graph.input((1, 30)), signs(30, 8))
    return graph.add("MatMul", graph.bipolar(graph.add("Add", x, 0.5)), signs(8, 4))


def thresholds(graph):
    """A threshold of its own for each value of a signed type, which bytes in their order do not have."""
    x = graph.bipolar(
        graph.add("Sub", graph.input((1, 30)), np.random.default_rng(SEED).integers(-3, 4, 30) + 0.5)
    )
    return graph.add("MatMul", graph.bipolar(graph.add("MatMul", x, signs(30, 9))), signs(9, 4))


def sequence(graph):
    """1-D convolutions, the second in groups, and a pool."""
    x = graph.bipolar(graph.add("Sub", graph.input((1, 3, 14)), 0.5))
    x = graph.bipolar(graph.add("Conv", x, signs(4, 3, 3), kernel_shape=[3]))
    x = graph.add("MaxPool", x, kernel_shape=[2], strides=[2])
    x = graph.bipolar(graph.add("Conv", x, signs(6, 2, 2), kernel_shape=[2], group=2))
    return graph.add("MatMul", graph.add("Flatten", x), signs(30, 4))


def part(graph):
    """A Slice before a convolution, and one before neurons."""
    x = graph.bipolar(graph.add("Sub", graph.input((1, 2, 8, 9)), 0.5))
    x = graph.add("Slice", x, *(graph.constant(each, np.int64) for each in ([2, 0], [8, 8], [2, 3])))
    x = graph.bipolar(graph.add("Conv", x, signs(4, 2, 2, 2), kernel_shape=[2, 2], strides=[2, 1]))
    x = graph.add("Slice", x, *(graph.constant(each, np.int64) for each in ([1], [6], [3])))
    return graph.add("MatMul", graph.add("Flatten", x), signs(60, 4))


def bits(graph):
    """An image of 4 channels of 9 x 8 bits."""
    x = graph.bipolar(graph.add("Sub", graph.input((1, 1, 11, 10)), 0.5))
    return graph.bipolar(
        graph.add("Add", graph.add("Conv", x, signs(4, 1, 3, 3), kernel_shape=[3, 3]), [[[0.5]]])
    )


def padded_pool(graph):
    """Padding on all sides by the pool, and a Pad of the lowest value before another."""
    x = graph.add("MaxPool", bits(graph), kernel_shape=[3, 3], strides=[2, 1], pads=[1, 2, 2, 1])
    x = graph.bipolar(graph.add("Conv", x, signs(5, 4, 2, 2), kernel_shape=[2, 2]))
    x = graph.add(
        "MaxPool", graph.pad(x, [0, 0, 0, 1, 0, 0, 1, 0], -1.0), kernel_shape=[2, 2], strides=[2, 2]
    )
    return graph.add("MatMul", graph.add("Flatten", x), signs(5 * 2 * 4, 4))


def mean(graph):
    """The mean of a map of scores, of which the sums of the convolution's inputs are taken."""
    x = graph.add("Conv", bits(graph), signs(4, 4, 3, 3), kernel_shape=[3, 3])
    return graph.add("Flatten", graph.add("GlobalAveragePool", x))


def mean_of_counts(graph):
    """The same of a convolution with a stride, whose counts are added."""
    x = graph.add("Conv", bits(graph), signs(4, 4, 3, 3), kernel_shape=[3, 3], strides=[2, 2])
    return graph.add("Flatten", graph.add("GlobalAveragePool", x))


def last_convolution(graph):
    """Scores of a convolution with one position and padding."""
    x = graph.pad(bits(graph), [0, 0, 1, 0, 0, 0, 0, 1], 1.0)
    return graph.add("Flatten", graph.add("Conv", x, signs(4, 2, 10, 9), kernel_shape=[10, 9], group=2))


def turning(graph):
    """Functions that turn before a quantiser, and a shortcut of two bits."""
    x = graph.add("Sin", graph.add("Conv", bits(graph), signs(4, 4, 2, 2), kernel_shape=[2, 2]))
    kept = graph.add(
        "Quant", graph.add("Mul", x, 2.0), 1.0, 0.0, 2.0, signed=1, narrow=0, rounding_mode="ROUND"
    )
    x = graph.add(
        "Conv", graph.pad(kept, [0, 0, 1, 1, 0, 0, 1, 1], -2.0), signs(4, 4, 3, 3), kernel_shape=[3, 3]
    )
    x = graph.add(
        "Add", graph.add("Quant", x, 1.0, 0.0, 2.0, signed=1, narrow=0, rounding_mode="ROUND"), kept
    )
    return graph.add(
        "MatMul", graph.add("Flatten", graph.bipolar(graph.add("Add", x, 1.5))), signs(4 * 8 * 7, 4)
    )


IMAGES = padded_pool, mean, mean_of_counts, last_convolution, turning  # of one channel
CASES = {
    "int8": (integers, "INT8"),
    "int4": (thresholds, "INT4"),
    "bipolar": (integers, "BIPOLAR"),
    "ternary": (thresholds, "TERNARY"),
    "sequence": (sequence, None),
    "part": (part, None),
    **{make.__name__: (make, None) for make in IMAGES},
}


@pytest.mark.parametrize("name", CASES)
def test_scores_of_the_verilog_have_the_order_of_the_graph(name, tmp_path):
    print("seed", SEED)
    make, annotation = CASES[name]
    graph = Graph()
    model = graph.model(make(graph))
    if annotation is not None:
        model.graph.quantization_annotation.append(
            onnx.TensorAnnotation(
                tensor_name="x",
                quant_parameter_tensor_names=[
                    onnx.StringStringEntryProto(key="finn_datatype", value=annotation)
                ],
            )
        )
    network = passes.apply_passes(loads(model.SerializeToString()))
    images = np.random.default_rng(SEED).choice(network.pixel_type.bytes, (40, *network.image_shape))
    values = network.pixel_type.values[images] if annotation else images / 255
    if images.ndim == 4:
        values = values.transpose(0, 3, 1, 2)
    elif make in IMAGES:
        values = values[:, None]
    logits = execute(model, values.astype(np.float32))
    assert len(np.unique(logits, axis=0)) > 5
    core = lower(fold.fold(network, DEVICES["up5k"]))
    try:
        simulator = simulate.quickest(network, len(images))
    except ToolError as error:
        pytest.skip(str(error))
    result = simulate.Simulator(
        verilog.convert(core), network, lanes=core.lanes, simulator=simulator, folder=tmp_path
    ).run(images, stall=SEED)
    scores = result.scores
    assert np.array_equal(
        np.sign(scores[:, :, None] - scores[:, None]), np.sign(logits[:, :, None] - logits[:, None])
    )
