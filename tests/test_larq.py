"""Keras files of `benchmarks/larq_fixtures.py`, and small ones written in the same form."""

import json
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest

h5py = pytest.importorskip("h5py", reason="larq models need h5py; pip install 'sbgen[larq]'")

from sbgen.compiler import ir, reference
from sbgen.compiler.frontends import model
from sbgen.compiler.frontends.larq import keras_file, load, reader
from sbgen.errors import ModelError

FIXTURES = sorted((Path(__file__).parent / "larq").glob("*.h5"))


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch):
    # A process for each of hundreds of files would take minutes.
    monkeypatch.setattr(reader, "read", keras_file.read_here)


def same_order(scores, logits):
    """All classes in the same order, ties included, for each image; logits closer than their roundings are
    ties.
    """
    more = logits[:, :, None] - logits[:, None]
    return (
        np.sign(scores[:, :, None] - scores[:, None]) == np.sign(np.where(np.abs(more) < 1e-5, 0, more))
    ).all()


@pytest.mark.parametrize("path", FIXTURES, ids=lambda path: path.stem)
def test_as_keras_predicts(path):
    kept = np.load(path.with_suffix(".npz"))
    network = load(path)
    scores, classes = reference.evaluate(network, kept["images"].reshape(-1, *network.image_shape))
    assert same_order(scores, kept["logits"])
    assert np.array_equal(classes, kept["logits"].argmax(axis=1)) and len(set(classes.tolist())) > 5


def test_fixtures_are_there():
    assert [path.stem for path in FIXTURES] == ["cnn", "mlp", "shortcut"]


def test_kinds_of_the_fixtures():
    kinds = {path.stem: {type(layer) for layer in load(path).layers} for path in FIXTURES}
    assert kinds["cnn"] >= {ir.Conv2d, ir.MaxPool, ir.SumPool, ir.Dense, ir.Scores}
    assert kinds["shortcut"] >= {ir.Fork, ir.Add, ir.Threshold, ir.SumPool}


# ------------------------------------------------------------------------------------------- files in the
# same form


def quantiser(name, **config):
    return {"module": "larq.quantizers", "class_name": name, "config": config, "registered_name": name}


SIGN = quantiser("SteSign", clip_value=1.0)


def saved(path, *layers, shape=(6,), kind="Sequential", damage=None, inputs=None):
    """A file of (class, settings, weights) for each layer; `inputs` are the numbers of the layers that each
    takes, in a functional model.
    """
    made = []
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights")
        for n, (name, settings, weights) in enumerate(layers):
            own = f"layer_{n}"
            made.append(
                {
                    "class_name": name,
                    "config": {
                        "name": own,
                        **({"batch_input_shape": [None, *shape]} if n == 0 else {}),
                        "use_bias": False,
                        **settings,
                    },
                }
            )
            part = group.create_group(own)
            part.attrs["weight_names"] = [f"{own}/{each}:0" for each in weights]
            for each, array in weights.items():
                part[f"{own}/{each}:0"] = np.asarray(array, np.float32)
        config = {"name": "net", "layers": made}
        if inputs:
            kind, config["output_layers"] = "Functional", [[made[-1]["config"]["name"], 0, 0]]
            for entry, before in zip(made, inputs, strict=True):
                entry["inbound_nodes"] = [[[f"layer_{n}", 0, 0, {}] for n in before]] if before else []
        file.attrs["model_config"] = json.dumps({"class_name": kind, "config": config})
        if damage:
            damage(file)
    return path


def dense(inputs, outputs, seed=0, **settings):
    return (
        "QuantDense",
        {"kernel_quantizer": SIGN, "input_quantizer": SIGN, **settings},
        {"kernel": np.random.default_rng(seed).normal(size=(inputs, outputs))},
    )


def conv(inputs, outputs, **settings):
    return (
        "QuantConv2D",
        {
            "kernel_quantizer": SIGN,
            "input_quantizer": SIGN,
            "strides": [1, 1],
            "padding": "same",
            "pad_values": 1.0,
            **settings,
        },
        {"kernel": np.ones((3, 3, inputs, outputs))},
    )


def test_sign_of_zero_is_plus_one(tmp_path):
    first = (
        "QuantDense",
        {"kernel_quantizer": "ste_sign", "input_quantizer": "ste_sign"},
        {"kernel": [[0.0, -0.0], [1.0, -1.0]]},
    )
    network = load(saved(tmp_path / "a.h5", first, dense(2, 2), shape=(2,)))
    assert network.layers[1].weights.tolist() == [[1, 1], [1, 0]] and network.layers[
        1
    ].thresholds.tolist() == [1, 1]


