"""FPGAs as data: what a device has, and the shapes its block RAMs can take."""

from dataclasses import dataclass, replace

from ..hw.spram import BLOCK_DEPTH, BLOCK_WIDTH

__all__ = ["DEVICES", "FABRICS", "Device", "Fabric", "with_usb"]


@dataclass(frozen=True, kw_only=True)
class Fabric:
    """What all devices of a family have in common: their block RAMs, and how designs for them are built.

    Parameters
    ----------
    bram_shapes : tuple of (int, int)
        Every (width in bits, depth in words) that one block RAM with one read and one write port can take.
    max_banks : int
        Most block RAMs in the depth of a ROM. The multiplexer after more of them would set the clock, sooner
        where a block RAM itself is slow (5.6 ns of an ECP5's cycle).
    registered : bool
        Whether there is a register after the memories of weights, thresholds and inputs. An ECP5 has
        flip-flops to spare; an iCE40 has none without a LUT, and those of Gowin are reached only through one.
    patchable_store : str
        The store of small ROMs that can be replaced in a bitstream. The ECP5 has plenty of block RAMs, and
        its routing swaps the inputs of LUTs.
    host_link_lut, host_link_ff : int
        LUTs and flip-flops of the board's harness around the core: UART, framing, checksums, reset.
    host_link_bram : int
        Block RAMs of it, besides the store of the link (`link_store`).
    usb_lut, usb_ff, usb_bram : int
        What a USB device takes in addition; measured once, and the same for every design.
    costs : str
        The family whose measured costs (calibration.json) stand for this one; empty if it has its own.
    lut_inputs : int
        Inputs of a LUT: 4, or 6 where those of a device are counted as such.
    """

    bram_shapes: tuple[tuple[int, int], ...]
    max_banks: int
    registered: bool
    patchable_store: str
    host_link_lut: int
    host_link_ff: int
    host_link_bram: int = 0
    usb_lut: int = 0
    usb_ff: int = 0
    usb_bram: int = 0
    costs: str = ""
    lut_inputs: int = 4


