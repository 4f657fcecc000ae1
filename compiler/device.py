"""FPGAs as data: what a device has, and the shapes its block RAMs can take."""

from dataclasses import dataclass

from ..hw.spram import BLOCK_DEPTH, BLOCK_WIDTH

__all__ = ["DEVICES", "MAX_BANKS", "PATCHABLE_STORES", "REGISTERED", "Device"]

# (width in bits, depth in words) of one block RAM with one read and one write port.
_ICE40_SHAPES = ((16, 256), (8, 512), (4, 1024), (2, 2048))
_ECP5_SHAPES = ((36, 512), (18, 1024), (9, 2048), (4, 4096), (2, 8192), (1, 16384))


#: For each family the store of small ROMs that can be replaced in a bitstream. On the ECP5 block RAMs are
#: plenty, and the inputs of LUTs change places in routing.
PATCHABLE_STORES = {"ice40": "lut", "ecp5": "bram"}

#: For each family the most block RAMs one after the other in a ROM: the multiplexer after more of them would
#: set the clock, sooner where a block RAM itself is slow (5.6 ns of an ECP5's cycle).
MAX_BANKS = {"ice40": 4, "ecp5": 2}

#: For each family whether there is a register after the memories of weights, thresholds and inputs: an ECP5
#: has flip-flops to spare, an iCE40 none without a LUT.
REGISTERED = {"ice40": False, "ecp5": True}


@dataclass(frozen=True, kw_only=True)
class Device:
    """One FPGA.

    Parameters
    ----------
    name : str
    family : str
        ``"ice40"`` or ``"ecp5"``: which tools build for it.
    lut, ff, bram, spram, dsp : int
        4-input LUTs, flip-flops, block RAMs, single-port RAMs and multipliers on the device.
    bram_shapes : tuple of (int, int)
        Every (width in bits, depth in words) that one block RAM can take.
    """

    name: str
    family: str
    lut: int
    ff: int
    bram: int
    spram: int
    dsp: int
    bram_shapes: tuple

    def brams(self, *, width, depth):
        """Block RAMs that a memory of `depth` words of `width` bits takes.

        The memory is built from columns of one shape, each as deep as the memory; the cheapest shape counts.
        The address is not split when one block is deep enough, which is what the synthesis does too.
        """
        return min(-(-width // w) * -(-depth // d) for w, d in self.bram_shapes)

    def banks(self, *, width, depth):
        """Block RAMs behind each other, from which the memory's output is chosen.

        Synthesis saves blocks where it can rather than depth: it takes the widest shape that the memory
        fills.
        """
        narrowest = min(self.bram_shapes)
        _, deep = max((shape for shape in self.bram_shapes if shape[0] <= width), default=narrowest)
        return -(-depth // deep)

    @property
    def bram_bits(self):
        """Bits that all block RAMs together hold."""
        return self.bram * max(width * depth for width, depth in self.bram_shapes)

    @property
    def spram_bits(self):
        """Bits that all single-port RAMs together hold."""
        return self.spram * BLOCK_WIDTH * BLOCK_DEPTH

    @property
    def spram_read_bits(self):
        """Bits that all single-port RAMs together give in one cycle."""
        return self.spram * BLOCK_WIDTH

    @property
    def bram_read_bits(self):
        """Bits that all block RAMs together give in one cycle."""
        return self.bram * max(width for width, _ in self.bram_shapes)


#: Every device that a board may name. Sources: the vendors' family data sheets.
DEVICES = {
    device.name: device
    for device in (
        Device(
            name="up5k", family="ice40", lut=5280, ff=5280, bram=30, spram=4, dsp=8, bram_shapes=_ICE40_SHAPES
        ),
        Device(
            name="hx1k", family="ice40", lut=1280, ff=1280, bram=16, spram=0, dsp=0, bram_shapes=_ICE40_SHAPES
        ),
        Device(
            name="hx8k", family="ice40", lut=7680, ff=7680, bram=32, spram=0, dsp=0, bram_shapes=_ICE40_SHAPES
        ),
        Device(
            name="lp8k", family="ice40", lut=7680, ff=7680, bram=32, spram=0, dsp=0, bram_shapes=_ICE40_SHAPES
        ),
        Device(
            name="ecp5-25f",
            family="ecp5",
            lut=24288,
            ff=24288,
            bram=56,
            spram=0,
            dsp=28,
            bram_shapes=_ECP5_SHAPES,
        ),
        Device(
            name="ecp5-45f",
            family="ecp5",
            lut=43848,
            ff=43848,
            bram=108,
            spram=0,
            dsp=72,
            bram_shapes=_ECP5_SHAPES,
        ),
        Device(
            name="ecp5-85f",
            family="ecp5",
            lut=83640,
            ff=83640,
            bram=208,
            spram=0,
            dsp=156,
            bram_shapes=_ECP5_SHAPES,
        ),
    )
}
