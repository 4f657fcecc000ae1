"""What the host link takes of a device, and how it packs pixels."""

import random
from dataclasses import replace

import numpy as np
import pytest

from sbgen.compiler import link_store, reference
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import estimate
from sbgen.compiler.ir import Binarize, Lookup
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.pixel_codes import pixel_codes
from sbgen.compiler.random_network import random_design, random_network
from sbgen.hw.link_parameters import RESERVE
from sbgen.hw.protocol import OVERHEAD


@pytest.mark.parametrize("seed", range(300))
def test_the_store_takes_what_the_core_leaves(seed):
    rng = random.Random(seed)
    device = rng.choice(list(DEVICES.values()))
    bram, spram = rng.randint(0, device.bram), rng.randint(0, device.spram)
    image_bytes = rng.choice([1, 16, 24, 98, 784, 3072, 20_000])
    store = link_store.choose(image_bytes=image_bytes, bram=bram, spram=spram, device=device)
    assert store.depth & store.depth - 1 == 0
    assert store.depth >= RESERVE + OVERHEAD + image_bytes
    if store.kind == "spram":
        assert 0 < store.spram <= device.spram - spram and store.depth <= store.spram * 16384
    elif store.kind == "bram":
        assert store.bram == device.brams(width=8, depth=store.depth)
        # It does not fit only where nothing does.
        assert bram + store.bram <= device.bram or image_bytes > 32
    else:
        assert store.depth <= 64 and bram + device.brams(width=8, depth=store.depth) > device.bram


def test_a_device_with_nothing_left():
    device = DEVICES["hx8k"]
    small = link_store.choose(image_bytes=24, bram=32, spram=0, device=device)
    assert (small.kind, small.depth, small.bram) == ("lut", 64, 0)
    large = link_store.choose(image_bytes=98, bram=32, spram=0, device=device)
    assert (large.kind, large.bram) == ("bram", 1)
    assert link_store.choose(image_bytes=98, bram=31, spram=0, device=device).bram == 1


@pytest.mark.parametrize("seed", range(40))
def test_estimate_and_link_agree(seed):
    design = random_design(seed)
    rng = random.Random(seed)
    device = rng.choice([DEVICES["up5k"], DEVICES["ecp5-25f"]])
    link = link_parameters(design, device)
    whole, core = estimate(design, device), estimate(design, device, host_link=False)
    assert whole["spram"] - core["spram"] == (link.store == "spram") * -(-link.depth // 16384)
    if link.store == "bram":
        assert whole["bram"] - core["bram"] >= device.brams(width=8, depth=link.depth)


@pytest.mark.parametrize("seed", range(60))
def test_pixels_of_one_code_have_the_same_scores(seed):
    """The whole network, on images whose pixels have the values that the board puts for their codes."""
    network = random_network(seed)
    codes = pixel_codes(network, patchable=False)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (4, *network.image_shape)).astype(np.uint8)
    if codes.levels:
        levels = np.array(codes.levels)
        # Pixels at and next to the boundaries, too.
        near = np.clip(rng.choice(levels, images.shape) + rng.integers(-1, 1, images.shape), 0, 255)
        images = np.where(rng.random(images.shape) < 0.7, near, images).astype(np.uint8)
        values = np.concatenate([[0], levels])
        put = values[np.searchsorted(levels, images, side="right")].astype(np.uint8)
        assert np.array_equal(*(reference.evaluate(network, each)[0] for each in (put, images)))
    else:
        assert codes.bits == 8


def test_networks_with_few_boundaries_are_packed():
    kinds = {type(random_network(seed).layers[0]) for seed in range(60)}
    assert {Binarize, Lookup} <= kinds
    bits = [pixel_codes(random_network(seed), patchable=False).bits for seed in range(60)]
    assert len(set(bits)) > 3 and bits.count(8) > 3


def test_a_patchable_bitstream_takes_all_bits():
    design = random_design(1)
    for seed in range(20):
        network = random_network(seed)
        assert pixel_codes(network, patchable=True).bits == 8
    assert replace(design, patchable=False) is not None


def test_a_network_that_does_not_look_at_its_pixels():
    network = next(
        network
        for network in map(random_network, range(200))
        if isinstance(network.layers[0], Binarize) and network.layers[0].levels == 1
    )
    blind = replace(network.layers[0], thresholds=np.zeros_like(network.layers[0].thresholds))
    codes = pixel_codes(replace(network, layers=(blind, *network.layers[1:])), patchable=False)
    assert (codes.bits, codes.levels) == (1, (1,))
