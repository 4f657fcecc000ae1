"""A lower bound on the cycles per image of any design of a network on a device."""

import math

from .design import Design
from .device import Device
from .ir import Network
from .layers import rules
from .linked import widest
from .pipeline import stages

__all__ = ["AS_BUILT", "LUTS_PER_PRODUCT", "bounds"]

#: The bound that comes from how designs are built, not from the device.
AS_BUILT = "stages as built"

#: 4-input LUTs that one product of a bit and a weight bit takes in each cycle, counted and summed: the
#: minimum that was measured for weights from a memory, which are coded (`sbgen.hw.popcount`).
LUTS_PER_PRODUCT = 1.8


def bounds(network: Network, device: Device) -> dict[str, int]:
    """The minimum of cycles per image, by what limits them.

    Returns
    -------
    dict of str to int
        ``"memory ports"``: every weight is read once, from block RAM or, if it does not fit there, SPRAM;
        ``"LUTs"``: every product is computed and counted; ``"results"``: the core outputs a score per cycle;
        ``"stages as built"``: the slowest stage folded as wide as possible. Line buffers output one pixel
        per cycle, a unit takes one plane per cycle, and the host link bounds the pixels per cycle.
    """
    placed, weights, products = rules(network), 0, 0
    foldings = []
    for n, rule in enumerate(placed):
        pe, simd = rule.limits
        simd = simd if n else widest(rule, simd)
        foldings.append(rule.fastest(pe=pe, simd=simd))
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
