"""What enters a QONNX graph: types and annotations of its input, and the axes of an image."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")

from onnx import TensorProto, helper
from qonnx_graphs import Graph, execute

from sbgen.compiler import reference
from sbgen.compiler.frontends import qonnx
from sbgen.compiler.frontends.qonnx import loads
from sbgen.compiler.pixel_type import parse
from sbgen.errors import ModelError

NAMES = [
    *(f"UINT{bits}" for bits in range(1, 9)),
    *(f"INT{bits}" for bits in range(1, 9)),
    "FIXED<8,4>",
    "FIXED<5,3>",
    "BIPOLAR",
    "TERNARY",
    "BINARY",
]


def assert_same_order(scores, logits):
    assert np.array_equal(
        np.sign(scores[:, :, None] - scores[:, None]), np.sign(logits[:, :, None] - logits[:, None])
    )


def annotated(model, annotation, key="finn_datatype"):
    if annotation is not None:
        model.graph.quantization_annotation.append(
            onnx.TensorAnnotation(
                tensor_name="x",
                quant_parameter_tensor_names=[onnx.StringStringEntryProto(key=key, value=annotation)],
            )
        )
    return model


class _Random:
    """A graph of one input type, and images of all its values. What it computes is exact in float32."""

    def __init__(self, name, seed, kind=TensorProto.FLOAT):
        self.held, self.rng, self.graph = (
            parse(name),
            np.random.default_rng([seed, sum(map(ord, name))]),
            Graph(),
        )
        rng, graph, dtype = self.rng, self.graph, helper.tensor_dtype_to_np_dtype(kind)
        self.image = bool(rng.integers(2))
        shape = (2, 4, 5) if self.image else (30,)
        x = graph.input((1, *shape), kind)
        if kind != TensorProto.FLOAT:
            x = graph.add("Cast", x, to=TensorProto.FLOAT)
        levels = np.unique(self.held.values)
        x, levels = self.affine(x, levels)
        match rng.integers(4):
            case 0:  # at a value, or between two
                each = (2, 1, 1) if self.image else shape
                x = graph.bipolar(
                    graph.add(
                        "Sub",
                        x,
                        self.between(levels, each[0] if rng.integers(2) else 1).reshape((-1,) + each[1:]),
                    )
                )
            case 1:
                step = max(abs(levels[0]), abs(levels[-1])) / 2
                x = graph.add(
                    "Quant",
                    x,
                    2.0 ** np.floor(np.log2(step)),
                    0.0,
                    2.0,
                    signed=int(levels[0] < 0),
                    narrow=int(rng.integers(2)),
                    rounding_mode="ROUND",
                )
            case 2:  # a neuron over values, then its sign
                x, shape = self.neurons(x, shape)
                x = graph.bipolar(graph.add("Sub", x, float(levels.mean())))
            case 3:  # a negative step, and one for each channel
                signs = rng.choice([-1.0, 1.0], (2, 1, 1) if self.image else shape)
                x = graph.bipolar(graph.add("Add", graph.add("Mul", x, signs), self.between(levels, 1)))
        x, shape = self.neurons(x, shape)
        x = graph.add("Flatten", graph.bipolar(x))
        end = graph.add("MatMul", x, rng.choice([-1.0, 1.0], (int(np.prod(shape)), 4)))
        self.model = graph.model(end)
        self.bytes = rng.choice(self.held.bytes, (40, *(((4, 5, 2)) if self.image else (30,))))
        values = self.held.values[self.bytes]
        self.inputs = (values.transpose(0, 3, 1, 2) if self.image else values).astype(dtype)

    def affine(self, x, levels):
        for _ in range(self.rng.integers(3)):
            op, value = self.rng.choice(["Mul", "Div", "Add", "Sub"]), float(2.0 ** self.rng.integers(-2, 3))
            x = self.graph.add(str(op), x, value)
            levels = {"Mul": np.multiply, "Div": np.divide, "Add": np.add, "Sub": np.subtract}[op](
                levels, value
            )
        return x, levels

    def between(self, levels, count):
        step = levels[1] - levels[0]
        return self.rng.choice(levels[1:], count) - self.rng.choice([0, step / 2], count)

    def neurons(self, x, shape):
        if len(shape) == 1:
            return self.graph.add("MatMul", x, self.rng.choice([-1.0, 1.0], (*shape, 12))), (12,)
        weights = self.rng.choice([-1.0, 1.0], (3, shape[0], 2, 2))
        return self.graph.add("Conv", x, weights, kernel_shape=[2, 2]), (3, shape[1] - 1, shape[2] - 1)

    def check(self, data):
        logits = execute(self.model, self.inputs)
        try:
            network = loads(data)
        except ModelError as error:  # with few values, the first quantiser may have all on one side
            assert (
                "no pixel of 0 ... 255 changes anything of the input's type" in str(error)
                and (logits == logits[0]).all()
            )
            return None
        assert network.pixel_type == self.held
        assert_same_order(reference.evaluate(network, self.bytes)[0], logits)
        return network


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(6))
def test_annotation_says_what_the_values_are(name, seed):
    print("seed", seed)
    random = _Random(name, seed)
    network = random.check(annotated(random.model, name).SerializeToString())
    if network is None:
        return
    again = qonnx.to_model(network)
    scores = reference.evaluate(network, random.bytes)[0]
    assert np.array_equal(execute(again, random.inputs), scores)
    read = loads(again.SerializeToString())
    assert read.pixel_type == network.pixel_type and np.array_equal(
        reference.evaluate(read, random.bytes)[0], scores
    )


KINDS = {"UINT8": "UINT8", "INT8": "INT8", "BOOL": "BINARY"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(4))
def test_type_says_what_the_values_are(kind, seed):
    print("seed", seed)
    random = _Random(KINDS[kind], seed, getattr(TensorProto, kind))
    random.check(random.model.SerializeToString())


@pytest.mark.parametrize(
    "kind", ["INT8", "UINT16", "INT16", "INT32", "UINT32", "INT64", "UINT64", "DOUBLE", "FLOAT16"]
)
@pytest.mark.parametrize("seed", range(2))
def test_annotation_within_a_wider_type(kind, seed):
    print("seed", seed)
    for name in ("UINT4", "INT3") if not kind.startswith("U") else ("UINT4", "UINT8"):
        random = _Random(name, seed, getattr(TensorProto, kind))
        random.check(annotated(random.model, name).SerializeToString())


@pytest.mark.parametrize("kind", TensorProto.DataType.keys())
@pytest.mark.parametrize(
    "annotation",
    [
        None,
        "UINT8",
        "INT8",
        "INT4",
        "BIPOLAR",
        "TERNARY",
        "BINARY",
        "UINT9",
        "INT32",
        "FIXED<8,4>",
        "FLOAT32",
        "SCALEDINT<8>",
        "nonsense",
    ],
)
def test_every_type_is_read_as_it_says_or_refused(kind, annotation):
    graph = Graph()
    x = graph.add("Cast", graph.input((1, 12), getattr(TensorProto, kind)), to=TensorProto.FLOAT)
    x = graph.bipolar(graph.add("Sub", x, 0.5))
    x = graph.bipolar(graph.add("MatMul", x, np.random.default_rng(1).choice([-1.0, 1.0], (12, 9))))
    end = graph.add("MatMul", x, np.random.default_rng(2).choice([-1.0, 1.0], (9, 3)))
    data = annotated(graph.model(end), annotation).SerializeToString()
    try:
        network = loads(data, source="net.onnx")
    except ModelError as error:
        assert (
            str(error).startswith("net.onnx: input 'x'") and "\n" not in str(error) and len(str(error)) < 420
        )
        assert (kind, annotation) not in {
            ("UINT8", None),
            ("INT8", None),
            ("FLOAT", None),
            ("FLOAT", "INT8"),
            ("INT32", "INT4"),
            ("UINT8", "UINT8"),
            ("FLOAT", "FLOAT32"),
        }
        return
    said = (
        annotation
        if annotation not in (None, "FLOAT32")
        else {"BOOL": "BINARY"}.get(
            kind, kind if kind in ("UINT8", "INT8", "UINT4", "INT4", "UINT2", "INT2") else None
        )
    )
    images = np.random.default_rng(3).integers(0, 256, (30, 12)).astype(np.uint8)
    if said is None:
        assert kind in ("FLOAT", "FLOAT16", "DOUBLE") and network.pixel_type.name == "UINT8"
        values = images / 255
    else:
        assert network.pixel_type.name == said
        images = np.random.default_rng(3).choice(parse(said).bytes, (30, 12))
        values = parse(said).values[images]
        if kind not in (
            "FLOAT",
            "FLOAT16",
            "DOUBLE",
            "UINT2",
            "INT2",
            "UINT4",
            "INT4",
        ):  # which no annotation may leave
            assert np.array_equal(
                values.astype(helper.tensor_dtype_to_np_dtype(getattr(TensorProto, kind))), values
            )
    floats = Graph()  # the same without the cast, which the executor has not for all types
    x = floats.bipolar(floats.add("Sub", floats.input((1, 12)), 0.5))
    x = floats.bipolar(floats.add("MatMul", x, np.random.default_rng(1).choice([-1.0, 1.0], (12, 9))))
    end = floats.add("MatMul", x, np.random.default_rng(2).choice([-1.0, 1.0], (9, 3)))
    assert_same_order(
        reference.evaluate(network, images)[0], execute(floats.model(end), values.astype(np.float32))
    )


def small(annotation=None, kind=TensorProto.FLOAT, before=lambda graph, x: x):
    graph = Graph()
    x = before(graph, graph.input((1, 4), kind))
    x = graph.bipolar(graph.add("MatMul", graph.bipolar(x), np.ones((4, 2))))
    return annotated(graph.model(graph.add("MatMul", x, np.ones((2, 2)))), annotation).SerializeToString()


@pytest.mark.parametrize(
    "values, greatest", [([-1, 0, 0.875], 15), ([0, 0.9375, 2.0625, 3], 16), ([0, 0.5, 1.5], 3)]
)
def test_few_values_of_a_fine_quantiser(values, greatest):
    graph = Graph()
    x = graph.add(
        "Gather",
        np.array([values[min(n, len(values) - 1)] for n in range(256)]),
        graph.add("Cast", graph.input((1, 9)), to=TensorProto.INT64),
    )
    x = graph.add("MatMul", x, np.random.default_rng(1).choice([-1.0, 1.0], (9, 8)))
    x = graph.bipolar(graph.add("Add", x, 0.03125))
    model = annotated(
        graph.model(graph.add("MatMul", x, np.random.default_rng(2).choice([-1.0, 1.0], (8, 3)))), "UINT8"
    )
    network = loads(model.SerializeToString())
    images = np.random.default_rng(3).integers(0, 6, (60, 9)).astype(np.uint8)
    assert_same_order(reference.evaluate(network, images)[0], execute(model, images.astype(np.float32)))
    first = network.layers[0]
    assert (first.table.max() if hasattr(first, "table") else first.levels) == greatest


class TestPixelsOption:
    @pytest.mark.parametrize(
        "annotation, pixels", [("INT8", "raw"), ("UINT4", "raw"), ("TERNARY", "raw"), ("BIPOLAR", "signed")]
    )
    def test_that_says_the_same(self, annotation, pixels):
        half = lambda graph, x: graph.add("Sub", x, 0.5)
        assert loads(small(annotation, before=half), pixels=pixels) == loads(small(annotation, before=half))

    @pytest.mark.parametrize(
        "annotation, pixels",
        [("INT8", "unit"), ("UINT8", "unit"), ("UINT8", "signed"), ("BIPOLAR", "raw"), ("BIPOLAR", "unit")],
    )
    def test_that_contradicts_the_annotation(self, annotation, pixels):
        with pytest.raises(
            ModelError,
            match=(
                f"holds {annotation}, as its annotation says, so a pixel cannot stand for .*leave out "
                f"--pixels {pixels}"
            ),
        ):
            loads(small(annotation), pixels=pixels)

    def test_that_contradicts_the_type(self):
        cast = lambda graph, x: graph.add("Sub", graph.add("Cast", x, to=TensorProto.FLOAT), 9.0)
        with pytest.raises(ModelError, match="holds UINT8, as its type says, so .* leave out --pixels unit$"):
            loads(small(kind=TensorProto.UINT8, before=cast), pixels="unit")

    def test_scaled_integers_need_it(self):
        half = lambda graph, x: graph.add("Sub", x, 0.5)
        with pytest.raises(ModelError, match="has the data type 'SCALEDINT<8>'"):
            loads(small("SCALEDINT<8>", before=half))
        assert (
            loads(small("SCALEDINT<8>", before=half), pixels="unit").layers[0].thresholds.tolist()
            == [[128]] * 4
        )


class TestNothingChanges:
    """A network that no pixel changes, however its pixels were chosen."""

    @pytest.mark.parametrize("pixels", [None, "unit", "fixed", "raw"])
    def test_sign_of_what_is_never_negative(self, pixels):
        with pytest.raises(
            ModelError,
            match=r"no pixel of 0 ... 255 changes anything when it stands for p.*: --pixels signed "
            r"\(p/127.5 - 1\)$",
        ):
            loads(small(), pixels=pixels)
        assert loads(small(), pixels="signed").layers[0].thresholds.tolist() == [[128]] * 4

    def test_advice_names_all_that_pass_and_only_those(self):
        many = lambda graph, x: graph.add("Sub", x, 99.0)
        with pytest.raises(ModelError, match=r"say which: --pixels raw \(p\)$"):
            loads(small(before=many))
        below = lambda graph, x: graph.add("Add", x, 0.5)
        with pytest.raises(ModelError, match=r"say which: --pixels signed \(p/127.5 - 1\)$"):
            loads(small(before=below))
        one = lambda graph, x: graph.add("Sub", x, 0.999)
        with pytest.raises(
            ModelError,
            match=r"p/256; if .*: --pixels unit \(p/255\) or --pixels raw \(p\) or --pixels signed ",
        ):
            loads(small(before=one), pixels="fixed")

    def test_nothing_passes(self):
        far = lambda graph, x: graph.add("Sub", x, 1e6)
        with pytest.raises(
            ModelError, match="when it stands for p/255, nor with any other --pixels; the first quantiser"
        ):
            loads(small(before=far))

    def test_annotated_input(self):
        with pytest.raises(
            ModelError, match="no pixel of 0 ... 255 changes anything of the input's type UINT4; the first"
        ):
            loads(small("UINT4"))
        assert loads(small("INT4")).pixel_type.name == "INT4"

    def test_first_layer_of_whole_pixels(self):
        graph = Graph()
        x = graph.add("MatMul", graph.input((1, 4)), np.ones((4, 3)))
        x = graph.bipolar(graph.add("Sub", x, 100.0))
        data = graph.bytes(graph.add("MatMul", x, np.ones((3, 2))))
        for pixels in (None, "unit"):
            with pytest.raises(ModelError, match=r"say which: --pixels raw \(p\)$"):
                loads(data, pixels=pixels)
        assert loads(data, pixels="raw").layers[0].planes == 8
