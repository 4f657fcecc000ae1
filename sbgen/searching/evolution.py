"""The generations of a search: a function of the start, the seed, and the results of the candidates."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .front import fronts, survivors
from .genome import Candidate, Space, changed, crossed, repaired

__all__ = ["Evaluated", "evolve", "front"]

#: Children whose cost is estimated at a time, for each that is trained; and how often none of them may fit
#: before the search ends.
_CHILDREN = 2
_PATIENCE = 8

#: Children that have two parents.
_CROSSED = 0.3

#: The costs of candidates in order, None of those that do not fit; and the fitness of some that do.
Costs = Callable[[Sequence[Candidate]], list[dict[str, int] | None]]
Fitness = Callable[[Sequence[Candidate]], list[dict[str, Any]]]


@dataclass(frozen=True, kw_only=True)
class Evaluated:
    """A candidate with what is known of it.

    Parameters
    ----------
    candidate : Candidate
    cost : dict
        As `evaluate.cost`.
    accuracy : float, 0 ... 1
        As `evaluate.fitness`.
    """

    candidate: Candidate
    cost: dict[str, int]
    accuracy: float

    @property
    def counts(self) -> tuple[float, ...]:
        """What counts, the less the better."""
        return -self.accuracy, self.cost["cycles"], self.cost["lut"], self.cost["bram"]


def evolve(
    start: Sequence[Candidate],
    space: Space,
    *,
    seed: int,
    count: int,
    population: int,
    costs: Costs,
    fitness: Fitness,
) -> list[Evaluated]:
    """Evaluate `count` candidates, generation by generation; fewer if no more can be found.

    Equal arguments give equal candidates, wherever and in which order `costs` and `fitness` compute.

    Parameters
    ----------
    start : sequence of Candidate
        The first; those that fit are all trained, as far as `count` allows.
    space : Space
    seed : int
    count, population : int
        Trainings in all, and of one generation.
    costs, fitness : callable
        Candidates to their results, in order.

    Returns
    -------
    list of Evaluated
        In the order of training; empty if nothing fits.
    """
    rng = random.Random(seed)
    seen: set[str] = set()
    done: list[Evaluated] = []
    batch, failures = _new([fit for one in start if (fit := repaired(one, space))], seen), 0
    waiting: list[tuple[Candidate, dict[str, int]]] = []
    unfit: list[Candidate] = []
    while len(done) < count:
        found = list(zip(batch, costs(batch), strict=True))
        waiting += [(one, cost) for one, cost in found if cost is not None]
        unfit += [one for one, cost in found if cost is None]
        wanted = min(population, count - len(done))
        failures = 0 if any(cost is not None for _, cost in found) else failures + 1
        if len(waiting) >= wanted or (failures > _PATIENCE and waiting):
            chosen, waiting = waiting[:wanted], waiting[wanted:]
            results = fitness([one for one, _ in chosen])
            done += [
                Evaluated(candidate=one, cost=cost, accuracy=result["accuracy"])
                for (one, cost), result in zip(chosen, results, strict=True)
            ]
            failures = 0
        elif failures > _PATIENCE:
            break
        # As long as nothing fits, what does not is changed: some of it becomes smaller.
        orders = _orders(done, population) or [[one for one, _ in waiting] or unfit]
        children = [_child(rng.choice(orders), space, rng) for _ in range(_CHILDREN * population)]
        batch = _new(children, seen)
    return done


def front(done: Sequence[Evaluated]) -> list[Evaluated]:
    """Those that no other beats in all that counts, the most accurate first; of equal ones the first."""
    different = list({each.counts: each for each in reversed(done)}.values())[::-1]
    best = [different[n] for n in fronts([each.counts for each in different])[0]] if different else []
    return sorted(best, key=lambda each: each.counts)


def _orders(done: Sequence[Evaluated], population: int) -> list[list[Candidate]]:
    """The best so far, `population` of them each time: by fronts and crowding, which keeps them different,
    and by accuracy.
    """
    spread = [done[n] for n in survivors([each.counts for each in done], population)]
    accurate = sorted(done, key=lambda each: each.counts)[:population]
    return [[each.candidate for each in order] for order in (spread, accurate) if order]


def _child(parents: Sequence[Candidate], space: Space, rng: random.Random) -> Candidate:
    """A changed parent, or two that are crossed and changed; of two at random, the earlier is a parent."""

    def parent() -> Candidate:
        return parents[min(rng.randrange(len(parents)), rng.randrange(len(parents)))]

    child = crossed(parent(), parent(), space, rng) if rng.random() < _CROSSED else parent()
    return changed(child, space, rng)


def _new(candidates: Sequence[Candidate], seen: set[str]) -> list[Candidate]:
    """Those whose options are new, each once; they are added to `seen`."""
    new = []
    for one in candidates:
        if (key := one.options()) not in seen:
            seen.add(key)
            new.append(one)
    return new
