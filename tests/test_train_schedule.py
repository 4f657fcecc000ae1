import pytest
import torch

from sbgen.train.errors import SettingsError
from sbgen.train.layers import BinaryActivation, BinaryLinear, Scores
from sbgen.train.schedule import Range, Schedule
from sbgen.train.settings import Settings


def model(**how):
    return torch.nn.Sequential(BinaryLinear(2, 2, **how), BinaryActivation(**how), Scores(2, 2, **how))


def nus(model):
    return [layer.binarizer.nu for layer in model]


def test_default_is_the_papers_schedule():
    found = [Range().nu(epoch, 31) for epoch in range(31)]
    assert found == pytest.approx([1000 ** (epoch / 30) for epoch in range(31)])


def test_one_epoch_is_the_last():
    assert Range().nu(0, 1) == 1000


def test_linear_ends():
    assert [Range(start=2, end=6, shape="linear").nu(epoch, 3) for epoch in range(3)] == [2, 4, 6]


def test_weights_activations_and_single_layers_apart():
    net = model()
    Schedule(weights=Range(end=100.0), activations=Range(end=10.0), layers={"2": Range(end=7.0)}).apply(
        net, epoch=4, epochs=5
    )
    assert nus(net) == pytest.approx([100, 10, 7])


def test_hard_tail_is_the_last_part():
    net = model()
    schedule = Schedule(hard_tail=0.2)
    hard = []
    for epoch in range(10):
        schedule.apply(net, epoch=epoch, epochs=10)
        hard.append(net[0].binarizer.hard)
    assert hard == [False] * 8 + [True] * 2


def test_no_hard_tail_never_hard():
    net = model()
    Schedule().apply(net, epoch=9, epochs=10)
    assert not net[0].binarizer.hard


def test_straight_through_stays_hard():
    net = model(method="straight-through")
    Schedule().apply(net, epoch=0, epochs=10)
    assert net[0].binarizer.hard


def test_layer_that_is_not_there_names_those_that_are():
    with pytest.raises(SettingsError, match="0, 1, 2, not 'linear9'"):
        Schedule(layers={"linear9": Range()}).apply(model(), epoch=0, epochs=2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"lr": float("nan")},
        {"lr": -1.0},
        {"method": "other"},
        {"slope_cap": 0.0},
        {"hard_tail": 1.5},
        {"validation": 0.0},
        {"distill": 2.0},
        {"nu_weights": (0.0, 10.0)},
        {"nu_shape": "cubic"},
        {"shift": -1},
    ],
)
def test_settings_out_of_range(wrong):
    with pytest.raises(SettingsError, match="must be"):
        Settings(**wrong)
