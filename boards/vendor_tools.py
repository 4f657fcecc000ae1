"""Names of the vendors' tools, by amaranth's word for them."""

from amaranth.build import Platform

__all__ = ["settings", "title"]

_TITLES = {
    "Diamond": "Lattice Diamond",
    "Gowin": "Gowin EDA",
    "ISE": "Xilinx ISE",
    "QLSymbiflow": "QuickLogic's SymbiFlow",
    "Quartus": "Intel Quartus",
    "Vivado": "AMD Vivado",
}

#: The vendor's tools of platforms that choose open ones by themselves.
_INSTEAD = {"Apicula": "Gowin"}


def settings(platform: Platform) -> dict[str, str]:
    """Arguments of the platform's class that choose the vendor's tools."""
    chosen = _INSTEAD.get(platform.toolchain)
    return {} if chosen is None else {"toolchain": chosen}


def title(platform: Platform) -> str:
    """The vendor's name for the tools of a platform."""
    return _TITLES.get(platform.toolchain, platform.toolchain)
