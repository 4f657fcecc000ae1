import re

import pytest

from sbgen.compiler import verilog
from sbgen.compiler.unrolled import unroll
from sbgen.hw.mvtu import Parameters


@pytest.mark.parametrize("words, blocks", [(1, 1), (256, 1), (257, 2), (512, 2), (1000, 4)])
def test_contents_of_memories_keep_every_word_in_short_blocks(words, blocks):
    lines = [f"    memory[{n}] = 9'h{n % 512:03x};" for n in range(words)]
    text = "\n".join(["module rom;", "  initial begin", *lines, "  end", "  always @(posedge clk)", "endmodule", ""])
    split = verilog._split_initial(text)
    assert re.findall(r".*\] = .*", split) == lines
    assert split.count("  initial begin\n") == split.count("  end\n") == blocks
    assert split.replace("  end\n  initial begin\n", "") == text


def test_tables_of_an_unrolled_layer_stay_modules():
    unit = Parameters(inputs=12, weights=(0b110100101100, 0b1010), presets=(-6, -5), pe=1, simd=1)
    unrolled = unroll(unit, levels=2)
    text = verilog.convert(unrolled.create())
    assert text.count("keep_hierarchy") == unrolled.depth > 2