def test_pixels(tmp_path):
    path = saved(tmp_path / "a.h5", dense(6, 4), dense(4, 3))
    assert load(path).layers[0].thresholds.tolist() == [[128]] * 6  # p/127.5 - 1
    assert load(path, pixels="signed") == load(path)
    with pytest.raises(
        ModelError,
        match=r"changes anything when it stands for p/255; .* say which: --pixels signed \(p/127.5 - 1\)$",
    ):
        load(path, pixels="unit")  # the sign of what is never negative
    with pytest.raises(ModelError, match="pixels must be one of unit, fixed, raw, signed, not 'x'"):
        load(path, pixels="x")


def test_read_by_its_content(tmp_path):
    path = saved(tmp_path / "a.weights", dense(6, 4), dense(4, 3))
    read = model.load(path)
    assert read.network.layers == load(path).layers and read.network.labels == ("0", "1", "2")


def test_magnitude_aware_and_ternary_quantisers(tmp_path):
    path = saved(
        tmp_path / "a.h5",
        dense(6, 4, kernel_quantizer=quantiser("MagnitudeAwareSign")),
        dense(4, 3, kernel_quantizer=quantiser("SteTern", threshold_value=0.5)),
    )
    network = load(path)
    kernel = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    assert np.array_equal(network.layers[-1].mask.T, np.abs(kernel) > 0.5)
    assert network.layers[1].mask is None


def test_a_sum_of_two_layers(tmp_path):
    path = saved(
        tmp_path / "a.h5",
        ("InputLayer", {}, {}),
        dense(6, 8, seed=1),
        dense(8, 5, seed=2),
        dense(8, 7, seed=3),
        dense(7, 5, seed=4),
        ("Add", {}, {}),
        dense(5, 3, seed=5),
        inputs=[(), (0,), (1,), (1,), (3,), (2, 4), (5,)],
    )
    network = load(path)
    kinds = " ".join(type(layer).__name__ for layer in network.layers)
    assert kinds == "Binarize Dense Fork Dense Switch Dense Dense Add Threshold Scores"
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 6), dtype=np.uint8)
    sign = lambda x: np.where(x >= 0, 1.0, -1.0)
    first, one, hidden, two, last = (
        sign(np.random.default_rng(seed).normal(size=size))
        for seed, size in enumerate([(6, 8), (8, 5), (8, 7), (7, 5), (5, 3)], 1)
    )
    x = sign(sign(images / 127.5 - 1) @ first)
    sums = x @ one + sign(x @ hidden) @ two
    scores = sign(sums) @ last
    found = reference.evaluate(network, images)[0]
    assert same_order(found, scores) and len(np.unique(scores, axis=0)) > 5


def test_several_steps_of_an_activation(tmp_path):
    path = saved(
        tmp_path / "a.h5",
        dense(6, 4),
        (
            "BatchNormalization",
            {"axis": [1], "epsilon": 0.001},
            {"gamma": [0.2] * 4, "moving_mean": [0.5] * 4, "moving_variance": [1.0] * 4, "beta": [0.4] * 4},
        ),
        dense(4, 3, input_quantizer=quantiser("DoReFa", k_bit=2, mode="activations")),
    )
    network = load(path)
    assert network.layers[1].outputs == 4 and network.layers[2].levels == 3


