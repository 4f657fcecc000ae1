import re

import pytest
from amaranth.hdl import DomainRenamer

from sbgen.compiler import verilog
from sbgen.compiler.unrolled import unroll
from sbgen.hw.mvtu import LANES_TOGETHER, Mvtu, Parameters


@pytest.mark.parametrize("words, blocks", [(1, 1), (256, 1), (257, 2), (512, 2), (1000, 4)])
def test_contents_of_memories_keep_every_word_in_short_blocks(words, blocks):
    lines = [f"    memory[{n}] = 9'h{n % 512:03x};" for n in range(words)]
    text = "\n".join(
        ["module rom;", "  initial begin", *lines, "  end", "  always @(posedge clk)", "endmodule", ""]
    )
    split = verilog._split_initial(text)
    assert re.findall(r".*\] = .*", split) == lines
    assert split.count("  initial begin\n") == split.count("  end\n") == blocks
    assert split.replace("  end\n  initial begin\n", "") == text


def test_tables_of_an_unrolled_layer_stay_modules():
    unit = Parameters(inputs=12, weights=(0b110100101100, 0b1010), presets=(-6, -5), pe=1, simd=1)
    unrolled = unroll(unit, levels=2)
    text = verilog.convert(unrolled.create())
    assert text.count("keep_hierarchy") == unrolled.depth > 2


@pytest.mark.parametrize("registered, copies", [(False, 0), (True, 3)])
def test_copies_of_inputs_stay_modules(registered, copies):
    pe = 2 * LANES_TOGETHER + 1
    unit = Parameters(
        inputs=10, weights=tuple(range(pe)), presets=(-5,) * pe, pe=pe, simd=5, registered=registered
    )
    assert verilog.convert(Mvtu(unit)).count("keep_hierarchy") == copies


def test_popcounts_of_a_width_are_instances_of_one_module():
    unit = Parameters(inputs=10, weights=(0b1101001011, 0b10, 0b111), presets=(-6, -5, -2), pe=3, simd=5)
    text = verilog.convert(Mvtu(unit), name="unit")
    assert re.findall(r"^module .*popcount\S*", text, re.MULTILINE) == [r"module \unit.popcount_5"]
    assert re.findall(r"^  \\unit\.popcount_5  (\S+) \($", text, re.MULTILINE) == [
        f"popcount_{lane}" for lane in range(3)
    ]


def test_shared_modules_have_the_clock_of_their_place():
    unit = Parameters(inputs=10, weights=(0b1101001011,), presets=(-6,), pe=1, simd=5)
    text = verilog.convert(DomainRenamer("core")(Mvtu(unit)))
    assert re.search(r"popcount_0 \([^;]*\.clk\(core_clk\)", text)
