"""Activations of several levels: in training, in files, and as an exact integer network."""

import numpy as np
import pytest
import torch
from torch import nn

from sbgen.compiler import ir, reference
from sbgen.compiler.frontends.from_torch import to_network
from sbgen.errors import ModelError
from sbgen.train import checkpoint
from sbgen.train.chain import chain
from sbgen.train.errors import SettingsError
from sbgen.train.harden import harden
from sbgen.train.layers import (
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryLinear,
    Residual,
    Scores,
    hardened,
)
from sbgen.train.layers.pools import average_unit
from sbgen.train.network import network
from sbgen.train.presets import Convolution


def at_random(model, images, seed):
    """The model with batch norms that rise, fall and, in one channel, are constant."""
    torch.manual_seed(seed)
    for layer in model:
        if isinstance(layer, BatchNorm):
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
            with torch.no_grad():
                layer.weight[0] = 0
    with torch.no_grad():
        model.train()(images)
    return model.eval()


def scores_of(model, images):
    with torch.no_grad(), hardened(model):
        return model(images).numpy()


@pytest.mark.parametrize("levels", range(2, 17))
def test_values_and_where_they_step(levels):
    layer = BinaryActivation(levels=levels)
    x = torch.linspace(-2, 2, 4001, dtype=torch.float64)
    with hardened(layer):
        y = layer(x)
    signs, unit = levels - 1, average_unit(levels - 1)
    assert y.unique().tolist() == [(2 * n - signs) / unit for n in range(levels)]
    steps = x[1:][y[1:] > y[:-1]]
    assert steps.tolist() == pytest.approx(layer.steps, abs=1e-3)
    assert layer.steps == pytest.approx([0] if levels == 2 else np.linspace(-0.6, 0.6, signs))


@pytest.mark.parametrize("levels", [1, 17, 2.0])
def test_levels_out_of_range(levels):
    with pytest.raises(ValueError, match="levels must be an integer in 2 ... 16"):
        BinaryActivation(levels=levels)


@pytest.mark.parametrize("seed", range(24))
def test_dense_network_is_exact(seed):
    rng = np.random.default_rng(seed)
    first, second = (int(rng.integers(2, 10)) for _ in range(2))
    model = nn.Sequential(
        Binarize(20, [60, 150]),
        BinaryLinear(40, 9, ternary=0.2 if seed % 3 == 0 else None),
        BatchNorm(9),
        BinaryActivation(levels=first),
        BinaryLinear(9, 7, ternary=0.3 if seed % 2 else None),
        BatchNorm(7),
        BinaryActivation(levels=second),
        Scores(7, 3, average=second - 1, per_class=seed % 4 == 3),
    )
    images = torch.randint(256, (300, 20), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)
    at_random(model, images, seed)
    integer = to_network(model, force=True, image_shape=(20,))
    kinds = [type(layer) for layer in integer.layers]
    assert kinds.count(ir.Threshold) == (first > 2) + (second > 2), "one sum, compared several times"
    assert [layer.outputs for layer in integer.layers if isinstance(layer, ir.Dense)] == [9, 7]
    assert np.array_equal(reference.evaluate(integer, images.numpy())[0], scores_of(model, images))


