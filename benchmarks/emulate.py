"""How soon an emulated board answers after a build, and how fast.

    python benchmarks/emulate.py

Builds TFC for the iCEBreaker without a bitstream, compiles its emulator (not from the cache), and classifies
test images through its pseudo-terminal; every score must be the reference's. Where it is allowed, this runs
before other programs of the machine (SCHED_FIFO).
"""

import os
import tempfile
import time
import warnings
from pathlib import Path

import record
from amaranth.hdl import UnusedElaboratable
from link_host import real_time

import sbgen
from sbgen.built import Built
from sbgen.cli import main as command
from sbgen.compiler import fast_reference
from sbgen.emulator import EmulatedBoard, compiled
from sbgen.train import data

ROOT = Path(__file__).parents[1]
IMAGES = 1000


def main():
    # Components are only created to read their widths.
    warnings.simplefilter("ignore", UnusedElaboratable)
    images = data.load("mnist")[2][:IMAGES]
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "build"
        options = ["--board", "icebreaker", "--no-bitstream", "--images", "10", "--out", str(out)]
        assert command(["build", "--model", str(ROOT / "models/tfc-mnist.pt"), *options]) == 0
        os.environ["XDG_CACHE_HOME"] = folder
        built = Built(out)
        scores, labels = fast_reference.evaluate(built.network, images)
        start = time.monotonic()
        with real_time() as ahead:
            program = compiled(built, folder=Path(folder))
            assert not program.from_cache
            with EmulatedBoard(program) as emulated, sbgen.Board(port=emulated.port) as board:
                board.identify()
                started = time.monotonic() - start
                rates = {}
                for name, ask, truth in (
                    ("classes", board.predict, labels),
                    ("scores", board.scores, scores),
                ):
                    start = time.monotonic()
                    assert (ask(images) == truth).all()
                    rates[name] = round(IMAGES / (time.monotonic() - start), 1)
    content = {
        "build": "tfc-mnist icebreaker",
        "images": IMAGES,
        "start_seconds": round(started, 1),
        "images_per_second": rates,
        "cores": os.cpu_count(),
        "real_time": ahead,
    }
    print(content)
    print(record.write("emulate", content))


if __name__ == "__main__":
    main()
