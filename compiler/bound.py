"""What no design of a network on a device can beat: the fewest cycles an image."""

import math
from dataclasses import replace

from .design import Design, limits
from .folding import Folding
from .ir import Conv2d
from .linked import widest
from .stage import stages

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
    weights = products = 0
    foldings = [Folding(pe=pe, simd=simd) for pe, simd in map(limits, network.layers, network.shapes)]
    first, simd = network.layers[0], widest(network.layers[0], foldings[0].simd)
    foldings[0] = replace(
        foldings[0], simd=simd, pe=foldings[0].pe if first.weight_bits else simd * getattr(first, "levels", 1)
    )
    design = Design(network=network, foldings=tuple(foldings))
    for layer, shape in zip(network.layers, network.shapes[1:], strict=True):
        if layer.weight_bits:
            positions = math.prod(shape[:2]) if isinstance(layer, Conv2d) else 1
            weights += layer.weight_bits
            products += layer.weight_bits * positions * layer.planes
    reads, beyond = -(-weights // device.bram_read_bits), weights - device.bram_bits
    if device.spram and beyond > 0:
        reads = max(-(-device.bram_bits // device.bram_read_bits), -(-beyond // device.spram_read_bits))
    return {
        "memory ports": reads,
        AS_BUILT: max(stage.cycles for stage in stages(design)),
        "LUTs": math.ceil(products * LUTS_PER_PRODUCT / device.lut),
        "results": network.outputs,
    }
