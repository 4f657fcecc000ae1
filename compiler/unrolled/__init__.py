"""From a layer with weights to the network of look-up tables that computes it, with all that neurons share
computed once.

A sum over bits is a tree of full adders: 3 bits of a column become one there and a carry in the next. In the
lowest column the sum bits, being exclusive ors, are the same for every neuron except for an inversion, so
only the carries differ. Inputs are therefore added in groups of seven, in the same places for all neurons::

    a b c   d e f   g        each group: 3 full adders, whose sum bits all neurons share and whose carries
    have 4 variants,
     FA      FA     |        and one that adds the carries, which has at most 64 variants; it leaves a bit,
     which goes on
     |s \\    |s \\    |        to groups of such bits, and two for the columns above
     | carry | carry|
      --FA----------
        |s \\
        |   carry, carry, carry -> FA -> twos, fours

The inputs of a group are chosen so that few variants occur (`order`), which helps most where trained neurons
are alike; so are the groups whose bits are added next. The rest is added for each neuron alone, two full
adders at a time: where that is cheapest they take a bit and two *pairs*, a bit and its difference to another
one. The groups with the most variants therefore stop before their last adder and leave a carry and a pair of
carries, which more neurons share. A threshold t is a constant: the carries into column ``k`` show whether the
sum and ``2**k - t`` are at least ``2**k``, and no sum bit of the columns below is needed. Complementing all
inputs of a neuron complements its output; the version with fewer tables is taken. Equal contents and inputs
are one table, so equal neurons are computed once (`tables`). Last, a table with less than four inputs absorbs
one that it reads (`fusion`).

A sparse layer shares little, since its neurons see different inputs. Each neuron of at most eight bits is
decomposed into the fewest tables (`direct`); the bits of others are added without places that are left empty.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Shape, ShapeLike, signed
from amaranth.utils import bits_for

from ...hw import mvtu
from ...hw.unrolled import Parameters
from . import counters, direct
from .fusion import merged, pruned
from .order import order
from .tables import Elements, Table, Tables

__all__ = ["unroll"]

#: Shares of the groups that leave a pair: the one with the least product of tables and depth is taken.
_PAIRED = (0.1, 0.2)

#: Share of the inputs that are connected below which neurons share nothing worth its empty places.
_SPARSE = 0.25


class _Layout(NamedTuple):
    """How the inputs of a neuron are added.

    Parameters
    ----------
    order : sequence of int or None
        Places of the inputs, the same for all neurons, as from the function `order`; None leaves no place
        empty.
    paired, hasty
        As for `Tables`.
    """

    order: Sequence[int] | None
    paired: Sequence[Sequence[int]]
    hasty: bool


def unroll(unit: mvtu.Parameters, *, levels: int, size: int = 4) -> Parameters:
    """The network of tables that computes in one cycle what a matrix-vector-threshold unit does.

    Parameters
    ----------
    unit : sbgen.hw.mvtu.Parameters
        Weights, presets and the shape of the outputs; its folding does not matter.
    levels : int
        Maximum of tables that a bit passes between two registers.
    size : int
        Maximum inputs of a table, at least 4.

    Returns
    -------
    sbgen.hw.unrolled.Parameters
        With the same `compute`.
    """
    made = [
        Parameters(
            inputs=unit.inputs,
            planes=unit.planes,
            tables=tables,
            outputs=outputs,
            element=_element(unit),
            levels=levels,
        )
        for layout in _layouts(unit)
        for tables, outputs in [_tables(unit, layout, size)]
    ]
    return min(made, key=lambda each: (len(each.tables) * each.depth, len(each.tables)))


def _layouts(unit: mvtu.Parameters) -> Iterator[_Layout]:
    """Every layout worth a try."""
    if unit.masks is not None:
        connected = [mask.bit_count() for mask in unit.masks]
        yield _Layout(None, (), False)
        if unit.signs and max(connected) * unit.planes <= direct.MOST_BITS:
            return
        yield _Layout(None, (), True)
        if sum(connected) < _SPARSE * unit.inputs * unit.outputs:
            return
    elif unit.inputs * unit.planes <= direct.MOST_BITS:
        yield _Layout(None, (), False)
    inputs, variants = order(np.array([[row >> n & 1 for n in range(unit.inputs)] for row in unit.weights]))
    choices: list[list[list[int]]] = []
    for part in _PAIRED:
        most = [
            sorted(range(len(counts)), key=counts.__getitem__, reverse=True)[: round(part * len(counts))]
            for counts in variants
        ]
        if most not in choices:
            choices.append(most)
    for most in choices:
        for hasty in (False, True):
            yield _Layout(inputs, most, hasty)


def _element(unit: mvtu.Parameters) -> ShapeLike:
    """Shape of one output: of scores with few connections, no wider than they reach."""
    if unit.masks is None or unit.signs or unit.max_count is not None:
        return unit.element
    highest = (
        preset + mask.bit_count() * unit.max_input
        for preset, mask in zip(unit.presets, unit.masks, strict=True)
    )
    return signed(max(bits_for(min(unit.presets), require_sign_bit=True), 1 + bits_for(max(0, *highest))))


def _places(mask: int) -> list[int]:
    """The bits of a mask that are on."""
    return [n for n, bit in enumerate(bin(mask)[:1:-1]) if bit == "1"]


def _tables(
    unit: mvtu.Parameters, layout: _Layout, size: int
) -> tuple[tuple[Table, ...], tuple[tuple[int, ...], ...]]:
    """The tables of a unit and the literals of its outputs."""
    tables = Tables(unit.inputs * unit.planes, layout.paired, hasty=layout.hasty, size=size)
    width = Shape.cast(_element(unit)).width
    masks = unit.masks or [(1 << unit.inputs) - 1] * unit.outputs

    def elements(weights: int, mask: int, complement: int, order: Sequence[int]) -> Elements:
        """The inputs that agree with the weights, or do not; 0 where a weight is 0, so that groups stay as
        they are.
        """
        return [
            [
                2 * (1 + n * unit.planes + plane) + (~weights >> n & 1 ^ complement) if mask >> n & 1 else 0
                for plane in range(unit.planes)
            ]
            for n in order
        ]

    outputs: list[tuple[int, ...]] = []
    for weights, mask, preset in zip(unit.weights, masks, unit.presets, strict=True):
        few = _places(mask)
        agree, differ = (
            elements(weights, mask, complement, few if layout.order is None else layout.order)
            for complement in (0, 1)
        )
        if not unit.signs:
            constant = preset & (1 << width) - 1
            if layout.order is None and size >= counters.SIZE:
                outputs.append(counters.total(tables, agree, constant, width))
            else:
                outputs.append(tables.sum(agree, constant, width))
            continue
        reach = mask.bit_count() * unit.max_input
        if layout.order is None and 0 < -preset <= reach and len(few) * unit.planes <= direct.MOST_BITS:
            literal = direct.reaches(tables, agree, -preset)
            if literal is not None:
                outputs.append((literal,))
                continue
        agrees, differs = (agree, reach, -preset), (differ, reach, reach + preset + 1)
        inverted = tables.cost(*differs) < tables.cost(*agrees)
        outputs.append((tables.reaches(*(differs if inverted else agrees)) ^ inverted,))
    return pruned(tables.first, *merged(tables.first, tables.made, outputs, size))
