"""A candidate of the search: a topology and the levels of its activations, and its random changes."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import gcd

from ..train.presets import Convolution
from ..train.topology import Topology

__all__ = ["Candidate", "Space", "changed", "crossed", "repaired"]

#: Factors by which a width changes, and what widths are multiples of: memories like them.
_FACTORS = (0.5, 0.75, 1.25, 1.5, 2.0)
_STEP = 4
_WIDTHS = (4, 1024)

_KERNELS = (1, 3, 5)
_POOLS = (0, 2, 3)
_GROUPS = (1, 2, 4, 8)

#: Thresholds of an input, and levels of an activation: a sign, ternary, 2 bits.
_THRESHOLDS = (1, 2, 3, 4, 6, 8, 12, 16)
_ACTIVATIONS = (2, 3, 4)

#: Changes of one step: one, rarely more.
_CHANGES = (1, 1, 1, 2, 2, 3)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network that the search may train.

    Parameters
    ----------
    topology : Topology
    activation_levels : tuple of int
        One for each hidden layer; one if there is none.
    """

    topology: Topology
    activation_levels: tuple[int, ...]

    @classmethod
    def of(cls, topology: Topology, activation_levels: Sequence[int] = (2,)) -> "Candidate":
        """A topology whose layers have the given levels, one for all or one each."""
        layers = max(1, len(topology.convolutions) + len(topology.widths))
        levels = tuple(activation_levels)
        return cls(topology=topology, activation_levels=levels * layers if len(levels) == 1 else levels)

    @property
    def settings(self) -> tuple[int, ...]:
        """The levels as `train.settings.Settings` has them: one number if all are equal."""
        levels = self.activation_levels
        return levels[:1] if len(set(levels)) == 1 else levels

    def options(self) -> str:
        """The options of `sbgen train` for it, which are also its key."""
        levels = "" if self.settings == (2,) else f" --activation-levels {' '.join(map(str, self.settings))}"
        return self.topology.options() + levels


@dataclass(frozen=True, kw_only=True)
class Space:
    """What candidates may have.

    Parameters
    ----------
    shape : tuple of int
        Of a sample, as `samples.Recipe.shape`.
    kind : str
        As `samples.recipe.KINDS`: tables have no convolutions.
    convolutions, widths : int
        Maximum numbers of convolutions and of dense layers.
    """

    shape: tuple[int, ...]
    kind: str
    convolutions: int = 5
    widths: int = 3

    @property
    def channels(self) -> int:
        """Channels of a sample."""
        return self.shape[-1] if len(self.shape) == 3 or self.kind == "sequence" else 1

    @property
    def side(self) -> int:
        """The shorter side of an image, or the length of a sequence."""
        return self.shape[0] if self.kind == "sequence" else min(self.shape[:2])


#: A candidate in parts that can be changed: convolutions and widths, each with its levels, and thresholds.
_Conv = tuple[Convolution, int]
_Wide = tuple[int, int]


def repaired(candidate: Candidate, space: Space) -> Candidate | None:
    """The candidate with groups that divide and a pooling that leaves something of the sample; None if no
    kernel fits.
    """
    channels, side = space.channels * max(1, candidate.topology.levels), space.side
    convolutions = []
    for one in candidate.topology.convolutions:
        side += 2 * one.padding - one.kernel + 1
        if side < 1:
            return None
        pool = one.pool if one.pool and side >= one.pool else 0
        side = side // pool if pool else side
        groups = gcd(one.groups, gcd(channels, one.outputs))
        convolutions.append(replace(one, pool=pool, groups=groups))
        channels = one.outputs
    return replace(candidate, topology=replace(candidate.topology, convolutions=tuple(convolutions)))


def changed(candidate: Candidate, space: Space, rng: random.Random) -> Candidate:
    """A candidate with a random change or a few."""
    for _ in range(100):
        child: Candidate | None = candidate
        for _ in range(rng.choice(_CHANGES)):
            child = None if child is None else repaired(rng.choice(_CHANGE)(child, space, rng), space)
        if child is not None and child != candidate:
            return child
    return candidate


