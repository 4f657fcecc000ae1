import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="QONNX files need onnx; pip install 'sbgen[qonnx]'")

from qonnx_graphs import execute

from sbgen.compiler import ir, reference
from sbgen.compiler.features import features
from sbgen.compiler.frontends import qonnx
from sbgen.compiler.frontends.qonnx import load, loads
from sbgen.compiler.random_network import fold_at_random, random_images, random_network
from sbgen.errors import ModelError


def layouts(model, network, images):
    """Images as the file's input has them: channels first, as float32."""
    images = images.reshape(-1, *network.image_shape)
    if images.ndim > 2:
        images = images.reshape(*images.shape[:3], -1).transpose(0, 3, 1, 2)
    return images.reshape(-1, *input_shape(model)).astype(np.float32)


def input_shape(model):
    """Shape of the file's input, without the batch."""
    return [size.dim_value for size in model.graph.input[0].type.tensor_type.shape.dim][1:]


def written(network):
    """The file's model; a test of a network whose sums are too large for float32 ends here."""
    try:
        return qonnx.to_model(network)
    except ModelError as error:
        assert "to be exact in QONNX's float32" in str(error)
        pytest.skip("sums beyond 24 bits are not written")


@pytest.mark.parametrize("seed", range(40))
def test_executes_as_the_reference(seed):
    print("seed", seed)
    network = random_network(seed)
    images = random_images(seed, network, 8)
    model = written(network)
    onnx.checker.check_model(model)
    assert np.array_equal(
        execute(model, layouts(model, network, images)), reference.evaluate(network, images)[0]
    )


@pytest.mark.parametrize("seed", range(100))
def test_read_again(seed):
    print("seed", seed)
    network = random_network(seed)
    images = random_images(seed, network, 20)
    model = written(network)
    try:
        again = loads(model.SerializeToString(), name=network.name)
    except ModelError as error:
        # A bit that is the same for every image has no steps of its own, and where they matter it is refused
        # by name; so are sums of 23 bits that are thresholds' inputs, and scales beyond 16 bits that a
        # shortcut around nothing makes.
        assert any(
            text in str(error)
            for text in (
                "the branches of a sum must be equal",
                "must add values in even steps",
                "must be the same whole multiple",
                "must take values in even steps",
                "which is not one of the values of its inputs",
                "is the lower value of some channels and the higher value of others",
                "has more than 16,777,216 elements",
                "scale must be in 1 ... 65536",
                "has different scales; quantise it",
                "quantise it to 1 bit (BipolarQuant) or a few",
                "each channel of its image must have one scale",
            )
        )
        pytest.xfail("constant bits and large sums are not read again")
    found, scores = reference.evaluate(again, images)[0], reference.evaluate(network, images)[0]
    if network.decision == "sign":  # what all scores are multiples of is not read
        divisor = np.gcd.reduce(np.append(scores, 0), axis=None) // max(
            1, np.gcd.reduce(np.append(found, 0), axis=None)
        )
        found = found * max(1, divisor)
    elif (
        network.layers[-1].scales is not None and np.ptp(network.layers[-1].scales) == 0
    ):  # a scale of all classes orders nothing
        found, scores = (np.sign(each[:, :, None] - each[:, None]) for each in (found, scores))
    assert np.array_equal(found, scores)
    assert (again.name, again.image_shape, again.labels, again.decision) == (
        network.name,
        network.image_shape,
        network.labels,
        network.decision,
    )
    if {
        "empty shortcut",
        "counts into Conv2d",
        "counts into Dense",
        "counts into Scores",
        "several thresholds",
        "maximum of integers",
    } & set(features(fold_at_random(seed, network), images)):
        return  # a shortcut around nothing is read as a scale, few counts and several levels as bits
    if network.switches:
        return  # which side is first, and where thresholds are, is chosen anew
    assert again.shapes == network.shapes
    assert [type(layer) for layer in again.layers] == [type(layer) for layer in network.layers]
    # Layers keep the name of the node with their weights; some have none.
    assert all(
        here.name == there.name
        for here, there in zip(again.layers, network.layers, strict=True)
        if not isinstance(here, ir.Binarize | ir.Fork | ir.Lookup | ir.Switch | ir.Threshold)
    )


def test_planes():
    rng = np.random.default_rng(5)
    network = ir.Network(
        name="planes",
        image_shape=(5, 4, 3),
        labels=("a", "b"),
        layers=(
            ir.Conv2d(
                name="first",
                weights=rng.integers(0, 2, (6, 3, 2, 3)),
                thresholds=rng.integers(1500, 3000, 6),
                padding=((1, 0), (0, 1)),
                padding_bit=1,
                planes=8,
            ),
            ir.Dense(name="second", weights=rng.integers(0, 2, (8, 96)), thresholds=rng.integers(40, 56, 8)),
            ir.Scores(name="scores", weights=rng.integers(0, 2, (2, 8)), offsets=np.array([-3, 2])),
        ),
    )
    images = random_noise(network, 20)
    model = qonnx.to_model(network)
    assert np.array_equal(
        execute(model, layouts(model, network, images)), reference.evaluate(network, images)[0]
    )
    assert loads(model.SerializeToString(), name="planes") == network


