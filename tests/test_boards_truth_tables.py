import random
from itertools import permutations

from sbgen.boards.ice40 import truth_tables
from sbgen.boards.ice40.layout import Ice40Layout
from sbgen.compiler.contents import permuted


def text(tables):
    """One tile of eight logic cells, of which some have tables."""
    made = Ice40Layout(".logic_tile 3 5\n" + ("0" * 54 + "\n") * 16)
    for z, table in tables.items():
        made.set_lut(3, 5, z, table)
    return made.text


def netlist(tables):
    return {
        "cells": (
            {
                f"cell_{z}": {
                    "type": "ICESTORM_LC",
                    "parameters": {"LUT_INIT": f"{table:016b}"},
                    "attributes": {"NEXTPNR_BEL": f"X3/Y5/lc{z}"},
                }
                for z, table in tables.items()
            }
            | {"other": {"type": "SB_IO", "parameters": {}, "attributes": {}}}
        )
    }


def test_equal_tables_in_any_order_of_their_inputs():
    for order in permutations(range(4)):
        assert truth_tables.compare(
            text({0: permuted(0x1AC7, order), 7: 0xFFFF}), netlist({0: 0x1AC7, 7: 0xFFFF})
        ) == ([], 2)


def test_a_flipped_bit_is_reported():
    for bit in range(16):
        (first,), count = truth_tables.compare(
            text({2: 0x1AC7 ^ 1 << bit, 3: 0x8000}), netlist({2: 0x1AC7, 3: 0x8000})
        )
        assert (first.cell, first.where, first.expected, first.found, count) == (
            "cell_2",
            "X3/Y5/lc2",
            0x1AC7,
            0x1AC7 ^ 1 << bit,
            2,
        )


def rewired(table, order):
    """The table after wires that swap its inputs, value by value."""
    return sum(
        (table >> sum((at >> n & 1) << to for n, to in enumerate(order)) & 1) << at for at in range(16)
    )


def test_tables_with_as_many_ones():
    """One bit moved: the tables are equal only where some order of the inputs moves it."""
    rng, told = random.Random(1), []
    for _ in range(100):
        expected = rng.getrandbits(16)
        on, off = (
            rng.choice([n for n in range(16) if expected >> n & 1 == value] or [0]) for value in (1, 0)
        )
        found = expected ^ (1 << on | 1 << off)
        if found.bit_count() != expected.bit_count():
            continue
        differences, _ = truth_tables.compare(text({4: found}), netlist({4: expected}))
        told.append(bool(differences))
        assert told[-1] == all(rewired(expected, order) != found for order in permutations(range(4))), (
            expected,
            found,
        )
    assert len(set(told)) == 2


def test_bits_that_do_not_matter_are_0():
    made = netlist({1: 0})
    made["cells"]["cell_1"]["parameters"]["LUT_INIT"] = "x" * 8 + "0" * 7 + "1"
    assert truth_tables.compare(text({1: 1}), made) == ([], 1)
