import io
import pickle
import zipfile

import pytest
import torch
from torch import nn

from sbgen.errors import ModelError
from sbgen.train import checkpoint
from sbgen.train.harden import harden
from sbgen.train.layers import BatchNorm, Binarize, BinaryActivation, BinaryLinear, Residual, Scores, hardened
from sbgen.train.network import network

ABOUT = {"image_shape": (3, 4), "labels": ("a", "b", "c")}


def images(count, seed):
    return torch.randint(256, (count, 3, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def model(seed=0, *, nu=1e6):
    torch.manual_seed(seed)
    net = network(image_shape=(12,), thresholds=(50, 150), widths=(7, 5), classes=3)
    with torch.no_grad():
        for layer in net:
            if isinstance(layer, BatchNorm):
                layer.weight.normal_()
                layer.bias.normal_()
            if isinstance(layer, (BinaryActivation, BinaryLinear)):
                layer.binarizer.nu = nu
        net(images(200, seed))
    return net.eval()


def hard_model(seed=0):
    net = model(seed)
    labels = torch.randint(3, (100,), generator=torch.Generator().manual_seed(seed))
    report = harden(net, images(100, 5), validation=(images(100, 6), labels))
    return net, report


@pytest.fixture
def path(tmp_path):
    return tmp_path / "net.pt"


@pytest.fixture
def content(path):
    """The content of a good file, to be damaged."""
    net, report = hard_model()
    checkpoint.save(net, path, report=report, **ABOUT)
    return torch.load(path, weights_only=True)


def refused(path, message="must|may", **how):
    with pytest.raises(ModelError, match=message) as caught:
        checkpoint.load(path, **how)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(str(path))


@pytest.mark.parametrize("seed", range(5))
def test_hardened_network_comes_back_exactly(path, seed):
    net, report = hard_model(seed)
    checkpoint.save(
        net,
        path,
        report=report,
        dataset="mnist",
        settings={"epochs": 3},
        seed=seed,
        accuracy={"test": {"soft": 0.5, "hardened": 0.25}},
        **ABOUT,
    )
    kept = checkpoint.load(path)
    assert torch.equal(kept.model(images(500, 7)), net(images(500, 7)))
    assert (kept.image_shape, kept.labels, kept.pixel_range) == ((3, 4), ("a", "b", "c"), (0, 255))
    assert (kept.dataset, kept.settings, kept.seed) == ("mnist", {"epochs": 3}, seed)
    assert kept.accuracy["test"]["hardened"] == 0.25 and kept.hardening["after"] == report.after


def test_scales_of_classes_come_back_exactly(path):
    net = model()
    net.scores = Scores(5, 3, per_class=True)
    with torch.no_grad():
        net.scores.log_scale.copy_(torch.tensor([-0.3, -1.4, -0.8]))
    report = harden(net, images(100, 5), validation=(images(100, 6), torch.arange(100) % 3))
    checkpoint.save(net, path, report=report, **ABOUT)
    loaded = checkpoint.load(path, force=True)
    assert loaded.hardening["scale_bits"] == loaded.model.scores.scale_bits == report.scale_bits
    assert torch.equal(loaded.model(images(100, 7)), net(images(100, 7)))


@pytest.mark.parametrize("bits", [0, 17, "8", None])
def test_scale_bits_out_of_range(path, bits):
    net = model()
    net.scores = Scores(5, 3, per_class=True)
    checkpoint.save(net, path, **ABOUT)
    content = torch.load(path, weights_only=True)
    content["architecture"][-1]["scale_bits"] = bits
    torch.save(content, path)
    refused(path, "scale_bits must be in 1 ... 16, not", force=True)


def test_soft_network_comes_back_exactly(path):
    net = model(nu=1e6)
    checkpoint.save(net, path, **ABOUT)
    kept = checkpoint.load(path).model
    assert torch.equal(kept(images(50, 1)), net(images(50, 1)))
    with hardened(kept), hardened(net):
        assert torch.equal(kept(images(50, 1)), net(images(50, 1)))


def _as_version_1(content, *, hard_tail):
    """A file of the current version as sbgen 0.1 wrote it, whose network is of the surrogate method."""

    def renamed(fields):
        fields = {**fields, "method": "self-binarizing"} if "method" in fields else fields
        return (
            {**fields, "body": [renamed(layer) for layer in fields["body"]]} if "body" in fields else fields
        )

    return {
        **content,
        "version": 1,
        "architecture": [renamed(layer) for layer in content["architecture"]],
        "settings": {"preset": "tfc", "method": "self-binarizing", "hard_tail": hard_tail},
        "accuracy": {"test": {"float": 0.5, "hardened": 0.25}},
    }


@pytest.mark.parametrize("hard_tail", [0.0, 0.5])
@pytest.mark.parametrize("shortcut", [False, True])
def test_files_of_version_1_are_of_the_surrogate_method(path, hard_tail, shortcut):
    torch.manual_seed(0)
    how = {"method": "surrogate", "slope_cap": 1.0}
    inner = nn.Sequential(BinaryLinear(6, 6, **how))
    net = nn.Sequential(
        Binarize(12, [128]),
        BinaryLinear(12, 6, **how),
        BatchNorm(6),
        BinaryActivation(**how),
        *([Residual(inner), BinaryActivation(**how)] if shortcut else []),
        Scores(6, 3, **how),
    )
    harden(net, images(100, 5), validation=(images(100, 6), torch.arange(100) % 3))
    checkpoint.save(net, path, **ABOUT)
    content = torch.load(path, weights_only=True)
    torch.save(_as_version_1(content, hard_tail=hard_tail), path)
    kept = checkpoint.load(path)
    assert torch.equal(kept.model(images(50, 1)), net(images(50, 1)))
    methods = {layer.method for layer in kept.model.modules() if hasattr(layer, "method")}
    assert methods == {kept.settings["method"]} == {"surrogate"}
    soft = {} if hard_tail else {"soft": 0.5}
    assert kept.accuracy == {"test": {**soft, "hardened": 0.25}}


def test_same_network_gives_the_same_bytes(path, tmp_path):
    for at in (path, tmp_path / "another-name.pt"):
        net, report = hard_model()
        checkpoint.save(net, at, report=report, **ABOUT)
    assert path.read_bytes() == (tmp_path / "another-name.pt").read_bytes()


def test_loaded_network_gives_the_same_bytes(path, tmp_path):
    net, report = hard_model()
    about = ABOUT | {
        "settings": {"method": "self-binarizing", "list": [1, 2.5, "linear1"]},
        "dataset": "mnist",
    }
    checkpoint.save(net, path, report=report, **about)
    kept = checkpoint.load(path)
    checkpoint.save(
        kept.model,
        tmp_path / "again.pt",
        report=report,
        settings=kept.settings,
        dataset=kept.dataset,
        image_shape=kept.image_shape,
        labels=kept.labels,
    )
    assert path.read_bytes() == (tmp_path / "again.pt").read_bytes()


def test_module_of_ones_own(path):
    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.front = Binarize(12, [9])
            self.body = nn.Sequential(BinaryLinear(12, 4), BatchNorm(4), BinaryActivation(), nn.Dropout(0.1))
            self.last = Scores(4, 3)

        def forward(self, x):
            return self.last(self.body(self.front(x)))

    net = Own().eval()
    checkpoint.save(net, path, **ABOUT)
    kept = checkpoint.load(path, force=True).model
    assert list(kept._modules) == ["front", "body_0", "body_1", "body_2", "last"]
    assert torch.equal(kept(images(9, 1)), net(images(9, 1)))


def test_weights_of_a_hardened_network_are_small(content):
    assert content["state"]["linear1.weight"].dtype == torch.int8


def test_pickle_that_would_run_code(path, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "was-here"), "w"))

    torch.save({"format": "sbgen-net", "x": Evil()}, path)
    refused(path, "would run code")
    path.write_bytes(pickle.dumps(Evil(), protocol=2))
    refused(path, "bare pickle, which could run code")
    torch.save(hard_model()[0], path)  # a whole module
    refused(path, "would run code")
    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("part", [0, 1, 100, 0.5, 0.9, -1])
