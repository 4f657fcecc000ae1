"""How much a simulation has to do, and after how long without progress a core hangs."""

import math

from ..ir import Conv2d, Dense, Layer, MaxPool, Network, Scores, SumPool

__all__ = ["layer_work", "patience", "rest", "work"]


def patience(network: Network) -> int:
    """Cycles without a transfer at either end after which a core certainly hangs.

    A correct core moves nothing at both ends for at most one image, and each weight takes at most a cycle.
    """
    return 1000 + 4 * (network.pixels + work(network))


def rest(network: Network) -> int:
    """Cycles after a reset until each core of this network is at rest.

    A unit takes the columns of padding before a row's first pixel ahead of it, one in each cycle.
    """
    paddings = [layer.padding for layer in network.layers if isinstance(layer, Conv2d)]
    return 2 + max((before for sides in paddings for before, _ in sides), default=0)


def work(network: Network) -> int:
    """Weights that are read per image, plus elements under the kernels of pools.

    Weights of a convolution count once for each position, those of several bit planes once for each plane.
    """
    return sum(map(layer_work, network.layers, network.shapes[1:]))


def layer_work(layer: Layer, output_shape: tuple[int, ...]) -> int:
    """The share of a layer, with an output of that shape, in the `work` of its network."""
    match layer:
        case Conv2d() | Dense() | Scores():
            return layer.planes * layer.weight_bits * math.prod(output_shape) // layer.outputs
        case MaxPool() | SumPool():
            return math.prod(output_shape) * math.prod(layer.kernel)
    return math.prod(output_shape)
