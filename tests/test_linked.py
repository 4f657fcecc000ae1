"""What the host link asks of a core is checked before there is a core."""

from dataclasses import replace

import by_hand
import numpy as np
import pytest

from sbgen.compiler import layers, linked
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Network, Scores, Signal
from sbgen.compiler.lower import lower
from sbgen.compiler.random_network import random_design
from sbgen.errors import FitError
from sbgen.hw.link_parameters import Parameters
from sbgen.hw.protocol import LIMITS


def link(core):
    return Parameters(
        pixels=core.pixels,
        lanes=core.lanes,
        outputs=core.outputs,
        signs=core.signs,
        score_width=core.score_width,
        top_k=core.top_k,
        depth=1 << 20,
    )


@pytest.mark.parametrize("patchable", [False, True])
def test_a_design_is_refused_exactly_where_the_link_is(patchable):
    refused = 0
    for seed in range(150):
        design = random_design(seed, largest=600)
        first = design.network.layers[0]
        if isinstance(first, Binarize):
            # From half of the pixels to all of them, on both sides of the limit of 255.
            simd = int(np.random.default_rng(seed).integers((first.inputs + 1) // 2, first.inputs + 1))
            design = replace(design, foldings=(replace(design.foldings[0], simd=simd), *design.foldings[1:]))
        if patchable:
            design = by_hand.without_unrolled(design, patchable=True)
        elif any(folding.store == "unrolled" for folding in design.foldings):
            continue  # takes seconds at this size
        core = lower(design)
        try:
            link(core)
        except ValueError:
            refused += 1
            with pytest.raises(
                FitError, match="the host link of a board takes at most 255 pixels at once, not"
            ):
                linked.check_design(design)
        else:
            linked.check_design(design)
    assert refused > 3


def network(*, pixels=8, classes=2, offset=0, planes=1):
    first = Binarize(name="pixels", thresholds=np.full((pixels, 1), 128))
    scores = Scores(name="scores", weights=np.ones((classes, pixels), int), offsets=np.full(classes, offset))
    return Network(
        name="net",
        image_shape=(pixels,),
        layers=(first, scores),
        labels=tuple(map(str, range(max(2, classes)))),
        decision="sign" if classes == 1 else "argmax",
    )


def test_classes():
    linked.check_network(network(classes=LIMITS["outputs"], pixels=1))
    with pytest.raises(FitError, match="takes at most 65,535 outputs, not 65,536"):
        linked.check_network(network(classes=LIMITS["outputs"] + 1, pixels=1))


def test_pixels(monkeypatch):
    monkeypatch.setitem(LIMITS, "pixels", 7)  # so that no image of 4 GiB is needed
    linked.check_network(network(pixels=7))
    with pytest.raises(FitError, match="takes images of at most 7 pixels, not 8"):
        linked.check_network(network(pixels=8))


def test_scores(monkeypatch):
    # Every legal score fits 32 bits; only what a patchable unit adds can be more.
    design = by_hand.fold(network(offset=2**30), (1, 1), (1, 1))
    linked.check_design(design)
    monkeypatch.setitem(LIMITS, "score_width", 4)
    with pytest.raises(FitError, match="takes scores of at most 4 bits, not 32$"):
        linked.check_design(design)
    with pytest.raises(FitError, match="not 32; build without --patchable"):
        linked.check_design(replace(design, patchable=True))


@pytest.mark.parametrize("channels, kernel, most", [(300, 1, 150), (255, 1, 255), (4, 9, 36), (257, 2, 1)])
def test_channels_that_do_not_fill_a_beat_enter_together(channels, kernel, most):
    layer = Conv2d(
        name="conv", weights=np.ones((1, 1, kernel, channels), int), thresholds=np.array([1]), planes=8
    )
    rule = layers.rule(layer, Signal(shape=(1, kernel, channels), maximum=255))
    widest = linked.widest(rule, channels * kernel)
    assert widest == most and linked.may_enter(rule, widest)


def test_the_fold_that_is_named_is_taken():
    wide = network(pixels=600)
    design = by_hand.fold(wide, (600, 600), (1, 1))
    with pytest.raises(
        FitError, match="at most 255 pixels at once, not 600; fold layer 'pixels' with a simd of 255"
    ):
        linked.check_design(design)
    linked.check_design(by_hand.fold(wide, (255, 255), (1, 1)))


def test_a_first_layer_with_weights():
    layer = Dense(name="dense", weights=np.ones((2, 400), int), thresholds=np.array([1, 2]), planes=8)
    rule = layers.rule(layer, Signal(shape=(400,), maximum=255))
    assert linked.widest(rule, 400) == 255
