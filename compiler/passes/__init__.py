"""Passes: each takes a network and returns an equal one, cheaper to compute."""

from ..ir import Network
from .constant_neurons import remove_constant_neurons
from .unread_neurons import remove_unread_neurons

__all__ = ["PASSES", "RESHAPING", "apply_passes", "remove_constant_neurons", "remove_unread_neurons"]

#: Every pass, in the order in which they are applied.
PASSES = (remove_constant_neurons, remove_unread_neurons)

#: Those of them that look at weights or thresholds to change the shape of layers.
RESHAPING = (remove_constant_neurons, remove_unread_neurons)


def apply_passes(network: Network, *, patchable: bool = False) -> Network:
    """The network after all `PASSES`; for a patchable design without `RESHAPING`, since other weights must
    fit into the same hardware.
    """
    for transform in PASSES:
        if patchable and transform in RESHAPING:
            continue
        network = transform(network)
    return network
