"""Whether the memories of a device hold the weights of a network at all, which needs no search."""

from .device import Device
from .ir import Network
from .layers import rules
from .weight_count import weights

__all__ = ["holds", "lacks"]


def holds(network: Network, device: Device, *, patchable: bool, spram: bool = True) -> bool:
    """Whether all memories of a device, its LUTs among them, have as many bits as the weights of a network;
    its SPRAMs only with `spram`. Layers that can be wired in need no memory.
    """
    lut_bits = device.lut << device.fabric.lut_inputs
    stored = sum(rule.layer.weight_bits for rule in rules(network) if not rule.may_be_wired)
    return stored <= _memories(device, spram and not patchable) + lut_bits


def _memories(device: Device, spram: bool) -> int:
    return device.bram_bits + (device.spram_bits if spram else 0)


def lacks(network: Network, device: Device, *, patchable: bool) -> list[str]:
    """What to say of weights that do not fit into block RAMs and SPRAMs; empty if they do."""
    bits, capacity = network.weight_bits, _memories(device, not patchable)
    if bits <= capacity:
        return []
    names = "block RAMs and SPRAMs" if capacity > device.bram_bits else "block RAMs"
    stored = f"its {sum(weights(network)):,} weights take {bits:,} bits"
    return [f"{stored}, {bits - capacity:,} more than the {capacity:,} of the {names}"]