def crossed(one: Candidate, other: Candidate, space: Space, rng: random.Random) -> Candidate:
    """The first convolutions of one and the last of another, likewise the dense layers."""
    convs_a, wide_a = _parts(one)
    convs_b, wide_b = _parts(other)

    def spliced(first: list, last: list, most: int) -> list:
        return (first[: rng.randint(0, len(first))] + last[rng.randint(0, len(last)) :])[:most]

    convs = spliced(convs_a, convs_b, space.convolutions)
    wide = spliced(wide_a, wide_b, space.widths)
    levels = rng.choice((one, other)).topology.levels
    return repaired(_joined(convs, wide, levels), space) or one


def _parts(candidate: Candidate) -> tuple[list[_Conv], list[_Wide]]:
    topology, levels = candidate.topology, candidate.activation_levels
    count = len(topology.convolutions)
    return (
        list(zip(topology.convolutions, levels[:count], strict=True)),
        list(zip(topology.widths, levels[count : count + len(topology.widths)], strict=True)),
    )


def _joined(convs: Sequence[_Conv], wide: Sequence[_Wide], thresholds: int) -> Candidate:
    return Candidate(
        topology=Topology(
            levels=thresholds,
            convolutions=tuple(one for one, _ in convs),
            widths=tuple(width for width, _ in wide),
        ),
        activation_levels=tuple(levels for _, levels in (*convs, *wide)) or (2,),
    )


def _scaled(width: int, rng: random.Random) -> int:
    low, high = _WIDTHS
    return min(high, max(low, _STEP * round(width * rng.choice(_FACTORS) / _STEP)))


def _change_width(candidate: Candidate, space: Space, rng: random.Random) -> Candidate:
    convs, wide = _parts(candidate)
    place = rng.randrange(max(1, len(convs) + len(wide)))
    if place < len(convs):
        one, levels = convs[place]
        convs[place] = replace(one, outputs=_scaled(one.outputs, rng)), levels
    elif wide:
        width, levels = wide[place - len(convs)]
        wide[place - len(convs)] = _scaled(width, rng), levels
    return _joined(convs, wide, candidate.topology.levels)


def _change_convolution(candidate: Candidate, space: Space, rng: random.Random) -> Candidate:
    """Another kernel, padding, pooling or number of groups of one convolution."""
    convs, wide = _parts(candidate)
    if not convs:
        return candidate
    place = rng.randrange(len(convs))
    one, levels = convs[place]
    kernel = rng.choice(_KERNELS)
    convs[place] = (
        rng.choice(
            (
                replace(one, kernel=kernel, padding=(kernel - 1) // 2),
                replace(one, padding=0 if one.padding else (one.kernel - 1) // 2),
                replace(one, pool=rng.choice(_POOLS)),
                replace(one, groups=rng.choice(_GROUPS)),
            )
        ),
        levels,
    )
    return _joined(convs, wide, candidate.topology.levels)


def _change_depth(candidate: Candidate, space: Space, rng: random.Random) -> Candidate:
    """A layer more, like one that is there, or one less."""
    convs, wide = _parts(candidate)
    dense = space.kind == "table" or rng.random() < 0.5
    if rng.random() < 0.5:
        if dense and len(wide) < space.widths:
            wide.insert(rng.randint(0, len(wide)), rng.choice(wide or [(64, 2)]))
        elif not dense and len(convs) < space.convolutions:
            new = (Convolution(outputs=16, padding=1, pool=2), 2)
            one, levels = rng.choice(convs or [new])
            convs.insert(rng.randint(0, len(convs)), (replace(one, pool=0), levels))
    elif layers := wide if dense else convs:
        del layers[rng.randrange(len(layers))]
    return _joined(convs, wide, candidate.topology.levels)


def _change_thresholds(candidate: Candidate, space: Space, rng: random.Random) -> Candidate:
    topology = replace(candidate.topology, levels=rng.choice(_THRESHOLDS))
    return replace(candidate, topology=topology)


def _change_activations(candidate: Candidate, space: Space, rng: random.Random) -> Candidate:
    """Other levels of one activation, or of all."""
    levels, number = list(candidate.activation_levels), rng.choice(_ACTIVATIONS)
    if not candidate.topology.convolutions and not candidate.topology.widths:
        return candidate
    if rng.random() < 0.5:
        levels = [number] * len(levels)
    else:
        levels[rng.randrange(len(levels))] = number
    return replace(candidate, activation_levels=tuple(levels))


#: Widths change as often as all else.
_CHANGE: tuple[Callable[[Candidate, Space, random.Random], Candidate], ...] = (
    _change_width,
    _change_width,
    _change_width,
    _change_convolution,
    _change_depth,
    _change_thresholds,
    _change_activations,
)
