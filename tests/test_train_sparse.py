"""Neurons that are connected to few of their inputs, and scores that are sums of groups."""

import numpy as np
import pytest
import torch
from torch import nn

from sbgen.compiler import reference
from sbgen.compiler.frontends.from_torch import to_network
from sbgen.errors import ModelError
from sbgen.train import architecture
from sbgen.train.layers import BatchNorm, BinaryLinear, Scores, hardened
from sbgen.train.loop import train
from sbgen.train.network import network
from sbgen.train.schedule import CONNECTING, Schedule
from sbgen.train.settings import Settings


def sparse(seed=0, *, inputs=20, fan_in=3):
    torch.manual_seed(seed)
    model = network(
        image_shape=(inputs,), thresholds=(100,), widths=(16, 12), classes=4, fan_in=(fan_in, fan_in)
    )
    for layer in model.modules():
        if isinstance(layer, BatchNorm):
            layer.running_mean.normal_(0, 1)
            layer.running_var.uniform_(0.5, 3)
            nn.init.normal_(layer.weight)
            nn.init.normal_(layer.bias)
        if isinstance(layer, Scores):
            nn.init.normal_(layer.offset, std=3)
    return model


def test_connections_are_the_greatest_weights():
    layer = BinaryLinear(9, 5, fan_in=2)
    size = layer.weight.detach().abs()
    assert (layer.mask.sum(1) == 2).all()
    assert (size[layer.mask].reshape(5, 2).min(1).values > (size * ~layer.mask).max(1).values).all()
    assert set(layer.hard().unique().tolist()) == {-1, 0, 1} and ((layer.hard() != 0) == layer.mask).all()


def test_training_chooses_connections_until_they_are_fixed():
    layer = BinaryLinear(6, 1, fan_in=2).train()
    x = torch.ones(4, 6)
    layer(x).sum().backward()
    assert (layer.weight.grad != 0).all(), "weights that are no connections must have a gradient"
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.1, 0.9, -0.2, -0.8, 0.3, 0.0]]))
    layer(x)
    assert layer.mask.tolist() == [[False, True, False, True, False, False]]
    layer.connected = True
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[0.9, 0.1, 0.9, 0.2, 0.9, 0.9]]))
    layer.weight.grad = None
    layer(x).sum().backward()
    assert layer.mask.tolist() == [[False, True, False, True, False, False]]
    assert ((layer.weight.grad != 0) == layer.mask).all()


def test_evaluation_changes_no_connection():
    layer = BinaryLinear(6, 2, fan_in=2).eval()
    before = layer.mask.clone()
    with torch.no_grad():
        layer.weight.copy_(layer.weight.flip(1) * 3)
        layer(torch.ones(1, 6))
    assert torch.equal(layer.mask, before)


def test_the_schedule_fixes_connections():
    model = sparse()
    sharpening = Schedule().over(model)
    found = []
    for step in range(10):
        sharpening.apply(step, 10)
        found.append(model.linear1.connected)
    assert found == [step >= 10 * CONNECTING for step in range(10)]


def test_training_keeps_the_number_of_connections():
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.integers(0, 256, (60, 20), dtype=np.uint8))
    labels = (images[:, :4].long().argmax(1)).long()
    model = sparse()
    first = model.linear1.mask.clone()
    train(
        model,
        images,
        labels,
        validation=(images, labels),
        settings=Settings(epochs=4, batch=20, lr=5e-2),
        seed=0,
    )
    assert (model.linear1.mask.sum(1) == 3).all() and not torch.equal(model.linear1.mask, first)


@pytest.mark.parametrize("seed", range(6))
def test_integer_network_has_the_scores_of_the_module(seed):
    print(f"seed {seed}")
    model = sparse(seed)
    images = np.random.default_rng(seed).integers(0, 256, (300, 20), dtype=np.uint8)
    integer = to_network(model, force=True)
    with torch.no_grad(), hardened(model):
        expected = model(torch.from_numpy(images)).numpy()
    # The hardened scores count the agreeing inputs.
    np.testing.assert_array_equal(reference.evaluate(integer, images)[0], expected)
    assert [layer.fan_in for layer in integer.layers[1:]] == [3, 3, 3]
    assert integer.scores.connections == 12 and integer.scores.weights[integer.scores.mask == 1].all()


def test_hardening_for_good_changes_no_score():
    model = sparse(1)
    images = torch.from_numpy(np.random.default_rng(1).integers(0, 256, (50, 20), dtype=np.uint8))
    with torch.no_grad(), hardened(model):
        before = model(images)
    with torch.no_grad():
        for layer in model.modules():
            if hasattr(layer, "harden"):
                layer.harden()
        after = model.eval()(images)
    assert torch.equal(before, after)


def test_a_file_has_the_connections():
    model = sparse(2)
    layers = list(model.named_children())
    again = architecture.rebuild(architecture.describe(layers), dict(model.state_dict()))
    rebuilt = dict(again)
    assert rebuilt["linear1"].fan_in == 3 and rebuilt["scores"].grouped
    assert torch.equal(rebuilt["linear1"].mask, model.linear1.mask)
    images = torch.from_numpy(np.random.default_rng(2).integers(0, 256, (50, 20), dtype=np.uint8))
    x = images
    with torch.no_grad():
        for layer in rebuilt.values():
            x = layer.eval()(x)
        assert torch.equal(x, model.eval()(images))


def test_a_file_without_the_connections_is_refused():
    model = sparse(2)
    state = dict(model.state_dict())
    del state["linear1.mask"]
    with pytest.raises(ModelError, match=r"linear1.*mask must have the shape"):
        architecture.rebuild(architecture.describe(list(model.named_children())), state)


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: BinaryLinear(4, 2, fan_in=0), r"fan_in must be an integer in 1 \.\.\. 4"),
        (lambda: BinaryLinear(4, 2, fan_in=5), r"fan_in must be an integer in 1 \.\.\. 4"),
        (lambda: BinaryLinear(4, 2, fan_in=2, ternary=0.3), "ternary must be None with fan_in"),
        (lambda: Scores(7, 3, grouped=True), "multiple of the 3 classes"),
        (lambda: Scores(6, 3, grouped=True, ternary=0.3), "ternary must be None if"),
    ],
)
def test_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("connected", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_sums_of_connections_are_those_of_a_masked_matrix(connected, seed):
    """With the same gradients; before connections are fixed, of all weights."""
    print(f"seed {seed}")
    torch.manual_seed(seed)
    layer = BinaryLinear(30, 8, fan_in=3).train()
    layer.binarizer.nu, layer.binarizer.hard, layer.connected = 2.0, False, connected
    x, factor = torch.randn(5, 30, requires_grad=True), torch.randn(5, 8)
    found = layer(x)
    (found * factor).sum().backward()
    other, weight = x.detach().requires_grad_(), layer.weight.detach().requires_grad_()
    values = layer.binarizer(weight)
    matrix = values * layer.mask
    if not connected:
        matrix = values + (matrix - values).detach()  # as if all were connections
    expected = other @ matrix.t()
    (expected * factor).sum().backward()
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(layer.weight.grad, weight.grad)
    torch.testing.assert_close(x.grad, factor @ (values * layer.mask))
