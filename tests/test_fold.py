import re
from itertools import pairwise

import by_hand
import numpy as np
import pytest

from sbgen.compiler import capacity, cycles, fit, fold, remedies
from sbgen.compiler.bound import bounds
from sbgen.compiler.candidates import Catalog, free_rows
from sbgen.compiler.design import to_patchable
from sbgen.compiler.device import DEVICES
from sbgen.compiler.estimate import Cost, estimate, stage_cost
from sbgen.compiler.folding import Unrolled
from sbgen.compiler.ir import Binarize, Conv2d, Dense, Lookup, MaxPool, Network, Scores, SumPool
from sbgen.compiler.layers import scores_rule
from sbgen.compiler.parts import part
from sbgen.compiler.pipeline import input_lanes, stages
from sbgen.compiler.random_network import random_network
from sbgen.errors import FitError
from sbgen.hw.protocol import LIMITS
from sbgen.hw.window import Geometry


def dense_network(*sizes):
    """A network of random weights: pixels, neurons of each hidden layer, classes."""
    rng = np.random.default_rng(0)
    layers = [Binarize(name="pixels", thresholds=np.full((sizes[0], 1), 128))]
    for n, (inputs, outputs) in enumerate(pairwise(sizes[:-1])):
        layers.append(
            Dense(
                name=f"dense_{n}",
                weights=rng.integers(0, 2, (outputs, inputs)),
                thresholds=rng.integers(inputs // 3, inputs // 2 + 1, outputs),
            )
        )
    layers.append(
        Scores(
            name="scores",
            weights=rng.integers(0, 2, (sizes[-1], sizes[-2])),
            offsets=np.zeros(sizes[-1], int),
        )
    )
    return Network(
        name="dense", image_shape=(sizes[0],), layers=tuple(layers), labels=tuple(map(str, range(sizes[-1])))
    )


@pytest.mark.parametrize("n", [1, 2])
def test_stages_are_priced_as_they_are_built(n):
    """Also those in SPRAM, which share all but the unit with one in block RAM."""
    network, device = dense_network(40, 24, 24, 5), DEVICES["up5k"]
    catalog, stores = Catalog(network, device), set()
    for pe, simd in ((4, 16), (24, 5)):
        for cost, stage in catalog.stages(n, pe, simd):
            built = catalog.rules[n].stage(stage.folding)
            assert cost == sum([stage_cost(built, device=device, exact=False)], Cost())
            assert (stage.cycles, stage.i_lanes, stage.o_lanes) == (
                built.cycles,
                built.i_lanes,
                built.o_lanes,
            )
            stores.add(stage.folding.store)
    assert {"bram", "spram"} <= stores


@pytest.mark.parametrize("sizes, device", [((784, 64, 64, 64, 10), "up5k"), ((784, 64, 64, 64, 10), "hx8k")])
def test_fits_by_the_estimate(sizes, device):
    device = DEVICES[device]
    design = fold.fold(dense_network(*sizes), device)
    resources = estimate(design, device)
    for name, share in fit.easy_fill(device).items():
        assert resources[name] <= getattr(device, name) * share


def test_tfc_on_up5k_is_near_the_bound_of_its_memory_ports():
    network, device = dense_network(784, 64, 64, 64, 10), DEVICES["up5k"]
    predicted = cycles.predict(fold.fold(network, device))
    bound = network.weight_bits / device.bram_read_bits
    assert predicted.interval <= bound / 0.8


def test_unrolled_where_an_image_takes_few_cycles():
    network, device = dense_network(16, 32, 32, 2), DEVICES["hx8k"]
    quick, slow = (fold.fold(network, device, cycles=limit) for limit in (2, 100))
    assert [folding.store for folding in quick.foldings] == [None, *["unrolled"] * 3]
    assert "unrolled" not in [folding.store for folding in slow.foldings]
    assert cycles.predict(quick).interval == 2


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("limit", [1, 7, 100])
def test_keeps_to_the_cycles(seed, limit):
    network = random_network(seed, images=False)
    # Each plane of an input takes a pass, and ternary weights two; so does each pixel of an image that a
    # shortcut passes by.
    limit = max(
        limit,
        *(
            getattr(layer, "planes", 1)
            * (1 + (getattr(layer, "mask", None) is not None))
            * (
                1
                if isinstance(layer, Binarize | Dense | Lookup | Scores)
                else int(np.prod((*after[:-1], *getattr(layer, "kernel", ()))))
            )
            for layer, after in zip(network.layers, network.shapes[1:], strict=True)
        ),
    )
    least = scores_rule(network).results_cycles
    if limit < least:
        with pytest.raises(
            FitError, match=f"takes at least {least} cycles to output its results, not {limit}"
        ):
            fold.fold(network, DEVICES["ecp5-85f"], cycles=limit)
    else:
        assert cycles.predict(fold.fold(network, DEVICES["ecp5-85f"], cycles=limit)).interval <= limit


def test_stages_that_wait_for_each_other_are_made_faster():
    # The second convolution needs the whole of its small input before it begins.
    rng = np.random.default_rng(0)
    network = Network(
        name="waits",
        image_shape=(9, 9),
        labels=tuple("ab"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((81, 1), 128)),
            Conv2d(
                name="one",
                weights=rng.integers(0, 2, (64, 3, 3, 1)),
                thresholds=np.full(64, 5),
                stride=(3, 3),
            ),
            Conv2d(name="two", weights=rng.integers(0, 2, (40, 3, 3, 64)), thresholds=np.full(40, 288)),
            Scores(name="scores", weights=rng.integers(0, 2, (2, 40)), offsets=np.zeros(2, int)),
        ),
    )
    design = fold.fold(network, DEVICES["ecp5-85f"], cycles=400)
    assert cycles.predict(design).interval <= 400
    assert max(cycles.stage_cycles(design)) < 400


