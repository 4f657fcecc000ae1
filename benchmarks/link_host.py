"""The host's half of the link: its rate in real time, what it costs the processor, and a damaged line.

    python benchmarks/link_host.py [--rates] [--processor] [--damage [FRAMES]] [--only BUILD]

`--rates` classifies on a stub of a board, a process of its own behind a pseudo-terminal. It takes and sends
bytes at the baud rate, has the buffer of an FTDI converter (4,096 bytes in an FT2232H, 512 in an FT231X) and
holds short packets back for its latency timer. What a board reports is that of its build. Where it is
allowed, the rates are measured before other programs of the machine (SCHED_FIFO). `--processor` counts the
processor time of the host alone, at a stub without a limit. `--damage` classifies on the board in software of
tests/soft_board.py over a line that damages 1 in 1,000 bytes in both directions.
"""

import argparse
import contextlib
import multiprocessing
import os
import random
import select
import sys
import time
import tty
import zlib
from pathlib import Path

import record

import sbgen
from sbgen import boards
from sbgen.boards import baud as bauds
from sbgen.boards import harness, host, messages
from sbgen.boards.frames import Frame
from sbgen.boards.link_rate import LinkRate
from sbgen.boards.messages import result_bytes
from sbgen.compiler import fold, linked
from sbgen.compiler.frontends import model
from sbgen.hw.protocol import WANT_ALL, WANT_CLASS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from link_cases import random_images
from soft_board import Port, SoftBoard, scores_of

#: Model, board, and the images per second that its core is folded for, or None for the fastest that fits.
BUILDS = (
    ("tfc-mnist", "icebreaker", None),
    ("digits", "icebreaker", None),
    ("tfc-mnist", "ulx3s_85f", None),
    ("cnv-cifar10", "ulx3s_85f", 5000),
)

#: Bytes of a full USB packet of an FTDI converter, without its two bytes of status.
_PACKET = 510


#: The page with the table of rates, between these marks.
PAGE = Path(__file__).parents[1] / "docs" / "host.md"
MARKS = ("<!-- the table of benchmarks/link_host.py -->", "<!-- its end -->")


def boards_of(only):
    """For each build its name, the identity of its board, the baud rate, and the rate of the model."""
    for model_name, board_name, fps in BUILDS:
        name = f"{model_name} {board_name}"
        if only and only not in name:
            continue
        board = boards.get(board_name)
        clock_mhz, _ = harness.clock_and_pll(board)
        network = model.load(Path(__file__).parents[1] / "models" / f"{model_name}.pt").network
        cycles = None if fps is None else int(clock_mhz * 1e6 / fps)
        link = linked.link_parameters(fold.fold(network, board.device, cycles=cycles), board.device)
        baud, divisor = bauds.choose(board, clock_mhz=clock_mhz)
        payload = link.identity(digest=bytes(8), byte_cycles=10 * divisor, loads=False)
        identity = messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))
        rate = LinkRate(
            baud=baud,
            image_bytes=identity.image_bytes,
            result_bytes=result_bytes(identity, WANT_CLASS),
            image_cycles=identity.image_cycles,
            byte_cycles=identity.byte_cycles,
            frame_images=identity.frame_images,
            store_bytes=identity.store_bytes,
        )
        yield name, identity, baud, rate.images_per_second


