"""`sbgen search`: candidates, fronts and generations; the command is in test_search_command.py."""

import itertools
import random

import pytest

from sbgen.errors import FitError
from sbgen.searching.budget import Budget
from sbgen.searching.evolution import evolve, front
from sbgen.searching.front import crowding, dominates, fronts, survivors
from sbgen.searching.genome import Candidate, Space, changed, crossed, repaired
from sbgen.train.topology import Topology, parse_convolutions

IMAGES = Space(shape=(12, 10), kind="image")
SPACES = [
    IMAGES,
    Space(shape=(28, 28, 3), kind="image"),
    Space(shape=(20, 2), kind="sequence"),
    Space(shape=(9,), kind="table"),
]


def start(space):
    convolutions = () if space.kind == "table" else parse_convolutions("16x3p2,32x3p2g4")
    topology = Topology(levels=4, convolutions=convolutions, widths=(32, 16))
    return repaired(Candidate.of(topology), space)


def walks(space, seed, steps=60):
    """Candidates of a random walk of changes and crossings."""
    rng, seen = random.Random(seed), [start(space)]
    for _ in range(steps):
        one = rng.choice(seen)
        one = crossed(one, rng.choice(seen), space, rng) if rng.random() < 0.3 else changed(one, space, rng)
        seen.append(one)
    return seen


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.kind)
def test_every_candidate_is_a_network_and_has_its_options(space):
    """Its layers fit together, and `sbgen train` reads the same network from its options."""
    torch = pytest.importorskip("torch")
    from sbgen.train.network import network

    for seed in range(4):
        for one in walks(space, seed):
            topology = one.topology
            model = network(
                image_shape=space.shape,
                thresholds=tuple(range(1, topology.levels + 1)),
                convolutions=topology.convolutions,
                widths=topology.widths,
                classes=3,
                activation_levels=one.settings,
                sequence=space.kind == "sequence",
            )
            assert model(torch.zeros(2, *space.shape, dtype=torch.uint8)).shape == (2, 3)
            words = one.options().split()
            found = dict(zip(words[::2], words[1::2], strict=False))
            assert parse_convolutions(found.get("--conv", "none")) == topology.convolutions
            assert len(topology.convolutions) <= space.convolutions and len(topology.widths) <= space.widths


def test_everything_changes():
    """All that the search is over: widths, depth, groups, kernels, padding, pooling, levels of both kinds."""
    seen = [one for seed in range(6) for one in walks(IMAGES, seed)]
    convolutions = [conv for one in seen for conv in one.topology.convolutions]
    for name, values in {
        "groups": {1, 2, 4},
        "kernel": {1, 3, 5},
        "pool": {0, 2, 3},
        "padding": {0, 1},
    }.items():
        assert {getattr(conv, name) for conv in convolutions} >= values
    assert len({conv.outputs for conv in convolutions}) > 10
    assert {len(one.topology.convolutions) for one in seen} >= {0, 1, 2, 3, 4}
    assert {len(one.topology.widths) for one in seen} == {0, 1, 2, 3}
    assert {level for one in seen for level in one.activation_levels} == {2, 3, 4}
    assert len({one.topology.levels for one in seen}) > 4
    assert any(len(one.settings) > 1 for one in seen)


def test_a_kernel_larger_than_the_image_is_no_candidate():
    topology = Topology(levels=1, convolutions=parse_convolutions("4x3vp2,4x5v"))
    assert repaired(Candidate.of(topology), Space(shape=(8, 8), kind="image")) is None


def random_costs(seed, count=40):
    rng = random.Random(seed)
    return [tuple(rng.randint(0, 4) for _ in range(3)) for _ in range(count)]


@pytest.mark.parametrize("seed", range(5))
def test_fronts_by_their_definition(seed):
    costs = random_costs(seed)
    found, before = fronts(costs), []
    assert sorted(itertools.chain(*found)) == list(range(len(costs)))
    for one in found:
        rest = [n for n in range(len(costs)) if n not in before]
        expected = [
            n
            for n in rest
            if not any(
                all(a <= b for a, b in zip(costs[m], costs[n], strict=True)) and costs[m] != costs[n]
                for m in rest
            )
        ]
        assert one == expected
        before += one
    kept = survivors(costs, 17)
    assert len(kept) == len(set(kept)) == 17
    worst = max(n for n, one in enumerate(found) if set(one) & set(kept))
    assert all(set(one) <= set(kept) for one in found[:worst])


