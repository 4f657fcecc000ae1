"""Sums of many bits by tables of six inputs: counters of six bits, then an adder of two columns at a time.

Six bits of a column become three bits of their count, in three tables, where full adders take twice as
many. What is left is added from the lowest column on: three bits of one column and two of the next are a
function of five bits for each of the two sums and the carry.
"""

from collections.abc import Callable
from functools import cache

from .tables import Elements, Tables

__all__ = ["SIZE", "total"]

#: Inputs of a table from which counters pay.
SIZE = 6


@cache
def _bit_of_count(bit: int) -> Callable[..., int]:
    return lambda *bits: sum(bits) >> bit & 1


@cache
def _bit_of_two_columns(low: int, bit: int) -> Callable[..., int]:
    """A bit of the sum of `low` bits and, counted twice, the others."""
    return lambda *bits: (sum(bits[:low]) + 2 * sum(bits[low:])) >> bit & 1


def total(tables: Tables, elements: Elements, constant: int, width: int) -> tuple[int, ...]:
    """The bits of a sum and a constant, two's complement.

    Parameters
    ----------
    elements, width
        As for `Tables.sum`.
    """
    columns: list[list[int]] = [[] for _ in range(width + 3)]
    for bits in elements:
        for plane, literal in enumerate(bits):
            if literal and plane < width:
                columns[plane].append(literal)
    for n in range(width):
        if constant >> n & 1:
            columns[n].append(1)
        _count(tables, columns, n)
    found: list[int] = []
    carry = 0
    for n in range(0, width, 2):
        low = [*columns[n], carry]
        bits = [tables.table(_bit_of_two_columns(len(low), bit), *low, *columns[n + 1]) for bit in range(3)]
        found += bits[:2]
        carry = bits[2]
    return tuple(found[:width])


def _count(tables: Tables, columns: list[list[int]], n: int) -> None:
    """Leave at most two bits in a column; the counts of others go to the columns above."""
    column = columns[n]
    while len(column) > 2:
        column.sort(key=tables.depth)  # the soonest first
        group = column[:SIZE] if len(column) > 4 else column[:3]
        del column[: len(group)]
        for bit in range(len(group).bit_length()):
            literal = tables.table(_bit_of_count(bit), *group)
            if literal:
                columns[n + bit].append(literal)
