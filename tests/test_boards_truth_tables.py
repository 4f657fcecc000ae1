from itertools import permutations

from sbgen.boards import truth_tables
from sbgen.boards.layout import Ice40Layout
from sbgen.compiler.contents import permuted


def text(tables):
    """One tile of eight logic cells, of which some have tables."""
    made = Ice40Layout(".logic_tile 3 5\n" + ("0" * 54 + "\n") * 16)
    for z, table in tables.items():
        made.set_lut(3, 5, z, table)
    return made.text


def netlist(tables):
    return {"cells": {f"cell_{z}": {"type": "ICESTORM_LC", "parameters": {"LUT_INIT": f"{table:016b}"},
                                    "attributes": {"NEXTPNR_BEL": f"X3/Y5/lc{z}"}} for z, table in tables.items()}
            | {"other": {"type": "SB_IO", "parameters": {}, "attributes": {}}}}


def test_equal_tables_in_any_order_of_their_inputs():
    for order in permutations(range(4)):
        assert truth_tables.compare(text({0: permuted(0x1ac7, order), 7: 0xffff}), netlist({0: 0x1ac7, 7: 0xffff})) == ([], 2)


def test_a_flipped_bit_is_told():
    for bit in range(16):
        (first,), count = truth_tables.compare(text({2: 0x1ac7 ^ 1 << bit, 3: 0x8000}), netlist({2: 0x1ac7, 3: 0x8000}))
        assert (first.cell, first.where, first.expected, first.found, count) == ("cell_2", "X3/Y5/lc2", 0x1ac7, 0x1ac7 ^ 1 << bit, 2)


def test_bits_that_do_not_matter_are_0():
    made = netlist({1: 0})
    made["cells"]["cell_1"]["parameters"]["LUT_INIT"] = "x" * 8 + "0" * 7 + "1"
    assert truth_tables.compare(text({1: 1}), made) == ([], 1)
