"""Images per second of whole boards, by simulated cycles with the line busy, and the report's model of it.

    python benchmarks/link.py [--only NAME] [--images 200] [--write]

Each design's top level runs in Verilator, with test images in requests of the size that the report names, one
after the other without a pause, for the classes alone. The cycles from the first bit of the first request to
the last bit of the last response, over the images, times the clock, are the board's rate. The first requests
fill the pipeline, so their share is taken off: the rate is that between two runs of different length. Every
class is compared with the reference. The model of `sbgen.boards.link_rate` must be within 5 %.

``--write`` writes ``results/link.json``, keeping the rows of other designs. Exits with status 1 if anything
differs.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import record

from sbgen import boards, emulator
from sbgen.boards import baud as baud_
from sbgen.boards import messages
from sbgen.boards.frames import Frame, Reader
from sbgen.boards.harness import Top, clock_and_pll
from sbgen.boards.link_rate import LinkRate
from sbgen.boards.messages import WANT_CLASS
from sbgen.compiler import exchange, fold, reference, verilog
from sbgen.compiler.frontends import model
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.lower import lower
from sbgen.compiler.simulate import verilate
from sbgen.hw.slip import END
from sbgen.train import data

ROOT = Path(__file__).parent.parent

#: Model and board of each row, and the images per second that it must reach.
DESIGNS = {
    "tfc-icebreaker": ("tfc-mnist", "mnist", "icebreaker", 10_000),
    "digits-icebreaker": ("digits", "digits", "icebreaker", 30_000),
    "tfc-ulx3s": ("tfc-mnist", "mnist", "ulx3s_85f", 2_500),
    "digits-hx8k": ("digits", "digits", "ice40_hx8k_b_evn", 20_000),
    "cnn-icebreaker": ("cnn-mnist", "mnist", "icebreaker", 0),
}

#: How far the model may be off.
_TOLERANCE = 0.05


def compiled(design, board, clock_mhz, folder):
    """The command that runs the board without its PLL, and its link and identity."""
    link = link_parameters(design, board.device)
    baud, divisor = baud_.choose(board, clock_mhz=clock_mhz)
    digest = bytes.fromhex(exchange.digest(design.network))
    # The same divisor at the oscillator's clock: cycles are counted, not seconds.
    top = Top(
        core=lower(design),
        board=replace(board, usb_chip=None),
        link=link,
        digest=digest,
        clock_mhz=board.oscillator_mhz,
        baud=board.oscillator_mhz * 1e6 / divisor,
    )
    (folder / "top.v").write_text(verilog.convert(top), encoding="ascii")
    for name in "board.v", "main.cpp":
        source = Path(emulator.__file__).with_name(name)
        (folder / name).write_text(source.read_text(encoding="ascii"), encoding="ascii")
    tool = verilate(folder, top="emulated", sources=["board.v", "main.cpp", "top.v"], macros={})
    argv = [*tool.argv, *map(str, (divisor, top.reset_cycles + 100, 10**9))]
    payload = link.identity(digest=digest[:8], byte_cycles=10 * divisor, loads=False)
    identity = messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))
    return argv, identity, baud


def run(argv, identity, images, labels, size):
    """Cycles to classify images in requests of `size`."""
    packed = identity.pack(images)
    parts = range(0, len(images), size)
    line = b"".join(
        messages.classify(sequence=n % 256, packed=packed[first : first + size]).encode()
        for n, first in enumerate(parts)
    )
    # A core that is slower than the line gets its images at its pace, and the end lets the last come out.
    least = len(images) * identity.image_cycles // identity.byte_cycles
    if least > len(line):
        pad = bytes([END]) * (-(-(least - len(line)) // len(parts)) + 1)
        line = b"".join(
            messages.classify(sequence=n % 256, packed=packed[first : first + size]).encode() + pad
            for n, first in enumerate(parts)
        )
    tail = bytes([END]) * (4 * identity.image_cycles * size // identity.byte_cycles + 2000)
    board = subprocess.run(argv, input=line + tail, capture_output=True, check=True)
    answers = Reader().feed(board.stdout)
    got = [
        messages.parse_results(
            answer, identity=identity, want=WANT_CLASS, images=min(size, len(images) - first)
        ).labels
        for answer, first in zip(answers, parts, strict=True)
    ]
    assert np.array_equal(np.concatenate(got), labels), "a class differs from the reference"
    return int(re.search(rb"(\d+) cycles", board.stderr)[1])


def measure(name, count):
    """One row."""
    file, dataset, board, goal = DESIGNS[name]
    board = boards.get(board)
    network = model.load(ROOT / "models" / f"{file}.pt").network
    design = fold.fold(network, board.device)
    clock_mhz, _ = clock_and_pll(board)
    images = data.load(dataset)[2][: 2 * count]
    _, labels = reference.evaluate(network, images)
    with tempfile.TemporaryDirectory() as folder:
        argv, identity, baud = compiled(design, board, clock_mhz, Path(folder))
        rate = LinkRate(
            baud=baud,
            image_bytes=identity.image_bytes,
            result_bytes=messages.result_bytes(identity, WANT_CLASS),
            image_cycles=identity.image_cycles,
            byte_cycles=identity.byte_cycles,
            frame_images=identity.frame_images,
            store_bytes=identity.store_bytes,
        )
        long, short = (run(argv, identity, images[:n], labels[:n], rate.images) for n in (2 * count, count))
    cycles = (long - short) / count
    measured = clock_mhz * 1e6 / cycles
    return {
        "design": name,
        "clock_mhz": clock_mhz,
        "baud": baud,
        "image_bytes": identity.image_bytes,
        "images_per_request": rate.images,
        "cycles_per_image": round(cycles, 1),
        "images_per_second": round(measured, 1),
        "model": round(rate.images_per_second, 1),
        "off": round(rate.images_per_second / measured - 1, 4),
        "goal": goal,
        **record.MEASURED,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=DESIGNS, action="append")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    rows = []
    for name in arguments.only or DESIGNS:
        rows.append(measure(name, arguments.images))
        print(json.dumps(rows[-1]), flush=True)
    if arguments.write:
        path = record.FOLDER / "link.json"
        before = json.loads(path.read_text())["rows"] if path.exists() else []
        kept = [row for row in before if row["design"] not in {each["design"] for each in rows}]
        print(record.write("link", {"rows": kept + rows}, measured={}))
    sys.exit(any(abs(row["off"]) > _TOLERANCE or row["images_per_second"] < row["goal"] for row in rows))


if __name__ == "__main__":
    main()
