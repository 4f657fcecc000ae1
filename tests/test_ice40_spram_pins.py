"""SPRAMs of an unpacked bitstream as Verilog: which are enabled, and the net on each pin."""

import random
import re

import pytest

from sbgen.boards.ice40 import icebox, spram_pins

#: Some pins of each SPRAM of a column, as Project IceStorm's spram_db has them: port, bit, row and wire.
KNOWN = {
    0: [
        ("addr", 0, 2, "lutff_0/in_1"),
        ("addr", 8, 2, "lutff_0/in_0"),
        ("addr", 13, 2, "lutff_5/in_0"),
        ("din", 7, 1, "lutff_7/in_3"),
        ("din", 8, 1, "lutff_0/in_1"),
        ("mask", 3, 3, "lutff_3/in_0"),
        ("dout", 0, 1, "slf_op_0"),
        ("dout", 15, 2, "slf_op_7"),
        ("clk", 0, 1, "clk"),
        ("we", 0, 3, "lutff_4/in_1"),
    ],
    1: [
        ("addr", 1, 2, "lutff_7/in_0"),
        ("addr", 2, 3, "lutff_0/in_3"),
        ("addr", 10, 3, "lutff_0/in_1"),
        ("din", 0, 1, "lutff_0/in_0"),
        ("din", 15, 2, "lutff_7/in_3"),
        ("mask", 0, 3, "lutff_4/in_0"),
        ("dout", 7, 3, "slf_op_7"),
        ("dout", 8, 4, "slf_op_0"),
        ("clk", 0, 2, "clk"),
        ("we", 0, 3, "lutff_5/in_1"),
    ],
}


def unpacked(enabled):
    """The tiles of the enable bits, of the SPRAMs (column, number)."""
    lines = []
    for column in (0, 25):
        rows = [["0"] * 54 for _ in range(16)]
        for number in (0, 1):
            rows[1 - number][7] = str(int((column, number) in enabled))
        lines += [f".ipcon_tile {column} 1", *map("".join, rows), ""]
    return "\n".join(lines)


def converted(wires):
    """What icebox_vlog writes of nets, one for each wire, in any order."""
    blocks = [f"wire {net};\n// (9, 9, 'sp4_h_r_1')\n// {wire}\n" for wire, net in wires.items()]
    return "module top (input clk);\n" + "\n".join(blocks) + "\nassign n0 = n1;\nendmodule\n"


def port(instance, name):
    """The nets of a port, lowest bit first."""
    return re.search(rf"\.{name}\(([^)]*)\)", instance)[1].strip("{}").split(", ")[::-1]


@pytest.mark.parametrize("column", [0, 25])
@pytest.mark.parametrize("number", [0, 1])
def test_nets_are_on_their_pins(column, number):
    names = [f"n{n}" for n in range(len(KNOWN[number]))]
    random.Random(column + number).shuffle(names)
    wires = {(column, row, wire): net for (_, _, row, wire), net in zip(KNOWN[number], names, strict=True)}
    (instance,) = spram_pins.instances(unpacked({(column, number)}), spram_pins.nets(converted(wires)))
    assert f"ice40_spram spram_{column}_{number} " in instance
    for (name, bit, _, _), net in zip(KNOWN[number], names, strict=True):
        assert port(instance, name)[bit] == net
    assert port(instance, "addr")[5] == "1'b0"
    # An output without a net is a wire of its own.
    assert f"wire {port(instance, 'dout')[3]};\n" in instance


def test_only_enabled_ones_are_there():
    sites = {(column, number) for column in (0, 25) for number in (0, 1)}
    for enabled in (set(), {(0, 1), (25, 0)}, sites):
        found = re.findall(r"ice40_spram (\w+)", "".join(spram_pins.instances(unpacked(enabled), {})))
        assert sorted(found) == sorted(f"spram_{column}_{number}" for column, number in enabled)
    assert list(spram_pins.instances(".logic_tile 1 1\n" + "0" * 54, {})) == []


def test_instances_are_in_the_module_and_comments_go():
    text = icebox._with_sprams(converted({(25, 2, "clk"): "n5"}), unpacked({(25, 1)}))
    assert "//" not in text and text.endswith("endmodule\n")
    assert ".clk(n5)" in text.partition("endmodule")[0]
