"""Which candidates are better in all that counts, and how far they are from their neighbours.

Sorting by fronts and by crowding after Deb et al., "A fast and elitist multiobjective genetic algorithm:
NSGA-II" (IEEE Trans. Evol. Comput. 6, 2002).
"""

import math
from collections.abc import Sequence

__all__ = ["crowding", "dominates", "fronts", "survivors"]

#: What counts of a candidate, each number the better the less it is.
Costs = Sequence[float]


def dominates(one: Costs, other: Costs) -> bool:
    """Whether `one` is at least as good everywhere and better somewhere."""
    return all(a <= b for a, b in zip(one, other, strict=True)) and tuple(one) != tuple(other)


def fronts(costs: Sequence[Costs]) -> list[list[int]]:
    """The places of `costs` in fronts: the first is dominated by none, each next one by those before it
    alone.
    """
    left, found = list(range(len(costs))), []
    while left:
        best = [n for n in left if not any(dominates(costs[other], costs[n]) for other in left)]
        found.append(best)
        left = [n for n in left if n not in set(best)]
    return found


def crowding(costs: Sequence[Costs]) -> list[float]:
    """How far the neighbours of each are apart, summed over what counts; infinite at the ends."""
    distance = [0.0] * len(costs)
    for axis in range(len(costs[0]) if costs else 0):
        order = sorted(range(len(costs)), key=lambda n: costs[n][axis])
        span = costs[order[-1]][axis] - costs[order[0]][axis]
        distance[order[0]] = distance[order[-1]] = math.inf
        for before, n, after in zip(order, order[1:], order[2:], strict=False):
            if span > 0:
                distance[n] += (costs[after][axis] - costs[before][axis]) / span
    return distance


def survivors(costs: Sequence[Costs], count: int) -> list[int]:
    """The places of at most `count` of `costs`: whole fronts, of the last those that are least crowded; the
    best first.
    """
    kept: list[int] = []
    for front in fronts(costs):
        apart = crowding([costs[n] for n in front])
        order = sorted(range(len(front)), key=lambda n: -apart[n])
        kept += [front[n] for n in order][: count - len(kept)]
        if len(kept) == count:
            break
    return kept
