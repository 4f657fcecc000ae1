import pytest
from streams import transfer

from sbgen.hw import deep_queue


@pytest.mark.parametrize("depth", [2, 3, 8, 13])
@pytest.mark.parametrize("store", ["bram", "lut"])
@pytest.mark.parametrize("seed", [0, 1])
def test_order_is_kept(depth, store, seed):
    given = list(range(1, 100))
    taken = transfer(
        deep_queue.Parameters(shape=8, depth=depth, store=store).create(), given, len(given), seed=seed
    )
    assert [word for _, word in taken] == given


@pytest.mark.parametrize("depth", [2, 5])
def test_latency_and_interval(depth):
    taken = transfer(deep_queue.Parameters(shape=8, depth=depth, store="bram").create(), range(1, 30), 29)
    assert [cycle for cycle, _ in taken] == [2 + n for n in range(29)]


@pytest.mark.parametrize(
    "options, message",
    [
        ({"depth": 1}, "depth must be at least 2, not 1"),
        ({"store": "sram"}, "store must be one of bram, lut, not 'sram'"),
    ],
)
def test_parameters_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        deep_queue.Parameters(**{"shape": 8, "depth": 2, "store": "bram", **options}).create()
