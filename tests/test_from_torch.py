import math

import numpy as np
import pytest
import torch
from torch import nn

from sbgen.compiler import ir, reference
from sbgen.compiler.frontends.from_torch import to_network
from sbgen.errors import ModelError
from sbgen.train import checkpoint
from sbgen.train.harden import harden
from sbgen.train.layers import (
    WHITE,
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryLinear,
    Pixels,
    Scores,
    hardened,
)
from sbgen.train.loop import classify
from sbgen.train.methods import METHODS
from sbgen.train.shapes import output_shape


def random_model(seed, *, norms=True, per_class=False):
    """A dense network with every kind of neuron: gamma negative and zero, ties, constants, odd and even
    inputs.
    """
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    pixels, levels = int(random.integers(1, 20)), int(random.integers(1, 4))
    layers = [Binarize(pixels, random.integers(0, 257, (pixels, levels)))]
    inputs = pixels * levels
    for _ in range(random.integers(0, 4)):
        outputs = int(random.integers(1, 40))
        layers.append(BinaryLinear(inputs, outputs))
        if norms:
            norm = BatchNorm(outputs, eps=float(random.choice([1e-5, 1e-3])))
            with torch.no_grad():
                norm.weight.copy_(torch.from_numpy(random.choice([-2.0, -0.3, 0.0, 0.7, 1.0], outputs)))
                norm.bias.copy_(torch.from_numpy(random.choice([0.0, 0.0, -0.5, 1.0, 50.0, -50.0], outputs)))
                # Integer means with no offset are exact ties.
                norm.running_mean.copy_(torch.from_numpy(random.choice([0.0, 1.0, -1.0, 2.0, 0.4], outputs)))
                norm.running_var.copy_(torch.from_numpy(random.choice([0.0, 1.0, 9.0], outputs)))
            layers.append(norm)
        layers.append(BinaryActivation())
        inputs = outputs
    outputs = int(random.integers(2 if per_class else 1, 6))
    decision = "argmax" if per_class or outputs > 1 and random.integers(3) else "sign"
    layers.append(Scores(inputs, outputs, per_class=per_class, decision=decision))
    with torch.no_grad():
        if per_class:
            layers[-1].log_scale.normal_(0, 2)
            layers[-1].scale_bits = int(random.integers(1, 17))
        layers[-1].offset.normal_(0, 5)
        for layer in layers:
            if isinstance(layer, BinaryLinear):
                layer.weight.mul_(layer.weight.abs() > 0.02)  # zeros, which are +1
    return nn.Sequential(*layers).eval(), random.integers(0, 256, (300, pixels), dtype=np.uint8)


@pytest.mark.parametrize("seed", range(100))
def test_scores_equal_the_references(seed):
    model, images = random_model(seed, norms=seed % 5 != 0, per_class=seed % 3 == 0)
    network = to_network(model, force=True)
    scores, classes = reference.evaluate(network, images)
    with hardened(model), torch.no_grad():
        trained, found = model(torch.from_numpy(images)), classify(model, torch.from_numpy(images))
    assert (network.layers[-1].scales is not None) == (seed % 3 == 0)
    assert np.array_equal(trained.numpy(), scores), seed
    assert np.array_equal(found.numpy(), classes), seed
    if network.decision == "sign":  # exactly as trained, before offsets are rounded
        with torch.no_grad():
            hidden = torch.from_numpy(images)
            for layer in list(model)[:-1]:
                with hardened(layer):
                    hidden = layer(hidden)
            signs = torch.where(model[-1].weight >= 0, 1.0, -1.0)
            assert np.array_equal((hidden @ signs.T + model[-1].offset >= 0).numpy(), scores >= 0), seed


@pytest.mark.parametrize("seed", range(20))
def test_every_layer_equals_the_references(seed):
    model, images = random_model(seed)
    outputs = reference.run(to_network(model, force=True), images)
    x, found = torch.from_numpy(images), []
    with hardened(model), torch.no_grad():
        for layer in model:
            x = layer(x)
            if not isinstance(layer, (BinaryLinear, BatchNorm)):
                found.append((x > 0).numpy())
    for ours, theirs in zip(outputs[:-1], found, strict=True):
        assert np.array_equal(ours, theirs), seed


