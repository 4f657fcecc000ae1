import re

import pytest

from sbgen.compiler import verilog


@pytest.mark.parametrize("words, blocks", [(1, 1), (256, 1), (257, 2), (512, 2), (1000, 4)])
def test_contents_of_memories_keep_every_word_in_short_blocks(words, blocks):
    lines = [f"    memory[{n}] = 9'h{n % 512:03x};" for n in range(words)]
    text = "\n".join(["module rom;", "  initial begin", *lines, "  end", "  always @(posedge clk)", "endmodule", ""])
    split = verilog._split_initial(text)
    assert re.findall(r".*\] = .*", split) == lines
    assert split.count("  initial begin\n") == split.count("  end\n") == blocks
    assert split.replace("  end\n  initial begin\n", "") == text
