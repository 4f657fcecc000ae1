"""Many damaged frames through the emitted link, which must never report a wrong class as right.

    python benchmarks/link_fuzz.py [--frames 1000000] [--rate 0.001] [--seed 0] [--write]

A small network on a board's top level runs in Verilator. Requests follow each other without a pause, each for
random images and random results, so several are in flight. Of the bytes in both directions a share of `rate`
is damaged, dropped or doubled. Checked are:

* A response whose checksum is right has the results of its request, for every image.
* Each request without a damaged byte is answered, whatever happened to the one before: a fault costs one
  frame. Only its response can be lost, if that is damaged itself.
* The board answers to the end.

``--write`` writes ``results/link-fuzz.json``. Exits with status 1 if anything is wrong.
"""

import argparse
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import record

from sbgen import boards, emulator
from sbgen.boards import messages
from sbgen.boards.frames import REASONS, Frame, Reader
from sbgen.boards.harness import Top
from sbgen.boards.messages import WANT_ALL, WANT_CLASS, Identity
from sbgen.compiler import exchange, reference, verilog
from sbgen.compiler.design import Design
from sbgen.compiler.ir import Binarize, Network, Scores
from sbgen.compiler.linked import link_parameters
from sbgen.compiler.lower import lower
from sbgen.compiler.random_network import fold_at_random
from sbgen.compiler.simulate import verilate
from sbgen.errors import LinkError
from sbgen.hw import uart
from sbgen.hw.protocol import CLASSIFY, RESPONSE
from sbgen.hw.slip import END

#: Different images, whose results are computed once.
_IMAGES = 256

#: Most images of a request.
_MOST = 3

#: Requests that are sent before the first of them must be answered: sequence numbers go round after 256.
_AHEAD = 120

#: Seconds without a byte from the board after which it hangs.
_PATIENCE = 60


def network(seed: int) -> Network:
    """Six pixels of three codes, three classes."""
    rng = np.random.default_rng(seed)
    first = Binarize(name="input", thresholds=np.tile([64, 160], (6, 1)))
    scores = Scores(name="scores", weights=rng.integers(0, 2, (3, 12)), offsets=rng.integers(-3, 4, 3))
    return Network(name="small", image_shape=(6,), labels=("a", "b", "c"), layers=(first, scores))


def compiled(design: Design, folder: Path) -> tuple[list[str], Identity]:
    """The command that runs the board, with bytes of the line as its input and output, and its identity."""
    board = replace(boards.get("icebreaker"), usb_chip=None)
    link, clock_hz = link_parameters(design, board.device), board.oscillator_mhz * 1e6
    digest = bytes.fromhex(exchange.digest(design.network))
    top = Top(
        core=lower(design),
        board=board,
        link=link,
        digest=digest,
        clock_mhz=board.oscillator_mhz,
        baud=clock_hz / uart.MINIMUM_DIVISOR,
    )
    (folder / "top.v").write_text(verilog.convert(top), encoding="ascii")
    for name in "board.v", "main.cpp":
        source = Path(emulator.__file__).with_name(name)
        (folder / name).write_text(source.read_text(encoding="ascii"), encoding="ascii")
    tool = verilate(folder, top="emulated", sources=["board.v", "main.cpp", "top.v"], macros={})
    # The last number is large: the clock never pauses.
    argv = [*tool.argv, *map(str, (top.divisor, top.reset_cycles + 100, 10**9))]
    payload = link.identity(digest=digest[:8], byte_cycles=10 * top.divisor, loads=False)
    return argv, messages.parse_identity(Frame(command=0x81, sequence=0, payload=payload))


@dataclass(frozen=True)
class Sent:
    """A request: its images, what it wants of them, and whether it was damaged on its way."""

    images: tuple[int, ...]
    want: int
    damaged: bool


class Line:
    """Damages bytes."""

    def __init__(self, rate: float, seed: int) -> None:
        self._rng, self._rate = random.Random(seed), rate
        self.faults: Counter[str] = Counter()
        self._left = self._gap()

    def _gap(self) -> int:
        return int(self._rng.expovariate(self._rate)) if self._rate else sys.maxsize

    def carry(self, line: bytes) -> tuple[bytes, bool]:
        """What arrives of some bytes, and whether it is something else."""
        if self._left >= len(line):
            self._left -= len(line)
            return line, False
        arrived = bytearray()
        for byte in line:
            if self._left:
                self._left -= 1
                arrived.append(byte)
                continue
            self._left = self._gap()
            kind = self._rng.choice(("damaged", "dropped", "doubled"))
            self.faults[kind] += 1
            if kind == "damaged":
                arrived.append(byte ^ self._rng.randrange(1, 256))
            elif kind == "doubled":
                arrived += bytes([byte, byte])
        return bytes(arrived), bytes(arrived) != line


