"""Cores behind models of their buses: 10,000 images with random stalls, 1,000 wrong lengths among them.

    python benchmarks/buses.py [IMAGES]

Every score is compared, and the count of dropped images. The bench is that of `sim/test_handover.py`, which
runs a few images.
"""

import sys
import tempfile
import time
from pathlib import Path

import record

sys.path.insert(0, str(Path(__file__).parent.parent / "sim"))

import test_handover

SHELLS = ("stream", "axi", "wishbone")


def main() -> None:
    images = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    rows = []
    for shell in SHELLS:
        begin = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            design = test_handover.small()
            test_handover.drive(design, shell, Path(folder), images=images, wrong=0.1)
        seconds = time.perf_counter() - begin
        rows.append(
            {
                "shell": shell,
                "images": images,
                "scores": images * design.network.outputs,
                "wrong_lengths": images // 10,
                "seconds": round(seconds),
            }
        )
        print(rows[-1], flush=True)
    record.write("buses", {"seed": 1, "simulator": "icarus", "rows": rows})


if __name__ == "__main__":
    main()
