"""Contents of look-up tables: bit `at` is the output where input `n` is bit `n` of `at`."""

from collections.abc import Sequence
from functools import cache

__all__ = ["composed", "reduced", "variables"]


@cache
def variables(count: int) -> tuple[int, ...]:
    """The contents of tables of `count` inputs that output one of them."""
    size = 1 << count
    return tuple(sum(1 << at for at in range(size) if at >> n & 1) for n in range(count))


def composed(contents: int, ins: Sequence[int], *, count: int) -> int:
    """The contents of a table whose inputs are the outputs `ins` of others, as contents of `count` inputs."""
    everything = (1 << (1 << count)) - 1
    if not ins:
        return everything * (contents & 1)
    # By the last input: the half of the contents where it is 0, and the half where it is 1.
    half = 1 << len(ins) - 1
    low, high = contents & (1 << half) - 1, contents >> half
    if low == high:
        return composed(low, ins[:-1], count=count)
    zero, one = (composed(each, ins[:-1], count=count) for each in (low, high))
    return zero & ~ins[-1] | one & ins[-1]


def reduced(contents: int, *, count: int) -> tuple[int, tuple[int, ...]]:
    """Contents without the inputs that they do not depend on, and the numbers of those that are left."""
    used = list(range(count))
    for n in reversed(range(count)):
        on = variables(len(used))[n]
        if (contents & on) >> (1 << n) == contents & ~on:
            contents = _at_zero(contents, n, count=len(used))
            del used[n]
    return contents, tuple(used)


def _at_zero(contents: int, n: int, *, count: int) -> int:
    """The contents where input `n` is 0, as those of a table without it."""
    block = 1 << n
    mask = (1 << block) - 1
    return sum((contents >> 2 * block * each & mask) << block * each for each in range(1 << count - 1 - n))
