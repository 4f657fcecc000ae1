import numpy as np
import pytest
import torch

from sbgen.train.layers import (
    WHITE,
    AvgPool2d,
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryLinear,
    Pixels,
    Scores,
    hardened,
)


def test_thermometer_bits_are_pixel_major():
    binarize = Binarize(2, [1, 100, 256])
    assert binarize(torch.tensor([[0, 100]], dtype=torch.uint8)).tolist() == [[-1, -1, -1, 1, 1, -1]]
    assert binarize.outputs == 6


def test_threshold_zero_is_always_on():
    assert Binarize(1, [0])(torch.zeros(1, 1, dtype=torch.uint8)).item() == 1


def test_binarize_takes_images_of_any_shape():
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 4)
    assert torch.equal(Binarize(12, [5])(images), Binarize(12, [5])(images.reshape(1, 12)))


@pytest.mark.parametrize("thresholds", [[], [-1], [257], [0.5], np.zeros((3, 1), int), np.zeros((2, 0), int)])
def test_binarize_refuses_other_thresholds(thresholds):
    with pytest.raises(ValueError, match="thresholds must"):
        Binarize(2, thresholds)


def test_binarize_refuses_scaled_pixels():
    with pytest.raises(TypeError, match="raw uint8 pixels, not torch.float32"):
        Binarize(2, [1])(torch.zeros(1, 2))


def test_pixels_are_exact_256ths():
    values = Pixels((256,))(torch.arange(256, dtype=torch.uint8).reshape(1, 256))
    assert values.dtype == torch.float32 and torch.equal(
        256 * values[0].double(), 2.0 * torch.arange(256) - 255
    )
    assert (values.min(), values.max()) == (-WHITE, WHITE)


@pytest.mark.parametrize("image", [(2, 3, 4), (2, 3)])
def test_pixels_of_an_image_have_their_channels_first(image):
    images = torch.arange(2 * np.prod(image), dtype=torch.uint8).reshape(2, *image)
    values, channels = Pixels(image)(images), (*image, 1)[2]
    assert values.shape == (2, channels, 2, 3)
    assert torch.equal(256 * values, (2.0 * images.reshape(2, 2, 3, channels) - 255).permute(0, 3, 1, 2))
    assert torch.equal(Pixels(image)(images.reshape(2, -1)), values)


def test_sums_of_most_pixels_are_exact():
    count = 65793  # 255 * count < 2**24
    random = np.random.default_rng(0)
    images, signs = random.integers(0, 256, (3, count), dtype=np.uint8), random.choice([-1, 1], count)
    images[1:] = np.where(signs > 0, 255, 0), np.where(signs > 0, 0, 255)
    sums = Pixels((count,))(torch.from_numpy(images)) @ torch.from_numpy(signs).float()
    assert (256 * sums.double().numpy() == (2 * images.astype(int) - 255) @ signs).all()


def test_pixels_refuse_what_is_no_image_of_bytes():
    with pytest.raises(TypeError, match="raw uint8 pixels, not torch.float32"):
        Pixels((2,))(torch.zeros(1, 2))
    with pytest.raises(ValueError, match="must have the shape .height, width, channels., not .1, 2, 3, 4."):
        Pixels((1, 2, 3, 4))


def test_linear_has_one_copy_of_its_weights():
    assert [name for name, _ in BinaryLinear(3, 2).named_parameters()] == ["weight"]
    assert not list(BinaryLinear(3, 2).buffers())


def test_batch_norm_trains_as_the_ordinary_one():
    torch.manual_seed(0)
    ours, ordinary, x = BatchNorm(5), torch.nn.BatchNorm1d(5), torch.randn(20, 5)
    assert torch.equal(ours(x), ordinary(x))
    assert torch.equal(ours.eval()(x), ordinary.eval()(x))


def random_norm(features, seed):
    random = torch.Generator().manual_seed(seed)
    norm = BatchNorm(features).eval()
    norm.hardened = True
    with torch.no_grad():
        norm.weight.copy_(torch.randn(features, generator=random))
        norm.bias.copy_(torch.randn(features, generator=random))
        norm.running_mean.copy_(30 * torch.randn(features, generator=random))
        norm.running_var.copy_(50 * torch.rand(features, generator=random))
    return norm


def test_hardened_batch_norm_does_not_depend_on_position():
    norm, sums = random_norm(67, seed=1), torch.arange(-99, 100, 2.0)[:, None].expand(-1, 67)
    whole = norm(sums)
    for at in range(len(sums)):
        assert torch.equal(norm(sums[at : at + 1]), whole[at : at + 1])
    shuffled = torch.randperm(len(sums), generator=torch.Generator().manual_seed(2))
    assert torch.equal(norm(sums[shuffled]), whole[shuffled])
    assert torch.equal(norm(sums.contiguous()), whole)


def test_hardened_batch_norm_is_monotone():
    norm = random_norm(500, seed=3)
    steps = norm(torch.arange(-99, 100, 2.0)[:, None].expand(-1, 500)).diff(dim=0)
    assert ((steps >= 0) | (norm.weight < 0)).all()
    assert ((steps <= 0) | (norm.weight > 0)).all()


