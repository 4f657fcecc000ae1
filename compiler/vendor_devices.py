"""FPGAs whose place and route is their vendor's alone, as data: what folding and estimates need of them."""

from .device import FABRICS, Device, Fabric

__all__ = ["BLOCK_RAMS", "VENDOR_DEVICES"]


def _fabric(*shapes: tuple[int, int], costs: str = "ecp5", lut_inputs: int = 4) -> Fabric:
    """A fabric with block RAMs of these shapes, and the rest like an ECP5's."""
    ecp5 = FABRICS["ecp5"]
    return Fabric(
        bram_shapes=shapes,
        max_banks=ecp5.max_banks,
        registered=True,
        patchable_store="bram",
        host_link_lut=ecp5.host_link_lut,
        host_link_ff=ecp5.host_link_ff,
        costs=costs,
        lut_inputs=lut_inputs,
    )


#: Fabrics by the name of their block RAM, and of their LUTs where these have six inputs.
BLOCK_RAMS = {
    # AMD UG473, UG383; costs by synthesis for series 7 (`benchmarks/estimate.py --family lut6`)
    "18 kbit, LUT6": _fabric(*FABRICS["ecp5"].bram_shapes, costs="lut6", lut_inputs=6),
    # AMD UG331; Gowin UG285 (BSRAM)
    "18 kbit": _fabric(*FABRICS["ecp5"].bram_shapes),
    # Intel CIII51004, CIV51003, UG-M10MEMORY
    "M9K": _fabric((36, 256), (18, 512), (9, 1024), (4, 2048), (2, 4096), (1, 8192)),
    # Intel CV-52002
    "M10K": _fabric((40, 256), (20, 512), (10, 1024), (5, 2048), (2, 4096), (1, 8192)),
    # Lattice FPGA-TN-02160 (MachXO2), pseudo dual port
    "EBR": _fabric((18, 512), (9, 1024), (4, 2048), (2, 4096), (1, 8192)),
    # QuickLogic EOS S3
    "8 kbit": _fabric((32, 256), (16, 512), (8, 1024)),
}

#: Part (its beginning, as amaranth-boards has it), block RAM, LUTs, flip-flops, block RAMs, multipliers.
#: Sources: the vendors' family tables. LUTs of six or more inputs count as one.
_PARTS = (
    ("xc3s200a", "18 kbit", 3584, 3584, 16, 16),
    ("xc6slx9", "18 kbit, LUT6", 5720, 11440, 32, 16),
    ("xc6slx45", "18 kbit, LUT6", 27288, 54576, 116, 58),
    ("xc7a15t", "18 kbit, LUT6", 10400, 20800, 50, 45),
    ("xc7a35t", "18 kbit, LUT6", 20800, 41600, 100, 90),
    ("xc7a50t", "18 kbit, LUT6", 32600, 65200, 150, 120),
    ("xc7a100t", "18 kbit, LUT6", 63400, 126800, 270, 240),
    ("xc7a200t", "18 kbit, LUT6", 133800, 267600, 730, 740),
    ("xc7s25", "18 kbit, LUT6", 14600, 29200, 90, 80),
    ("xc7s50", "18 kbit, LUT6", 32600, 65200, 150, 120),
    ("xc7z007s", "18 kbit, LUT6", 14400, 28800, 100, 66),
    ("xc7z010", "18 kbit, LUT6", 17600, 35200, 120, 80),
    ("xc7z020", "18 kbit, LUT6", 53200, 106400, 280, 220),
    ("xc7k325t", "18 kbit, LUT6", 203800, 407600, 890, 840),
    ("xcku040", "18 kbit, LUT6", 242400, 484800, 1200, 1920),
    ("xczu48dr", "18 kbit, LUT6", 425280, 850560, 2160, 4272),
    ("EP3C16", "M9K", 15408, 15408, 56, 56),
    ("EP3C25", "M9K", 24624, 24624, 66, 66),
    ("EP4CE6", "M9K", 6272, 6272, 30, 15),
    ("EP4CE22", "M9K", 22320, 22320, 66, 66),
    ("10M50DA", "M9K", 49760, 49760, 182, 144),
    ("5CEBA4", "M10K", 36960, 73920, 308, 66),
    ("5CSEBA6", "M10K", 83820, 167640, 557, 112),
    ("5CSEMA5", "M10K", 64140, 128280, 397, 87),
    ("LCMXO2-256", "EBR", 256, 256, 0, 0),
    ("LCMXO2-1200", "EBR", 1280, 1280, 7, 0),
    ("LCMXO2-4000", "EBR", 4320, 4320, 10, 0),
    ("LCMXO2-7000", "EBR", 6864, 6864, 26, 0),
    ("LCMXO3L-6900", "EBR", 6864, 6864, 26, 0),
    ("LCMXO3LF-6900", "EBR", 6864, 6864, 26, 0),
    ("GW1N-1", "18 kbit", 1152, 864, 4, 0),
    ("GW2A-18", "18 kbit", 20736, 15552, 46, 24),
    ("GW5A-25", "18 kbit", 23040, 23040, 56, 28),
    ("GW5AST-138", "18 kbit", 138240, 138240, 340, 298),
    ("ql-eos-s3", "8 kbit", 891, 891, 8, 2),
)

#: Devices by the beginning of their part, longer ones first.
VENDOR_DEVICES = {
    part: Device(
        name=part.lower(),
        part=part,
        family="vendor",
        own_fabric=BLOCK_RAMS[memory],
        lut=lut,
        ff=ff,
        bram=bram,
        spram=0,
        dsp=dsp,
    )
    for part, memory, lut, ff, bram, dsp in sorted(_PARTS, key=lambda row: -len(row[0]))
}
