"""Networks of one-dimensional layers: trained, saved, and converted to integers."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from sbgen.compiler import reference
from sbgen.compiler.frontends.from_torch import to_network
from sbgen.errors import DataError, ModelError
from sbgen.train import checkpoint
from sbgen.train.inputs import check_images
from sbgen.train.layers import (
    WHITE,
    AvgPool1d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv1d,
    BinaryConv2d,
    BinaryLinear,
    Pixels,
    Residual,
    Scores,
    hardened,
)
from sbgen.train.loop import train
from sbgen.train.settings import Settings
from sbgen.train.shapes import output_shape


def random_norm(channels, random):
    norm = BatchNorm(channels)
    with torch.no_grad():
        norm.weight.copy_(torch.from_numpy(random.choice([-2.0, 0.0, 0.7], channels)))
        norm.bias.copy_(torch.from_numpy(random.choice([0.0, -0.5, 1.0], channels)))
        norm.running_mean.copy_(torch.from_numpy(random.choice([0.0, 1.0, -1.0], channels)))
    return norm


def random_convolution(channels, random, *, white):
    depthwise = random.integers(3) == 0
    groups = (
        channels
        if depthwise
        else int(random.choice([n for n in range(1, channels + 1) if channels % n == 0]))
    )
    kernel = int(random.integers(1, 6))
    return BinaryConv1d(
        channels,
        groups * int(random.integers(1, 4)),
        kernel,
        stride=int(random.integers(1, 3)),
        padding=(int(random.integers(kernel)), int(random.integers(kernel))),
        padding_value=white * int(random.choice([-1, 1])),
        groups=groups,
        ternary=None if random.integers(3) else 0.1,
    )


def random_sequences(seed, *, on_pixels):
    """A network of convolutions and pools along a sequence, and sequences for it."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    length, channels, levels = int(random.integers(8, 25)), int(random.integers(1, 4)), 1 + seed % 2
    pixels = length * channels
    layers = [Pixels(sequence=(length, channels))]
    if not on_pixels:
        thresholds = random.integers(0, 257, (pixels, levels))
        layers = [Binarize(pixels, thresholds, sequence=(length, channels))]
    shape, average = output_shape("layer", layers[0], None), 1
    for _ in range(random.integers(1, 4)):
        conv = random_convolution(shape[0], random, white=WHITE if type(layers[-1]) is Pixels else 1)
        more = [conv, random_norm(conv.outputs, random), BinaryActivation()]
        if random.integers(2):
            kernel = int(random.integers(1, 4))
            stride, padding = int(random.integers(1, 3)), int(random.integers(kernel // 2 + 1))
            more.append(nn.MaxPool1d(kernel, stride=stride, padding=padding))
        after = shape
        try:
            for layer in more:
                after = output_shape("layer", layer, after)
        except ModelError:
            continue  # a kernel larger than the sequence
        layers, shape = layers + more, after
    if type(layers[-1]) is Pixels:
        layers += [BinaryLinear(pixels, 7), BinaryActivation()]
        shape = (7,)
    elif random.integers(2):
        average = int(random.integers(1, shape[1] + 1))
        layers.append(AvgPool1d(average, stride=int(random.integers(1, 3))))
        shape = output_shape("layer", layers[-1], shape)
    layers += [nn.Flatten(), Scores(math.prod(shape), 3, average=average)]
    images = random.integers(0, 256, (40, length, channels), dtype=np.uint8)
    return nn.Sequential(*layers).eval(), images


@pytest.mark.parametrize("on_pixels", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_scores_equal_the_references(seed, on_pixels, tmp_path):
    model, images = random_sequences(seed, on_pixels=on_pixels)
    network = to_network(model, force=True)
    assert network.image_shape == (images.shape[1], 1, images.shape[2])
    with hardened(model), torch.no_grad():
        trained = model(torch.from_numpy(images)).numpy()
    assert np.array_equal(trained, reference.evaluate(network, images)[0]), seed
    checkpoint.save(model, tmp_path / "net.pt", image_shape=images.shape[1:], labels=network.labels)
    loaded = checkpoint.load(tmp_path / "net.pt", force=True)
    assert loaded.image_shape == images.shape[1:]
    assert to_network(loaded, name="network") == network
    assert [str(layer) for layer in loaded.model] == [
        str(layer) for layer in model if not isinstance(layer, nn.Flatten)
    ]


def test_random_networks_have_everything():
    seen = set()
    for seed in range(60):
        for layer in random_sequences(seed, on_pixels=False)[0]:
            seen.add(type(layer))
            if isinstance(layer, BinaryConv1d):
                seen.add("depthwise" if layer.groups == layer.channels > 1 else layer.groups > 1)
                seen.add(("padding", any(layer.padding[0]), layer.padding_value))
                seen.add(("ternary", layer.ternary is not None))
    assert {AvgPool1d, BinaryConv1d, nn.MaxPool1d, "depthwise", True, False} <= seen
    assert {("padding", True, -1), ("padding", True, 1), ("ternary", True), ("ternary", False)} <= seen


@pytest.mark.parametrize(("stride", "padding", "groups"), [(1, 0, 1), (2, (1, 2), 2), (1, 1, 4)])
def test_convolution_is_that_of_torch(stride, padding, groups):
    torch.manual_seed(1)
    conv = BinaryConv1d(4, 8, 3, stride=stride, padding=padding, padding_value=1, groups=groups)
    signs = torch.randn(2, 4, 9).sign()
    before, after = (padding, padding) if isinstance(padding, int) else padding
    padded = F.pad(signs, (before, after), value=1.0)
    with hardened(conv), torch.no_grad():
        expected = F.conv1d(padded, conv.weight.sign(), stride=stride, groups=groups)
        assert torch.equal(conv(signs), expected)
    assert conv.weight.shape == (8, 4 // groups, 3)


def test_signs_of_a_sequence_have_their_channels_first():
    sequences = torch.randint(0, 256, (5, 6, 2), dtype=torch.uint8)
    signs = Binarize(12, [100], sequence=(6, 2))(sequences)
    assert torch.equal(signs > 0, sequences.permute(0, 2, 1) >= 100)
    numbers = Pixels(sequence=(6, 2))(sequences)
    assert torch.equal(numbers, (2 * sequences.permute(0, 2, 1).float() - 255) / 256)
    assert Pixels(sequence=(12,))(sequences.reshape(5, 12)).shape == (5, 1, 12)


@pytest.mark.parametrize(("kernel", "unit"), [(4, 4), (3, 4), (5, 8)])
def test_averages_divide_by_a_power_of_two(kernel, unit):
    signs = torch.randn(2, 3, 11).sign()
    found = AvgPool1d(kernel, stride=2)(signs)
    assert torch.equal(found * unit, signs.unfold(2, kernel, 2).sum(3))


def test_network_trains():
    torch.manual_seed(0)
    model = nn.Sequential(
        Binarize(32, [96], sequence=(16, 2)),
        BinaryConv1d(2, 8, 3, padding=1),
        Residual(nn.Sequential(BatchNorm(8), BinaryActivation(), BinaryConv1d(8, 8, 3, padding=1))),
        BatchNorm(8),
        BinaryActivation(),
        nn.MaxPool1d(2),
        Scores(64, 3),
    )
    sequences = torch.randint(0, 256, (20, 16, 2), dtype=torch.uint8)
    model(sequences).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())
    model.eval()
    with hardened(model), torch.no_grad():
        trained = model(sequences).numpy()
    network = to_network(model, force=True)
    assert np.array_equal(trained, reference.evaluate(network, sequences.numpy())[0])


SEQUENCE = Binarize(12, [100], sequence=(6, 2))
IMAGE = Binarize(12, [100], image=(6, 1, 2))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            (SEQUENCE, BinaryConv2d(2, 3, 1)),
            "must be given an image, not a sequence; give Binarize its image",
        ),
        (
            (IMAGE, BinaryConv1d(2, 3, 1)),
            "must be given a sequence, not an image; give Binarize its sequence",
        ),
        ((Binarize(12, [100]), BinaryConv1d(2, 3, 1)), "must be given a sequence, not 12 values"),
        ((SEQUENCE, BinaryConv1d(3, 3, 1)), "takes 3 channels, but the layer before it gives 2"),
        ((SEQUENCE, BinaryConv1d(2, 3, 7)), "must fit the padded sequence of 6"),
        (
            (SEQUENCE, BinaryConv1d(2, 3, 1), BinaryActivation(), nn.MaxPool1d(2, dilation=2)),
            "MaxPool1d must have no dilation",
        ),
        (
            (SEQUENCE, BinaryConv1d(2, 3, 1), BinaryActivation(), nn.AvgPool1d(3)),
            "must divide by 4, .* not by 3; take AvgPool1d",
        ),
        (
            (SEQUENCE, BinaryConv1d(2, 3, 1), BinaryActivation(), nn.AvgPool1d(2, padding=1)),
            "AvgPool1d must have no padding",
        ),
    ],
)
def test_layers_that_do_not_fit(layers, message):
    with pytest.raises(ModelError, match=message):
        to_network(nn.Sequential(*layers, Scores(1, 3)), force=True)


