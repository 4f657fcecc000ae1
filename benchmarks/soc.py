"""A network in a SoC of LiteX: cycles of a VexRiscv with the core, and of the same network in C on it.

    python benchmarks/soc.py

Cycles are from before the first store to after the class is read, as the SoC's timer counts them. The SoC
with the smaller core is also built to a bitstream of the ULX3S-85F, from which weights and program are read
back.
"""

import dataclasses
import re
import statistics
import sys
import tempfile
from pathlib import Path

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "sim"))

import litex_bitstream
import test_litex

#: The most cycles that the core may take per image: a small core, and one that does not limit the processor.
FOLDINGS = (2000, 300)


def main() -> None:
    rows = []
    for core_cycles in FOLDINGS:
        with tempfile.TemporaryDirectory() as folder:
            said = test_litex.run_soc(Path(folder), core_cycles=core_cycles)
        found = re.findall(r"right core (\d+) packed (\d+) c (\d+)$", said, re.MULTILINE)
        assert len(found) == 10 and "10 images right" in said, said
        with_core, packed, in_c = (statistics.median(map(int, column)) for column in zip(*found, strict=True))
        rows.append(
            {
                "core_cycles_at_most": core_cycles,
                "raw_pixels": with_core,
                "packed_pixels": packed,
                "in_c": in_c,
                "ratio_raw": round(in_c / with_core, 1),
                "ratio_packed": round(in_c / packed, 1),
            }
        )
        print(rows[-1], flush=True)
    content = {"model": "digits", "processor": "VexRiscv standard, rv32im, -O2", "rows": rows}
    record.write("soc", content)  # place and route takes longer than all before
    with tempfile.TemporaryDirectory() as folder:
        built = litex_bitstream.build(Path(folder), core_cycles=FOLDINGS[0])
    bitstream = {"board": "ulx3s_85f", "clock_mhz": litex_bitstream.CLOCK_MHZ, **dataclasses.asdict(built)}
    print(bitstream, flush=True)
    record.write("soc", content | {"bitstream": bitstream})


if __name__ == "__main__":
    main()
