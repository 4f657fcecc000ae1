import math

import pytest
import torch

from sbgen.train import execution, loop
from sbgen.train.errors import SettingsError
from sbgen.train.execution import Execution, chosen
from sbgen.train.network import network
from sbgen.train.settings import Settings


@pytest.fixture
def no_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_auto_is_the_cpu_without_a_gpu(no_gpu):
    assert chosen("auto") == Execution(device="cpu")


def test_auto_is_the_gpu_of_this_process(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert chosen("auto", local=3).device == "cuda:3"
    assert chosen("cpu", local=3).device == "cpu"


@pytest.mark.parametrize("built, why", [(None, "built without CUDA"), ("12.8", "finds none")])
def test_a_gpu_that_is_not_there_is_one_line(no_gpu, monkeypatch, built, why):
    monkeypatch.setattr(torch.version, "cuda", built)
    with pytest.raises(SettingsError, match=f"must have a GPU.*{why}; give --device cpu"):
        chosen("cuda")


def test_bf16_that_is_not_there_is_one_line(monkeypatch):
    monkeypatch.setattr(execution, "_has_bf16", lambda kind: False)
    with pytest.raises(SettingsError, match="bfloat16, but this cpu does not"):
        chosen("cpu", bf16=True)


def problem(count, seed):
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (count,), generator=random)
    images = torch.randint(100, (count, 4, 4), generator=random) + 120 * labels[:, None, None]
    return images.to(torch.uint8), labels


def trained(where=None, *, method="self-binarizing", progress=None, **how):
    torch.manual_seed(0)
    model = network(image_shape=(4, 4), thresholds=(60, 160), widths=(8, 8), classes=2, method=method)
    epochs = loop.train(
        model,
        *problem(200, 1),
        validation=problem(100, 2),
        settings=Settings(method=method, **{"epochs": 3, "batch": 40} | how),
        seed=0,
        execution=where or Execution(),
        progress=progress,
    )
    return model, epochs


@pytest.mark.parametrize("method", ["self-binarizing", "straight-through"])
def test_bf16_multiplies_in_bfloat16_and_measures_in_float32(monkeypatch, method):
    monkeypatch.setattr(execution, "_has_bf16", lambda kind: True)
    seen = set()
    linear = torch.nn.functional.linear

    def observed(x, weight):
        result = linear(x, weight)
        seen.add((torch.is_grad_enabled(), result.dtype))
        return result

    monkeypatch.setattr(torch.nn.functional, "linear", observed)
    model, epochs = trained(Execution(bf16=True), method=method)
    assert seen == {(True, torch.bfloat16), (False, torch.float32)}
    assert epochs[-1].hard > 0.9
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_everything_of_a_step_is_on_the_device(monkeypatch):
    """The meta device refuses what is elsewhere, and has no values: an epoch gets to reading its loss."""
    adam = torch.optim.AdamW  # whose fused form has no meta device
    monkeypatch.setattr(torch.optim, "AdamW", lambda values, **how: adam(values, **how | {"fused": False}))
    with pytest.raises(NotImplementedError, match="copy out of meta") as caught:
        trained(Execution(device="meta"), shift=1, noise=0.3)
    error, messages = caught.value, []
    while error is not None:
        messages.append(str(error))
        error = error.__context__
    assert "item() cannot be called on meta" in messages[-1]


def accuracies(monkeypatch, hard):
    """Let the epochs have these hardened accuracies; the values of the weights after each are returned."""
    values, measured = [], loop.measured

    def fake(model, *arguments, epoch, **keywords):
        values.append({name: value.clone() for name, value in model.state_dict().items()})
        result = measured(model, *arguments, epoch=epoch, **keywords)
        return loop.Epoch(epoch=epoch, nu=result.nu, loss=result.loss, soft=result.soft, hard=hard[epoch])

    monkeypatch.setattr(loop, "measured", fake)
    return values


@pytest.mark.parametrize("method", ["self-binarizing", "straight-through"])
def test_the_best_epoch_is_kept(monkeypatch, method):
    values = accuracies(monkeypatch, [0.5, 0.7, 0.9, 0.8, 0.9])
    model, epochs = trained(method=method, epochs=5, keep="best")
    assert len(epochs) == 5
    for name, parameter in model.named_parameters():
        assert torch.equal(parameter, values[2][name])
        assert not torch.equal(parameter, values[4][name])
    assert model.linear1.binarizer.nu == pytest.approx(epochs[2].nu)


def test_patience_ends_the_training(monkeypatch):
    values = accuracies(monkeypatch, [0.5, 0.7, 0.6, 0.7, 0.9])
    model, epochs = trained(epochs=5, patience=2, method="straight-through")
    assert [epoch.hard for epoch in epochs] == [0.5, 0.7, 0.6, 0.7]
    assert torch.equal(model.linear1.weight, values[1]["linear1.weight"])


def test_the_last_epoch_is_the_result_otherwise(monkeypatch):
    values = accuracies(monkeypatch, [0.9, 0.5, 0.4])
    model, epochs = trained(method="straight-through")
    assert len(epochs) == 3 and torch.equal(model.linear1.weight, values[2]["linear1.weight"])


def test_a_callback_can_stop_the_training():
    seen = []

    def progress(epoch):
        seen.append(epoch)
        return epoch.epoch == 1

    model, epochs = trained(progress=progress)
    assert seen == epochs and len(epochs) == 2
    assert model.linear1.binarizer.nu == pytest.approx(epochs[1].nu)  # not that of the third
    assert len(trained(progress=lambda epoch: "anything else")[1]) == 3


def test_without_validation_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(loop, "measured", None)
    torch.manual_seed(0)
    model = network(image_shape=(4, 4), thresholds=(60,), widths=(8,), classes=2)
    settings = Settings(epochs=2, batch=40)
    epochs = loop.train(model, *problem(200, 1), validation=None, settings=settings, seed=0)
    assert [(math.isnan(epoch.hard), epoch.soft) for epoch in epochs] == [(True, None)] * 2
    with pytest.raises(SettingsError, match="best epoch must be chosen on validation images"):
        settings = Settings(epochs=2, batch=40, patience=3)
        loop.train(model, *problem(200, 1), validation=None, settings=settings, seed=0)
