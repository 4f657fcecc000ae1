import pytest
import torch
from torch import nn

from sbgen.cli import main
from sbgen.train import fixed_point, loop
from sbgen.train.binarizers import make
from sbgen.train.errors import SettingsError
from sbgen.train.fixed_point import FixedPoint, at_random, nearest
from sbgen.train.network import network
from sbgen.train.number_format import Format
from sbgen.train.settings import Settings

GRID = Format(2, 3)


def problem(count, seed):
    """Images whose brighter half is the label."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (count,), generator=random)
    images = torch.randint(120, (count, 4, 4), generator=random)
    for n, label in enumerate(labels.tolist()):
        images[n, :, 2 * label : 2 * label + 2] += 100
    return images.to(torch.uint8), labels


def trained(text, *, options=None, **how):
    torch.manual_seed(0)
    model = network(image_shape=(4, 4), thresholds=(110,), widths=(16,), classes=2)
    settings = Settings(epochs=3, batch=32, fixed_point=text, **(options or {}))
    return model, loop.train(
        model, *problem(200, 1), validation=problem(100, 2), settings=settings, seed=0, **how
    )


def on_grid(x, grid):
    multiples = x.detach().double() * 2**grid.after
    low, high = -(2 ** (grid.before + grid.after - 1)), 2 ** (grid.before + grid.after - 1) - 1
    return bool(
        (multiples == multiples.round()).all() and (multiples >= low).all() and (multiples <= high).all()
    )


def test_the_grid_is_that_of_its_name():
    """Q2.3: eighths from -2 to 15/8, each kept, and nothing else."""
    values = torch.arange(-16, 16) / 8
    assert torch.equal(nearest(values, GRID), values)
    torch.manual_seed(0)
    assert torch.equal(at_random(values, GRID), values)
    spread = torch.linspace(-5, 5, 1001)
    for rounded in (nearest(spread, GRID), at_random(spread, GRID)):
        assert set(rounded.tolist()) == set(values.tolist())
    assert torch.equal(
        nearest(torch.tensor([0.1, -0.1, 0.05, 9.0, -9.0]), GRID), torch.tensor([1, -1, 0, 15, -16]) / 8
    )


def test_random_rounding_keeps_the_mean():
    torch.manual_seed(0)
    for value in (0.03, -0.4, 1.01):
        mean = at_random(torch.full((200_000,), value), GRID).double().mean().item()
        assert abs(mean - value) < 0.125 * 4 / 200_000**0.5


@pytest.mark.parametrize("text", ["", "2.6", "Q0.4", "Q2.0", "Q20.5", "Q-1.2", "Q2.6x", "Qx.y"])
def test_no_format(text):
    with pytest.raises(SettingsError, match=r"Qm\.n"):
        Format.parse(text)
    with pytest.raises(SettingsError, match=r"Qm\.n"):
        Settings(fixed_point=text)


def test_everything_of_a_step_is_on_the_grid(monkeypatch):
    seen = {"tanh": 0, "gradients": 0, "parameters": 0}
    plain = FixedPoint.step

    def watched(fixed):
        model = fixed._model
        for parameter in model.parameters():
            assert on_grid(parameter.grad, GRID)
            seen["gradients"] += int(parameter.grad.count_nonzero())
        plain(fixed)
        for parameter in model.parameters():
            assert on_grid(parameter, GRID)
            seen["parameters"] += int(parameter.count_nonzero())

    backward = fixed_point._OnGrid.backward

    def gradients_of_values(ctx, gradient):
        first, second = backward(ctx, gradient)
        assert on_grid(first, GRID)
        seen["tanh"] += int(first.count_nonzero())
        return first, second

    monkeypatch.setattr(FixedPoint, "step", watched)
    monkeypatch.setattr(fixed_point._OnGrid, "backward", staticmethod(gradients_of_values))
    model, _ = trained("Q2.3")
    assert min(seen.values()) > 100
    assert all(on_grid(parameter, GRID) for parameter in model.parameters())


def test_tanh_is_the_nearest_value_inside_and_free_after():
    layer = make("paper", "weights")
    model, x = nn.Sequential(layer), torch.linspace(-2, 2, 101)
    exact = model(x)
    torch.testing.assert_close(exact, torch.tanh(x), atol=2e-7, rtol=0)
    with FixedPoint(model, "Q2.3").forward():
        assert torch.equal(model(x), nearest(exact, GRID))
    assert torch.equal(model(x), exact)


def test_learns_with_enough_bits_and_not_with_too_few():
    hard = {text: trained(text)[1][-1].hard for text in ("Q2.8", "Q1.1")}
    assert hard["Q2.8"] > 0.95 and hard["Q1.1"] < hard["Q2.8"]


@pytest.mark.parametrize("keep", ["best", "last"])
def test_an_average_is_on_the_grid_too(keep):
    model, _ = trained("Q2.8", options={"average": 0.9, "keep": keep})
    assert all(on_grid(parameter, Format(2, 8)) for parameter in model.parameters())
    model, _ = trained(None, options={"average": 0.9, "keep": keep})
    assert not all(on_grid(parameter, Format(2, 8)) for parameter in model.parameters())


def test_without_a_format_nothing_changes():
    weights = [parameter.clone() for parameter in trained(None)[0].parameters()]
    model, loss = nn.Linear(2, 1), torch.tensor(1.0, requires_grad=True)
    FixedPoint(model, None).backward(loss * 3, 7)
    assert loss.grad == 3
    assert not any(on_grid(weight, Format(2, 8)) for weight in weights if weight.dim() == 2)
    assert "fixed_point" not in Settings().primitives()


def test_resumes_to_the_same_network(tmp_path):
    class Stopped(Exception):
        pass

    def stop(epoch):
        if epoch.epoch == 0:
            raise Stopped

    whole, epochs = trained("Q2.6")
    with pytest.raises(Stopped):
        trained("Q2.6", state=tmp_path / "state", progress=stop)
    resumed, again = trained("Q2.6", state=tmp_path / "state", resume=True)
    assert epochs == again
    for one, other in zip(whole.state_dict().values(), resumed.state_dict().values(), strict=True):
        assert torch.equal(one, other)


def test_refused_by_the_command_before_anything(tmp_path, capsys):
    out = tmp_path / "net.pt"
    assert main(["train", "--preset", "digits", "--fixed-point", "Q9.99", "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "such as Q2.6, not 'Q9.99'" in error and not list(tmp_path.iterdir())