def pooled_network(window):
    """A convolution, sums over windows of its outputs, scores of the sums."""
    rng = np.random.default_rng(0)
    sums = SumPool(name="sums", kernel=window, stride=window)
    size = int(np.prod(sums.output_shape((14, 14, 32))))
    return Network(
        name="pooled",
        image_shape=(14, 14),
        labels=tuple("abc"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((196, 1), 128)),
            Conv2d(
                name="conv",
                weights=rng.integers(0, 2, (32, 3, 3, 1)),
                thresholds=np.full(32, 5),
                padding=((1, 1), (1, 1)),
            ),
            sums,
            Scores(
                name="scores",
                weights=rng.integers(0, 2, (3, size)),
                offsets=np.zeros(3, int),
                planes=(window[0] * window[1]).bit_length(),
            ),
        ),
    )


@pytest.mark.parametrize("window", [(2, 2), (14, 14)])
@pytest.mark.parametrize("limit", [2000, 20000])
def test_sums_keep_to_the_cycles(window, limit):
    design = fold.fold(pooled_network(window), DEVICES["up5k"], cycles=limit)
    assert max(cycles.stage_cycles(design)) <= limit
    assert cycles.predict(design).interval <= 1.1 * limit


def test_a_first_layer_of_whole_pixels_reaches_over_its_kernel():
    """The three channels of one pixel at once would take 900 positions x 9 pixels x 8 planes, however many
    outputs at once.
    """
    network = Network(
        name="colour",
        image_shape=(32, 32, 3),
        labels=("a", "b"),
        layers=(
            Conv2d(
                name="conv",
                weights=np.random.default_rng(1).integers(0, 2, (64, 3, 3, 3)),
                thresholds=np.full(64, 27 * 128),
                planes=8,
            ),
            MaxPool(name="pool", kernel=(30, 30), stride=(30, 30)),
            Scores(
                name="scores",
                weights=np.random.default_rng(2).integers(0, 2, (2, 64)),
                offsets=np.zeros(2, int),
            ),
        ),
    )
    design = fold.fold(network, DEVICES["ecp5-85f"], cycles=15_000)
    assert design.foldings[0].simd > 3
    assert cycles.predict(design).interval <= 15_000


def test_more_cycles_need_fewer_luts():
    network, device = dense_network(784, 64, 64, 10), DEVICES["up5k"]
    luts = [estimate(fold.fold(network, device, cycles=limit), device)["lut"] for limit in (200, 400, 5000)]
    assert luts == sorted(luts, reverse=True) and luts[0] > luts[-1]