class Fuzz:
    """One run: requests go out of one thread, and what the board sends is judged in another."""

    def __init__(self, *, seed: int, rate: float, folder: Path) -> None:
        self._rng = random.Random(seed)
        self.there, self.back = Line(rate, seed + 1), Line(rate, seed + 2)
        net = network(seed)
        self._argv, self._identity = compiled(fold_at_random(seed, net), folder)
        images = np.random.default_rng(seed).integers(0, 256, (_IMAGES, 6)).astype(np.uint8)
        self._packed = self._identity.pack(images)
        self._scores, self._labels = reference.evaluate(net, images)
        self._requests: list[Sent] = []
        self._next = 0  # the first request that may still be answered
        self._said: deque[Frame] = deque()  # by the board, and not heard by the host so far
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self, frames: int) -> None:
        """Send so many requests and judge all answers."""
        board = subprocess.Popen(
            self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        sender = threading.Thread(target=self._send, args=(board.stdin, frames))
        watch = threading.Timer(_PATIENCE, board.kill)
        sender.start()
        said, heard = Reader(), Reader()
        while data := board.stdout.read1(1 << 16):
            watch.cancel()
            watch = threading.Timer(_PATIENCE, board.kill)
            watch.start()
            for frame in said.feed(data):
                self._judge(frame)
                self._said.append(frame)
            for frame in heard.feed(self.back.carry(data)[0]):
                self._hear(frame)
        watch.cancel()
        sender.join()
        board.stdout.close()
        if board.wait() != 0:
            self.wrong.append(f"the board hung or crashed: {board.returncode}")
        self._skip_to(len(self._requests))

    def _send(self, board, frames: int) -> None:
        identity = self._identity
        try:
            for n in range(frames):
                images = tuple(self._rng.randrange(_IMAGES) for _ in range(self._rng.randint(1, _MOST)))
                want = self._rng.choice((WANT_CLASS, WANT_ALL, 1))
                request = messages.classify(sequence=n % 256, packed=self._packed[list(images)], want=want)
                # The host keeps the pace of responses.
                response = 10 + len(images) * messages.result_bytes(identity, want)
                line = request.encode()
                line, damaged = self.there.carry(line + bytes([END]) * max(0, 1 + response - len(line)))
                self._requests.append(Sent(images, want, damaged))
                board.write(line)
                if n - self._next > _AHEAD:
                    board.flush()
                while n - self._next > _AHEAD:
                    time.sleep(0.001)
            # Whatever is still in the link comes out before the end.
            board.write(bytes([END]) * 4000)
            board.close()
        except BrokenPipeError:
            pass  # the board is gone, which the other thread reports

    def _judge(self, frame: Frame) -> None:
        """Whether an answer of the board is right."""
        if frame.is_failure:
            self.counts[REASONS[frame.payload[0]]] += 1
            return
        n = self._next + (frame.sequence - self._next) % 256
        if frame.command != CLASSIFY | RESPONSE or n >= len(self._requests):
            self.wrong.append(f"an answer to nothing: {frame}")
            return
        self._skip_to(n)
        self._next = n + 1
        sent, chosen = self._requests[n], list(self._requests[n].images)
        self.counts["answered"] += 1
        self.counts["images"] += len(chosen)
        try:
            got = messages.parse_results(frame, identity=self._identity, want=sent.want, images=len(chosen))
        except LinkError as error:
            self.wrong.append(f"request {n}: {error}")
            return
        right = np.array_equal(got.labels, self._labels[chosen])
        if sent.want == WANT_ALL:
            right &= np.array_equal(got.scores, self._scores[chosen])
        elif sent.want != WANT_CLASS:
            right &= np.array_equal(got.best_scores[:, 0], self._scores[chosen].max(axis=1))
        if not right:
            self.wrong.append(f"request {n}: {got} for images {chosen}")

    def _skip_to(self, n: int) -> None:
        """The requests before this one that were not answered must have been damaged."""
        for k in range(self._next, n):
            self.counts["lost requests"] += 1
            if not self._requests[k].damaged:
                self.wrong.append(f"request {k} was not damaged, but is not answered")
        self._next = n

    def _hear(self, frame: Frame) -> None:
        """Whether what the host takes for a frame is one that the board sent, and in its order."""
        while self._said:
            if self._said.popleft() == frame:
                self.counts["heard"] += 1
                return
            self.counts["lost responses"] += 1
        self.wrong.append(f"the host heard what was not sent: {frame}")


def run(*, frames: int, rate: float, seed: int) -> dict:
    """The result of a run as fields of a record."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        fuzz = Fuzz(seed=seed, rate=rate, folder=Path(folder))
        fuzz.run(frames)
    for each in fuzz.wrong[:10]:
        print(each)
    return {
        "frames": frames,
        "rate": rate,
        "seed": seed,
        "faults_of_requests": dict(sorted(fuzz.there.faults.items())),
        "faults_of_responses": dict(sorted(fuzz.back.faults.items())),
        "counts": dict(sorted(fuzz.counts.items())),
        "wrong": len(fuzz.wrong),
        "seconds": round(time.monotonic() - start, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    found = run(frames=arguments.frames, rate=arguments.rate, seed=arguments.seed)
    for name, value in found.items():
        print(f"{name}: {value}")
    if arguments.write:
        print(record.write("link-fuzz", found))
    sys.exit(found["wrong"] > 0)


if __name__ == "__main__":
    main()
