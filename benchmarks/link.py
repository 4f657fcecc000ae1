"""Images per second of whole boards, by simulated cycles with the line busy, and the report's model of it.

    python benchmarks/link.py [--only NAME] [--images 200] [--write]

Each design's top level runs in Verilator, with test images in requests of the size that the report names, one
after the other without a pause, for the classes alone. The cycles from the first bit of the first request to
the last bit of the last response, over the images, times the clock, are the board's rate. The first requests
fill the pipeline, so their share is taken off: the rate is that between two runs of different length. Every
class is compared with the reference. The model of `sbgen.boards.link_rate` must be within 5 %.

A link over USB is simulated in packets: a host of the bus enumerates the board and exchanges bulk packets
with it (``boards/usb_host.v``), at its own 48 MHz and the core's clock.

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
from sbgen.boards import board_line, messages, simulated
from sbgen.boards.frames import Frame, Reader
from sbgen.boards.harness import Top, clock_and_pll
from sbgen.boards.messages import WANT_CLASS
from sbgen.boards.pins import USB_HOST
from sbgen.boards.usb_device import USB_MHZ
from sbgen.compiler import exchange, fold, reference, verilog
from sbgen.compiler.frontends import model
from sbgen.compiler.ir import Binarize, Network, Scores
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.lower import lower
from sbgen.compiler.simulate import verilate
from sbgen.errors import DataError
from sbgen.hw.slip import END
from sbgen.train import data

ROOT = Path(__file__).parent.parent

#: Model and board of each row, and the images per second that it must reach. One of more than that is folded
#: for twice as many, as it is simulated in every cycle. Without a model it is a small network on images of
#: the data set's shape: its link is that of each network with such images, and is simulated in minutes.
DESIGNS = {
    "tfc-icebreaker": ("tfc-mnist", "mnist", "icebreaker", 10_000),
    "digits-icebreaker": ("digits", "digits", "icebreaker", 30_000),
    "tfc-ulx3s": ("tfc-mnist", "mnist", "ulx3s_85f", 2_500),
    "digits-hx8k": ("digits", "digits", "ice40_hx8k_b_evn", 20_000),
    "tfc-ulx3s-usb": ("tfc-mnist", "mnist", "ulx3s_85f,usb", 10_000),
    "cnv-ulx3s-usb": ("cnv-cifar10", "cifar10", "ulx3s_85f,usb", 300),
    "cifar-images-ulx3s-usb": (None, "cifar10", "ulx3s_85f,usb", 300),
    "cnn-icebreaker": ("cnn-mnist", "mnist", "icebreaker", 0),
}

#: How far the model may be off.
_TOLERANCE = 0.05


def compiled_usb(design, board, clock_mhz, folder):
    """As `compiled`, with the clock of the line in MHz, for a board whose USB has a PLL of its own."""
    link = link_parameters(design, board.device, flow_control=True)
    line = board_line.choose(board, clock_mhz=clock_mhz)
    digest = bytes.fromhex(exchange.digest(design.network))
    top = Top(core=lower(design), board=board, link=link, digest=digest, clock_mhz=clock_mhz)
    text = verilog.convert(top)
    assert "usb_pll" in text, f"{board.name} has no clock of its own for USB"
    (folder / "top.v").write_text(simulated.top_level(text, board=board), encoding="ascii")
    (folder / "usb_host.v").write_text(USB_HOST.read_text(encoding="ascii"), encoding="ascii")
    macros = {
        "USB": 1,
        "USB_CLOCK": "emulated.usb_clk",
        "USB_PS": round(5e5 / USB_MHZ),
        "CORE_PS": round(5e5 / clock_mhz),
    }
    argv = _verilated(folder, ["board.v", "main.cpp", "top.v", "usb_host.v"], macros)
    argv += map(str, (line.divisor, top.reset_cycles + 100, 10**9))
    payload = link.identity(digest=digest[:8], byte_cycles=line.byte_cycles, loads=False)
    identity = messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))
    return argv, identity, line, USB_MHZ


def _verilated(folder, sources, macros):
    for name in "board.v", "main.cpp":
        source = Path(emulator.__file__).with_name(name)
        (folder / name).write_text(source.read_text(encoding="ascii"), encoding="ascii")
    flags = ["-CFLAGS", " ".join(f"-D{name}={value}" for name, value in macros.items())] if macros else []
    return [*verilate(folder, top="emulated", sources=sources, macros=macros, flags=flags).argv]


def compiled(design, board, clock_mhz, folder):
    """The command that runs the board without its PLL, its identity, its line, and the clock in MHz."""
    if board.usb_link:
        return compiled_usb(design, board, clock_mhz, folder)
    link = link_parameters(design, board.device)
    line = board_line.choose(board, clock_mhz=clock_mhz)
    divisor = line.divisor
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
    argv = _verilated(folder, ["board.v", "main.cpp", "top.v"], {})
    argv += map(str, (divisor, top.reset_cycles + 100, 10**9))
    payload = link.identity(digest=digest[:8], byte_cycles=10 * divisor, loads=False)
    identity = messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))
    return argv, identity, line, clock_mhz


def run(argv, identity, images, labels, size):
    """Cycles to classify images in requests of `size`."""
    packed = identity.pack(images)
    parts = range(0, len(images), size)
    line = b"".join(
        messages.classify(sequence=n % 256, packed=packed[first : first + size]).encode()
        for n, first in enumerate(parts)
    )
    # A core that is slower than the line gets its images at its pace, and the end lets the last come out.
    least = len(images) * identity.image_cycles // identity.byte_cycles * (not identity.flow_control)
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


def _images(dataset, network, count):
    """Those of the test set, or random ones where it is not there: each has a class, and as many bytes."""
    try:
        return data.load(dataset)[2][:count]
    except DataError:
        return np.random.default_rng(1).integers(0, 256, (count, *network.image_shape), np.uint8)


def _small(dataset):
    """A network of two layers whose pixels take all their bits."""
    rng, shape = np.random.default_rng(1), data.DATASETS[dataset].image_shape
    pixels = int(np.prod(shape))
    thresholds = rng.integers(1, 256, (pixels, 1))
    weights = rng.integers(0, 2, (10, pixels))
    return Network(
        name="small",
        image_shape=shape,
        labels=tuple("0123456789"),
        layers=(
            Binarize(name="input", thresholds=thresholds),
            Scores(name="scores", weights=weights, offsets=np.zeros(10, np.int64)),
        ),
    )


def measure(name, count):
    """One row."""
    file, dataset, board, goal = DESIGNS[name]
    board = boards.get(board)
    network = _small(dataset) if file is None else model.load(ROOT / "models" / f"{file}.pt").network
    clock_mhz, _ = clock_and_pll(board)
    cycles = int(clock_mhz * 1e6 / (2 * goal)) if board.usb_link else None
    design = fold.fold(network, board.device, cycles=cycles)
    images = _images(dataset, network, 2 * count)
    _, labels = reference.evaluate(network, images)
    with tempfile.TemporaryDirectory() as folder:
        argv, identity, line, line_mhz = compiled(design, board, clock_mhz, Path(folder))
        rate = line.rate(link_parameters(design, board.device, flow_control=line.flow_control))
        long, short = (run(argv, identity, images[:n], labels[:n], rate.images) for n in (2 * count, count))
    cycles = (long - short) / count
    measured = line_mhz * 1e6 / cycles
    return {
        "design": name,
        "clock_mhz": clock_mhz,
        "line": line.title,
        "baud": line.baud,
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