@contextlib.contextmanager
def real_time():
    """Before other programs of this machine, where that is allowed: yields whether it is."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    except (AttributeError, OSError):
        yield False
        return
    try:
        yield True
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def stub(port, identity, baud, latency, fifo):
    """A board that answers every image with class 0 and scores of 0, as fast as its line.

    `baud` None is a line without a limit; `latency` are the seconds of the converter's timer, `fifo` the
    bytes that it holds for the line.
    """
    os.set_blocking(port, False)
    rate = 1e12 if baud is None else baud / 10
    held, line, out, since = bytearray(), b"", bytearray(), 0.0
    ready = []  # (time at which the bytes have crossed the line, bytes)
    budget, before, free = 0.0, time.monotonic(), 0.0  # `free` is when the line back is
    while True:
        # What the converter holds crosses the line while this program sleeps too.
        if not held and not ready and not out:
            select.select([port], [], [], 0.01)
        elif budget < 1:
            time.sleep(0.0003)
        now = time.monotonic()
        budget, before = budget + (now - before) * rate, now
        while True:
            with contextlib.suppress(BlockingIOError):
                held += os.read(port, fifo - len(held)) if len(held) < fifo else b""
            if not held:
                budget = 0.0  # an idle line saves nothing up
                break
            count = min(len(held), int(budget))
            if not count:
                break
            budget -= count
            *frames, line = (line + bytes(held[:count])).split(b"\xc0")
            del held[:count]
            for frame in frames:
                if answer := _answer(frame, identity):
                    free = max(free, now) + len(answer) / rate
                    ready.append((free, answer))
        while ready and ready[0][0] <= now:
            since = since if out else now
            out += ready.pop(0)[1]
        if out and (len(out) >= _PACKET or now >= since + latency):
            with contextlib.suppress(BlockingIOError):
                del out[: os.write(port, out)]


def _answer(frame, identity):
    content = frame.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb")
    if len(content) < 6 or zlib.crc32(content[:-4]) != int.from_bytes(content[-4:], "little"):
        return b""
    payload = identity.encode()
    if content[0] == 2:
        images = (len(content) - 7) // identity.image_bytes
        payload = bytes(images * result_bytes(identity, content[2]))
    body = bytes([content[0] | 0x80, content[1]]) + payload
    body += zlib.crc32(body).to_bytes(4, "little")
    return b"\xc0" + body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"


def at_stub(identity, baud, latency, images, want, *, limited=True):
    """Seconds and seconds of the processor that the host takes for images, and requests that were lost."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    process = multiprocessing.get_context("fork").Process(
        target=stub,
        args=(ours, identity, baud if limited else None, latency, 4096 if baud > 3_000_000 else 512),
        daemon=True,
    )
    process.start()
    try:
        with sbgen.Board(port=os.ttyname(theirs), baud=baud) as board:
            ask = board.predict if want == WANT_CLASS else board.scores
            ask(images[:100])
            start, used = time.monotonic(), time.process_time()
            answers = ask(images)
            seconds, processor = time.monotonic() - start, time.process_time() - used
            assert len(answers) == len(images) and not answers.any()
            return seconds, processor, board.errors.lost
    finally:
        process.terminate()
        process.join()
        os.close(theirs)
        os.close(ours)


def rates(only):
    rows = []
    for name, identity, baud, modelled in boards_of(only):
        line = baud / 10 / identity.image_bytes
        images = random_images(identity, max(200, round(3 * line)), 0)
        for latency_ms in 1, 16:
            with real_time() as ahead:
                seconds, used, lost = at_stub(identity, baud, latency_ms / 1000, images, WANT_CLASS)
            rows.append(
                {
                    "build": name,
                    "baud": baud,
                    "latency_ms": latency_ms,
                    "images": len(images),
                    "images_per_second": round(len(images) / seconds, 1),
                    "line": round(line, 1),
                    "model": round(modelled, 1),
                    "processor": round(used / seconds, 3),
                    "lost": lost,
                    "real_time": ahead,
                }
            )
            print(rows[-1], flush=True)
    return rows


def table(rows):
    """The rates as a table in Markdown."""
    lines = [
        "| build | baud | latency timer | images/s | what the line allows | of a processor core |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['build']} | {row['baud']:,} | {row['latency_ms']} ms | {row['images_per_second']:,.0f} |"
            f" {row['line']:,.0f} | {row['processor']:.0%} |"
        )
    return "\n" + "\n".join(lines) + "\n"