def test_average_of_torch_over_a_power_of_two_is_the_same():
    torch.manual_seed(2)
    before = (Binarize(12, [100], sequence=(6, 2)), BinaryConv1d(2, 3, 1), BinaryActivation())
    after = Scores(9, 3, average=2)
    ours, theirs = (
        to_network(nn.Sequential(*before, pool, after), force=True)
        for pool in (AvgPool1d(2), nn.AvgPool1d(2))
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Pixels(), "must have an image or a sequence"),
        (lambda: Pixels((3, 4), sequence=(3, 4)), "an image or a sequence, not"),
        (lambda: Pixels(sequence=(3, 4, 5)), r"must have the shape \(length, channels\), not \(3, 4, 5\)"),
        (lambda: Binarize(12, [1], sequence=()), r"must have the shape \(length, channels\), not \(\)"),
        (lambda: Binarize(12, [1], sequence=(5, 2)), "must have 12 pixels, not 10"),
        (lambda: BinaryConv1d(2, 3, 1, padding_value=0), "signs have no 0"),
        (lambda: BinaryConv1d(2, 3, 1, groups=2), "groups must divide 2 channels and 3 outputs"),
    ],
)
def test_arguments_that_do_not_fit(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_images_of_a_network_of_sequences():
    model = nn.Sequential(SEQUENCE, BinaryConv1d(2, 3, 1), BinaryActivation(), Scores(18, 3))
    for shape in (6, 2), (6, 1, 2), (12,):
        assert check_images(model, torch.zeros(4, *shape, dtype=torch.uint8), name="training") == 3
    with pytest.raises(DataError, match=r"\(N, 6, 2\).*pass images.permute\(0, 2, 1\)"):
        check_images(model, torch.zeros(4, 2, 6, dtype=torch.uint8), name="training")
    with pytest.raises(DataError, match=r"\(N, 6, 2\) that the network takes, .* not \(4, 3, 4\)"):
        check_images(model, torch.zeros(4, 3, 4, dtype=torch.uint8), name="training")


@pytest.mark.parametrize("settings", [{"shift": 1}, {"flip": True}, {"deform": 2}])
def test_sequences_are_trained_on_but_not_augmented(settings):
    torch.manual_seed(3)
    model = nn.Sequential(SEQUENCE, BinaryConv1d(2, 8, 3), BatchNorm(8), BinaryActivation(), Scores(32, 2))
    sequences = torch.randint(0, 256, (24, 6, 2), dtype=torch.uint8)
    labels = (sequences[:, 0, 0] > 100).long()
    before = model[1].weight.detach().clone()

    def trained(**more):
        how = Settings(epochs=2, batch=8, **more)
        return train(model, sequences, labels, validation=(sequences, labels), settings=how, seed=0)

    with pytest.raises(DataError, match="must have rows and columns to be shifted, flipped or deformed"):
        trained(**settings)
    assert torch.equal(model[1].weight, before)
    trained()
    assert not torch.equal(model[1].weight, before)


@pytest.mark.parametrize(
    ("layer", "field", "value", "message"),
    [
        (1, "kernel", [1, 1], r"weight must have the shape \(3, 2, 1, 1\)"),
        (1, "stride", [1, 1], "there must be one size, for the length"),
        (1, "padding", [[0, 0], [0, 0]], "there must be one size, for the length"),
        (1, "kernel", [0], r"kernel\[0\] must be an integer of at least 1"),
        (0, "sequence", [-6, -2], r"sequence\[0\] must be an integer of at least 1"),
        (0, "sequence", [6, 2, 1], r"must have the shape \(length, channels\)"),
        (3, "padding", [-1], "padding must be an integer of at least 0"),
    ],
)
def test_damaged_sizes_of_a_file_are_refused(layer, field, value, message, tmp_path):
    before = SEQUENCE, BinaryConv1d(2, 3, 1), BinaryActivation(), nn.MaxPool1d(2)
    checkpoint.save(
        nn.Sequential(*before, Scores(9, 3)), tmp_path / "net.pt", image_shape=(6, 2), labels="012"
    )
    content = torch.load(tmp_path / "net.pt", weights_only=True)
    content["architecture"][layer][field] = value
    torch.save(content, tmp_path / "net.pt")
    with pytest.raises(ModelError, match=f"layer '{layer}': .*{message}"):
        checkpoint.load(tmp_path / "net.pt", force=True)