@pytest.mark.parametrize(
    ("offset", "least"), [(0.0, 3), (0.9, 3), (1.0, 2), (1.1, 2), (-1.0, 3), (-1.1, 4), (-3.2, 5), (8.0, -1)]
)
def test_hardened_scores_that_decide_by_sign_have_the_trained_sign(offset, least):
    """`least` agreements of five give a sum and offset of at least 0."""
    scores = Scores(5, 1)
    with torch.no_grad():
        scores.weight.fill_(1.0)
        scores.offset.fill_(offset)
        inputs = torch.where(torch.arange(5) < torch.arange(6)[:, None], 1.0, -1.0)
        with hardened(scores):
            assert scores(inputs).flatten().tolist() == [n - least for n in range(6)]
            before = scores(inputs)
            scores.settle()
            assert torch.equal(scores(inputs), before)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"classes": 1, "decision": "argmax"}, "decision must be 'sign' for 1 outputs, not 'argmax'"),
        ({"classes": 3, "decision": "max"}, "decision must be 'sign' or 'argmax' for 3 outputs, not 'max'"),
        ({"classes": 1, "per_class": True}, "per_class must be False if the signs of the scores decide"),
    ],
)
def test_decisions_that_are_none(how, message):
    with pytest.raises(ValueError, match=message):
        Scores(4, **how)


@pytest.mark.parametrize(("offset", "added"), [(0.0, 0), (0.9, 0), (1.1, 1), (-3.2, -2), (8.0, 4)])
def test_hardened_scores_are_popcounts_and_half_offsets(offset, added):
    scores = Scores(5, 2)
    with torch.no_grad():
        scores.weight.copy_(torch.tensor([[0.1, -0.2, 0.0, 0.3, -0.4]] * 2))
        scores.offset.fill_(offset)
    with hardened(scores):
        # Weights + - + + -, inputs + + + - -: all agree but the second and the fourth.
        assert scores(torch.tensor([[1.0, 1, 1, -1, -1]])).tolist() == [[3 + added] * 2]


def test_scores_in_training_are_scaled_sums():
    scores = Scores(4, 2, method="straight-through")
    with torch.no_grad():
        scores.offset.copy_(torch.tensor([1.0, -2.0]))
    sums = torch.nn.functional.linear(torch.ones(1, 4), torch.where(scores.weight >= 0, 1.0, -1.0))
    torch.testing.assert_close(scores(torch.ones(1, 4)), 0.5 * (sums + scores.offset))


def test_hardened_scores_of_scaled_classes():
    scores = Scores(5, 3, per_class=True)
    scores.scale_bits = 4
    with torch.no_grad():
        scores.weight.copy_(torch.tensor([[1.0, -1, 1, 1, -1]]))
        scores.log_scale.copy_(torch.log(torch.tensor([0.25, 0.05, 0.001])))
        scores.offset.copy_(torch.tensor([1.0, -3.0, 8.0]))
    assert scores.integer_scales().tolist() == [15, 3, 0]  # of 15, 3 and 0.06
    assert scores.integer_offsets().tolist() == [
        -30,
        -12,
        0,
    ]  # of 15 * (1 - 5) / 2, 3 * (-3 - 5) / 2 and 0.06 * 1.5
    with hardened(scores):
        assert scores(torch.tensor([[1.0, 1, 1, -1, -1]])).tolist() == [[15 * 3 - 30, 3 * 3 - 12, 0]]


def test_soft_scores_of_scaled_classes_rank_as_the_hardened_of_many_bits():
    torch.manual_seed(1)
    scores = Scores(20, 6, per_class=True, method="straight-through")
    scores.scale_bits = 16
    with torch.no_grad():
        scores.log_scale.normal_(0, 0.5)
        scores.offset.normal_(0, 3)
    x = torch.where(torch.randn(200, 20) >= 0, 1.0, -1.0)
    soft = scores(x)
    with hardened(scores):
        hard = scores(x)
    torch.testing.assert_close(
        hard * 2 / 65535 * scores.log_scale.exp().max(), soft.double(), atol=1e-3, rtol=0
    )


def test_hardened_restores_what_was():
    model = torch.nn.Sequential(BinaryLinear(3, 2), BatchNorm(2), BinaryActivation()).train()
    model[1].hardened = True
    with pytest.raises(KeyError), hardened(model):
        assert all(layer.hardened for layer in model) and not model[1].training
        raise KeyError
    assert [layer.hardened for layer in model] == [False, True, False] and model.training


@pytest.mark.parametrize(("average", "unit"), [(1, 1), (4, 4), (9, 16)])
@pytest.mark.parametrize("ternary", [None, 0.3])
def test_hardened_scores_order_the_classes_as_the_trained_ones(average, unit, ternary):
    """Counts of classes whose weights are 0 in different places: their sums and offsets differ by as much,
    but for rounding.
    """
    torch.manual_seed(1)
    scores = Scores(11, 5, average=average, ternary=ternary)
    with torch.no_grad():
        scores.offset.normal_(0, 3)
    x = (2 * torch.randint(0, average + 1, (20, 11)) - average) / unit
    with hardened(scores), torch.no_grad():
        sums = torch.nn.functional.linear(x, scores.hard())
        apart = scores(x) - unit * (sums + scores.offset) / 2
    assert ((apart - apart.mean(1, keepdim=True)).abs() <= 1).all()
    before = scores.integer_offsets()
    with torch.no_grad():
        scores.weight.copy_(scores.hard())
        scores.settle()
    assert torch.equal(scores.integer_offsets(), before)


def test_averages_are_exact_and_never_beyond_one():
    pool = AvgPool2d(7)
    signs = torch.where(torch.rand(3, 2, 7, 7) < 0.9, 1.0, -1.0)
    assert torch.equal(pool(signs) * 64, signs.sum((2, 3), keepdim=True)) and pool(signs).abs().max() <= 1
