"""Random numbers: a generator for each purpose and seed, and the sizes that are drawn from it."""

import numpy as np

__all__ = ["generator", "one_in", "size", "up_to"]

_SEED_BITS = 64


def generator(what: str, seed: int) -> np.random.Generator:
    # A network and its images from the same seed must not share random numbers.
    return np.random.default_rng([seed % 2**_SEED_BITS, *what.encode()])


def one_in(rng: np.random.Generator, n: int) -> bool:
    return bool(rng.integers(n) == 0)


def size(rng: np.random.Generator, largest: int) -> int:
    """A size 1 ... `largest`: uniform, or uniform in its logarithm."""
    return int(
        rng.integers(1, largest + 1) if rng.integers(2) else np.exp(rng.uniform(0, np.log(largest + 1)))
    )


def up_to(rng: np.random.Generator, usual: int, most: int) -> int:
    """A size 1 ... `usual`, in one of four up to `most`."""
    return int(rng.integers(1, (max(usual, most) if one_in(rng, 4) else usual) + 1))
