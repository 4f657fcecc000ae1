import torch
from torch import nn

from sbgen.train.average import Average


def steps_of(count, seed=0):
    model = nn.Linear(3, 2, bias=False)
    average, seen = Average(model), []
    random = torch.Generator().manual_seed(seed)
    for _ in range(count):
        with torch.no_grad():
            model.weight.copy_(torch.randn(2, 3, generator=random))
        average.add()
        seen.append(model.weight.detach().clone())
    return model, average, torch.stack(seen) if seen else None


def test_few_steps_are_a_mean():
    _, average, seen = steps_of(40)
    torch.testing.assert_close(average.values[0], seen.mean(0))


def test_many_steps_fade():
    """After 500 steps each new one counts 0.002, and the older ones fade by as much."""
    _, average, seen = steps_of(1500)
    weights = torch.tensor([0.998 ** (1500 - n) * 0.002 for n in range(501, 1501)], dtype=torch.float64)
    rest = 0.998**1000 / 500
    expected = (weights[:, None, None] * seen[500:].double()).sum(0) + rest * seen[:500].double().sum(0)
    torch.testing.assert_close(average.values[0].double(), expected, rtol=1e-3, atol=1e-5)


def test_taken_inside_a_block_only():
    model, average, seen = steps_of(5)
    with torch.no_grad(), average.taken():
        torch.testing.assert_close(model.weight.detach(), seen.mean(0))
    assert torch.equal(model.weight.detach(), seen[-1])


def test_without_steps_nothing_is_taken():
    model, average, _ = steps_of(0)
    before = model.weight.detach().clone()
    with torch.no_grad(), average.taken():
        assert torch.equal(model.weight.detach(), before)


def test_restored_it_continues():
    _, average, _ = steps_of(30)
    _, again, _ = steps_of(0)
    again.restore(steps=30, values=[value.clone() for value in average.values])
    assert again.steps == 30 and torch.equal(again.values[0], average.values[0])
