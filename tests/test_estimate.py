from dataclasses import replace

import by_hand
import numpy as np
import pytest

from sbgen.compiler.design import Design
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import estimate, stage_cost
from sbgen.compiler.folding import WindowFolding
from sbgen.compiler.ir import Binarize, Network, Scores, Signal, SumPool
from sbgen.compiler.layers import rule


def design(*, pe, simd, weights=None, **stores):
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 2, (16, 512)) if weights is None else weights
    network = Network(
        name="net",
        image_shape=(512,),
        labels=tuple(map(str, range(16))),
        layers=(
            Binarize(name="pixels", thresholds=np.full((512, 1), 128)),
            Scores(name="scores", weights=weights, offsets=np.arange(16)),
        ),
    )
    return by_hand.fold(network, (simd, simd), {"pe": pe, "simd": simd, **stores})


def test_block_rams_of_weights_and_replay():
    # 8 groups of 32 slices: 256 words of 32 bits, and a replay buffer of 64 words of 16 bits.
    assert estimate(design(pe=2, simd=16), DEVICES["up5k"])["bram"] == 2 + 1
    assert estimate(design(pe=2, simd=16, store="lut"), DEVICES["up5k"])["bram"] == 0 + 1
    assert estimate(design(pe=2, simd=16, replay_store="lut"), DEVICES["up5k"])["bram"] == 2 + 0
    assert estimate(design(pe=16, simd=16), DEVICES["up5k"])["bram"] == 16
    assert estimate(design(pe=2, simd=16, preset_store="bram"), DEVICES["up5k"])["bram"] == 2 + 1 + 1


def test_constant_weight_columns_need_no_memory():
    weights = np.random.default_rng(0).integers(0, 2, (16, 512))
    weights[:, ::16] = 1
    assert estimate(design(pe=1, simd=16, weights=weights), DEVICES["up5k"])["bram"] == 2 + 1
    assert estimate(design(pe=1, simd=16, weights=np.ones((16, 512), int)), DEVICES["up5k"])["bram"] == 0 + 1


def test_scales_of_classes():
    network = design(pe=2, simd=16).network
    scores = replace(network.layers[1], scales=np.arange(100, 116))
    for store, brams in ("lut", 0), ("bram", 1):
        plain = estimate(design(pe=2, simd=16), DEVICES["hx8k"])
        scaled = estimate(
            Design(
                network=replace(network, layers=(network.layers[0], scores)),
                foldings=design(pe=2, simd=16, preset_store=store).foldings,
            ),
            DEVICES["hx8k"],
        )
        assert scaled["bram"] - plain["bram"] == brams
        assert 50 < scaled["lut"] - plain["lut"] < 150  # the lookups of the unit's offsets have gone


def test_host_link_is_apart():
    device = DEVICES["up5k"]
    whole, core = (
        estimate(design(pe=2, simd=16), device),
        estimate(design(pe=2, simd=16), device, host_link=False),
    )
    assert whole["lut"] - core["lut"] == device.fabric.host_link_lut


def test_more_parallel_costs_more():
    luts = [estimate(design(pe=pe, simd=16), DEVICES["up5k"])["lut"] for pe in (1, 2, 4, 8, 16)]
    assert luts == sorted(luts)


@pytest.mark.parametrize(
    "simd, store, bram", [(1, "bram", 1), (2, "bram", 1), (4, "bram", 2), (1, "lut", 0), (64, "bram", 0)]
)
def test_block_rams_of_sums(simd, store, bram):
    """Of a whole image of 7 x 7 x 64 the 64 sums of 6 bits are held, not the 3,136 bits."""
    pool = rule(SumPool(name="sums", kernel=(7, 7), stride=(7, 7)), Signal(shape=(7, 7, 64), maximum=1))
    pool = pool.stage(WindowFolding(simd=simd, replay_store=store))
    assert stage_cost(pool, device=DEVICES["up5k"]).bram == bram
