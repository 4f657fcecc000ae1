"""Passes: each takes a network and returns an equal one, cheaper to compute."""

from .constant_neurons import remove_constant_neurons

__all__ = ["PASSES", "apply_passes", "remove_constant_neurons"]

#: Every pass, in the order in which they are applied.
PASSES = (remove_constant_neurons,)


def apply_passes(network):
    """The network after all `PASSES`."""
    for transform in PASSES:
        network = transform(network)
    return network