def test_deep_roms_have_few_banks():
    # 2304 x 512 weights at leisure: the narrowest ROM of all would stand 65 block RAMs deep.
    rng = np.random.default_rng(0)
    network = Network(
        name="deep",
        image_shape=(2304,),
        labels=tuple("ab"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((2304, 1), 128)),
            Dense(name="dense", weights=rng.integers(0, 2, (512, 2304)), thresholds=np.full(512, 1152)),
            Scores(name="scores", weights=rng.integers(0, 2, (2, 512)), offsets=np.zeros(2, int)),
        ),
    )
    device = DEVICES["ecp5-85f"]
    dense = fold.fold(network, device, cycles=200_000).foldings[1]
    depth = -(-2304 // dense.simd) * -(-512 // dense.pe)
    assert device.banks(width=dense.pe * dense.simd, depth=depth) <= 2


def test_too_many_weights():
    network = dense_network(784, 256, 256, 256, 10)
    with pytest.raises(FitError) as refused:
        fold.fold(network, DEVICES["hx8k"])
    assert re.fullmatch(
        r"network 'dense' does not fit hx8k at any folding: its 334,336 weights take "
        r"334,336 bits, 203,264 more than the 131,072 of the block RAMs; it would fit [\w-]+; a network of"
        r" this kind has weights for these memories with hidden layers "
        r"of (\d+), \1, \1 in place of 256, 256, 256 \([\d,]+ weights\)",
        str(refused.value),
    )
    width = int(re.search("layers of ([0-9]+)", str(refused.value))[1])
    fold.fold(dense_network(784, width, width, width, 10), DEVICES["hx8k"], fill=fit.FILL)


@pytest.mark.parametrize("sizes", [(784, 64, 10), (64, 8, 2)])
@pytest.mark.parametrize("device", ["hx1k", "up5k"])
def test_whether_a_network_fits_at_all(sizes, device):
    network, device = dense_network(*sizes), DEVICES[device]
    assert capacity.holds(network, device, patchable=False)
    try:
        fold.fold(network, device, fill=fit.FILL)
    except FitError:
        assert not remedies.fits(network, device, patchable=False)
    else:
        assert remedies.fits(network, device, patchable=False)


def test_memories_without_spram_hold_less():
    network, device = dense_network(784, 256, 256, 256, 10), DEVICES["up5k"]
    assert capacity.holds(network, device, patchable=False)
    assert not capacity.holds(network, device, patchable=False, spram=False)
    assert not capacity.holds(network, device, patchable=True)
    assert capacity.holds(network, part("lut6=5280,bram36=3"), patchable=True)  # 64 bits each


def test_what_block_ram_does_not_hold_goes_into_spram():
    network, device = dense_network(784, 256, 256, 256, 10), DEVICES["up5k"]
    design = fold.fold(network, device)
    stores = {layer.name: folding.store for layer, folding in design.stages}
    assert estimate(design, device)["spram"] == 4 and "bram" in stores.values()
    # Of layers with more weights than the ports of their SPRAMs bring, block RAM holds the rest.
    assert cycles.predict(design).interval <= 3800
    assert any(stage.unit and stage.unit.rest_width for stage in stages(design))
    assert cycles.predict(fold.fold(network, device, cycles=5000)).interval <= 5000


def test_no_spram_where_block_ram_suffices():
    network, device = dense_network(784, 64, 64, 10), DEVICES["up5k"]
    fastest, usual = fold.fold(network, device, fill=fit.FILL), fold.fold(network, device)
    assert "spram" in [folding.store for folding in fastest.foldings]
    for design in usual, fold.fold(network, device, cycles=150):
        assert "spram" not in [folding.store for folding in design.foldings]
    assert cycles.predict(fastest).interval < cycles.predict(usual).interval


def test_too_many_weights_even_for_spram():
    with pytest.raises(FitError, match="does not fit up5k at any folding"):
        fold.fold(dense_network(784, 1024, 1024, 10), DEVICES["up5k"])


def test_spram_on_a_device_without():
    network = dense_network(784, 64, 10)
    design = by_hand.fold(network, (1, 1), {"pe": 4, "simd": 4, "store": "spram"}, (1, 1))
    remedies.check_fit(design, DEVICES["up5k"])
    with pytest.raises(FitError, match="1 SPRAMs are requested and 0 can be used"):
        remedies.check_fit(design, DEVICES["hx8k"])


def test_a_large_device_is_not_filled_unasked():
    network, device = dense_network(784, 256, 256, 256, 10), DEVICES["ecp5-85f"]
    unasked = estimate(fold.fold(network, device), device)["lut"]
    assert unasked <= fit.EASY_LUTS
    assert estimate(fold.fold(network, device, cycles=40), device)["lut"] > fit.EASY_LUTS


@pytest.mark.parametrize("sizes", [(784, 64, 64, 64, 10), (784, 256, 256, 256, 10)])
def test_unasked_the_memory_ports_of_a_large_device_are_used(sizes):
    network, device = dense_network(*sizes), DEVICES["ecp5-85f"]
    least = max(-(-network.weight_bits // device.bram_read_bits), network.outputs)
    assert cycles.predict(fold.fold(network, device)).interval <= least / 0.8


def test_trade_off_falls_from_the_fastest_to_the_smallest():
    network, device = dense_network(784, 64, 64, 10), DEVICES["up5k"]
    designs = fold.trade_off(network, device)
    luts = [estimate(design, device, exact=False)["lut"] for design in designs]
    paces = [max(cycles.stage_cycles(design)) for design in designs]
    assert len(designs) > 3 and luts == sorted(luts, reverse=True) and paces == sorted(paces)
    assert paces[0] == max(cycles.stage_cycles(fold.fold(network, device, fill=fit.FILL)))


def test_a_network_that_needs_more_gets_it():
    # Thresholds that differ from pixel to pixel: the comparators alone take more than the easy share of the
    # small device.
    rng = np.random.default_rng(0)
    network = Network(
        name="levels",
        image_shape=(64,),
        labels=tuple("abcde"),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(0, 257, (64, 40))),
            Scores(name="scores", weights=rng.integers(0, 2, (5, 2560)), offsets=np.zeros(5, int)),
        ),
    )
    device = DEVICES["up5k"]
    resources = estimate(fold.fold(network, device), device)
    assert fit.easy_fill(device)["lut"] * device.lut < resources["lut"] <= fit.FILL["lut"] * device.lut


def test_too_few_cycles():
    with pytest.raises(FitError, match="at 60 cycles an image .* allow more cycles"):
        fold.fold(dense_network(784, 64, 64, 64, 10), DEVICES["up5k"], cycles=60)


def _wide(seed):
    """A small network of many pixels or channels, its first layer of any kind."""
    rng = np.random.default_rng(seed)
    pixels, hidden = int(rng.integers(200, 1200)), int(rng.integers(1, 6))
    shape, inputs = (pixels,), pixels
    weights = rng.integers(0, 2, (hidden, pixels))
    match seed % 4:
        case 0:
            levels = int(rng.integers(1, 3))
            first = [Binarize(name="pixels", thresholds=np.full((pixels, levels), 128))]
            inputs = pixels * levels
        case 1:
            first = [Dense(name="pixels", weights=weights, thresholds=np.full(hidden, 50 * pixels), planes=8)]
            inputs = hidden
        case 2:
            first = [
                Lookup(name="table", table=np.arange(256) // 2),
                Dense(name="pixels", weights=weights, thresholds=np.full(hidden, 50 * pixels), planes=7),
            ]
            inputs = hidden
        case _:
            shape = (2, 2, pixels)
            first = [
                Conv2d(
                    name="pixels",
                    weights=weights[:, None, None],
                    thresholds=np.full(hidden, 50 * pixels),
                    planes=8,
                )
            ]
            inputs = 4 * hidden
    scores = Scores(name="scores", weights=rng.integers(0, 2, (2, inputs)), offsets=np.zeros(2, int))
    return Network(name=f"wide-{seed}", image_shape=shape, layers=(*first, scores), labels=("a", "b"))


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("device", ["up5k", "ecp5-85f"])
@pytest.mark.parametrize("patchable", [False, True])
def test_no_more_pixels_at_once_than_the_host_link_can_report(seed, device, patchable):
    network, device = _wide(seed), DEVICES[device]
    design = fold.fold(network, device, patchable=patchable)
    small = fold.fold(network, device, cycles=4 * max(cycles.stage_cycles(design)), patchable=patchable)
    for each in design, small, *fold.trade_off(network, device, patchable=patchable):
        assert input_lanes(each) <= LIMITS["lanes"]
        remedies.check_fit(each, device)
    # What is reached is no better than what is said to be possible.
    assert cycles.predict(design).interval >= bounds(network, device)["stages as built"]


@pytest.mark.parametrize("sizes", [(300, 4, 2), (784, 2)])
@pytest.mark.parametrize("device", ["up5k", "hx8k", "ecp5-85f"])
def test_a_small_wide_network(sizes, device):
    assert input_lanes(fold.fold(dense_network(*sizes), DEVICES[device])) <= LIMITS["lanes"]


@pytest.mark.parametrize("seed", range(16))
@pytest.mark.parametrize("device", ["up5k", "ecp5-85f"])
def test_what_is_to_be_patched_is_in_roms(seed, device):
    network, device = random_network(seed, largest=24), DEVICES[device]
    least = max(1, *(getattr(layer, "planes", 1) * 2 for layer in network.layers))
    for limit in None, max(least, scores_rule(network).results_cycles), 10_000:
        try:
            design = fold.fold(network, device, cycles=limit, patchable=True)
        except FitError:
            continue  # only so fast
        assert design.patchable and to_patchable(design, device.family) == design
        assert estimate(design, device, host_link=False)["spram"] == 0


def test_patchable_though_unrolled_is_faster():
    network, device = dense_network(16, 32, 32, 2), DEVICES["hx8k"]
    for patchable in False, True:
        design = fold.fold(network, device, cycles=2, patchable=patchable)
        assert any(isinstance(folding, Unrolled) for folding in design.foldings) != patchable


def test_patchable_weights_cannot_be_loaded():
    with pytest.raises(
        FitError,
        match=(
            "its 334,336 weights take 334,336 bits, 211,456 more than the 122,880 of the "
            "block RAMs; it would fit"
        ),
    ):
        fold.fold(dense_network(784, 256, 256, 256, 10), DEVICES["up5k"], patchable=True)


def test_check_fit_speaks_of_the_whole_device():
    network = dense_network(784, 64, 64, 64, 10)
    large = fold.fold(network, DEVICES["ecp5-85f"], cycles=20)
    remedies.check_fit(large, DEVICES["ecp5-85f"])
    with pytest.raises(FitError, match=r"does not fit up5k: [\d,]+ LUTs are requested and 5,280 can be used"):
        remedies.check_fit(large, DEVICES["up5k"])


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("device", ["up5k", "ecp5-85f"])
def test_colour_image_of_160_by_128(device, raw):
    rng, chain, shape = np.random.default_rng(0), [], (128, 160, 3)
    if not raw:
        chain.append(Binarize(name="pixels", thresholds=np.tile([[100], [128], [150]], (128 * 160, 1))))
    for n, outputs in enumerate((16, 32, 32)):
        weights, planes = rng.integers(0, 2, (outputs, 3, 3, shape[2])), 8 if raw and not n else 1
        chain.append(
            Conv2d(
                name=f"conv_{n}",
                weights=weights,
                thresholds=np.full(outputs, weights[0].size * (2**planes - 1) // 2),
                planes=planes,
                stride=(2, 2),
                padding=((1, 1), (1, 1)),
            )
        )
        shape = chain[-1].output_shape(shape if n else (128, 160, 3))
    chain.append(
        Scores(name="scores", weights=rng.integers(0, 2, (4, int(np.prod(shape)))), offsets=np.arange(4))
    )
    network = Network(name="colour", image_shape=(128, 160, 3), layers=tuple(chain), labels=tuple("abcd"))
    device = DEVICES[device]
    design = fold.fold(network, device)
    remedies.check_fit(design, device)
    predicted = cycles.predict(design, images=4)
    # Streaming: the scores follow the last pixel long before another image could have come in.
    assert predicted.interval <= 1.05 * max(predicted.layers)
    assert predicted.latency <= 1.5 * predicted.interval


@pytest.mark.parametrize("device", ["up5k", "hx8k", "ecp5-85f"])
def test_line_buffers_hold_the_rows_that_cost_no_further_block_ram(device):
    print("seed 1")
    rng, device, more = np.random.default_rng(1), DEVICES[device], 0
    for _ in range(200):
        window = Geometry(
            height=int(rng.integers(8, 40)),
            width=int(rng.integers(8, 70)),
            slices=int(rng.integers(1, 9)),
            kernel=tuple(rng.integers(1, 9, 2).tolist()),
        )
        width = int(rng.integers(1, 40))
        least, most = window.rows_range(height=window.height, kernel=window.kernel, stride=window.stride)
        rows = free_rows(window, width=width, device=device)

        def taken(rows, window=window, width=width):
            return device.brams(width=width, depth=rows * window.words_in // window.height)

        assert least <= rows <= most and taken(rows) == taken(least)
        assert rows == most or taken(rows + 1) > taken(least)
        more += least < rows < most
    assert more > 5


@pytest.mark.parametrize("sizes", [(6, 4, 5), (9, 12, 4), (30, 8, 10), (16, 3)])
def test_a_small_network_is_as_quick_as_its_results(sizes):
    network = dense_network(*sizes)
    assert (
        max(cycles.stage_cycles(fold.fold(network, DEVICES["up5k"], fill=fit.FILL)))
        == scores_rule(network).results_cycles
    )
