from itertools import product

import numpy as np
import pytest

from sbgen.compiler.candidates import Candidates, Catalog
from sbgen.compiler.cycles import stage_cycles
from sbgen.compiler.design import Design
from sbgen.compiler.device import Device
from sbgen.compiler.estimate import converter_cost, estimate
from sbgen.compiler.fit import excess
from sbgen.compiler.ir import Add, Binarize, Dense, Fork, Network, Scores, Switch
from sbgen.compiler.joints import joints
from sbgen.compiler.layers import scores_rule
from sbgen.compiler.pipeline import stages
from sbgen.compiler.random_network import random_network
from sbgen.compiler.search import Search, price
from sbgen.hw.width import Parameters as Converter
from sbgen.hw.width import conversions

FILL = {"lut": 0.9, "ff": 0.9, "bram": 1.0, "spram": 1.0}


def tiny(seed):
    """A network of few foldings."""
    rng = np.random.default_rng(seed)
    pixels, hidden, classes = (int(rng.integers(2, most)) for most in (5, 4, 4))
    return Network(
        name="tiny",
        image_shape=(pixels,),
        labels=tuple("abc"[:classes]),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(0, 256, (pixels, 1))),
            Dense(
                name="dense",
                weights=rng.integers(0, 2, (hidden, pixels)),
                thresholds=rng.integers(0, pixels + 1, hidden),
            ),
            Scores(
                name="scores", weights=rng.integers(0, 2, (classes, hidden)), offsets=np.zeros(classes, int)
            ),
        ),
    )


def device(seed, family="ice40"):
    """A device with little of everything, on which any resource may run out."""
    rng = np.random.default_rng(seed)
    return Device(
        name="device",
        part="",
        family=family,
        lut=int(rng.integers(1150, 1500)),
        ff=1500,
        bram=int(rng.integers(0, 5)),
        spram=int(rng.integers(0, 3)),
        dsp=0,
    )


def all_designs(network, on):
    """Every design of the stages that the search knows."""
    catalog = Catalog(network, on)
    choices = []
    for n in range(len(network.layers)):
        layer = Candidates(catalog, n)
        layer.make(np.ones(len(layer.made), bool))
        choices.append([stage.folding for stage in layer.columns(1 << 30, 1 << 30).stage])
    return [Design(network=network, foldings=foldings) for foldings in product(*choices)]


@pytest.mark.parametrize("seed", range(3))
def test_the_cheapest_of_all_designs_is_found(seed):
    print("seed", seed)
    network, on = tiny(seed), device(seed)
    designs = [
        (max(stage_cycles(design)), price(design, on))
        for design in all_designs(network, on)
        if not excess(estimate(design, on, exact=False), on, FILL)
    ]
    search = Search(network, on, fill=FILL)
    for cycles in sorted({network.outputs, *range(3, 8), 12, 20}):
        found = search.design(cycles)
        best = min((cost for busy, cost in designs if busy <= cycles), default=None)
        if best is None:
            assert found is None
        else:
            assert found is not None and price(found, on) == pytest.approx(best, abs=1)
            assert max(stage_cycles(found)) <= cycles
            assert search.design(cycles, any_fits=True) is not None


def projection(inputs, outputs):
    """A sum of two layers on the same bits."""
    rng = np.random.default_rng(3)
    one, two = (
        Dense(name=name, weights=rng.integers(0, 2, (outputs, inputs)), thresholds=None)
        for name in ("one", "two")
    )
    scores = Scores(
        name="scores",
        weights=rng.integers(0, 2, (2, outputs)),
        offsets=np.zeros(2, int),
        planes=(2 * inputs).bit_length(),
    )
    return Network(
        name="projection",
        image_shape=(inputs,),
        labels=("a", "b"),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(0, 256, (inputs, 1))),
            Fork(name="fork"),
            one,
            Switch(name="switch", fork="fork"),
            two,
            Add(name="add", fork="switch"),
            scores,
        ),
    )


@pytest.mark.parametrize("sizes", [(12, 3), (5, 8)])
def test_the_price_of_a_sum_of_two_sides_is_that_of_its_design(sizes):
    network = projection(*sizes)
    on = Device(name="device", part="", family="ice40", lut=9000, ff=9000, bram=12, spram=2, dsp=0)
    search, widths = Search(network, on, fill=FILL), set()
    for cycles in range(12, 60, 5):
        found = search.design(cycles)
        assert found is not None and max(stage_cycles(found)) <= cycles
        made = stages(found)
        waits = {n: -(-made[n].shortcut[0].depth // -(-made[n].i_length // made[n].i_lanes)) for n in (1, 3)}
        best = search._cheapest(search._chain(cycles, 0.0, waits), 0.0)
        assert best.price == pytest.approx(price(found, on), abs=1)
        widths.add((made[1].i_lanes, made[3].i_lanes))
    assert any(one != two for one, two in widths)


@pytest.mark.parametrize("seed", range(6))
def test_more_cycles_never_cost_more(seed):
    print("seed", seed)
    network, rng = random_network(seed, largest=16), np.random.default_rng(seed)
    on = Device(name="device", part="", family="ice40", lut=9000, ff=9000, bram=12, spram=2, dsp=0)
    prices = []
    for cycles in sorted(rng.integers(scores_rule(network).results_cycles, 3000, 8).tolist()):
        # With nothing known from other numbers of cycles.
        found = Search(network, on, fill=FILL).design(cycles)
        assert found is not None or not prices
        if found is not None:
            prices.append(price(found, on))
            assert max(stage_cycles(found)) <= cycles
            assert not excess(estimate(found, on, exact=False), on, FILL)
    assert prices == sorted(prices, reverse=True)


@pytest.mark.parametrize("seed", range(3))
def test_joints_are_the_width_converters(seed):
    print("seed", seed)
    rng = np.random.default_rng(seed)
    for _ in range(40):
        short, times = (int(each) for each in rng.integers(1, (40, 6)))
        lengths = [short, short * times]
        rng.shuffle(lengths)
        i_length, o_length = lengths
        before, after = rng.integers(1, i_length + 1, 3), rng.integers(1, o_length + 1, 4)
        bits, elements = int(rng.integers(1, 9)), short * times * int(rng.integers(1, 5))
        found = joints(
            i_length=i_length,
            i_lanes=before,
            o_length=o_length,
            o_lanes=after,
            element_bits=bits,
            elements=elements,
        )
        for (n, i_lanes), (k, o_lanes) in product(enumerate(before.tolist()), enumerate(after.tolist())):
            sides = {"i_length": i_length, "i_lanes": i_lanes, "o_length": o_length, "o_lanes": o_lanes}
            cost = converter_cost(**sides, element_bits=bits)
            assert found.lut[n, k] == pytest.approx(cost.lut) and found.ff[n, k] == pytest.approx(cost.ff)
            beats, busy = elements // i_length * -(-i_length // i_lanes), 0
            for length, narrow, wide in conversions(**sides):
                part = Converter(shape=1, length=length, i_lanes=narrow, o_lanes=wide)
                busy = max(busy, part.busy(beats))
                beats = part.o_beats(beats)
            assert found.cycles[n, k] == busy