def test_truncated(path, content, part):
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))] if isinstance(part, float) else data[:part])
    refused(path, "must be a model file, but is .*(truncated|damaged)")


def test_every_truncation_and_flipped_byte_is_one_line(path, content):
    data = bytearray(path.read_bytes())
    random = torch.Generator().manual_seed(3)
    for at in torch.randint(len(data), (150,), generator=random).tolist():
        path.write_bytes(data[:at])
        refused(path)
        damaged = bytearray(data)
        damaged[at] ^= 0x41
        path.write_bytes(damaged)
        try:
            checkpoint.load(path)
        except ModelError as error:
            assert "\n" not in str(error)


@pytest.mark.parametrize(
    "foreign", [{"state_dict": {}}, [1, 2], torch.zeros(3), {"format": "sbgen-training"}]
)
def test_foreign(path, foreign):
    torch.save(foreign, path)
    refused(path, "format 'sbgen-net', but is another .pt file")


def test_other_kinds_of_file(path):
    for data in (b"hello", b"\x7fELF" + bytes(100)):
        path.write_bytes(data)
        refused(path, "must be a model file")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("x", "y")
    path.write_bytes(buffer.getvalue())
    refused(path, "must be a model file")


def test_missing_file(path):
    refused(path, "cannot be read: No such file")


