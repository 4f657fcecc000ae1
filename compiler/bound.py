"""What no design of a network on a device can beat: the fewest cycles an image."""

import math

from .design import Design
from .folding import Folding
from .layers import rules
from .linked import widest
from .pipeline import stages

__all__ = ["AS_BUILT", "LUTS_PER_PRODUCT", "bounds"]

#: What says how designs are built, not what the device allows.
AS_BUILT = "stages as built"

#: 4-input LUTs that one product of a bit and a weight bit takes in each cycle, counted and summed: the least
#: that was found for weights that come out of a memory, where they are coded (`sbgen.hw.popcount`).
LUTS_PER_PRODUCT = 1.8


def bounds(network, device):
    """Fewest cycles an image, by what sets them.

    Returns
    -------
    dict of str to int
        ``"memory ports"``: every weight is read once, from block RAM or, if it has no room there, from SPRAM;
        ``"LUTs"``: every product is made and counted; ``"results"``: the core gives one score a cycle;
        ``"stages as built"``: the slowest stage folded as wide as it can be, where a window gives one pixel a
        cycle, a unit takes one plane and the host link bounds the pixels at once.
    """
    placed, weights, products = rules(network), 0, 0
    foldings = []
    for n, rule in enumerate(placed):
        pe, simd = rule.limits
        simd = simd if n else widest(rule, simd)
        foldings.append(rule.complete(Folding(pe=pe, simd=simd)))
        bits = rule.layer.weight_bits
        if bits:
            weights += bits
            products += bits * rule.positions * rule.layer.planes
    design = Design(network=network, foldings=tuple(foldings))
    reads, beyond = -(-weights // device.bram_read_bits), weights - device.bram_bits
    if device.spram and beyond > 0:
        reads = max(-(-device.bram_bits // device.bram_read_bits), -(-beyond // device.spram_read_bits))
    return {
        "memory ports": reads,
        AS_BUILT: max(stage.cycles for stage in stages(design)),
        "LUTs": math.ceil(products * LUTS_PER_PRODUCT / device.lut),
        "results": network.outputs,
    }