def write_table(rows):
    """Replace the table in docs/host.md."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(before + MARKS[0] + table(rows) + MARKS[1] + after, encoding="utf-8")


def processor(only):
    rows = []
    for name, identity, baud, _ in boards_of(only):
        images = random_images(identity, 6_000_000 // identity.image_bytes, 0)
        for want in WANT_CLASS, WANT_ALL:
            _, used, _ = at_stub(identity, baud, 0.0, images, want, limited=False)
            line = len(images) * (identity.image_bytes + result_bytes(identity, want))
            rows.append(
                {
                    "build": name,
                    "want": "class" if want == WANT_CLASS else "scores",
                    "images": len(images),
                    "megabytes_per_processor_second": round(line / used / 1e6, 2),
                }
            )
            print(rows[-1], flush=True)
    return rows


class Damage:
    """Flips, drops or doubles 1 in 1,000 bytes."""

    def __init__(self, seed, mean=1000):
        self.rng, self.mean = random.Random(seed), mean
        self.left = self._gap()
        self.count = 0

    def _gap(self):
        return int(self.rng.expovariate(1 / self.mean))

    def __call__(self, line):
        out = bytearray()
        while self.left < len(line):
            out += line[: self.left]
            byte, line = line[self.left], line[self.left + 1 :]
            out += self.rng.choice((b"", bytes([byte, byte]), bytes([byte ^ 1 << self.rng.randrange(8)])))
            self.left = self._gap()
            self.count += 1
        self.left -= len(line)
        return bytes(out + line)


def damage(frames):
    """A run of images over a damaged line: every answer is compared with the truth."""
    board = SoftBoard(frame_images=1)
    there, back = Damage(1), Damage(2)

    class Line(Port):
        def write(self, line):
            self.out += back(self.board.feed(there(line)))

        def read(self, count):
            if not self.out:
                self.out += back(self.board.rest())
            taken, self.out = bytes(self.out[:count]), self.out[count:]
            return taken

    port, wrong, done, start = Line(board), 0, 0, time.monotonic()
    link = host.Link(port=port)
    slowest = last = start
    while board.requests < frames:
        images = random_images(board.identity, 20_000, done)
        truth = scores_of(board.identity, images)
        first, slowest = 0, 0.0
        last = time.monotonic()
        for results in link.classify(images):
            right = truth[first : first + len(results.labels)]
            wrong += int((results.scores != right).any(axis=1).sum())
            first += len(right)
            slowest, last = max(slowest, time.monotonic() - last), time.monotonic()
        assert first == len(images)
        done += first
        print(f"{board.requests:,} frames, {wrong} wrong, {link.errors}", flush=True)
    errors = link.errors
    return {
        "frames": board.requests,
        "images": done,
        "damaged_bytes": there.count + back.count,
        "wrong": wrong,
        "sent_again": errors.lost,
        "silent": errors.silent,
        "sent_again_per_damage": round(errors.lost / (there.count + back.count), 3),
        "seconds": round(time.monotonic() - start),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rates", action="store_true")
    parser.add_argument("--processor", action="store_true")
    parser.add_argument("--damage", nargs="?", type=int, const=1_000_000, metavar="FRAMES")
    parser.add_argument("--only", metavar="BUILD")
    parser.add_argument(
        "--write", action="store_true", help="write benchmarks/results/link_host.json and the table"
    )
    arguments = parser.parse_args()
    if arguments.write and (arguments.only or not arguments.rates):
        parser.error("--write records the rates of all builds")
    content = {}
    if arguments.rates:
        content["rates"] = rates(arguments.only)
    if arguments.processor:
        content["processor"] = processor(arguments.only)
    if arguments.damage:
        content["damage"] = damage(arguments.damage)
        print(content["damage"])
    if arguments.write:
        print(record.write("link_host", content))
        write_table(content["rates"])


if __name__ == "__main__":
    main()
