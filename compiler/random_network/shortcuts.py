"""Random shortcuts."""

import numpy as np

from ..ir import Add, Dense, Fork, MaxPool, Switch
from .arrays import random_neurons
from .chain import ELEMENT_BITS, SUM_BITS, Chain
from .draws import one_in, size, up_to
from .layers import append_bits, same_padding, same_sides

__all__ = ["append_shortcut"]


def _add(rng: np.random.Generator, chain: Chain, name: str, fork: str, *, wide: bool = False) -> bool:
    """Whether what is stored under the name `fork` is added: with a small scale, or (`wide`) any that sums of
    31 bits allow.
    """
    scale = int(rng.choice([1, 1, 2, 3]))
    if wide or one_in(rng, 8):
        most = max(1, min(2**16, ((1 << SUM_BITS) - 1 - chain.maximum) // chain.stored(fork)))
        scale = int(np.exp(rng.uniform(0, np.log(most)))) if rng.integers(2) else most
    return chain.append(Add(name=f"{name}_add", fork=fork, scale=scale))


def _shortcut(
    rng: np.random.Generator, chain: Chain, name: str, *, depth: int = 2, wide: bool = False
) -> bool:
    """Whether the chain got a shortcut around neurons on bits; in one of three with another inside."""
    channels = chain.shape[-1]
    return (
        chain.append(Fork(name=f"{name}_fork"))
        and append_bits(rng, chain, f"{name}_bits")
        and (
            rng.integers(2)
            or chain.append(same_sides(rng, chain, f"{name}_hidden", size(rng, max(1, chain.largest // 4))))
        )
        and (
            depth == 1
            or rng.integers(3)
            or _shortcut(rng, chain, f"{name}_inner", depth=depth - 1)
            and append_bits(rng, chain, f"{name}_inner_bits")
        )
        and chain.append(same_sides(rng, chain, f"{name}_counts", channels, counts=True))
        and _add(rng, chain, name, f"{name}_fork", wide=wide)
    )


def _empty_shortcut(rng: np.random.Generator, chain: Chain, name: str, *, wide: bool = False) -> bool:
    """Whether the chain got a shortcut around nothing."""
    return chain.append(Fork(name=f"{name}_fork")) and _add(rng, chain, name, f"{name}_fork", wide=wide)


def _wide_shortcuts(rng: np.random.Generator, chain: Chain, name: str) -> bool:
    """Whether the chain got two shortcuts, the second on the sums of the first, with large scales."""
    kinds = [_empty_shortcut if one_in(rng, 3) else _shortcut for _ in range(2)]
    return all(kind(rng, chain, f"{name}_{n}", wide=True) for n, kind in enumerate(kinds))


def _interleaved_shortcuts(rng: np.random.Generator, chain: Chain, name: str) -> bool:
    """Whether the chain got two shortcuts of which the second begins inside the first and ends after it."""
    one, two = f"{name}_one", f"{name}_two"
    channels = chain.shape[-1]
    steps = chain.append(Fork(name=f"{one}_fork"))
    if rng.integers(2):  # other channels inside the second
        steps = (
            steps
            and append_bits(rng, chain, f"{one}_bits")
            and chain.append(
                same_sides(
                    rng,
                    chain,
                    f"{one}_hidden",
                    channels if rng.integers(2) else size(rng, max(1, chain.largest // 4)),
                )
            )
        )
    inner = chain.shape[-1]
    steps = (
        steps
        and chain.append(Fork(name=f"{two}_fork"))
        and append_bits(rng, chain, f"{two}_bits")
        and chain.append(same_sides(rng, chain, f"{two}_counts", channels, counts=True))
        and _add(rng, chain, one, f"{one}_fork")
    )
    if inner != channels or rng.integers(2):
        steps = (
            steps
            and append_bits(rng, chain, f"{one}_sum_bits")
            and chain.append(same_sides(rng, chain, f"{one}_counts", inner, counts=True))
        )
    return steps and _add(rng, chain, two, f"{two}_fork")


def _side(
    rng: np.random.Generator,
    chain: Chain,
    name: str,
    outputs: int,
    *,
    stride: tuple[int, int] = (1, 1),
    depth: int = 1,
) -> bool:
    """Whether the chain got one side of a sum, of so many outputs: neurons, perhaps with others, a pool or a
    shortcut before them, or nothing where all is as it shall be.
    """
    kind = rng.integers(8)
    if kind == 0 and stride == (1, 1) and chain.shape[-1] == outputs:
        return True
    if chain.maximum >= 1 << ELEMENT_BITS or rng.integers(4):
        append_bits(rng, chain, f"{name}_bits")
    if kind == 1 and len(chain.shape) == 3:
        kernel = up_to(rng, 3, 6), up_to(rng, 3, 6)
        pool = MaxPool(name=f"{name}_pool", kernel=kernel, stride=stride, padding=same_padding(rng, kernel))
        if not chain.append(pool):
            return False
        stride = 1, 1
    if kind == 2 and depth:
        inner = _shortcut if rng.integers(2) else _projection
        if not inner(rng, chain, f"{name}_inner", depth=depth - 1):
            return False
        append_bits(rng, chain, f"{name}_sum_bits")
    if kind == 3:
        hidden = size(rng, max(1, chain.largest // 4))
        if not chain.append(same_sides(rng, chain, f"{name}_hidden", hidden)):
            return False
    return chain.append(
        same_sides(rng, chain, f"{name}_counts", outputs, counts=bool(rng.integers(4)), stride=stride)
    )


def _projection(
    rng: np.random.Generator, chain: Chain, name: str, *, depth: int = 2, wide: bool = False
) -> bool:
    """Whether the chain got a sum of which both sides have layers; inside of another (`depth` less than 2) of
    the same sides.
    """
    fork, switch = f"{name}_fork", f"{name}_switch"
    outputs, stride = size(rng, max(1, chain.largest // 4)), (1, 1)
    if depth == 2 and len(chain.shape) == 3:
        stride = up_to(rng, 2, 4), up_to(rng, 2, 4)
    steps = chain.append(Fork(name=fork))
    if one_in(rng, 6):  # from an image to a vector
        for side in f"{name}_one", f"{name}_two":
            append_bits(rng, chain, f"{side}_bits")
            neurons = random_neurons(rng, (outputs, chain.elements), chain.maximum, counts=True)
            steps = steps and chain.append(Dense(name=side, **neurons))
            if side.endswith("one"):
                steps = steps and chain.append(Switch(name=switch, fork=fork))
        return steps and _add(rng, chain, name, switch, wide=wide)
    return (
        steps
        and _side(rng, chain, f"{name}_one", outputs, stride=stride, depth=depth - 1)
        and chain.append(Switch(name=switch, fork=fork))
        and _side(rng, chain, f"{name}_two", outputs, stride=stride, depth=depth - 1)
        and _add(rng, chain, name, switch, wide=wide)
    )


def _interleaved_projection(rng: np.random.Generator, chain: Chain, name: str) -> bool:
    """Whether the chain got a sum of which both sides have layers, and a shortcut that begins or ends on the
    second side.
    """
    fork, switch, other = f"{name}_fork", f"{name}_switch", f"{name}_other"
    channels, before = chain.shape[-1], bool(rng.integers(2))
    if before:
        chain.append(Fork(name=other))
    steps = (
        chain.append(Fork(name=fork))
        and _side(rng, chain, f"{name}_one", channels)
        and chain.append(Switch(name=switch, fork=fork))
    )
    if before:
        steps = (
            steps
            and _side(rng, chain, f"{name}_inner", channels)
            and _add(rng, chain, f"{name}_inner", other)
        )
    else:
        steps = steps and chain.append(Fork(name=other))
    steps = steps and _side(rng, chain, f"{name}_two", channels) and _add(rng, chain, f"{name}_two", switch)
    if before:
        return steps
    return steps and _side(rng, chain, f"{name}_outer", channels) and _add(rng, chain, name, other)


def append_shortcut(rng: np.random.Generator, chain: Chain, name: str) -> bool:
    """Whether the chain got a shortcut of any kind."""
    kinds = (
        *[_shortcut] * 3,
        _empty_shortcut,
        *[_interleaved_shortcuts] * 2,
        *[_wide_shortcuts] * 2,
        *[_projection] * 4,
        _interleaved_projection,
    )
    kind = kinds[rng.integers(len(kinds))]
    if not chain.attempt(lambda chain: kind(rng, chain, name)):
        return False
    if rng.integers(2):  # else the next layer takes the sums
        append_bits(rng, chain, f"{name}_sum_bits")
    return True
