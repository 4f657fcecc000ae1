import pytest
from streams import transfer

from sbgen.hw import short_queue


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("seed", [0, 1])
def test_order_is_kept(depth, seed):
    given = list(range(1, 100))
    taken = transfer(short_queue.Parameters(shape=8, depth=depth).create(), given, len(given), seed=seed)
    assert [word for _, word in taken] == given


def test_latency_and_interval():
    taken = transfer(short_queue.Parameters(shape=8).create(), range(1, 30), 29)
    assert [cycle for cycle, _ in taken] == [1 + n for n in range(29)]


def test_a_place_is_too_few():
    with pytest.raises(ValueError, match="depth must be at least 2, not 1"):
        short_queue.Parameters(shape=8, depth=1)
