"""Cores behind their buses: 10,000 images of a small network with random stalls, and wrong lengths between.

    python benchmarks/buses.py [IMAGES [OF_MODELS]]

Every score is compared, and the count of dropped images: once by the bench of a folder in Verilator, with
5,000 wrong lengths, once by the models of `sim/shell_tests.py` around Icarus, with 1,000. The record has the
rows that are done.
"""

import sys
import tempfile
import time
from pathlib import Path

import record

from sbgen.handover import check, folder

sys.path.insert(0, str(Path(__file__).parent.parent / "sim"))

import test_handover

SHELLS = ("stream", "axi", "wishbone")


def of_folder(shell: str, images: int) -> int:
    """Wrong lengths among so many images, if the folder's own bench passes."""
    context = test_handover.prepared(test_handover.small(), shell, images=images)
    with tempfile.TemporaryDirectory() as scratch:
        check.bench(context, folder.files(context), Path(scratch), simulator="verilator")
    return context.vectors.wrong


def of_models(shell: str, images: int) -> int:
    """The same by models of the bus."""
    with tempfile.TemporaryDirectory() as scratch:
        test_handover.drive(test_handover.small(), shell, Path(scratch), images=images, wrong=0.1)
    return images // 10


SIMULATORS = {of_folder: "verilator", of_models: "icarus"}


def main() -> None:
    counts = [int(text) for text in sys.argv[1:]] or [10_000, 10_000]
    outputs = test_handover.small().network.outputs
    rows = []
    for bench, images in zip((of_folder, of_models), counts, strict=False):
        for shell in SHELLS:
            begin = time.perf_counter()
            wrong = bench(shell, images)
            rows.append(
                {
                    "bench": bench.__name__.removeprefix("of_"),
                    "simulator": SIMULATORS[bench],
                    "shell": shell,
                    "images": images,
                    "scores": images * outputs,
                    "wrong_lengths": wrong,
                    "seconds": round(time.perf_counter() - begin),
                }
            )
            print(rows[-1], flush=True)
            record.write("buses", {"rows": rows})


if __name__ == "__main__":
    main()
