from dataclasses import replace

import pytest
import torch

from sbgen.train.errors import SettingsError
from sbgen.train.layers import Binarize, BinaryActivation, BinaryConv2d, BinaryLinear, Scores
from sbgen.train.methods import METHODS
from sbgen.train.schedule import Range, Schedule
from sbgen.train.settings import Settings


def model(**how):
    return torch.nn.Sequential(BinaryLinear(2, 2, **how), BinaryActivation(**how), Scores(2, 2, **how))


def nus(model):
    return [layer.binarizer.nu for layer in model]


def test_default_is_the_papers_schedule():
    found = [Range().nu(epoch, 31) for epoch in range(31)]
    assert found == pytest.approx([1000 ** (epoch / 30) for epoch in range(31)])


def test_one_step_is_the_last():
    assert Range().nu(0, 1) == 1000


def test_linear_ends():
    assert [Range(start=2, end=6, shape="linear").nu(step, 3) for step in range(3)] == [2, 4, 6]


def test_reached_early_it_stays():
    found = [Range(start=1, end=16, until=0.5).nu(step, 9) for step in range(9)]
    assert found == pytest.approx([1, 2, 4, 8, 16, 16, 16, 16, 16])


def test_weights_activations_and_single_layers_apart():
    net = model()
    schedule = Schedule(weights=Range(end=100.0), activations=Range(end=10.0), layers={"2": Range(end=7.0)})
    schedule.over(net).apply(4, 5)
    assert nus(net) == pytest.approx([100, 10, 7])


def test_hard_tail_is_the_last_part():
    net = model(method="surrogate")
    sharpening = Schedule(hard_tail=0.2).over(net)
    hard = []
    for step in range(10):
        sharpening.apply(step, 10)
        hard.append(net[0].binarizer.hard)
    assert hard == [False] * 8 + [True] * 2


@pytest.mark.parametrize("method", ["self-binarizing", "paper"])
def test_the_tail_of_an_exact_method_hardens_activations_alone(method):
    net = model(method=method)
    Schedule(hard_tail=0.2).over(net).apply(8, 10)
    assert [layer.binarizer.hard for layer in net] == [False, True, False]


@pytest.mark.parametrize("method", ["self-binarizing", "paper", "surrogate"])
def test_no_hard_tail_never_hard(method):
    net = model(method=method)
    Schedule().over(net).apply(9, 10)
    assert not net[0].binarizer.hard


def test_straight_through_stays_hard():
    net = model(method="straight-through")
    Schedule().over(net).apply(0, 10)
    assert net[0].binarizer.hard


def test_noise_grows_and_spares_what_a_maximum_follows():
    net = torch.nn.Sequential(
        Binarize(16, [128], image=(4, 4, 1)),
        BinaryConv2d(1, 2, 1),
        BinaryActivation(),
        torch.nn.MaxPool2d(2),
        BinaryConv2d(2, 2, 1),
        BinaryActivation(),
        Scores(8, 2),
    )
    sharpening = Schedule(noise=0.4, sampling=0.8, pooled=Range(end=10.0)).over(net)
    found = []
    for step in range(5):
        sharpening.apply(step, 5)
        noise, sampling = net[5].noise, net[5].binarizer.sampling
        found.append((noise, sampling, net[2].noise, net[2].binarizer.sampling))
    assert found == [(pytest.approx(0.1 * step), pytest.approx(0.2 * step), 0, 0) for step in range(5)]
    assert (net[2].binarizer.nu, net[5].binarizer.nu) == pytest.approx((10, 1000))


def test_noise_is_of_training_alone():
    torch.manual_seed(0)
    layer = BinaryActivation()
    layer.noise, x = 0.5, torch.zeros(20000)
    noisy = torch.atanh(layer.train()(x))
    assert noisy.std().item() == pytest.approx(0.5, rel=0.02)
    assert torch.equal(layer.eval()(x), torch.zeros(20000))


def test_layer_that_is_not_there_names_those_that_are():
    with pytest.raises(SettingsError, match="0, 1, 2, not 'linear9'"):
        Schedule(layers={"linear9": Range()}).over(model())


@pytest.mark.parametrize("method", list(METHODS))
def test_settings_have_what_the_method_has_and_what_is_given(method):
    own = METHODS[method].recipe
    assert Settings(method=method).recipe == own
    assert Settings(method=method, noise=0.7).recipe == replace(own, noise=0.7)
    written = Settings(method=method, noise=0.7).primitives()
    assert written["noise"] == 0.7 and written["nu_weights"] == list(own.nu_weights)
    optional = ("slope_cap", "nu_pooled")
    assert None not in [value for name, value in written.items() if name not in optional]


def test_several_levels_have_a_recipe_of_their_own():
    own = METHODS["self-binarizing"]
    assert Settings(activation_levels=(2, 4)).recipe == own.several != own.recipe
    assert Settings(activation_levels=(2,)).recipe == own.recipe
    ede = METHODS["ede"]
    assert Settings(method="ede", activation_levels=(4,)).recipe == ede.recipe


def test_last_learning_rate_is_the_methods_share():
    assert Settings(lr=0.02).last_rate == pytest.approx(0.002)
    assert Settings(method="paper", lr=0.02).last_rate == 1e-5
    assert Settings(lr_end=1e-4).last_rate == 1e-4


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"lr": float("nan")},
        {"lr": -1.0},
        {"method": "other"},
        {"slope_cap": 0.0},
        {"noise": -0.1},
        {"sampling": -0.1},
        {"average": 1.0},
        {"nu_until": 0.0},
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
