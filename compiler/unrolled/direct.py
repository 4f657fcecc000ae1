"""Neurons of few inputs as few look-up tables: decomposition by classes.

Whether a sum of few bits reaches a threshold is a function that tables hold directly. Where the bits are too
many for one table, some of them are replaced by the *class* of their sum: sums that the other bits can no
longer tell apart are one class. Six bits and tables of four inputs: the sums 0 ... 4 of four bits are four
classes, whatever the threshold, as two further bits decide among three sums at most. So two tables output the
class of four bits, and a third the result from it and the other two (functional decomposition after
Ashenhurst, Roth and Karp). Every choice of bits is tried.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from itertools import groupby
from typing import NamedTuple

from .tables import Elements, Tables

__all__ = ["MOST_BITS", "reaches"]

#: Maximum bits of a neuron whose sum is decomposed: there are few choices.
MOST_BITS = 8


class _Number(NamedTuple):
    """A number that some bits hold: its maximum, and the tables that the last of them passes."""

    maximum: int
    depth: int

    @property
    def bits(self) -> int:
        return self.maximum.bit_length()


class _Plan(NamedTuple):
    """How a sum is compared: tables, depth, and the first step.

    `joined` are the numbers that become one, all that are left in the last step; `lowest` is the maximum sum
    of them with which the threshold is out of reach, which becomes 0.
    """

    tables: int
    depth: int
    joined: tuple[_Number, ...]
    lowest: int
    highest: int


def _parts(numbers: tuple[_Number, ...], bits: int) -> Iterator[tuple[_Number, ...]]:
    """Every choice of at least two of some sorted numbers that have at most so many bits together."""
    kinds = [(kind, len(tuple(same))) for kind, same in groupby(numbers)]

    def choose(at: int, left: int) -> Iterator[tuple[_Number, ...]]:
        if at == len(kinds):
            yield ()
            return
        kind, count = kinds[at]
        for taken in range(min(count, left // kind.bits) + 1):
            for rest in choose(at + 1, left - taken * kind.bits):
                yield (kind,) * taken + rest

    return (part for part in choose(0, bits) if len(part) > 1)


@cache
def _plan(numbers: tuple[_Number, ...], threshold: int, size: int) -> _Plan | None:
    """The cheapest way to tell whether the sum of sorted numbers reaches a threshold, 1 ... the maximum sum,
    by tables of `size` inputs: few tables, then few after each other. None if wide numbers leave no way.
    """
    deepest = max(number.depth for number in numbers)
    if sum(number.bits for number in numbers) <= size:
        return _Plan(1, 1 + deepest, numbers, 0, 1)
    best: _Plan | None = None
    total = sum(number.maximum for number in numbers)
    for part in _parts(numbers, size):
        own = sum(number.maximum for number in part)
        lowest = max(0, threshold - (total - own) - 1)
        highest = min(own, threshold)
        number = _Number(highest - lowest, 1 + max(each.depth for each in part))
        if number.bits >= sum(each.bits for each in part):
            continue  # nothing is saved
        rest = list(numbers)
        for each in part:
            rest.remove(each)
        plan = _plan(tuple(sorted([*rest, number])), threshold - lowest, size)
        if plan is None:
            continue
        found = _Plan(number.bits + plan.tables, plan.depth, part, lowest, highest)
        if best is None or found[:2] < best[:2]:
            best = found
    return best


@cache
def _class_bit(widths: tuple[int, ...], lowest: int, highest: int, bit: int) -> Callable[..., int]:
    """The function of the bits of numbers of such widths that is a bit of the class of their sum."""

    def function(*bits: int) -> int:
        at, total = 0, 0
        for width in widths:
            total += sum(value << n for n, value in enumerate(bits[at : at + width]))
            at += width
        return (min(max(total, lowest), highest) - lowest) >> bit & 1

    return function


def reaches(tables: Tables, elements: Elements, threshold: int) -> int | None:
    """The literal of whether the sum of elements reaches a threshold, 1 ... the maximum sum; None if wide
    elements leave no way.

    Parameters
    ----------
    elements : sequence of sequence of int
        For each element the literals of its bits, the lowest first: at most `MOST_BITS` in all.
    """
    # In a fixed order, so that equal functions of equal inputs are one table.
    left: list[tuple[_Number, Sequence[int]]] = [
        (_Number((1 << len(bits)) - 1, 0), bits) for bits in sorted(map(tuple, elements))
    ]
    while True:
        plan = _plan(tuple(sorted(number for number, _ in left)), threshold, tables.size)
        if plan is None:
            return None
        joined: list[Sequence[int]] = []
        for number in plan.joined:
            at = next(n for n, (each, _) in enumerate(left) if each == number)
            joined.append(left.pop(at)[1])
        widths = tuple(map(len, joined))
        literals = [literal for bits in joined for literal in bits]
        if not left:
            return tables.table(_class_bit(widths, threshold - 1, threshold, 0), *literals)
        number = _Number(plan.highest - plan.lowest, 1 + max(each.depth for each in plan.joined))
        bits = [
            tables.table(_class_bit(widths, plan.lowest, plan.highest, bit), *literals)
            for bit in range(number.bits)
        ]
        left.append((number, bits))
        threshold -= plan.lowest
