"""Images through one design, in a Verilog simulator."""

import re
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from amaranth.utils import bits_for

from ... import tools
from ...errors import ToolError
from ...hw.spram import records
from ..ir import Network
from ..reference import check_images
from .programs import SIMULATORS, build, choose
from .workload import patience, rest, work

__all__ = ["HardwareError", "Simulation", "Simulator", "quickest", "simulate"]


class HardwareError(ToolError):
    """A design that hangs, breaks the rules of a stream or outputs undefined bits: a defect of sbgen."""


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What the hardware computed, and in which cycles.

    Parameters
    ----------
    scores : int64 array, shape (N, outputs), or (N, 1) of the best class where only that is reported
    ranked : int64 array, shape (N, top_k)
        The best classes of each image, the best first, as the hardware outputs them with its last score.
        Where the signs decide, the bit of each output instead, shape (N, outputs).
    first_beats, last_scores : int64 array, shape (N,)
        The clock cycles in which the first beat of each image, and its last score, were taken.
    simulator : str
        Name and version.
    multi_label : bool
        Whether an image has a bit per output instead of one class.
    """

    scores: np.ndarray
    ranked: np.ndarray
    first_beats: np.ndarray
    last_scores: np.ndarray
    simulator: str
    multi_label: bool = False

    @property
    def labels(self) -> np.ndarray:
        """The class of each image, shape (N,); of a multi-label network the bits, (N, outputs)."""
        return self.ranked if self.multi_label else self.ranked[:, 0]

    @property
    def latency_cycles(self) -> int:
        """Cycles from the first beat of the first image to its last score."""
        return int(self.last_scores[0] - self.first_beats[0])

    @property
    def interval_cycles(self) -> int:
        """Cycles between the last scores of the last two images: the steady interval when nothing stalls."""
        if len(self.last_scores) < 2:
            raise ValueError(f"an interval takes at least 2 images, not {len(self.last_scores)}")
        return int(self.last_scores[-1] - self.last_scores[-2])


class Simulator:
    """The compiled simulation of one design; it can run any number of times.

    Parameters
    ----------
    verilog_text : str
        As `verilog.convert` returns it, with the module ``top``.
    network : Network
    lanes : int
        Pixels in a beat, as in `Core.lanes`.
    simulator : str
        One of `SIMULATORS`.
    folder : path
        Where to build; created when it is missing, and not removed.
    top_k : int
        Number of best classes that the core reports, as in `Core`.
    results : int or None
        Results per image, as `Core.outputs`; None is one for each score.
    ram_contents : sequence of sequence of int
        What the design's RAM is filled with, as in `Core`.
    waves : bool
        Whether a run leaves ``waves.vcd`` in the folder.

    Raises
    ------
    ToolError
        When the simulator is missing or refuses the Verilog.
    """

    def __init__(
        self,
        verilog_text: str,
        network: Network,
        *,
        lanes: int,
        simulator: str,
        folder: Path | str,
        top_k: int = 1,
        results: int | None = None,
        ram_contents: Sequence[Sequence[int]] = (),
        waves: bool = False,
    ) -> None:
        if simulator not in SIMULATORS:
            raise ValueError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
        self._network = network
        self._results = results or network.outputs
        self._lanes = lanes
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "top.v").write_text(verilog_text)
        shutil.copyfile(Path(__file__).with_name("testbench.v"), self._folder / "testbench.v")
        # The bits of a network that decides by sign are printed one by one, as so many ranks would be.
        signs = network.decision == "sign"
        label, top_k = (1, network.outputs) if signs else (bits_for(network.outputs - 1), top_k)
        self._top_k = top_k
        macros = {
            "LANES": lanes,
            "SCORE": _port_width(verilog_text, "o__payload") - top_k * label - 1,
            "LABEL": label,
            "TOP": top_k,
        }
        if ram_contents:
            macros["BLOCKS"] = len(ram_contents)
            (self._folder / "load.bin").write_bytes(
                b"".join(struct.pack(">BHH", *record) for record in records(ram_contents))
            )
        self._program, self._name = build(self._folder, simulator=simulator, macros=macros, waves=waves)

    @property
    def name(self) -> str:
        """Name and version of the simulator."""
        return self._name

    def run(
        self,
        images: np.ndarray,
        *,
        stall: int | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Simulation:
        """Send images through the design, one after the other.

        Parameters
        ----------
        images : uint8 array, shape (N, *image_shape) or (N, pixels), N at least 1
        stall : int or None
            None: the source always has a beat and the sink always takes one. Otherwise a seed (1 to
            2**31 - 1) from which both sides stall at random.
        progress : callable or None
            Called with (images done, images) about a hundred times.

        Returns
        -------
        Simulation

        Raises
        ------
        HardwareError
            When the design hangs, breaks the rules of a stream, or outputs undefined bits.
        """
        network = self._network
        images = check_images(network, images)
        if len(images) == 0:
            raise ValueError("a simulation takes at least one image")
        if stall is not None and not 0 < stall < 2**31:
            raise ValueError(f"stall must be None or a seed in 1 ... {2**31 - 1}, not {stall!r}")
        image_beats = -(-network.pixels // self._lanes)
        beats = np.zeros((len(images), image_beats * self._lanes), np.uint8)
        beats[:, : network.pixels] = images
        # $fread fills a register from its most significant byte; lane 0 is the least significant.
        beats.reshape(-1, self._lanes)[:, ::-1].tofile(self._folder / "beats.bin")
        settings = {
            "images": len(images),
            "image_beats": image_beats,
            "classes": self._results,
            "stall": stall or 0,
            "patience": patience(network),
            "rest": 0 if stall else rest(network),
            "step": -(-len(images) // 100),
        }

        def on_line(line: str) -> None:
            if progress is not None and line.isdigit():
                progress(int(line), len(images))

        said = tools.run(
            self._program,
            [f"+{name}={value}" for name, value in settings.items()],
            cwd=self._folder,
            log=self._folder / "run.log",
            on_line=on_line,
        )
        if "error: " in said:
            raise HardwareError(
                f"the design must accept and return all of its {len(images)} images, but {self.name} found: "
                + said[said.index("error: ") + 7 :].splitlines()[0]
                + "; this is a defect of sbgen, please report it with the network and its foldings"
            )
        return self._result(len(images))

    def _result(self, images: int) -> Simulation:
        classes = self._results
        text = (self._folder / "scores.txt").read_text()
        if "x" in text.lower():
            raise HardwareError(f"every score must be defined, but {self.name} found bits that are not (x)")
        numbers = np.array(text.split(), np.int64).reshape(images, classes, 3 + self._top_k)
        first_beats = np.array((self._folder / "images.txt").read_text().split(), np.int64)
        cycles, scores, last, *_ = np.moveaxis(numbers, 2, 0)
        if (last != (np.arange(classes) == classes - 1)).any():
            raise HardwareError(
                f"the last of every {classes} scores must be marked, but {self.name} found other marks"
            )
        return Simulation(
            scores=scores,
            ranked=numbers[:, -1, 3:],
            first_beats=first_beats,
            last_scores=cycles[:, -1],
            simulator=self.name,
            multi_label=self._network.multi_label,
        )


def simulate(
    verilog_text: str,
    network: Network,
    images: np.ndarray,
    *,
    lanes: int,
    simulator: str = "auto",
    stall: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    keep: Path | str | None = None,
    top_k: int = 1,
    results: int | None = None,
    ram_contents: Sequence[Sequence[int]] = (),
) -> Simulation:
    """Send images through the emitted Verilog, once.

    Parameters
    ----------
    verilog_text : str
        As `verilog.convert` returns it, with the module ``top``.
    network : Network
    images : uint8 array, shape (N, *image_shape) or (N, pixels), N at least 1
    lanes : int
        Pixels in a beat, as in `Core.lanes`.
    simulator : str
        One of `SIMULATORS`, or ``"auto"``: the `quickest`.
    stall : int or None
        As in `Simulator.run`.
    progress : callable or None
        As in `Simulator.run`.
    keep : path or None
        A folder for the testbench, its inputs, outputs and logs; None for a temporary one.
    top_k, results, ram_contents
        As in `Simulator`.

    Returns
    -------
    Simulation

    Raises
    ------
    ToolError
        When no simulator is found, or the design is wrong in a way that no score shows.
    """
    if simulator == "auto":
        simulator = quickest(network, len(images))
    with tools.temporary() as folder:
        built = Simulator(
            verilog_text,
            network,
            lanes=lanes,
            simulator=simulator,
            folder=keep or folder,
            top_k=top_k,
            results=results,
            ram_contents=ram_contents,
        )
        return built.run(images, stall=stall, progress=progress)


def quickest(network: Network, images: int) -> str:
    """The one of `SIMULATORS` that is done first with so many images, of those that are installed; a
    `ToolError` when none is.
    """
    return choose(images * work(network))


def _port_width(verilog_text: str, port: str) -> int:
    found = re.search(
        rf"^\s*output (?:wire |reg )?(?:\[(\d+):0\] )?{port}\s*[;,]", verilog_text, re.MULTILINE
    )
    assert found is not None, port
    return int(found[1] or 0) + 1
