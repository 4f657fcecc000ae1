"""What windows become by their folding: the parts of layers that move over images."""

import numpy as np
import pytest

from sbgen.compiler.folding import ConvFolding, WindowFolding
from sbgen.compiler.ir import Conv2d, MaxPool, Signal, SumPool
from sbgen.compiler.layers import rule
from sbgen.errors import ModelError
from sbgen.hw import short_queue, window

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