def sequences(seed):
    """A network of windows along a sequence, of every kind of layer with one."""
    rng = np.random.default_rng([seed, 23])
    length, channels, levels = int(rng.integers(14, 20)), int(rng.integers(1, 4)), int(rng.integers(1, 3))
    inputs = channels * levels
    kernel, padding = int(rng.integers(2, 5)), int(rng.integers(2))
    layers = [
        ir.Binarize(name="pixels", thresholds=rng.integers(1, 256, (length * channels, levels))),
        ir.Conv2d(
            name="conv",
            weights=rng.integers(0, 2, (6, kernel, 1, inputs)),
            thresholds=rng.integers(1, kernel * inputs + 1, 6),
            stride=(int(rng.integers(1, 3)), 1),
            padding=((padding, 0), (0, 0)),
            padding_bit=int(rng.integers(2)),
        ),
        ir.MaxPool(name="pool", kernel=(2, 1), stride=(1, 1), padding=((0, padding), (0, 0))),
        ir.Fork(name="fork"),
        ir.Conv2d(name="same", weights=rng.integers(0, 2, (6, 1, 1, 6)), thresholds=None),
        ir.Add(name="add", fork="fork", scale=2),
        ir.Threshold(
            name="signs", thresholds=rng.integers(2, 7, 6), inverted=rng.permutation([0, 0, 0, 1, 1, 1])
        ),
        ir.Conv2d(
            name="depthwise",
            weights=rng.integers(0, 2, (6, 3, 1, 1)),
            mask=rng.integers(0, 2, (6, 3, 1, 1)) | np.array([[1], [0], [0]])[:, :, None],
            thresholds=np.ones(6, int),
            groups=6,
        ),
        ir.SumPool(name="sums", kernel=(2, 1), stride=(2, 1)),
    ]
    shape = (length, 1, channels)
    for layer in layers:
        shape = layer.output_shape(shape)
    layers.append(
        ir.Scores(
            name="scores",
            weights=rng.integers(0, 2, (3, int(np.prod(shape)))),
            planes=2,
            offsets=rng.integers(-3, 4, 3),
        )
    )
    return ir.Network(
        name="sequences", image_shape=(length, 1, channels), labels=tuple("abc"), layers=tuple(layers)
    )


@pytest.mark.parametrize("seed", range(20))
def test_sequences_are_written_as_such_and_read_again(seed):
    print("seed", seed)
    network = sequences(seed)
    images, model = random_noise(network, 40), qonnx.to_model(network)
    onnx.checker.check_model(model)
    assert input_shape(model) == [network.image_shape[2], network.image_shape[0]]
    windows = [node for node in model.graph.node if node.op_type in ("Conv", "MaxPool", "AveragePool")]
    assert len(windows) == 5
    for node in windows:
        sizes = {each.name: list(each.ints) for each in node.attribute}
        assert len(sizes["kernel_shape"]) == len(sizes["strides"]) == 1, node.name
    scores = reference.evaluate(network, images)[0]
    assert np.array_equal(execute(model, layouts(model, network, images)), scores)
    again = loads(model.SerializeToString(), name=network.name)
    assert np.array_equal(reference.evaluate(again, images)[0], scores)
    assert (again.image_shape, again.shapes) == (network.image_shape, network.shapes)


def test_images_of_one_column_under_wider_windows_stay_images():
    network = ir.Network(
        name="column",
        image_shape=(6, 1, 2),
        labels=("a", "b"),
        layers=(
            ir.Binarize(name="pixels", thresholds=np.full((12, 1), 100)),
            ir.Conv2d(
                name="conv",
                weights=np.random.default_rng(3).integers(0, 2, (3, 2, 3, 2)),
                thresholds=np.full(3, 6),
                padding=((0, 0), (1, 1)),
            ),
            ir.Scores(name="scores", weights=np.eye(2, 15, dtype=int), offsets=np.zeros(2, int)),
        ),
    )
    images, model = random_noise(network, 20), qonnx.to_model(network)
    assert input_shape(model) == [2, 6, 1]
    scores = reference.evaluate(network, images)[0]
    assert np.array_equal(execute(model, layouts(model, network, images)), scores)
    assert np.array_equal(reference.evaluate(loads(model.SerializeToString()), images)[0], scores)


def random_noise(network, count):
    return np.random.default_rng(0).integers(0, 256, (count, network.pixels)).astype(np.uint8)


def small(*, name="net", offsets=(0, 5)):
    return ir.Network(
        name=name,
        image_shape=(2, 2),
        labels=("cat", "dog"),
        layers=(
            ir.Binarize(name="pixels", thresholds=np.array([[3], [0], [256], [128]])),
            ir.Scores(
                name="scores", weights=np.array([[0, 1, 1, 0], [1, 1, 0, 0]]), offsets=np.array(offsets)
            ),
        ),
    )


def test_file(tmp_path):
    path = tmp_path / "net.onnx"
    qonnx.save(small(), path)
    assert load(path) == small()
    assert [each.name for each in tmp_path.iterdir()] == ["net.onnx"]
    first = path.read_bytes()
    qonnx.save(small(), path)
    assert path.read_bytes() == first


def test_form():
    model = qonnx.to_model(small())
    annotated = {
        each.tensor_name: each.quant_parameter_tensor_names[0].value
        for each in model.graph.quantization_annotation
    }
    assert annotated == {"image": "UINT8", "scores.weights": "BIPOLAR"}
    assert [dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim] == [1, 1, 2, 2]
    assert {each.domain: each.version for each in model.opset_import} == {
        "": 13,
        "qonnx.custom_op.general": 1,
    }


def test_offsets_beyond_float32():
    with pytest.raises(ModelError, match="layer 'scores': scores must be within 8,388,608 to be exact"):
        qonnx.to_model(small(offsets=(0, 1 << 24)))