@pytest.mark.parametrize("pool", [None, "max", "average"])
@pytest.mark.parametrize("levels", [3, 4, 6])
@pytest.mark.parametrize("high", [False, True])
def test_convolutional_network_is_exact(pool, levels, high):
    pools = {"max": [nn.MaxPool2d(2)], "average": [AvgPool2d(2)]}.get(pool, [])
    signs = (levels - 1) * (4 if pool == "average" else 1)
    side = 3 if pools else 6
    padding = (1 if high else -1) * signs / average_unit(signs)
    model = nn.Sequential(
        Binarize(36, [60, 150], image=(6, 6, 1)),
        BinaryConv2d(2, 4, 3, padding=1),
        BatchNorm(4),
        BinaryActivation(levels=levels),
        *pools,
        BinaryConv2d(4, 5, 3, padding=1, padding_value=padding),
        BatchNorm(5),
        BinaryActivation(levels=levels),
        Scores(5 * side * side, 3, average=levels - 1),
    )
    images = torch.randint(256, (60, 6, 6), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    at_random(model, images, levels)
    if high and signs & (signs + 1):  # the planes of the maximum are not all ones
        with pytest.raises(ModelError, match=f"padding_value must be -.*, not {padding:g}"):
            to_network(model, force=True)
        return
    integer = to_network(model, force=True)
    assert np.array_equal(reference.evaluate(integer, images.numpy())[0], scores_of(model, images))


def test_thresholds_of_averages_have_levels():
    model = nn.Sequential(
        Binarize(16, [100], image=(4, 4, 1)),
        BinaryConv2d(1, 6, 1),
        BinaryActivation(),
        AvgPool2d(2),
        BatchNorm(6),
        BinaryActivation(levels=4),
        Scores(24, 3, average=3),
    )
    images = torch.randint(256, (90, 4, 4), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    at_random(model, images, 3)
    integer = to_network(model, force=True)
    threshold = next(layer for layer in integer.layers if isinstance(layer, ir.Threshold))
    assert threshold.levels == 3 and 0 < threshold.inverted.sum() < 6
    assert np.array_equal(reference.evaluate(integer, images.numpy())[0], scores_of(model, images))


@pytest.mark.parametrize(
    "layers, message",
    [
        ([Scores(8, 3)], "average must be 3"),
        (
            [Residual(nn.Sequential(BinaryLinear(8, 8))), BinaryActivation(), Scores(8, 3)],
            "must take bits or sums of bits, not an activation of 4 levels",
        ),
    ],
)
def test_what_cannot_follow(layers, message):
    model = nn.Sequential(Binarize(4, [100]), BinaryLinear(4, 8), BinaryActivation(levels=4), *layers)
    with pytest.raises(ModelError, match=message):
        chain(model)


def test_averages_that_would_be_rounded():
    model = nn.Sequential(
        Binarize(25, [100], image=(5, 5, 1)),
        BinaryConv2d(1, 2, 1),
        BinaryActivation(levels=4),
        AvgPool2d((5, 1)),
        Scores(10, 3, average=15),
    )
    with pytest.raises(ModelError, match="not exact in float32; take a kernel whose size is a power of two"):
        chain(model)


@pytest.mark.parametrize("levels", [(4,), (4, 3, 2), (2, 2, 4)])
def test_network_has_them_and_a_file_keeps_them(tmp_path, levels):
    torch.manual_seed(0)
    model = network(
        image_shape=(6, 6),
        thresholds=(90,),
        convolutions=(Convolution(outputs=4, padding=1, pool=2), Convolution(outputs=3, padding=1)),
        widths=(5,),
        classes=3,
        activation_levels=levels,
    )
    found = [layer.levels for layer in model if isinstance(layer, BinaryActivation)]
    assert found == list(levels if len(levels) > 1 else levels * 3)
    images, labels = torch.randint(256, (80, 6, 6), dtype=torch.uint8), torch.arange(80) % 3
    harden(model, images, validation=(images, labels))
    checkpoint.save(model, tmp_path / "net.pt", image_shape=(6, 6), labels="abc")
    kept = checkpoint.load(tmp_path / "net.pt")
    assert torch.equal(kept.model(images), model(images))
    integer = to_network(kept)
    with torch.no_grad():
        assert np.array_equal(reference.evaluate(integer, images.numpy())[0], model(images).numpy())


def test_as_many_as_hidden_layers():
    with pytest.raises(SettingsError, match="one number or one for each of 2 hidden layers, not 3"):
        network(image_shape=(4,), thresholds=(9,), widths=(3, 3), classes=2, activation_levels=(2, 3, 4))