#: The fabric of each family.
FABRICS = {
    "ice40": Fabric(
        bram_shapes=((16, 256), (8, 512), (4, 1024), (2, 2048)),
        max_banks=4,
        registered=False,
        patchable_store="lut",
        host_link_lut=900,
        host_link_ff=520,
        usb_lut=1900,
        usb_ff=1100,
        usb_bram=3,
    ),
    "ecp5": Fabric(
        bram_shapes=((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
        max_banks=2,
        registered=True,
        patchable_store="bram",
        host_link_lut=860,
        host_link_ff=500,
        usb_lut=1600,
        usb_ff=950,
        usb_bram=3,
    ),
    "gowin": Fabric(
        bram_shapes=((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384)),
        max_banks=2,
        registered=False,
        patchable_store="bram",
        host_link_lut=900,
        host_link_ff=520,
    ),
}


@dataclass(frozen=True, kw_only=True)
class Device:
    """One FPGA.

    Parameters
    ----------
    name : str
    part : str
        As its vendor and amaranth-boards call it, in any case.
    family : str
        A key of `FABRICS`: which tools build for it.
    lut, ff, bram, spram, dsp : int
        4-input LUTs, flip-flops, block RAMs, single-port RAMs and multipliers on the device.
    own_fabric : Fabric or None
        In place of the family's.
    host_link : bool
        Whether designs for it have the host link of a board around their core.
    """

    name: str
    part: str
    family: str
    lut: int
    ff: int
    bram: int
    spram: int
    dsp: int
    own_fabric: Fabric | None = None
    host_link: bool = True

    @property
    def fabric(self) -> Fabric:
        """What the device has in common with its family."""
        return FABRICS[self.family] if self.own_fabric is None else self.own_fabric

    @property
    def costs(self) -> str:
        """The key of calibration.json for it."""
        return self.fabric.costs or self.family

    def brams(self, *, width: int, depth: int) -> int:
        """Block RAMs that a memory of `depth` words of `width` bits takes.

        One shape is used for all of it, and the cheapest counts. Where the memory is deeper than the shape,
        its parts are next to each other in the width, so that they may share a block: 1,408 words of 12 bits
        are three parts of 512 and take 36 x 512 once. Synthesis does the same.
        """
        return min(-(-width * -(-depth // d) // w) for w, d in self.fabric.bram_shapes)

    def banks(self, *, width: int, depth: int) -> int:
        """Block RAMs in the depth of a memory, of which a multiplexer selects the output.

        Synthesis saves blocks rather than depth: it takes the widest shape that the memory fills.
        """
        shapes = self.fabric.bram_shapes
        _, deep = max((shape for shape in shapes if shape[0] <= width), default=min(shapes))
        return -(-depth // deep)

    @property
    def bram_bits(self) -> int:
        """Bits that all block RAMs hold."""
        return self.bram * max(width * depth for width, depth in self.fabric.bram_shapes)

    @property
    def spram_bits(self) -> int:
        """Bits that all single-port RAMs hold."""
        return self.spram * BLOCK_WIDTH * BLOCK_DEPTH

    @property
    def spram_read_bits(self) -> int:
        """Bits that all single-port RAMs output in one cycle."""
        return self.spram * BLOCK_WIDTH

    @property
    def bram_read_bits(self) -> int:
        """Bits that all block RAMs output in one cycle."""
        return self.bram * max(width for width, _ in self.fabric.bram_shapes)


def with_usb(device: Device) -> Device:
    """The same device for a board whose link has a USB device in the FPGA: its harness is larger by that."""
    fabric = device.fabric
    return replace(
        device,
        own_fabric=replace(
            fabric,
            host_link_lut=fabric.host_link_lut + fabric.usb_lut,
            host_link_ff=fabric.host_link_ff + fabric.usb_ff,
            host_link_bram=fabric.host_link_bram + fabric.usb_bram,
        ),
    )


#: Sizes of the ECP5, with or without transceivers: LUTs (and as many flip-flops), block RAMs, multipliers.
#: The 12F is the die of the 25F, and the open tools use all of it; Lattice sells half of its LUTs.
_ECP5 = (("12f", 24288, 56, 28), ("25f", 24288, 56, 28), ("45f", 43848, 108, 72), ("85f", 83640, 208, 156))

#: Every device that a board may name. Sources: the vendors' family data sheets.
DEVICES = {
    device.name: device
    for device in (
        Device(name="up5k", part="iCE40UP5K", family="ice40", lut=5280, ff=5280, bram=30, spram=4, dsp=8),
        Device(name="hx1k", part="iCE40HX1K", family="ice40", lut=1280, ff=1280, bram=16, spram=0, dsp=0),
        # The die is that of the HX8K, and the open tools use all of it; Lattice sells 3,520 of its LUTs and
        # 20 of its block RAMs.
        Device(name="hx4k", part="iCE40HX4K", family="ice40", lut=7680, ff=7680, bram=32, spram=0, dsp=0),
        Device(name="hx8k", part="iCE40HX8K", family="ice40", lut=7680, ff=7680, bram=32, spram=0, dsp=0),
        Device(name="lp1k", part="iCE40LP1K", family="ice40", lut=1280, ff=1280, bram=16, spram=0, dsp=0),
        Device(name="lp8k", part="iCE40LP8K", family="ice40", lut=7680, ff=7680, bram=32, spram=0, dsp=0),
        *(
            Device(
                name=f"ecp5-{transceivers}{size}",
                part=f"LFE5{part}-{size}".upper(),
                family="ecp5",
                lut=lut,
                ff=lut,
                bram=bram,
                spram=0,
                dsp=dsp,
            )
            for transceivers, part in (("", "u"), ("um-", "um"), ("um5g-", "um5g"))
            for size, lut, bram, dsp in _ECP5
            if size != "12f" or not transceivers
        ),
        Device(name="gw1nr-9c", part="GW1NR-9C", family="gowin", lut=8640, ff=6480, bram=26, spram=0, dsp=20),
        Device(
            name="gw2ar-18c", part="GW2AR-18C", family="gowin", lut=20736, ff=15552, bram=46, spram=0, dsp=48
        ),
        Device(
            name="gw2a-18c", part="GW2A-18C", family="gowin", lut=20736, ff=15552, bram=46, spram=0, dsp=48
        ),
    )
}
