"""The ports of a core in its shell, and what each of them means."""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from .shell import Shell

__all__ = ["Port", "ports"]

_MEANINGS = {
    "clk": "clock; everything happens at its rising edge",
    "rst": "synchronous reset, active high; the next word is the first of an image",
    "aclk": "clock; everything happens at its rising edge",
    "aresetn": "synchronous reset, active low; the next word is the first of an image",
    "i_data": "raw pixels of 8 bits, row by row, the first in the lowest byte",
    "i_valid": "there is a beat of pixels; it stays until it is taken",
    "i_ready": "the beat is taken at the next edge",
    "o_score": "the score of an output, two's complement; one beat for each output, in order",
    "o_label": "with the last score of an image: its class",
    "o_runners_up": "with the last score of an image: the next best classes, the better lower",
    "o_last": "this is the last score of the image",
    "o_valid": "there is a score; it stays until it is taken",
    "o_ready": "the score is taken at the next edge",
    "s_axis_tdata": "pixels, row by row, the first in the lowest bits; what follows the last is ignored",
    "s_axis_tvalid": "there is a word of pixels",
    "s_axis_tready": "the word is taken at the next edge",
    "s_axis_tlast": "this is the last word of the image; an image of another length is dropped",
    "m_axis_tdata": "the scores of an image in order, sign-extended, then its answers: {answers}",
    "m_axis_tvalid": "there is a word of results; it stays until it is taken",
    "m_axis_tready": "the word is taken at the next edge",
    "m_axis_tlast": "this is the last word of the image's results",
    "dropped": "high for one cycle for each image of the wrong length",
    "drops": "images of the wrong length since the reset, modulo 2**16",
    "wb_cyc": "a cycle of the bus",
    "wb_stb": "a transfer; classic standard cycles",
    "wb_we": "the transfer is a write",
    "wb_adr": "number of the 32-bit word: the byte address without its two lowest bits",
    "wb_dat_w": "the word to write",
    "wb_sel": "bytes of a write; all must be selected",
    "wb_dat_r": "the word read, in the cycle of wb_ack",
    "wb_ack": "the transfer is done",
    "wb_err": "the write had no effect: no room for an image, or not a whole word",
    "irq": "high while an enabled interrupt is pending; see CONTROL",
    "s_axi_bresp": "2 (SLVERR) where the write had no effect: no room for an image, or not a whole word",
    "s_axi_awaddr": "byte address of a write",
    "s_axi_araddr": "byte address of a read",
    "s_axi_wstrb": "bytes of a write; all must be selected",
    "s_axi_awprot": "ignored",
    "s_axi_arprot": "ignored",
    "s_axi_rresp": "always 0 (OKAY)",
}


@dataclass(frozen=True, kw_only=True)
class Port:
    """A port of the top module.

    Parameters
    ----------
    name : str
    direction : str
        ``"input"`` or ``"output"``.
    width : int
        Bits.
    meaning : str
    is_clock_or_reset : bool
    """

    name: str
    direction: str
    width: int
    meaning: str
    is_clock_or_reset: bool


def ports(
    component: wiring.Component, shell: Shell, *, signs: bool, label_only: bool, answers: str
) -> Sequence[Port]:
    """The ports of a shell's component, clock and reset first.

    Parameters
    ----------
    signs : bool
        Whether signs decide.
    label_only : bool
        Whether there is one score per image, the maximum.
    answers : str
        What the words after the scores are.
    """
    found = {
        path[0]: ("input" if member.flow == In else "output", len(Value.cast(value)))
        for path, member, value in component.signature.flatten(component)
    }
    first = {name: ("input", 1) for name in (shell.clock, shell.reset)}
    meanings = dict(_MEANINGS)
    if signs:
        meanings["o_label"] = (
            "with the last score of an image: a bit for each output, 1 where it is not negative"
        )
    if label_only:
        meanings |= {
            "o_score": "the maximum score of an image, two's complement; one beat per image",
            "o_label": "the class of the image",
            "o_last": "always 1",
            "m_axis_tdata": "the maximum score of an image, sign-extended, then: {answers}",
        }
    return [
        Port(
            name=name,
            direction=direction,
            width=width,
            meaning=meanings.get(name, "as AXI4-Lite has it").format(answers=answers),
            is_clock_or_reset=name in first,
        )
        for name, (direction, width) in (first | found).items()
    ]
