"""Random shortcuts."""

import numpy as np

from ..ir import Add, Fork
from .chain import SUM_BITS, Chain
from .draws import one_in, size
from .layers import append_bits, same_sides

__all__ = ["append_shortcut"]


def _add(rng: np.random.Generator, chain: Chain, name: str, *, wide: bool = False) -> bool:
    """Whether the shortcut of that name is closed: with a small scale, or (`wide`) any that sums of 31 bits
    allow.
    """
    scale = int(rng.choice([1, 1, 2, 3]))
    if wide or one_in(rng, 8):
        most = max(1, min(2**16, ((1 << SUM_BITS) - 1 - chain.maximum) // chain.stored(f"{name}_fork")))
        scale = int(np.exp(rng.uniform(0, np.log(most)))) if rng.integers(2) else most
    return chain.append(Add(name=f"{name}_add", fork=f"{name}_fork", scale=scale))


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
        and _add(rng, chain, name, wide=wide)
    )


def _empty_shortcut(rng: np.random.Generator, chain: Chain, name: str, *, wide: bool = False) -> bool:
    """Whether the chain got a shortcut around nothing."""
    return chain.append(Fork(name=f"{name}_fork")) and _add(rng, chain, name, wide=wide)


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
        and _add(rng, chain, one)
    )
    if inner != channels or rng.integers(2):
        steps = (
            steps
            and append_bits(rng, chain, f"{one}_sum_bits")
            and chain.append(same_sides(rng, chain, f"{one}_counts", inner, counts=True))
        )
    return steps and _add(rng, chain, two)


def append_shortcut(rng: np.random.Generator, chain: Chain, name: str) -> bool:
    """Whether the chain got a shortcut of any kind."""
    kinds = *[_shortcut] * 3, _empty_shortcut, *[_interleaved_shortcuts] * 2, *[_wide_shortcuts] * 2
    kind = kinds[rng.integers(len(kinds))]
    if not chain.attempt(lambda chain: kind(rng, chain, name)):
        return False
    if rng.integers(2):  # else the next layer takes the sums
        append_bits(rng, chain, f"{name}_sum_bits")
    return True
