"""An order of the inputs of a layer in which neurons share many sums."""

import numpy as np

from .tables import GROUP

__all__ = ["order"]

#: Exchanges of two inputs that are tried for each input, and at most: a second or three.
_EXCHANGES = 600
_MOST_EXCHANGES = 60_000


def order(weights: np.ndarray) -> tuple[list[int], list[list[int]]]:
    """An order of the inputs in which groups of seven have few variants: each neuron sees one, and its
    complement is the same. Groups are in such an order that groups of their sums have few too, and so on.

    A group begins with the first input left and takes those that add the fewest variants; then inputs of
    different groups change places, from a fixed seed, where that adds none.

    Parameters
    ----------
    weights : integer array, shape (outputs, inputs), values 0 and 1

    Returns
    -------
    order : list of int
    variants : list of list of int
        The number of each group of inputs, then that of each group of their sums, and so on.
    """
    left, begun = list(range(weights.shape[1])), []
    while len(left) >= GROUP:
        group, variants = [left.pop(0)], np.zeros(len(weights), int)
        while len(group) < GROUP:
            choices = np.sort(2 * variants + (weights[:, left] ^ weights[:, group[:1]]).T)
            best = int((choices[:, 1:] != choices[:, :-1]).sum(1).argmin())
            variants = 2 * variants + (weights[:, left[best]] ^ weights[:, group[0]])
            group.append(left.pop(best))
        begun += group
    places = np.array(begun + left)
    groups = len(places) // GROUP

    def variants_of(group: int) -> int:
        of = weights[:, places[group * GROUP : (group + 1) * GROUP]]
        return int(np.count_nonzero(np.bincount((of ^ of[:, :1]) @ (1 << np.arange(GROUP)))))

    counts, rng = [variants_of(group) for group in range(groups)], np.random.default_rng(0)
    for pair in rng.integers(
        0, len(places), (min(_EXCHANGES * len(places), _MOST_EXCHANGES) if groups > 1 else 0, 2)
    ):
        changed = [group for group in pair // GROUP if group < groups]
        if not changed or pair[0] // GROUP == pair[1] // GROUP:
            continue
        places[pair] = places[pair[::-1]]
        now = [variants_of(group) for group in changed]
        if sum(now) <= sum(counts[group] for group in changed):
            for group, count in zip(changed, now, strict=True):
                counts[group] = count
        else:
            places[pair] = places[pair[::-1]]
    if groups < GROUP:
        return places.tolist(), [counts]
    grouped = places[: groups * GROUP].reshape(groups, GROUP)
    above, variants = order(weights[:, grouped].sum(2) & 1)
    places[: groups * GROUP] = grouped[above].reshape(-1)
    return places.tolist(), [[counts[group] for group in above], *variants]
