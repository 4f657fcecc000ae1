import pytest
from streams import transfer

from sbgen.hw.queue import Queue


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("seed", [0, 1])
def test_order_is_kept(depth, seed):
    given = list(range(1, 200))
    taken = transfer(Queue(shape=8, depth=depth), given, len(given), seed=seed)
    assert [word for _, word in taken] == given


@pytest.mark.parametrize("depth", [1, 2, 3])
@pytest.mark.parametrize("reset_after", [1, 3])
def test_payloads_need_no_reset(depth, reset_after):
    given = list(range(1, 60))
    taken = transfer(Queue(shape=8, depth=depth), given, len(given), seed=2, reset_after=reset_after)
    assert [word for _, word in taken] == given


@pytest.mark.parametrize("depth, interval", [(1, 2), (2, 1), (4, 1)])
def test_latency_and_interval(depth, interval):
    taken = transfer(Queue(shape=8, depth=depth), range(1, 30), 29)
    assert [cycle for cycle, _ in taken] == [1 + n * interval for n in range(29)]


def test_depth_must_be_positive():
    with pytest.raises(ValueError, match="at least 1, not 0"):
        Queue(shape=8, depth=0)
