"""What the tools call Gowin's chips, and where their block RAMs are in a bitstream.

Several devices are the same chip in another package. The places of the block RAMs' bits were found by packing
designs with known contents (``sim/test_gowin_frames.py`` does it again).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ...errors import BoardError

__all__ = ["CHIPS", "Chip", "of_device"]


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A chip.

    Parameters
    ----------
    name : str
        As nextpnr and gowin_pack call it.
    family : str
        As yosys calls its cells.
    devices : tuple of str
        Names of the `Device` that are this chip.
    identity : bytes
        The command in a bitstream that names it.
    grid, width : int
        Frames of its grid, and bits in a frame.
    rows : dict of int to tuple of int
        For each row of the grid with block RAMs, from the top, their columns.
    """

    name: str
    family: str
    devices: tuple[str, ...]
    identity: bytes
    grid: int
    width: int
    rows: dict[int, tuple[int, ...]]

    def sites(self) -> Iterator[tuple[str, int, int]]:
        """For each block RAM its name as nextpnr has it, which of the rows it is in, and its first bit in a
        frame.
        """
        for band, (y, columns) in enumerate(self.rows.items()):
            yield from ((f"X{x}Y{y}", band, 60 * x + 8) for x in columns)


#: Every chip.
CHIPS = (
    Chip(
        name="GW1N-9C",
        family="gw1n",
        devices=("gw1nr-9c",),
        identity=bytes.fromhex("060000001100481b"),
        grid=712,
        width=2836,
        rows={9: (*range(4, 23, 3), *range(31, 41, 3)), 27: tuple(range(1, 44, 3))},
    ),
    Chip(
        name="GW2A-18C",
        family="gw2a",
        devices=("gw2ar-18c", "gw2a-18c"),
        identity=bytes.fromhex("060000000000081b"),
        grid=1342,
        width=3376,
        rows={
            9: tuple(range(4, 50, 3)),
            27: (*range(1, 23, 3), *range(31, 47, 3)),
            45: tuple(range(4, 50, 3)),
        },
    ),
)


def of_device(device: str) -> Chip:
    """The chip of a device; a `BoardError` when it is none of Gowin's."""
    for chip in CHIPS:
        if device in chip.devices:
            return chip
    raise BoardError(
        f"a Gowin device must be one of {', '.join(name for chip in CHIPS for name in chip.devices)}, but it"
        f" is {device}"
    )
