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
"""

import numpy as np
from amaranth.hdl import Shape

from ...hw import mvtu
from ...hw.unrolled import Parameters
from .fusion import merged, pruned
from .order import order
from .tables import Elements, Table, Tables

__all__ = ["unroll"]

#: Shares of the groups that leave a pair: the one with the least product of tables and depth is taken.
_PAIRED = (0.1, 0.2)


def unroll(unit: mvtu.Parameters, *, levels: int) -> Parameters:
    """The network of tables that computes in one cycle what a matrix-vector-threshold unit does.

    Parameters
    ----------
    unit : sbgen.hw.mvtu.Parameters
        Weights, presets and the shape of the outputs; its folding does not matter.
    levels : int
        Maximum of tables that a bit passes between two registers.

    Returns
    -------
    sbgen.hw.unrolled.Parameters
        With the same `compute`.
    """
    inputs, variants = order(np.array([[row >> n & 1 for n in range(unit.inputs)] for row in unit.weights]))
    choices: list[list[list[int]]] = []
    for part in _PAIRED:
        most = [
            sorted(range(len(counts)), key=counts.__getitem__, reverse=True)[: round(part * len(counts))]
            for counts in variants
        ]
        if most not in choices:
            choices.append(most)
    made = [
        Parameters(
            inputs=unit.inputs,
            planes=unit.planes,
            tables=tables,
            outputs=outputs,
            element=unit.element,
            levels=levels,
        )
        for most in choices
        for hasty in (False, True)
        for tables, outputs in [_tables(unit, inputs, most, hasty)]
    ]
    return min(made, key=lambda each: (len(each.tables) * each.depth, len(each.tables)))


def _tables(
    unit: mvtu.Parameters, order: list[int], paired: list[list[int]], hasty: bool
) -> tuple[tuple[Table, ...], tuple[tuple[int, ...], ...]]:
    """The tables of a unit and the literals of its outputs.

    Parameters
    ----------
    order : list of int
        Of the inputs, from the function `order`.
    paired, hasty
        As for `Tables`.
    """
    tables, width = Tables(unit.inputs * unit.planes, paired, hasty=hasty), Shape.cast(unit.element).width
    masks = unit.masks or [(1 << unit.inputs) - 1] * unit.outputs

    def elements(weights: int, mask: int, complement: int) -> Elements:
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
        agree, differ = (elements(weights, mask, complement) for complement in (0, 1))
        if not unit.signs:
            outputs.append(tables.sum(agree, preset & (1 << width) - 1, width))
            continue
        reach = mask.bit_count() * unit.max_input
        agrees, differs = (agree, reach, -preset), (differ, reach, reach + preset + 1)
        inverted = tables.cost(*differs) < tables.cost(*agrees)
        outputs.append((tables.reaches(*(differs if inverted else agrees)) ^ inverted,))
    return pruned(tables.first, *merged(tables.first, tables.made, outputs))
