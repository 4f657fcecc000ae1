"""Every device family that sbgen builds for. A new one is a folder like `ice40` and a row here."""

from ..errors import BoardError
from .ecp5 import ECP5
from .family import Family
from .gowin import GOWIN
from .ice40 import ICE40

__all__ = ["FAMILIES", "get"]

#: Families by name.
FAMILIES: dict[str, Family] = {family.name: family for family in (ICE40, ECP5, GOWIN)}


def get(name: str) -> Family:
    """The family of that name, as `Device.family` has it; a `BoardError` that lists the known ones."""
    if name not in FAMILIES:
        raise BoardError(f"unknown device family {name!r}: known are {', '.join(FAMILIES)}")
    return FAMILIES[name]