def test_hardening_changes_no_score():
    model, images = random_model(8)
    before = to_network(model, force=True)
    labels = torch.zeros(len(images), dtype=torch.int64)
    # The labels have no sense, so the statistics' choice may go either way; undo it.
    norms = [{key: value.clone() for key, value in layer.state_dict().items()} for layer in model]
    harden(model, torch.from_numpy(images), validation=(torch.from_numpy(images), labels))
    for layer, state in zip(model, norms, strict=True):
        if isinstance(layer, BatchNorm):
            layer.load_state_dict(state)
    after = to_network(model)
    assert all(
        np.array_equal(reference.evaluate(n, images)[0], reference.evaluate(before, images)[0])
        for n in (before, after)
    )


def dense(gamma, beta, mean, variance, *, inputs, eps=1e-5, weight=1.0):
    """The one integer neuron of a network of `inputs` pixels."""
    model = nn.Sequential(
        Binarize(inputs, [1]),
        BinaryLinear(inputs, 1),
        BatchNorm(1, eps=eps),
        BinaryActivation(),
        Scores(1, 1),
    )
    with torch.no_grad():
        model[1].weight.fill_(weight)
        for tensor, value in (
            (model[2].weight, gamma),
            (model[2].bias, beta),
            (model[2].running_mean, mean),
            (model[2].running_var, variance),
        ):
            tensor.fill_(value)
    return to_network(model.eval(), force=True).layers[1]


@pytest.mark.parametrize(
    ("gamma", "beta", "mean", "inputs", "threshold", "bit"),
    [
        (1.0, 0.0, 0.0, 4, 2, 1),  # a tie at sum 0 is on
        (1.0, 0.0, 0.0, 5, 3, 1),  # no tie with an odd number: sum 1 is on
        (1.0, 0.0, 2.0, 4, 3, 1),  # a tie at sum 2
        (1.0, 0.0, 2.1, 4, 4, 1),
        (-1.0, 0.0, 0.0, 4, 2, 0),  # on at sum <= 0: at least two of four disagree
        (-1.0, 0.0, 0.0, 5, 3, 0),
        (-1.0, 0.0, 2.0, 4, 1, 0),
        (0.0, 0.0, 1.0, 4, 0, 1),  # constant +1, sign(0) included
        (0.0, 3.0, 1.0, 4, 0, 1),
        (0.0, -3.0, 1.0, 4, 5, 1),  # constant -1
        (1.0, 99.0, 0.0, 4, 0, 1),  # always on, though gamma is not 0
        (-1.0, -99.0, 0.0, 4, 5, 1),  # never on; the row need not be complemented
    ],
)
def test_thresholds_by_hand(gamma, beta, mean, inputs, threshold, bit):
    layer = dense(gamma, beta, mean, 1.0, inputs=inputs)
    assert layer.thresholds.tolist() == [threshold]
    assert layer.weights.tolist() == [[bit] * inputs]


@pytest.mark.parametrize("seed", range(50))
def test_algebra_agrees_except_at_its_own_rounding(seed):
    """The paper's deploy equation, t = mean - beta * sqrt(var + eps) / gamma, gives the same threshold."""
    random = np.random.default_rng(seed)
    inputs, eps = int(random.integers(1, 200)), 1e-5
    gamma, beta = random.normal(size=2).astype(np.float32)
    mean, variance = np.float32(random.normal(0, inputs**0.5)), np.float32(inputs * random.random())
    layer = dense(float(gamma), float(beta), float(mean), float(variance), inputs=inputs, eps=eps)
    t = float(mean) - float(beta) * math.sqrt(float(variance) + eps) / float(gamma)
    switch = (inputs + t) / 2 if gamma > 0 else (inputs - t) / 2
    if abs(switch - round(switch)) < 1e-6:
        pytest.skip("too near a tie for the algebraic form")
    assert layer.thresholds.tolist() == [min(max(math.ceil(switch), 0), inputs + 1)]