@pytest.mark.parametrize("seed", range(10))
def test_padded_pool(tmp_path, seed):
    """TensorFlow pads by minus infinity, what is odd below and on the right."""
    random = np.random.default_rng(seed)
    kernel, stride = (tuple(int(each) for each in random.integers(1, 4, 2)) for _ in range(2))
    pool = ("MaxPooling2D", {"pool_size": list(kernel), "strides": list(stride), "padding": "same"}, {})
    rows, columns = (-(-size // step) for size, step in zip((6, 7), stride, strict=True))
    network = load(
        saved(
            tmp_path / "a.h5",
            conv(1, 2),
            pool,
            ("Flatten", {}, {}),
            dense(rows * columns * 2, 3),
            shape=(6, 7, 1),
        )
    )
    pads = [
        max(0, (count - 1) * step + size - of)
        for count, step, size, of in zip((rows, columns), stride, kernel, (6, 7), strict=True)
    ]
    bits = random.integers(0, 2, (5, 6, 7, 2))
    expected = np.full((5, 6 + 2 * pads[0], 7 + 2 * pads[1], 2), -np.inf)
    top, left = (pad // 2 for pad in pads)
    expected[:, top : top + 6, left : left + 7] = bits
    expected = np.stack(
        [
            np.stack(
                [
                    expected[
                        :,
                        row * stride[0] : row * stride[0] + kernel[0],
                        column * stride[1] : column * stride[1] + kernel[1],
                    ].max(axis=(1, 2))
                    for column in range(columns)
                ],
                axis=1,
            )
            for row in range(rows)
        ],
        axis=1,
    )
    assert np.array_equal(reference.run_layer(network.layers[2], bits), expected)


class TestRefused:
    def refused(self, path):
        with pytest.raises(ModelError) as caught:
            model.load(path)
        text = str(caught.value)
        assert text.startswith(str(path)) and "\n" not in text and len(text) < 500
        return text

    def test_zero_padding(self, tmp_path):
        text = self.refused(
            saved(
                tmp_path / "a.h5",
                conv(1, 2, pad_values=0.0),
                ("Flatten", {}, {}),
                dense(32, 3),
                shape=(4, 4, 1),
            )
        )
        assert (
            "layer 'layer_0' (QuantConv2D): pads with 0" in text
            and "pad_values=1.0 (or -1.0), or with padding='valid'" in text
        )

    def test_other_layer(self, tmp_path):
        text = self.refused(saved(tmp_path / "a.h5", dense(6, 4), ("LSTM", {}, {}), dense(4, 3)))
        assert (
            "layer 'layer_1' (LSTM): layers of this kind are not supported; supported are Activation" in text
        )

    def test_real_weights(self, tmp_path):
        text = self.refused(saved(tmp_path / "a.h5", dense(6, 4, kernel_quantizer=None), dense(4, 3)))
        assert "(QuantDense): its weights must be -1, 0 and +1 times one scale" in text

    def test_weights_of_dorefa(self, tmp_path):
        text = self.refused(
            saved(
                tmp_path / "a.h5",
                dense(6, 4, kernel_quantizer=quantiser("DoReFa", mode="weights")),
                dense(4, 3),
            )
        )
        assert "which are not -1, 0 and +1; use SteSign or SteTern" in text

    def test_unknown_quantiser(self, tmp_path):
        text = self.refused(
            saved(tmp_path / "a.h5", dense(6, 4, input_quantizer=quantiser("MySign")), dense(4, 3))
        )
        assert "must have one of the quantisers approxsign" in text

    def test_padded_mean(self, tmp_path):
        pool = ("AveragePooling2D", {"pool_size": [2, 2], "strides": [1, 1], "padding": "same"}, {})
        text = self.refused(
            saved(tmp_path / "a.h5", conv(1, 2), pool, ("Flatten", {}, {}), dense(32, 3), shape=(4, 4, 1))
        )
        assert "must take means without padding" in text

    def test_no_shape(self, tmp_path):
        assert "must have a fixed shape" in self.refused(
            saved(tmp_path / "a.h5", dense(6, 4), dense(4, 3), shape=(None,))
        )

    def test_dense_on_an_image(self, tmp_path):
        assert "put a Flatten before it" in self.refused(
            saved(tmp_path / "a.h5", conv(1, 2), dense(2, 3), shape=(4, 4, 1))
        )

    def test_after_a_softmax(self, tmp_path):
        text = self.refused(saved(tmp_path / "a.h5", dense(6, 4), ("Softmax", {}, {}), dense(4, 3)))
        assert "nothing may follow a softmax" in text

    def test_weights_alone(self, tmp_path):
        text = self.refused(
            saved(tmp_path / "a.h5", dense(6, 4), damage=lambda file: file.attrs.pop("model_config"))
        )
        assert 'save the whole model with model.save("net.h5")' in text

    def test_weights_missing(self, tmp_path):
        def damage(file):
            del file["model_weights/layer_1"]

        assert "its kernel is not in the file" in self.refused(
            saved(tmp_path / "a.h5", dense(6, 4), dense(4, 3), damage=damage)
        )

    def test_weights_of_another_shape(self, tmp_path):
        text = self.refused(saved(tmp_path / "a.h5", dense(6, 4), dense(5, 3)))
        assert "must multiply one vector by a matrix" in text

    def test_weights_in_another_file(self, tmp_path):
        saved(tmp_path / "other.h5", dense(6, 4))

        def damage(file):
            del file["model_weights/layer_0/layer_0/kernel:0"]
            file["model_weights/layer_0/layer_0/kernel:0"] = h5py.ExternalLink(
                "other.h5", "model_weights/layer_0/layer_0/kernel:0"
            )

        assert "is missing or in another file" in self.refused(
            saved(tmp_path / "a.h5", dense(6, 4), dense(4, 3), damage=damage)
        )

    def test_huge_weights(self, tmp_path):
        def damage(file):
            del file["model_weights/layer_0/layer_0/kernel:0"]
            file.create_dataset(
                "model_weights/layer_0/layer_0/kernel:0",
                shape=(1 << 20, 1 << 20),
                dtype="f4",
                chunks=(64, 64),
            )

        text = self.refused(saved(tmp_path / "a.h5", dense(6, 4), dense(4, 3), damage=damage))
        assert "more than 16,777,216 elements" in text

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "[]",
            "{}",
            '{"class_name": "Sequential", "config": {"layers": [1]}}',
            "[" * 50_000,
            '{"class_name": "Sequential", "config": {"layers": []}}',
            '{"class_name": "Mine", "config": []}',
        ],
    )
    def test_damaged_description(self, tmp_path, text):
        def damage(file):
            file.attrs["model_config"] = text

        self.refused(saved(tmp_path / "a.h5", dense(6, 4), damage=damage))

    def test_a_file_that_hangs_or_kills_its_reader(self, tmp_path, monkeypatch):
        monkeypatch.setattr(reader, "read", keras_file.read)
        path = saved(tmp_path / "a.h5", dense(6, 4), dense(4, 3))
        assert model.load(path).network.classes == 3
        monkeypatch.setattr(keras_file, "_SECONDS", 0)
        assert "took more than 0 s" in self.refused(path)
        monkeypatch.setattr(keras_file, "_SECONDS", 60)
        monkeypatch.setattr(keras_file, "_limit_memory", partial(os._exit, 1))
        assert "ended the process that read it" in self.refused(path)

    def test_truncated_and_changed(self, tmp_path):
        data = saved(tmp_path / "a.h5", dense(6, 4), dense(4, 3)).read_bytes()
        random = np.random.default_rng(0)
        print("seed 0")
        for at in random.integers(8, len(data), 20):
            (tmp_path / "b.h5").write_bytes(data[:at])
            self.refused(tmp_path / "b.h5")
        for _ in range(100):
            changed = bytearray(data)
            changed[random.integers(8, len(data))] = random.integers(256)
            (tmp_path / "b.h5").write_bytes(changed)
            try:
                load(tmp_path / "b.h5")
            except ModelError as error:
                assert "\n" not in str(error)

    def test_keras_archive(self, tmp_path):
        (tmp_path / "net.keras").write_bytes(b"PK\x03\x04")
        assert 'save the model with model.save("net.h5")' in self.refused(tmp_path / "net.keras")


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("activation", ["linear", "sigmoid", "ste_sign"])
def test_outputs_that_decide_by_their_signs(tmp_path, outputs, activation):
    layers = dense(6, 4), dense(4, outputs, 1, activation=activation)
    network = load(saved(tmp_path / "net.h5", *layers))
    decides = "sign" if outputs == 1 or activation != "linear" else "argmax"
    assert (network.decision, network.labels) == (decides, tuple(map(str, range(max(2, outputs)))))
    images = np.random.default_rng(0).integers(0, 256, (80, 6)).astype(np.uint8)
    values = images / 127.5 - 1
    for _, _, weights in layers:
        values = np.where(values >= 0, 1, -1) @ np.where(weights["kernel"] >= 0, 1, -1)
    scores, found = reference.evaluate(network, images)
    if decides == "sign":
        assert (values == 0).any() and np.array_equal(found.reshape(values.shape), values >= 0)
        assert np.array_equal(
            scores, np.where(values >= 0, 1, -1) if activation == "ste_sign" else values // 2
        )


def test_a_softmax_of_one_output(tmp_path):
    with pytest.raises(
        ModelError, match="is a softmax of one output, which is always 1; end the model at this output"
    ):
        load(saved(tmp_path / "net.h5", dense(6, 4), dense(4, 1, activation="softmax")))
