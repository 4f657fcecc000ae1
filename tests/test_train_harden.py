import pytest
import torch
from torch import nn

from sbgen.errors import ModelError
from sbgen.train.harden import SCALE_BITS, harden
from sbgen.train.layers import BatchNorm, BinaryActivation, BinaryLinear, Scores
from sbgen.train.loop import accuracy
from sbgen.train.network import network
from sbgen.train.softness import NEAR, UNSATURATED, softness
from sbgen.train.statistics import estimate, hard_forward
from sbgen.train.trust import check_trust


def images(count, seed):
    return torch.randint(256, (count, 4, 4), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


def labels(count, seed):
    return torch.randint(3, (count,), generator=torch.Generator().manual_seed(seed))


def model(seed=0, *, nu=20.0, method="self-binarizing"):
    torch.manual_seed(seed)
    net = network(image_shape=(16,), thresholds=(128,), widths=(9, 6), classes=3, method=method)
    for layer in net:
        if isinstance(layer, (BinaryLinear, BinaryActivation)):
            layer.binarizer.nu = nu
    net(images(300, 9))  # gives the batch norms statistics
    with torch.no_grad():
        net.scores.offset.normal_(0, 4)
    return net.eval()


def test_softness_by_hand():
    net = model(nu=2.0)
    with torch.no_grad():
        net.linear1.weight.fill_(5.0)
        net.linear1.weight.view(-1)[:36] = 0.5  # a quarter of 144
    layer = softness(net, images(10, 1))[0]
    distance = 1 - torch.tanh(torch.tensor(1.0)).item()
    assert distance > UNSATURATED
    assert (layer.layer, layer.kind, layer.near) == ("linear1", "weights", 0)
    assert layer.unsaturated == 0.25
    assert (layer.greatest, layer.mean) == pytest.approx((distance, distance / 4), abs=1e-6)


def test_softness_of_activations_near_their_threshold():
    net = model()
    with torch.no_grad():
        for parameter, value in ((net.norm1.weight, 0.0), (net.norm1.bias, 1.0)):
            parameter.fill_(value)
        net.norm1.bias[:3] = NEAR / 2
    found = {layer.layer: layer for layer in softness(net, images(10, 1))}
    assert list(found) == ["linear1", "active1", "linear2", "active2", "scores"]
    assert found["active1"].near == pytest.approx(3 / 9)


def test_softness_sees_through_a_hard_tail():
    net = model(nu=2.0, method="surrogate")
    before = softness(net, images(10, 1))[0]
    net.linear1.binarizer.hard = True
    assert softness(net, images(10, 1))[0] == before


def test_straight_through_is_hard_by_construction():
    found = softness(model(method="straight-through"), images(10, 1))
    assert all(layer.mean == layer.greatest == layer.unsaturated == 0 for layer in found)


@pytest.mark.parametrize("seed", range(6))
def test_report_is_what_was_measured(seed):
    net, training, validation = model(seed), images(500, seed), (images(200, seed + 50), labels(200, seed))
    before = accuracy(net, *validation)
    report = harden(net, training, validation=validation)
    assert report.before == before and report.after == accuracy(net, *validation)
    assert report.after == max(report.kept_statistics, report.estimated_statistics)
    better = report.estimated_statistics > report.kept_statistics
    assert report.statistics == ("estimated" if better else "kept"), seed


def test_hardened_network_is_signs_and_even_offsets():
    net = model()
    harden(net, images(300, 1), validation=(images(100, 2), labels(100, 2)))
    for layer in net:
        if isinstance(layer, BinaryLinear):
            assert layer.weight.abs().eq(1).all()
        if isinstance(layer, Scores):
            assert torch.equal(layer.offset / 2, (layer.offset / 2).round())
        if isinstance(layer, (BinaryLinear, BatchNorm, BinaryActivation)):
            assert layer.hardened
    scores = net(images(50, 3))
    assert torch.equal(scores, scores.round())


def test_zero_weights_become_plus_one():
    net = model()
    with torch.no_grad():
        net.linear1.weight.zero_()
    harden(net, images(300, 1), validation=(images(100, 2), labels(100, 2)))
    assert net.linear1.weight.eq(1).all()


def test_estimated_statistics_are_those_of_the_hard_network():
    net, training = model(nu=1.0), images(1000, 1)
    # With the answers of the network that has them as labels, the new statistics must be chosen.
    twin = model(nu=1.0)
    for norm in (twin.norm1, twin.norm2):
        norm.momentum = None
    with hard_forward(twin):
        estimate(twin, training)
    truth = torch.where(twin.linear1.weight >= 0, 1.0, -1.0)
    sums = twin.binarize(training) @ truth.T
    torch.testing.assert_close(twin.norm1.running_mean, sums.mean(0))
    torch.testing.assert_close(twin.norm1.running_var, sums.var(0), rtol=1e-4, atol=1e-4)
    harden(twin, training, validation=(training, labels(1000, 0)))
    validation = (images(400, 2), twin(images(400, 2)).argmax(1))
    with torch.no_grad():
        net.norm1.running_mean += 3  # spoils the kept ones
    report = harden(net, training, validation=validation)
    assert report.statistics == "estimated" and report.after > 0.9
    assert net.norm1.momentum == 0.1


def test_hardening_twice_changes_nothing():
    net, training, validation = model(), images(300, 1), (images(100, 2), labels(100, 2))
    harden(net, training, validation=validation)
    state = {key: value.clone() for key, value in net.state_dict().items()}
    report = harden(net, training, validation=validation)
    if report.statistics == "kept":
        assert all(torch.equal(value, state[key]) for key, value in net.state_dict().items())
    assert report.before == report.kept_statistics


def per_class(seed=0):
    net = model(seed)
    torch.manual_seed(seed)
    net.scores = Scores(6, 3, per_class=True)
    with torch.no_grad():
        net.scores.log_scale.copy_(torch.tensor([0.0, -0.7, -1.9]))
        net.scores.offset.normal_(0, 4)
    return net.eval()


@pytest.mark.parametrize("seed", range(3))
def test_scales_get_the_fewest_bits_that_do_best(seed):
    net, validation = per_class(seed), (images(300, 2), labels(300, 3))
    report = harden(net, images(200, 1), validation=validation)
    reached = {}
    for net.scores.scale_bits in SCALE_BITS:
        reached[net.scores.scale_bits] = accuracy(net, *validation)
    best = max(reached.values())
    assert report.scale_bits == min(bits for bits, value in reached.items() if value == best)
    assert report.after == best and len(set(reached.values())) > 1


def test_shared_scale_needs_no_bits():
    assert harden(model(), images(100, 1), validation=(images(50, 2), labels(50, 3))).scale_bits is None


@pytest.mark.parametrize(
    "before, after, images, trusted",
    [
        (0.95, 0.935, 1000, True),
        (0.95, 0.925, 1000, False),
        (0.95, 0.925, None, False),
        (20 / 20, 18 / 20, 20, True),
        (20 / 20, 17 / 20, 20, False),
        (6 / 7, 4 / 7, 7, True),
    ],
)
def test_two_of_few_validation_images_are_no_reason_for_distrust(before, after, images, trusted):
    hardening = {"before": before, "after": after} | ({} if images is None else {"images": images})
    if trusted:
        check_trust(nn.Sequential(), hardening)
    else:
        with pytest.raises(ModelError, match="hardening may cost at most"):
            check_trust(nn.Sequential(), hardening)
