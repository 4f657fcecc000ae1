"""What windows become by their folding: the parts of layers that move over images."""

import numpy as np
import pytest

from sbgen.compiler.folding import ConvFolding, WindowFolding
from sbgen.compiler.ir import Conv2d, MaxPool, Signal, SumPool
from sbgen.compiler.layers import rule
from sbgen.compiler.layers.rule import Memories
from sbgen.errors import ModelError
from sbgen.hw import patches, short_queue, window

BITS = Signal(shape=(6, 6, 2), maximum=1)
CONV = Conv2d(name="conv", weights=np.ones((4, 3, 3, 2), int), thresholds=np.full(4, 9))
MAX = MaxPool(name="pool", kernel=(2, 2), stride=(2, 2))
SUM = SumPool(name="pool", kernel=(3, 3), stride=(1, 1))


def parts(layer, folding):
    return [type(part) for part in rule(layer, BITS).stage(folding).parts]


@pytest.mark.parametrize(
    "layer, folding",
    [
        (CONV, ConvFolding(pe=2, simd=2, queued=True)),
        (CONV, ConvFolding(pe=2, simd=6, queued=True)),
        (MAX, WindowFolding(simd=1, queued=True)),
        (SUM, WindowFolding(simd=1, queued=True)),
    ],
)
def test_a_queue_behind_the_window(layer, folding):
    assert parts(layer, folding)[:2] == [window.Parameters, short_queue.Parameters]


@pytest.mark.parametrize("layer, simd", [(CONV, 2), (CONV, 6), (MAX, 1), (SUM, 1)])
def test_no_queue_unless_the_folding_has_it(layer, simd):
    folding = rule(layer, BITS).folding(pe=2, simd=simd)
    assert short_queue.Parameters not in parts(layer, folding)


def test_no_queue_without_a_window():
    layer = SumPool(name="pool", kernel=(2, 2), stride=(2, 2))
    with pytest.raises(ModelError, match="layer 'pool': has no line buffers, so queued must be left out"):
        rule(layer, BITS).check(WindowFolding(simd=1, queued=True))
    assert not rule(layer, BITS).nearest(WindowFolding(simd=1, queued=True)).queued


@pytest.mark.parametrize("shape, kernel", [((1, 128, 1), (1, 8)), ((128, 1, 1), (8, 1))])
def test_a_sample_in_each_cycle_along_a_sequence(shape, kernel):
    """Patches of one row have no line buffers before them, whichever way the sequence lies."""
    layer = Conv2d(name="conv", weights=np.ones((4, *kernel, 1), int), thresholds=np.full(4, 5))
    along = rule(layer, Signal(shape=shape, maximum=1))
    stage = along.stage(ConvFolding(pe=4, simd=8, patches=True))
    assert type(stage.parts[0]) is patches.Parameters and stage.cycles == 128
    assert along.stage(ConvFolding(pe=4, simd=8)).cycles == 121 * 8


def test_several_positions_take_fewer_steps():
    def cycles(**options):
        return rule(CONV, BITS).stage(ConvFolding(pe=2, simd=2, **options)).cycles

    assert (
        cycles() == 4 * 4 * 2 * 9
        and cycles(at_once=2) == 4 * 2 * 2 * 9
        and cycles(at_once=3) == cycles(at_once=2)
    )


@pytest.mark.parametrize(
    "folding, message",
    [
        ({"at_once": 5}, "at_once must be in 1 ... 4, not 5"),
        ({"simd": 1, "patches": True}, "patches need a layer of one group and all 2 channels at once, not 1"),
    ],
)
def test_illegal_positions_at_once(folding, message):
    with pytest.raises(ModelError, match=f"layer 'conv': {message}"):
        rule(CONV, BITS).check(ConvFolding(**{"pe": 2, "simd": 2, **folding}))


def test_the_search_tries_patches_and_several_positions():
    memories = Memories(registered=False, patchable_store=None)
    whole = list(rule(CONV, BITS).foldings(2, 18, memories))
    assert all(each.patches and each.queued for each in whole)
    pixel = list(rule(CONV, BITS).foldings(2, 2, memories))
    assert {each.at_once for each in pixel} == {1, 2, 4} and not any(each.patches for each in pixel)
    least = rule(CONV, BITS).least_cycles(2, 2)
    assert least == min(
        rule(CONV, BITS).stage(each).unit.beats * 2 * 4 for each in pixel if each.at_once == 4
    )
