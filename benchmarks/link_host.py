"""The host's half of the link: its rate in real time, what it costs the processor, and a damaged line.

    python benchmarks/link_host.py [--rates] [--processor] [--damage [FRAMES]] [--only BUILD]

`--rates` classifies on a stub of a board, a process of its own behind a pseudo-terminal, which takes and
sends bytes at the baud rate and holds short packets back for the latency timer of an FTDI converter. What a
board reports is that of its build. `--processor` counts the processor time of the host alone, at a stub
without a limit. `--damage` classifies on the board in software of tests/soft_board.py over a line that
damages 1 in 1,000 bytes in both directions. On a machine that does other work, `chrt -f 1 python ...`
measures the rates.
"""

import argparse
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
from sbgen.boards import host
from sbgen.boards.messages import Identity, result_bytes
from sbgen.hw.protocol import WANT_ALL, WANT_CLASS

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from link_cases import random_images
from soft_board import Port, SoftBoard, scores_of

#: What the boards of these builds report: pixels, bits of a pixel, outputs, bytes of a score, cycles per
#: image on the board and per byte, most images in a request, bytes of the store; and the baud rate.
BUILDS = {
    "tfc-mnist icebreaker": (784, 1, 10, 1, 1870, 40, 41, 4072, 12_000_000),
    "digits icebreaker": (64, 3, 10, 1, 760, 40, 85, 4072, 12_000_000),
    "tfc-mnist ulx3s_85f": (784, 1, 10, 1, 1870, 160, 41, 4072, 3_000_000),
    "cnv-cifar10 ulx3s_85f": (3072, 8, 10, 2, 14400, 250, 5, 32760, 3_000_000),
}

#: Bytes of a full USB packet of an FTDI converter, without its two bytes of status.
_PACKET = 510


#: The page with the table of rates, between these marks.
PAGE = Path(__file__).parents[1] / "docs" / "host.md"
MARKS = ("<!-- the table of benchmarks/link_host.py -->", "<!-- its end -->")


def identity_of(build):
    pixels, bits, outputs, score_bytes, image_cycles, byte_cycles, images, store, _ = BUILDS[build]
    return Identity(
        lanes=1,
        outputs=outputs,
        pixels=pixels,
        digest=bytes(8),
        pixel_bits=bits,
        levels=tuple(range(30, 30 * (1 << bits), 30)) if bits < 4 else (),
        score_bytes=score_bytes,
        image_cycles=image_cycles,
        byte_cycles=byte_cycles,
        frame_images=images,
        store_bytes=store,
    )


def stub(port, identity, baud, latency):
    """A board that answers every image with class 0 and scores of 0, as fast as its line.

    `baud` None is a line without a limit; `latency` are the seconds of the converter's timer.
    """
    rate = None if baud is None else baud / 10
    line, out, since = b"", bytearray(), 0.0
    taken = sent = 0  # bytes up to now, from `start` on
    start = time.monotonic()
    ready = []  # (time at which the bytes have crossed the line, bytes)
    while True:
        readable, _, _ = select.select([port], [], [], 0.0005)
        now = time.monotonic()
        if readable:
            if rate is None:
                data = os.read(port, 1 << 16)
            else:
                # An idle line saves nothing up for later.
                taken = max(taken, (now - start - 0.002) * rate)
                room = int((now - start) * rate - taken)
                data = os.read(port, room) if room else b""
                taken += len(data)
            *frames, line = (line + data).split(b"\xc0")
            for frame in frames:
                if answer := _answer(frame, identity):
                    sent = max(sent, (now - start) * rate if rate else 0) + len(answer)
                    ready.append((start + sent / rate if rate else 0, answer))
        while ready and ready[0][0] <= now:
            since = since if out else now
            out += ready.pop(0)[1]
        if out and (len(out) >= _PACKET or now >= since + latency):
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
        target=stub, args=(ours, identity, baud if limited else None, latency), daemon=True
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
    for build in BUILDS:
        if only and only not in build:
            continue
        identity, baud = identity_of(build), BUILDS[build][-1]
        per_second = baud / 10 / identity.image_bytes
        images = random_images(identity, max(200, round(3 * per_second)), 0)
        for latency_ms in 1, 16:
            seconds, processor, lost = at_stub(identity, baud, latency_ms / 1000, images, WANT_CLASS)
            rows.append(
                {
                    "build": build,
                    "baud": baud,
                    "latency_ms": latency_ms,
                    "images": len(images),
                    "images_per_second": round(len(images) / seconds, 1),
                    "bound": round(per_second, 1),
                    "processor": round(processor / seconds, 3),
                    "lost": lost,
                }
            )
            print(rows[-1], flush=True)
    return rows


def table(rows):
    """The rates as a table in Markdown."""
    lines = [
        "| build | baud | latency timer | images/s | of the line's | of a processor core |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['build']} | {row['baud']:,} | {row['latency_ms']} ms | {row['images_per_second']:,.0f} |"
            f" {row['images_per_second'] / row['bound']:.0%} | {row['processor']:.0%} |"
        )
    return "\n" + "\n".join(lines) + "\n"


def write_table(rows):
    """Replace the table in docs/host.md."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    PAGE.write_text(before + MARKS[0] + table(rows) + MARKS[1] + after, encoding="utf-8")


def processor(only):
    rows = []
    for build in BUILDS:
        if only and only not in build:
            continue
        identity, baud = identity_of(build), BUILDS[build][-1]
        images = random_images(identity, 6_000_000 // identity.image_bytes, 0)
        for want in WANT_CLASS, WANT_ALL:
            _, used, _ = at_stub(identity, baud, 0.0, images, want, limited=False)
            line = len(images) * (identity.image_bytes + result_bytes(identity, want))
            rows.append(
                {
                    "build": build,
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
