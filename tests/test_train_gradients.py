"""The gradients of the exact methods are those of the forward pass: finite differences in float64."""

import pytest
import torch
from torch import nn

from sbgen.train.layers import (
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryLinear,
    BinaryWeights,
    Scores,
)
from sbgen.train.methods import METHODS

EXACT = [name for name, method in METHODS.items() if method.exact]

#: Step of the finite differences; they are central, with an error of its square.
STEP = 1e-6


def dense(method):
    how = {"method": method}
    return nn.Sequential(
        Binarize(16, [100]),
        BinaryLinear(16, 7, **how),
        BatchNorm(7),
        BinaryActivation(**how),
        BinaryLinear(7, 5, ternary=0.2, **how),
        BatchNorm(5),
        BinaryActivation(levels=4, **how),
        Scores(5, 3, average=3, **how),
    )


def convolutional(method):
    how = {"method": method}
    return nn.Sequential(
        Binarize(16, [60, 180], image=(4, 4, 1)),
        BinaryConv2d(2, 3, 3, padding=1, **how),
        BatchNorm(3),
        BinaryActivation(**how),
        nn.MaxPool2d(2),
        BinaryConv2d(3, 4, 2, **how),
        BatchNorm(4),
        BinaryActivation(**how),
        Scores(4, 3, **how),
    )


class Shifted:
    """A forward hook that adds `amount` to one element of the value that it sees, and keeps the value."""

    def __init__(self):
        self.value = None
        self.element, self.amount = 0, 0.0

    def __call__(self, module, args, output):
        return self._shift(output)

    def before(self, module, args):
        return (self._shift(args[0]),)

    def _shift(self, value):
        shift = torch.zeros(value.numel(), dtype=value.dtype)
        shift[self.element] = self.amount
        value = value + shift.view_as(value)
        if value.requires_grad:
            value.retain_grad()
        self.value = value
        return value


def points(model):
    """A hook at each w = tanh(nu W), ternary ones with both of their halves, and at each pre-activation."""
    found = {}
    for name, layer in model.named_modules():
        hook = Shifted()
        if isinstance(layer, BinaryWeights) and layer.ternary is None:
            layer.binarizer.register_forward_hook(hook)
        elif isinstance(layer, BinaryActivation):
            layer.register_forward_pre_hook(hook.before)
        else:
            continue
        found[name] = hook
    return found


@pytest.mark.parametrize("method", EXACT)
@pytest.mark.parametrize("make", [dense, convolutional])
@pytest.mark.parametrize("nu", [1.0, 3.0, 20.0])
def test_gradient_is_the_finite_difference(make, method, nu):
    torch.manual_seed(int(nu))
    model = make(method).double().train()
    for layer in model.modules():
        if hasattr(layer, "binarizer"):
            layer.binarizer.nu = nu
    images = torch.randint(256, (9, 4, 4), dtype=torch.uint8)
    labels = torch.randint(3, (9,))
    # The first layer outputs float32 signs; from there on everything is float64.
    model[0].register_forward_hook(lambda layer, args, output: output.double())
    hooks = points(model)

    def loss():
        return nn.functional.cross_entropy(model(images), labels)

    loss().backward()
    gradients = {name: hook.value.grad.flatten().clone() for name, hook in hooks.items()}
    assert len(gradients) >= 5 or make is dense
    for name, hook in hooks.items():
        compared = torch.randperm(len(gradients[name]))[:25].tolist()
        for element in compared:
            hook.element, ends = element, []
            for hook.amount in (STEP, -STEP):
                with torch.no_grad():
                    ends.append(loss().item())
            hook.amount = 0.0
            difference = (ends[0] - ends[1]) / (2 * STEP)
            found = gradients[name][element].item()
            assert found == pytest.approx(difference, abs=1e-7 * max(1, nu), rel=1e-4), (name, element)


@pytest.mark.parametrize("method", [name for name in METHODS if name not in EXACT])
def test_other_methods_have_another_gradient(method):
    """What the check above would find of them: the difference of a sign is 0, or their slope is another."""
    layer = BinaryActivation(method=method, slope_cap=1.0).double()
    layer.binarizer.nu = 3.0
    x = torch.tensor([0.1, 0.3], dtype=torch.float64, requires_grad=True)
    layer(x).sum().backward()
    with torch.no_grad():
        difference = (layer(x + STEP) - layer(x - STEP)) / (2 * STEP)
    assert not torch.allclose(x.grad, difference, rtol=0.05)


def test_self_binarizing_weights_move_by_the_exact_gradient_of_their_value():
    torch.manual_seed(0)
    layer = BinaryLinear(6, 3).double()
    layer.binarizer.nu = 30.0
    hook = Shifted()
    layer.binarizer.register_forward_hook(hook)
    layer(torch.randn(4, 6, dtype=torch.float64)).square().sum().backward()
    assert torch.equal(layer.weight.grad, hook.value.grad)
