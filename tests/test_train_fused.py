"""Batch norm and activation as one operation: the values and gradients of the two layers."""

import pytest
import torch
from torch import nn

from sbgen.train.distributed import Processes
from sbgen.train.execution import Execution
from sbgen.train.layers import BatchNorm, Binarize, BinaryActivation, BinaryConv2d, Residual, Scores, fused
from sbgen.train.layers.fused import Fused
from sbgen.train.methods import METHODS
from sbgen.train.training_mode import training_mode


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Every tensor is large enough, and has several blocks."""
    monkeypatch.setattr(fused, "_SMALLEST", 1)
    monkeypatch.setattr(fused, "_BLOCK", 200)


def pair(channels, *, method, levels=2, seed=0):
    torch.manual_seed(seed)
    norm = BatchNorm(channels)
    activation = BinaryActivation(method=method, levels=levels, slope_cap=1.0)
    activation.binarizer.nu = 3.0
    with torch.no_grad():
        norm.weight.normal_()
        norm.bias.normal_()
    return norm.double(), activation


def values(norm, activation, x, gradient):
    """Output, gradients, and running statistics."""
    x = x.clone().requires_grad_()
    output = activation(norm(x))
    output.backward(gradient)
    return {
        "output": output.detach(),
        "of x": x.grad,
        "of weight": norm.weight.grad,
        "of bias": norm.bias.grad,
        **norm.state_dict(),
    }


SHAPES = [(40, 7), (9, 5, 11), (6, 3, 5, 4)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [2, 3, 4])
@pytest.mark.parametrize("method", list(METHODS))
def test_values_and_gradients_are_those_of_the_two_layers(method, levels, shape):
    torch.manual_seed(1)
    x, gradient = torch.randn(shape).double() * 3 + 1, torch.randn(shape).double()
    if len(shape) == 4:
        x = x.to(memory_format=torch.channels_last)
    layers = pair(shape[1], method=method, levels=levels)
    expected = values(*layers, x, gradient)
    norm, activation = pair(shape[1], method=method, levels=levels)
    norm.fused = activation.fused = Fused(norm, activation)
    found = values(norm, activation, x, gradient)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(
            found[name], value, atol=1e-12, rtol=1e-9, msg=lambda m, n=name: f"{n} {m}"
        )
    assert found["of x"].abs().max() > 0 and found["of weight"].abs().max() > 0


def test_gradient_with_noise_is_that_of_the_noisy_forward_pass():
    """By finite differences, the noise being the same each time."""
    norm, activation = pair(4, method="self-binarizing")
    norm.fused = activation.fused = Fused(norm, activation)
    activation.noise = 0.5
    x = torch.randn(30, 4, dtype=torch.float64, requires_grad=True)

    def noisy(x, weight, bias):
        torch.manual_seed(7)
        return torch.func.functional_call(norm, {"weight": weight, "bias": bias}, (x,))

    arguments = (x, norm.weight, norm.bias)
    assert torch.autograd.gradcheck(noisy, arguments, eps=1e-6, atol=1e-6)
    activation.noise = 0.0
    quiet = norm(x)
    activation.noise = 0.5
    shift = torch.atanh(noisy(*arguments)) - torch.atanh(quiet)
    assert shift.std().item() / activation.binarizer.nu == pytest.approx(0.5, rel=0.25)


def network():
    return nn.Sequential(
        Binarize(16, [90], image=(4, 4, 1)),
        BinaryConv2d(1, 3, 3, padding=1),
        Residual(nn.Sequential(BatchNorm(3), BinaryActivation(), BinaryConv2d(3, 3, 3, padding=1))),
        BatchNorm(3),
        BinaryActivation(),
        Scores(48, 2),
    )


def fused_layers(model):
    return [layer for layer in model.modules() if getattr(layer, "fused", None) is not None]


def test_only_what_trains_on_one_cpu_is_fused():
    model = network()
    with training_mode(model, Execution(), Processes(), fuses=True):
        assert len(fused_layers(model)) == 4  # the residual's body included
        norm, x = model[3], torch.randn(5, 3, 4, 4)
        assert norm.fused.takes(x)
        model.eval()
        assert not norm.fused.takes(x)  # measured in between
        norm.train()
        assert not norm.fused.takes(x)  # its statistics are estimated
        model.train()
        norm.hardened = True
        assert not norm.fused.takes(x)
        norm.hardened = False
    assert fused_layers(model) == []
    for execution, processes, fuses in (
        (Execution(device="meta"), Processes(), True),
        (Execution(), Processes(rank=1, count=2), True),
        (Execution(), Processes(), False),
    ):
        with training_mode(model, execution, processes, fuses=fuses):
            assert fused_layers(model) == []
            assert (model[3].total is not None) == (processes.count > 1)
        assert model[3].total is None


def test_small_tensors_are_left_to_the_two_layers(monkeypatch):
    monkeypatch.setattr(fused, "_SMALLEST", 100)
    norm, activation = pair(4, method="paper")
    both = Fused(norm, activation)
    assert both.takes(torch.zeros(25, 4)) and not both.takes(torch.zeros(24, 4))
