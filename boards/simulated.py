"""A board's top level as simulators run it: with models of its PLL, and its oscillator as a port."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .board_spec import BoardSpec

__all__ = ["top_level"]


def top_level(text: str, *, board: "BoardSpec") -> str:
    """The emitted top level of a board, and the modules it needs.

    A simulator makes the clock. Where the oscillator is in the FPGA, its instance is replaced by a port
    ``clk``; a PLL outputs its input.

    Parameters
    ----------
    text : str
        The Verilog of a `harness.Top`.
    board : BoardSpec
    """
    if not board.is_open:
        return text  # it has no primitive at all
    family = board.family
    for oscillator in family.oscillators.values():
        primitive, output = oscillator.primitive
        text = re.sub(
            rf"^  {primitive} #\(.*?\) oscillator \(.*?\.{output}\((\w+)\).*?\);$",
            r"  assign \1 = clk;",
            text,
            count=1,
            flags=re.MULTILINE | re.DOTALL,
        )
    if not re.search(r"^module top\([^)]*\bclk\b", text, re.MULTILINE):
        text = re.sub(
            r"^(module top\()([^)]*\);)", r"\1clk, \2\n  input clk;", text, count=1, flags=re.MULTILINE
        )
    return text + family.cells.plls.read_text(encoding="ascii")