def test_names_are_identifiers():
    model, _ = random_model(1)
    assert all(layer.name.isidentifier() for layer in to_network(model, force=True).layers)


def test_labels_and_shape():
    model, _ = random_model(1)
    network = to_network(model, name="mine", force=True, image_shape=(1, model[0].pixels))
    assert isinstance(network.layers[0], ir.Binarize) and network.name == "mine"
    assert network.labels[0] == "0" and network.image_shape == (1, model[0].pixels)


def test_soft_module_is_refused():
    model, _ = random_model(1)
    with pytest.raises(ModelError, match="at most 1% of the weights .* harden it"):
        to_network(model)


def test_infinite_statistics():
    with pytest.raises(ModelError, match="'2': running_mean must be finite"):
        dense(1.0, 0.0, float("inf"), 1.0, inputs=4)


def random_convolutions(seed, *, on_pixels):
    """A network of convolutions and pools, of every kind of neuron, and images for it."""
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    image = int(random.integers(4, 9)), int(random.integers(4, 9)), int(random.choice([1, 1, 3]))
    levels = int(random.integers(1, 3))
    if on_pixels:
        layers = [Pixels(image)]
    else:
        layers = [
            Binarize(math.prod(image), random.integers(0, 257, (math.prod(image), levels)), image=image)
        ]
    shape = output_shape("layer", layers[0], None)
    for _ in range(random.integers(1, 4)):
        groups = int(random.choice([n for n in range(1, shape[0] + 1) if shape[0] % n == 0]))
        outputs, kernel = (
            groups * int(random.integers(1, 5)),
            (int(random.integers(1, 4)), int(random.integers(1, 4))),
        )
        conv = BinaryConv2d(
            shape[0],
            outputs,
            kernel,
            stride=int(random.integers(1, 3)),
            groups=groups,
            padding=tuple((int(random.integers(size)), int(random.integers(size))) for size in kernel),
            padding_value=int(random.choice([-1, 1])) * (WHITE if on_pixels and len(layers) == 1 else 1),
        )
        more = [conv, norm := BatchNorm(outputs), BinaryActivation()]
        with torch.no_grad():
            norm.weight.copy_(torch.from_numpy(random.choice([-2.0, 0.0, 0.7], outputs)))
            norm.bias.copy_(torch.from_numpy(random.choice([0.0, -0.5, 1.0], outputs)))
            norm.running_mean.copy_(torch.from_numpy(random.choice([0.0, 1.0, -1.0], outputs)))
        if random.integers(2):
            kernel = int(random.integers(1, 4))
            more.append(
                nn.MaxPool2d(
                    kernel, stride=int(random.integers(1, 3)), padding=int(random.integers(kernel // 2 + 1))
                )
            )
        after = shape
        try:
            for layer in more:
                after = output_shape("layer", layer, after)
        except ModelError:
            continue  # a kernel larger than the image
        layers, shape = layers + more, after
    if random.integers(2) or (on_pixels and len(layers) == 1):
        layers += [nn.Flatten(), BinaryLinear(math.prod(shape), 7), BinaryActivation()]
        shape = (7,)
    layers.append(Scores(math.prod(shape), 3))
    return nn.Sequential(*layers).eval(), random.integers(0, 256, (40, *image), dtype=np.uint8)


@pytest.mark.parametrize("on_pixels", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_convolutions_equal_the_references(seed, on_pixels, tmp_path):
    model, images = random_convolutions(seed, on_pixels=on_pixels)
    network = to_network(model, force=True)
    with hardened(model), torch.no_grad():
        trained = model(torch.from_numpy(images))
    assert np.array_equal(trained.numpy(), reference.evaluate(network, images)[0]), seed
    assert getattr(network.layers[0], "planes", 1) == (8 if on_pixels else 1)
    checkpoint.save(model, tmp_path / "net.pt", image_shape=network.image_shape, labels=network.labels)
    assert (
        to_network(checkpoint.load(tmp_path / "net.pt", force=True), name="network").layers == network.layers
    )


@pytest.mark.parametrize("image", [(13,), (3, 5), (3, 2, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_sums_of_pixels_equal_the_references(seed, image):
    random, pixels = np.random.default_rng(seed), math.prod(image)
    torch.manual_seed(seed)
    model = nn.Sequential(
        Pixels(image), BinaryLinear(pixels, 30), norm := BatchNorm(30), BinaryActivation(), Scores(30, 4)
    )
    images = random.integers(0, 256, (300, *image), dtype=np.uint8)
    with torch.no_grad():
        model.train()(torch.from_numpy(images))
        norm.weight.copy_(torch.from_numpy(random.choice([-2.0, 0.0, 0.7], 30)))
    model.eval()
    network = to_network(model, force=True, image_shape=image)
    assert (network.layers[0].planes, network.image_shape) == (8, image)
    # Not only far from the thresholds: a pixel of the first image is moved through all of its values.
    images[:256] = images[0]
    images.reshape(300, pixels)[:256, 0] = np.arange(256)
    with hardened(model), torch.no_grad():
        trained = model(torch.from_numpy(images))
    assert np.array_equal(trained.numpy(), reference.evaluate(network, images)[0]), seed


def pixel_neuron(mean, *, pixels):
    """Threshold of one neuron of plus ones, on where a sum of pixels in 256ths reaches 256 * mean."""
    model = nn.Sequential(
        Pixels((pixels,)), BinaryLinear(pixels, 1), norm := BatchNorm(1), BinaryActivation(), Scores(1, 1)
    )
    with torch.no_grad():
        model[1].weight.fill_(1.0)
        norm.running_mean.fill_(mean)
    return to_network(model.eval(), force=True).layers[0].thresholds.tolist()


@pytest.mark.parametrize(
    ("mean", "pixels", "threshold"),
    [
        (0.0, 1, 128),  # 2p - 255 >= 0
        (1 / 256, 1, 128),  # a tie is on
        (2 / 256, 1, 129),
        (-255 / 256, 1, 0),
        (256 / 256, 1, 256),  # never
        (0.0, 2, 255),
    ],
)
def test_thresholds_on_pixels_by_hand(mean, pixels, threshold):
    assert pixel_neuron(mean, pixels=pixels) == [threshold]


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (
            [Pixels((2, 2)), Scores(4, 2)],
            "after Pixels must come BinaryConv1d or BinaryConv2d or BinaryLinear, not Scores",
        ),
        (
            [Pixels((2, 2)), BinaryConv2d(1, 1, 3, padding=1), BinaryActivation(), Scores(4, 2)],
            "'1': padding_value must be -WHITE or WHITE after Pixels, not -1",
        ),
        (
            [
                Binarize(4, [9], image=(2, 2, 1)),
                BinaryConv2d(1, 1, 3, padding=1, padding_value=WHITE),
                BinaryActivation(),
                Scores(4, 2),
            ],
            "'1': padding_value must be -1 or [+]1, not 0.996",
        ),
        (
            [Pixels((65794,)), BinaryLinear(65794, 1), BinaryActivation(), Scores(1, 2)],
            "'1': sums of pixels must be of at most 65793 to be exact, not 65794",
        ),
    ],
)
def test_pixels_that_do_not_fit(layers, message):
    with pytest.raises(ModelError, match=message):
        to_network(nn.Sequential(*layers), force=True)


def test_grey_images_have_the_one_channel_that_a_convolution_sees():
    model = nn.Sequential(Pixels((4, 5)), BinaryConv2d(1, 2, 3), BinaryActivation(), Scores(12, 2)).eval()
    assert to_network(model, force=True, image_shape=(4, 5)).image_shape == (4, 5, 1)


@pytest.mark.parametrize(
    "layers, message",
    [
        ([BinaryConv2d(1, 2, 3)], "must be given an image, not 16 values"),
        ([BinaryConv2d(2, 2, 3)], "takes 2 channels, but the layer before it gives 1"),
        ([BinaryConv2d(1, 2, 5)], r"its kernel \(5, 5\) must fit the padded image of 4 x 4"),
        (
            [BinaryConv2d(1, 2, 3), BinaryActivation(), nn.MaxPool2d(2, ceil_mode=True)],
            "no dilation and no ceil_mode",
        ),
        (
            [BinaryConv2d(1, 2, 3), BinaryActivation(), nn.MaxPool2d(2, padding=(1, 2))],
            "pad by at most half of its kernel",
        ),
        (
            [BinaryConv2d(1, 2, 3), nn.MaxPool2d(2)],
            "after BinaryConv2d must come BatchNorm or BinaryActivation",
        ),
    ],
)
def test_convolutions_that_do_not_fit(layers, message):
    image = None if "image, not" in message else (4, 4, 1)
    model = nn.Sequential(Binarize(16, [128], image=image), *layers, BinaryActivation(), Scores(4, 2))
    with pytest.raises(ModelError, match=message):
        to_network(model, force=True)


def test_padding_of_zero_is_refused():
    with pytest.raises(ValueError, match="padding_value must be -1 or \\+1, .* not 0: signs have no 0"):
        BinaryConv2d(1, 1, 3, padding=1, padding_value=0)


def random_averages(seed):
    """A network with averages of signs before every kind of layer that takes them, its weights binary or
    ternary.
    """
    random = np.random.default_rng(seed)
    torch.manual_seed(seed)
    image = int(random.integers(6, 10)), int(random.integers(6, 10)), int(random.choice([1, 2]))

    def ternary():
        return {"ternary": float(random.choice([0.05, 0.3, 0.6])) if random.integers(2) else None}

    def active(outputs):
        norm = BatchNorm(outputs)
        with torch.no_grad():
            norm.weight.copy_(torch.from_numpy(random.choice([-2.0, 0.0, 0.7], outputs)))
            norm.bias.copy_(torch.from_numpy(random.choice([0.0, -0.5, 0.3], outputs)))
            norm.running_mean.copy_(torch.from_numpy(random.choice([0.0, 0.5, -0.25], outputs)))
        return [norm, BinaryActivation()]

    kernel = int(random.integers(1, 4)), int(random.integers(1, 4))
    pool = AvgPool2d(
        kernel, stride=tuple(int(random.integers(1, 4)) for _ in range(2)) if random.integers(2) else None
    )
    layers = [
        Binarize(math.prod(image), [128], image=image),
        BinaryConv2d(image[2], 5, 3, padding=1, **ternary()),
        *active(5),
        pool,
    ]
    shape, average = output_shape("pool", pool, (5, *image[:2])), math.prod(kernel)
    match random.integers(4):
        case 0:
            conv = BinaryConv2d(5, 4, (2, 1), **ternary())
            if average & (average - 1) == 0:
                conv.padding = (1, 0), (0, 0)
            layers += [conv, *active(4)]
            shape, average = output_shape("conv", conv, shape), 1
        case 1:
            layers += [BinaryLinear(math.prod(shape), 6, **ternary()), *active(6)]
            shape, average = (6,), 1
        case 2:
            layers += active(5)
            average = 1
    layers.append(
        Scores(math.prod(shape), 3, per_class=bool(random.integers(2)), average=average, **ternary())
    )
    with torch.no_grad():
        layers[-1].offset.normal_(0, 2)
        if layers[-1].per_class:
            layers[-1].log_scale.normal_(-1, 1)
    return nn.Sequential(*layers).eval(), random.integers(0, 256, (60, *image), dtype=np.uint8)


@pytest.mark.parametrize("seed", range(60))
def test_averages_and_ternary_weights_equal_the_references(seed, tmp_path):
    model, images = random_averages(seed)
    network = to_network(model, force=True)
    scores = reference.evaluate(network, images)[0]
    with hardened(model), torch.no_grad():
        assert np.array_equal(model(torch.from_numpy(images)).numpy(), scores), seed
    checkpoint.save(model, tmp_path / "net.pt", image_shape=network.image_shape, labels=network.labels)
    assert (
        to_network(checkpoint.load(tmp_path / "net.pt", force=True), name="network").layers == network.layers
    )


@pytest.mark.parametrize("seed", range(10))
def test_hardening_keeps_scores_of_averages_and_ternary_weights(seed, tmp_path):
    model, images = random_averages(seed)
    images = torch.from_numpy(images)
    scores = to_network(model, force=True).layers[-1]
    harden(model, images, validation=(images, torch.zeros(len(images), dtype=torch.int64)))
    hard = to_network(model)
    if not model[-1].per_class:  # whose bits the validation images choose
        assert hard.layers[-1] == scores
    checkpoint.save(model, tmp_path / "net.pt", image_shape=hard.image_shape, labels=hard.labels)
    assert to_network(checkpoint.load(tmp_path / "net.pt", force=True), name="network").layers == hard.layers


@pytest.mark.parametrize(
    "layers, message",
    [
        (
            [AvgPool2d(3), Scores(4, 2)],
            "average must be 9, the number of signs that each of its inputs is the sum of, not 1",
        ),
        (
            [nn.AvgPool2d(3), Scores(4, 2)],
            "must divide by 16, the power of two that is not below the 9 signs",
        ),
        ([nn.AvgPool2d(2, padding=1), Scores(4, 2)], "AvgPool2d must have no padding and no ceil_mode"),
        (
            [AvgPool2d(3), BinaryConv2d(1, 1, 2, padding=1), BinaryActivation(), Scores(9, 2)],
            "after sums of 9 signs",
        ),
        ([AvgPool2d(2), nn.MaxPool2d(2), Scores(1, 2)], "after AvgPool2d must come"),
    ],
)
def test_averages_that_do_not_fit(layers, message):
    model = nn.Sequential(
        Binarize(36, [128], image=(6, 6, 1)), BinaryConv2d(1, 1, 1), BinaryActivation(), *layers
    )
    with pytest.raises(ModelError, match=message):
        to_network(model, force=True)


def test_an_average_of_torch_over_a_power_of_two_is_the_same():
    model, images = random_averages(3)
    pools = []
    for pool in AvgPool2d(2), nn.AvgPool2d(2):
        layers = [
            *model[:4],
            pool,
            Scores(5 * math.prod(size // 2 for size in images.shape[1:3]), 3, average=4),
        ]
        torch.manual_seed(0)
        nn.init.normal_(layers[-1].weight)
        pools.append(to_network(nn.Sequential(*layers).eval(), force=True))
    assert pools[0].layers == pools[1].layers


def test_ternary_weights_by_hand():
    model = nn.Sequential(Binarize(4, [128]), Scores(4, 1, ternary=0.25))
    with torch.no_grad():
        model[1].weight.copy_(torch.tensor([[0.25, -0.25, 0.0, -0.3]]))
    layer = to_network(model.eval(), force=True).layers[-1]
    assert (layer.mask * (2 * layer.weights.astype(int) - 1)).tolist() == [[1, 0, 0, -1]]


@pytest.mark.parametrize("method", list(METHODS))
def test_ternary_weights_train(method):
    layer = BinaryLinear(6, 3, method=method, ternary=0.2)
    layer(torch.ones(2, 6)).sum().backward()
    assert layer.weight.grad.abs().sum() > 0
    if METHODS[method].exact or method == "surrogate":
        nu, weight = layer.binarizer.nu, layer.weight
        torch.testing.assert_close(
            layer.binary(), (torch.tanh(nu * (weight + 0.2)) + torch.tanh(nu * (weight - 0.2))) / 2
        )
    else:
        assert set(layer.binary().unique().tolist()) <= {-1.0, 0.0, 1.0}