def test_newer_version(path, content):
    torch.save(content | {"version": 3}, path)
    refused(path, "version 1 ... 2, not 3")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("norm1.weight", float("nan"), "'norm1': weight must be finite, but holds nan"),
        ("norm2.running_var", float("inf"), "'norm2': running_var must be finite, but holds inf"),
        ("norm1.running_var", -1.0, "'norm1': running_var must not be negative, but holds -1"),
        ("scores.offset", float("-inf"), "'scores': offset must be finite, but holds -inf"),
    ],
)
def test_values_that_are_no_numbers(path, content, key, value, message):
    content["state"][key].view(-1)[1] = value
    torch.save(content, path)
    refused(path, message)


def test_save_refuses_nan_and_writes_nothing(path):
    net = model()
    with torch.no_grad():
        net.linear1.weight[0, 0] = float("nan")
    with pytest.raises(ModelError, match="'linear1': weight must be finite"):
        checkpoint.save(net, path, **ABOUT)
    assert not list(path.parent.iterdir())


def test_unsupported_layer(path, content):
    content["architecture"][1]["kind"] = "convolution"
    torch.save(content, path)
    refused(
        path,
        "'linear1': the kind 'convolution' is not supported; supported are binarize, pixels, conv1d, conv2d",
    )


@pytest.mark.parametrize(
    ("at", "key", "value", "message"),
    [
        (1, "outputs", 8, r"'linear1': weight must have the shape \(8, 24\), not \(7, 24\)"),
        (0, "pixels", 13, r"'binarize': thresholds must have the shape \(13, 2\), not \(12, 2\)"),
        (1, "inputs", 10**12, r"'linear1': weight must have the shape"),
        (1, "inputs", "24", "'linear1': inputs must be an integer"),
        (2, "features", 0, "'norm1': features must be an integer of at least 1, not 0"),
        (1, "method", "other", "'linear1': the method must be one of"),
    ],
)
def test_shape_mismatch(path, content, at, key, value, message):
    content["architecture"][at][key] = value
    torch.save(content, path)
    refused(path, message)


def test_state_of_no_layer(path, content):
    content["state"]["more.weight"] = torch.zeros(2)
    torch.save(content, path)
    refused(path, "must belong to the layers, but 'more.weight' does not")


@pytest.mark.parametrize(
    "key", ["architecture", "state", "input", "labels", "dataset", "accuracy", "hardening"]
)
def test_missing_part(path, content, key):
    del content[key]
    torch.save(content, path)
    refused(path, f"every part of a model file, but '{key}' is missing")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("labels", ["a"], "3 outputs that decide by argmax need 3 labels, not 1"),
        ("input", {"dtype": "uint8", "shape": [5, 5], "range": [0, 255]}, "12 pixels .* not 25"),
        ("labels", 7, "every part"),
        ("architecture", {}, "must belong to the layers"),
        ("architecture", [3], "every part"),
        ("state", [], "every part"),
        ("hardening", {"before": 1}, "every part"),
        ("input", {"dtype": "uint8", "shape": [-3, -4], "range": [0, 255]}, r"at least 1, not \[-3, -4\]"),
    ],
)
def test_wrong_contract(path, content, key, value, message):
    torch.save(content | {key: value}, path)
    refused(path, message)


def test_soft_network_is_not_trusted(path):
    checkpoint.save(model(nu=3.0), path, **ABOUT)
    refused(path, r"'linear1': at most 1% of the weights .* but 100.0% are; harden it")
    assert checkpoint.load(path, force=True).model is not None


def test_costly_hardening_is_not_trusted(path, content):
    content["hardening"] |= {"before": 0.971, "after": 0.9, "images": 10_000}
    torch.save(content, path)
    refused(path, r"at most 2 points .* cost 7.1 \(97.1% to 90.0%\)")
    assert checkpoint.load(path, force=True).model is not None


@pytest.mark.parametrize(
    ("image", "message"),
    [
        ([], "image must have the shape"),
        ([3, 0], r"image\[1\] must be an integer of at least 1, not 0"),
        ([3, 4.0], r"image\[1\] must be an integer"),
        ([3, 4, 1, 1], "image must have the shape"),
        ([4, 4], "'linear1': takes 12 inputs, but the layer before it gives 16"),
    ],
)
def test_pixels_of_a_strange_image(path, image, message):
    net = network(image_shape=(3, 4), thresholds=None, widths=(5,), classes=3)
    checkpoint.save(net, path, **ABOUT)
    content = torch.load(path, weights_only=True)
    assert content["architecture"][0] == {"name": "pixels", "kind": "pixels", "image": [3, 4, 1]}
    content["architecture"][0]["image"] = image
    torch.save(content, path)
    refused(path, message, force=True)