def test_the_least_crowded_survive():
    line = [(float(n), 10.0 - n) for n in (0, 1, 2, 2.1, 2.2, 6, 10)]
    assert set(survivors(line, 4)) == {0, 6, 5, 4}
    assert crowding(line)[0] == crowding(line)[6] == float("inf")
    assert crowding([(1.0, 1.0)] * 3)[1] == 0 and crowding([]) == []
    assert dominates((1, 2), (1, 3)) and not dominates((1, 2), (1, 2)) and not dominates((1, 3), (2, 2))


def size(one):
    topology = one.topology
    return sum(topology.widths) + sum(conv.outputs for conv in topology.convolutions) + 5 * topology.levels


class World:
    """Costs and fitness by formulas: the larger the better, up to a limit; 4 levels are better."""

    def __init__(self, most):
        self.most, self.asked, self.trained = most, [], []

    def costs(self, candidates):
        self.asked += candidates
        return [
            {"cycles": size(one), "lut": 2 * size(one), "bram": 1, "weights": 1}
            if size(one) <= self.most
            else None
            for one in candidates
        ]

    def fitness(self, candidates):
        self.trained += candidates
        return [
            {"accuracy": min(1, size(one) / 400) * (1 - 0.05 * (4 - min(one.activation_levels)))}
            for one in candidates
        ]


def evolved(world, seed=0, count=40, population=8, begin=None):
    return evolve(
        [start(IMAGES)] if begin is None else begin,
        IMAGES,
        seed=seed,
        count=count,
        population=population,
        costs=world.costs,
        fitness=world.fitness,
    )


def test_only_what_fits_is_trained_and_nothing_twice():
    world = World(most=130)
    done = evolved(world)
    assert len(done) == 40 and [each.candidate for each in done] == world.trained
    assert len({one.options() for one in world.asked}) == len(world.asked)
    assert all(size(one) <= 130 for one in world.trained) and any(size(one) > 130 for one in world.asked)
    assert all(each.cost["cycles"] == size(each.candidate) for each in done)


def test_the_search_gets_better_and_depends_on_the_seed_alone():
    for seed in range(3):
        done = evolved(World(most=300), seed=seed)
        assert done == evolved(World(most=300), seed=seed)
        best = max(each.accuracy for each in done)
        assert best > 1.1 * max(each.accuracy for each in done[:8])
    assert evolved(World(most=300), seed=0) != evolved(World(most=300), seed=1)


def test_a_higher_count_continues_the_same_search():
    few, many = (evolved(World(most=300), count=count, population=8) for count in (16, 40))
    assert few == many[:16]


def test_a_start_that_does_not_fit_shrinks_until_something_does():
    world = World(most=45)
    assert size(start(IMAGES)) > 45
    done = evolved(world, count=5)
    assert len(done) == 5 and all(size(each.candidate) <= 45 for each in done)


def test_the_search_ends_if_nothing_fits_or_nothing_is_new():
    world = World(most=0)
    assert evolved(world) == [] and world.trained == [] and len(world.asked) > 50
    single = Space(shape=(1,), kind="table", convolutions=0, widths=0)
    done = evolve(
        [Candidate.of(Topology(levels=1))],
        single,
        seed=0,
        count=100,
        population=8,
        costs=World(1000).costs,
        fitness=World(1000).fitness,
    )
    assert 1 < len(done) < 100


def test_the_front_has_no_two_of_equal_worth():
    done = evolved(World(most=300))
    best = front(done + done)
    assert [each.accuracy for each in best] == sorted((each.accuracy for each in best), reverse=True)
    assert len({each.counts for each in best}) == len(best)
    for each in best:
        assert not any(dominates(other.counts, each.counts) for other in done)


def test_budgets():
    budget = Budget.parse("fps=1000, lut=2640,bram=12,spram=0")
    assert budget == Budget(fps=1000, lut=2640, bram=12, spram=0) and Budget.parse(budget.words()) == budget
    assert budget.cycles_at(12) == 12_000 and Budget(fps=1000, cycles=500).cycles_at(12) == 500
    assert Budget().cycles_at(12) is None and Budget().words() == ""
    device = __import__("sbgen.boards", fromlist=["get"]).get("icebreaker").device
    for fill in budget.fills(device, None):
        assert fill["lut"] * device.lut == 2640 and fill["bram"] * device.bram == pytest.approx(12)
    assert budget.within(device).spram == 0 and Budget(spram=9).within(device) == device
    assert Budget(lut=10**6).fills(device, 1) == Budget().fills(device, 1)
    for wrong in ("", "lut", "lut=", "lut=0", "size=3", "lut=1,lut=2", "fps=x", "lut=-1"):
        with pytest.raises(FitError, match="--budget must be limits of fps, cycles, lut, bram"):
            Budget.parse(wrong)
