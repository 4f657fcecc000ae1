"""Residual sums from torch to integers: exactly, whatever they carry."""

import numpy as np
import pytest
import torch
from torch import nn

from sbgen.compiler import ir, reference
from sbgen.compiler.frontends.from_torch import to_network
from sbgen.errors import ModelError
from sbgen.train import checkpoint
from sbgen.train.chain import chain
from sbgen.train.layers import (
    WHITE,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryLinear,
    Pixels,
    Residual,
    Scores,
    hardened,
)


def norm(features):
    """A batch norm with every kind of scale: negative ones, zero, and means that are sums themselves."""
    layer = BatchNorm(features)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(features))
        layer.weight[0] = 0
        layer.bias.copy_(torch.randn(features) * torch.randint(0, 2, (features,)))
        layer.running_mean.copy_(torch.randint(-6, 7, (features,)) * 1.0)
        layer.running_var.copy_(torch.rand(features) * 20 + 1)
    return layer


def conv(inputs, outputs, kernel=3):
    return BinaryConv2d(inputs, outputs, kernel, padding=kernel // 2)


def signs_then_sums():
    """A shortcut of signs past two convolutions, then one of sums that begins with its own norm, as in
    Bi-Real Net.
    """
    return nn.Sequential(
        Binarize(6 * 5, [100], image=(6, 5, 1)),
        conv(1, 4),
        norm(4),
        BinaryActivation(),
        Residual(nn.Sequential(conv(4, 3), norm(3), BinaryActivation(), conv(3, 4)), scale=3),
        Residual(nn.Sequential(norm(4), BinaryActivation(), conv(4, 4, 1))),
        norm(4),
        BinaryActivation(),
        nn.MaxPool2d(2),
        Scores(4 * 3 * 2, 3),
    )


def sum_of_a_convolution():
    """A shortcut that begins at the sum of a layer, and one within the body of another; no norm at all."""
    return nn.Sequential(
        Binarize(6 * 5, [60, 150], image=(6, 5, 1)),
        conv(2, 3),
        Residual(
            nn.Sequential(
                BinaryActivation(),
                conv(3, 5),
                Residual(nn.Sequential(norm(5), BinaryActivation(), conv(5, 5)), scale=2),
                norm(5),
                BinaryActivation(),
                conv(5, 3),
            )
        ),
        BinaryActivation(),
        Scores(90, 4),
    )


def vectors():
    """Shortcuts of vectors, the first at the pixels' own bits, its body a single layer."""
    return nn.Sequential(
        Binarize(30, [128]),
        Residual(BinaryLinear(30, 30), scale=5),
        norm(30),
        BinaryActivation(),
        BinaryLinear(30, 7),
        Residual(nn.Sequential(norm(7), BinaryActivation(), BinaryLinear(7, 7))),
        norm(7),
        BinaryActivation(),
        Scores(7, 3),
    )


def projections():
    """Shortcuts with layers of their own where channels and sides change: of signs, then of sums; the third
    is within the shortcut of another.
    """
    return nn.Sequential(
        Binarize(6 * 5, [100], image=(6, 5, 1)),
        conv(1, 4),
        norm(4),
        BinaryActivation(),
        Residual(
            nn.Sequential(
                conv(4, 3), norm(3), BinaryActivation(), BinaryConv2d(3, 6, 3, stride=2, padding=1)
            ),
            shortcut=nn.Sequential(BinaryConv2d(4, 6, 1, stride=2)),
            scale=2,
        ),
        Residual(
            nn.Sequential(norm(6), BinaryActivation(), conv(6, 5)),
            shortcut=nn.Sequential(
                norm(6),
                BinaryActivation(),
                Residual(conv(6, 6), shortcut=conv(6, 6, 1)),
                norm(6),
                BinaryActivation(),
                conv(6, 5, 1),
            ),
        ),
        norm(5),
        BinaryActivation(),
        Scores(5 * 3 * 3, 3),
    )


MODELS = [signs_then_sums, sum_of_a_convolution, vectors, projections]


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("seed", range(3))
def test_integers_are_what_the_hardened_module_computes(make, seed):
    torch.manual_seed(seed)
    model = make().eval()
    network = to_network(model, force=True)
    images = torch.randint(0, 256, (200, network.pixels), dtype=torch.uint8)
    with hardened(model), torch.no_grad():
        scores = model(images.reshape(200, 6, 5) if len(network.image_shape) > 1 else images)
    np.testing.assert_array_equal(reference.evaluate(network, images.numpy())[0], scores.long().numpy())
    assert len(np.unique(scores)) > 3, "a test of constants would be none"


def test_what_the_layers_become():
    torch.manual_seed(0)
    layers = to_network(signs_then_sums(), force=True).layers
    assert [type(layer).__name__ for layer in layers] == [
        "Binarize",
        "Conv2d",
        "Fork",
        "Conv2d",
        "Conv2d",
        "Add",
        "Fork",
        "Threshold",
        "Conv2d",
        "Add",
        "Threshold",
        "MaxPool",
        "Scores",
    ]
    assert layers[4].thresholds is None and layers[5].scale == 3 and layers[9].fork == layers[6].name
    assert layers[7].inverted.any() and not layers[7].inverted.all()
    assert len({layer.name for layer in layers}) == len(layers)


def test_what_a_projection_becomes():
    torch.manual_seed(0)
    layers = to_network(projections(), force=True).layers
    kinds = (
        "Binarize Conv2d Fork Conv2d Switch Conv2d Conv2d Add"
        " Fork Threshold Fork Conv2d Switch Conv2d Add Threshold Conv2d Switch Threshold Conv2d Add"
        " Threshold Scores"
    )
    assert " ".join(type(layer).__name__ for layer in layers) == kinds
    assert layers[7].scale == 2 and layers[7].fork == layers[4].name and layers[4].fork == layers[2].name
    assert layers[3].kernel == (1, 1) and layers[3].stride == (2, 2) and layers[3].thresholds is None


def test_thresholds_by_the_formula():
    """Another way to the same thresholds: where the sum is ``2 x + least``, solve ``gamma (sum - mean) /
    sigma + beta >= 0``.
    """
    torch.manual_seed(5)
    model = nn.Sequential(
        Binarize(9, [128]), Residual(BinaryLinear(9, 9), scale=2), norm(9), BinaryActivation(), Scores(9, 2)
    )
    _, _, _, add, threshold, _ = to_network(model, force=True).layers
    assert isinstance(add, ir.Add)
    layer, greatest, least = model[2], 9 + 2, -9 - 2
    gamma, beta, mean = (
        value.detach().double().numpy() for value in (layer.weight, layer.bias, layer.running_mean)
    )
    sigma = np.sqrt(layer.running_var.double().numpy() + layer.eps)
    for n in range(1, 9):
        switch = (mean[n] - beta[n] * sigma[n] / gamma[n] - least) / 2
        first = (
            np.ceil(switch) if gamma[n] > 0 else np.floor(switch) + 1
        )  # at the switch itself both kinds are on
        assert threshold.thresholds[n] == np.clip(first, 0, greatest + 1)
        if 0 < threshold.thresholds[n] <= greatest:
            assert threshold.inverted[n] == (gamma[n] < 0)


@pytest.mark.parametrize("make", MODELS)
def test_model_file(make, tmp_path):
    torch.manual_seed(1)
    model = make().eval()
    shape = (30,) if make is vectors else (6, 5)
    about = {"image_shape": shape, "labels": [str(n) for n in range(model[-1].outputs)]}
    checkpoint.save(model, tmp_path / "net.pt", **about)
    loaded = checkpoint.load(tmp_path / "net.pt", force=True)
    images = torch.randint(0, 256, (20, *shape), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(loaded.model(images), model(images))
    checkpoint.save(loaded.model, tmp_path / "again.pt", **about)
    assert (tmp_path / "again.pt").read_bytes() == (tmp_path / "net.pt").read_bytes()
    assert [layer for layer in to_network(loaded).layers] == [
        layer for layer in to_network(loaded.model, force=True, image_shape=shape).layers
    ]


@pytest.mark.parametrize(
    "body, message",
    [
        (nn.Sequential(BinaryLinear(4, 3)), r"must give the shape that it takes, \(4,\), not \(3,\)"),
        (
            nn.Sequential(BinaryLinear(4, 4), BatchNorm(4)),
            "must end in BinaryConv1d, BinaryConv2d or BinaryLinear, not BatchNorm",
        ),
        (nn.Sequential(), "must end in BinaryConv1d, BinaryConv2d or BinaryLinear, not nothing"),
        (
            nn.Sequential(BatchNorm(4), BinaryActivation(), BinaryLinear(4, 4)),
            "after Binarize must come .*, not BatchNorm",
        ),
        (nn.Sequential(nn.Linear(4, 4)), "Linear is not supported"),
    ],
)
def test_bodies_are_checked(body, message):
    with pytest.raises(ModelError, match=message):
        chain(nn.Sequential(Binarize(4, [1]), Residual(body), BinaryActivation(), Scores(4, 2)))


@pytest.mark.parametrize(
    "shortcut, message",
    [
        (BinaryLinear(4, 5), r"its body must give the shape that its shortcut gives, \(5,\), not \(4,\)"),
        (
            nn.Sequential(BinaryLinear(4, 4), BatchNorm(4)),
            "its shortcut must end in BinaryConv1d, BinaryConv2d or BinaryLinear, not BatchNorm",
        ),
        (nn.Identity(), "its shortcut must end in BinaryConv1d, BinaryConv2d or BinaryLinear, not nothing"),
    ],
)
def test_shortcuts_are_checked(shortcut, message):
    residual = Residual(BinaryLinear(4, 4), shortcut=shortcut)
    with pytest.raises(ModelError, match=message):
        chain(nn.Sequential(Binarize(4, [1]), residual, BinaryActivation(), Scores(4, 2)))


def test_sums_of_pixels_have_no_shortcut():
    first = BinaryConv2d(1, 2, 3, padding=1, padding_value=-WHITE)
    with pytest.raises(ModelError, match="must take bits or sums of bits, but before it come sums of pixels"):
        chain(
            nn.Sequential(
                Pixels((3, 3, 1)),
                first,
                Residual(nn.Sequential(BinaryActivation(), conv(2, 2))),
                BinaryActivation(),
                Scores(18, 2),
            )
        )


def test_scores_take_no_sums():
    with pytest.raises(
        ModelError, match="after Residual must come BatchNorm or BinaryActivation or Residual, not Scores"
    ):
        chain(nn.Sequential(Binarize(4, [1]), Residual(BinaryLinear(4, 4)), Scores(4, 2)))


@pytest.mark.parametrize("scale", [0, 1.5, 2**16 + 1])
def test_scale_is_checked(scale):
    with pytest.raises(ValueError, match="scale must be an integer in 1"):
        Residual(BinaryLinear(2, 2), scale=scale)
