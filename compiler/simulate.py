"""A network's images through the emitted Verilog, in a simulator of Verilog and with no Python in the loop.

::

    beats.bin ──▶ source ══ i ══▶ top ══ o ══▶ sink ──▶ images.txt, scores.txt
                  (may stall)                  (may stall)

The testbench is plain enough for Icarus, which starts at once, and for Verilator, which compiles for some
twenty seconds and then is some hundred times faster. Stalls come from one generator written in Verilog, so
that both simulators see the same ones and agree in every cycle.
"""

import math
import re
import struct
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from amaranth.utils import bits_for

from .. import tools
from ..errors import ToolError
from ..hw.spram import records
from .reference import check_images

__all__ = [
    "SIMULATORS",
    "HardwareError",
    "Simulation",
    "Simulator",
    "build",
    "layer_work",
    "patience",
    "quickest",
    "simulate",
    "work",
]

SIMULATORS = ("icarus", "verilator")

# A score for each class of each image takes one line of scores.txt: cycle, score, last, the best classes. The
# cycle in which the first beat of each image is taken takes one line of images.txt. Everything is sampled at
# the rising edge of clk and driven just behind it, so there are no races in either simulator.
TESTBENCH = """\
`timescale 1ns/1ps
`ifdef VERILATOR
module testbench(input clk);
`else
module testbench;
  reg clk = 0;
  always #5 clk = ~clk;
`endif
  localparam LANES = `LANES, SCORE = `SCORE, LABEL = `LABEL, TOP = `TOP;

  reg rst = 1;
  reg [8*LANES-1:0] i_payload = 0;
  reg i_valid = 0, o_ready = 0;
  wire i_ready, o_valid;
  wire [SCORE+LABEL*TOP:0] o_payload;
  top dut(.clk(clk), .rst(rst),
`ifdef BLOCKS
          .load__en(load_en), .load__addr(load_addr), .load__data(load_data),
`endif
          .i__payload(i_payload), .i__valid(i_valid), .i__ready(i_ready),
          .o__payload(o_payload), .o__valid(o_valid), .o__ready(o_ready));

  // Sign-extended here: Verilator 5.48 prints a narrower signed value with whatever lies above its bits.
  wire signed [31:0] score = $signed(o_payload[SCORE-1:0]);
  wire [LABEL*TOP-1:0] labels = o_payload[SCORE+LABEL*TOP-1:SCORE];
  wire last = o_payload[SCORE+LABEL*TOP];

  // RAM that the design lives on is filled while it is held in reset: from load.bin the number of a block, an address and a word.
`ifdef BLOCKS
  reg [`BLOCKS-1:0] load_en = 0;
  reg [13:0] load_addr = 0;
  reg [15:0] load_data = 0;
  reg [39:0] record;
  reg loading = 1;
  integer load_file;
  initial load_file = $fopen("load.bin", "rb");
  always @(posedge clk) begin
    load_en <= 0;
    if (loading) begin
      if ($fread(record, load_file) == 5) begin
        load_en <= 1 << record[39:32];
        load_addr <= record[29:16];
        load_data <= record[15:0];
      end else loading <= 0;
    end
  end
`else
  wire loading = 0;
`endif

  // Stalls: a xorshift generator (Marsaglia, 2003) and, for each side, how likely it is to go on: level/8, drawn anew
  // every 64 cycles on average, so that every speed of one side meets every speed of the other.
  reg [31:0] random = 0;
  reg [3:0] source_level = 8, sink_level = 8;
  wire source_goes = {1'b0, random[2:0]} < source_level;
  wire sink_goes = {1'b0, random[5:3]} < sink_level;
  function [31:0] xorshift(input [31:0] s);
    begin
      xorshift = s ^ (s << 13);
      xorshift = xorshift ^ (xorshift >> 17);
      xorshift = xorshift ^ (xorshift << 5);
    end
  endfunction

  integer beats_file, images_file, scores_file, got, rank;
  integer images, image_beats, classes, stall, patience, step;
  integer cycle = 0, idle = 0, beat = 0, image = 0, class_index = 0, done = 0;
  reg [8*LANES-1:0] next;
  reg held = 0;
  reg [SCORE+LABEL*TOP:0] held_payload;

`ifdef WAVES
  initial begin $dumpfile("waves.vcd"); $dumpvars; end
`endif

  initial begin
    got = $value$plusargs("images=%d", images) + $value$plusargs("image_beats=%d", image_beats)
        + $value$plusargs("classes=%d", classes) + $value$plusargs("stall=%d", stall)
        + $value$plusargs("patience=%d", patience) + $value$plusargs("step=%d", step);
    random = stall;
    if (stall != 0) begin source_level = 4; sink_level = 4; end
    beats_file = $fopen("beats.bin", "rb");
    images_file = $fopen("images.txt", "w");
    scores_file = $fopen("scores.txt", "w");
  end

  always @(posedge clk) begin
    cycle <= cycle + 1;
    rst <= cycle < 2 || loading;
    random <= xorshift(random);
    if (stall != 0 && random[31:26] == 1) begin
      source_level <= 1 + random[8:6];
      sink_level <= 1 + random[11:9];
    end

    if (!rst) begin
      idle <= idle + 1;

      if (i_valid && i_ready) begin
        idle <= 0;
        if (beat == 0) $fwrite(images_file, "%0d\\n", cycle);
        beat = beat + 1;
        if (beat == image_beats) begin beat = 0; image = image + 1; end
      end
      if (!i_valid || i_ready) begin
        i_valid <= 0;
        if (image != images && source_goes) begin
          got = $fread(next, beats_file);
          i_payload <= next;
          i_valid <= 1;
        end
      end

      o_ready <= sink_goes;
      held <= o_valid && !o_ready;
      held_payload <= o_payload;
      if (held && (!o_valid || o_payload !== held_payload)) begin
        $display("error: the stream o gave up beat %0d of image %0d before it was taken", class_index, done);
        $finish;
      end
      if (o_valid && o_ready) begin
        idle <= 0;
        $fwrite(scores_file, "%0d %0d %0d", cycle, score, last);
        for (rank = 0; rank < TOP; rank = rank + 1) $fwrite(scores_file, " %0d", labels[LABEL*rank +: LABEL]);
        $fwrite(scores_file, "\\n");
        class_index = class_index + 1;
        if (class_index == classes) begin
          class_index = 0;
          done = done + 1;
          if (done % step == 0) begin $display("%0d", done); $fflush; end
          if (done == images) begin $display("done"); $finish; end
        end
      end

      if (idle > patience) begin
        $display("error: nothing moved for %0d cycles; %0d images in, %0d out", patience, image, done);
        $finish;
      end
    end
  end
endmodule
"""

# The clock, for Verilator: with it out of the Verilog there is no scheduling of delays, which would take a
# newer C++.
MAIN = """\
#include "Vtestbench.h"
#include "verilated.h"

int main(int argc, char** argv) {
  VerilatedContext context;
  context.commandArgs(argc, argv);
  context.traceEverOn(true);
  Vtestbench testbench{&context};
  while (!context.gotFinish()) {
    testbench.clk = !testbench.clk;
    testbench.eval();
    context.timeInc(1);
  }
  testbench.final();
}
"""


class HardwareError(ToolError):
    """A design that hangs, breaks the rules of a stream or gives bits that are not defined: a defect of
    sbgen.
    """


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """What the hardware computed, and when.

    Parameters
    ----------
    scores : int64 array, shape (N, outputs)
    ranked : int64 array, shape (N, top)
        The best classes of each image, the best first, as the hardware gives them beside its last score.
        Where the signs decide, the bit of each output instead, shape (N, outputs).
    first_beats, last_scores : int64 array, shape (N,)
        The clock cycle in which the first beat of each image, and its last score, were taken.
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
    def labels(self):
        """The class of each image, an array of shape (N,), or of a multi-label network its bits, (N,
        outputs).
        """
        return self.ranked if self.multi_label else self.ranked[:, 0]

    @property
    def latency_cycles(self):
        """Cycles from the first beat of the first image to its last score."""
        return int(self.last_scores[0] - self.first_beats[0])

    @property
    def interval_cycles(self):
        """Cycles between the last scores of the last two images: the steady interval when nothing stalls."""
        if len(self.last_scores) < 2:
            raise ValueError(f"an interval takes at least 2 images, not {len(self.last_scores)}")
        return int(self.last_scores[-1] - self.last_scores[-2])


class Simulator:
    """The compiled simulation of one design, to be run any number of times.

    Parameters
    ----------
    verilog_text : str
        As `verilog.convert` gives it, with the module ``top``.
    network : Network
    lanes : int
        Pixels in a beat, as in `Core.lanes`.
    simulator : str
        One of `SIMULATORS`.
    folder : path
        Where to build; made when it is not there, and kept.
    top : int
        Best classes that the results tell, as in `Core.top`.
    image : tuple of tuple of int
        What fills the design's RAM, as in `Core.image`.
    waves : bool
        Whether a run leaves ``waves.vcd`` in the folder.

    Raises
    ------
    ToolError
        When the simulator is missing or refuses the Verilog.
    """

    def __init__(self, verilog_text, network, *, lanes, simulator, folder, top=1, image=(), waves=False):
        if simulator not in SIMULATORS:
            raise ValueError(f"simulator must be one of {', '.join(SIMULATORS)}, not {simulator!r}")
        self._network = network
        self._lanes = lanes
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "top.v").write_text(verilog_text)
        (self._folder / "testbench.v").write_text(TESTBENCH)
        # The bits of a network that decides by sign are printed one by one, as so many ranks would be.
        label, top = (
            (1, network.outputs) if network.decision == "sign" else (bits_for(network.outputs - 1), top)
        )
        self._top = top
        macros = {
            "LANES": lanes,
            "SCORE": _port_width(verilog_text, "o__payload") - top * label - 1,
            "LABEL": label,
            "TOP": top,
        }
        if image:
            macros["BLOCKS"] = len(image)
            (self._folder / "load.bin").write_bytes(
                b"".join(struct.pack(">BHH", *record) for record in records(image))
            )
        self._program, self._name = build(self._folder, simulator=simulator, macros=macros, waves=waves)

    @property
    def name(self):
        """Name and version of the simulator."""
        return self._name

    def run(self, images, *, stall=None, progress=None):
        """Images through the design, one behind the other.

        Parameters
        ----------
        images : uint8 array, shape (N, *image_shape) or (N, pixels), N at least 1
        stall : int or None
            None: the source always offers and the sink always takes. Otherwise a seed, 1 ... 2**31 - 1, from
            which both sides stall at random.
        progress : callable or None
            Called with (images done, images) some hundred times.

        Returns
        -------
        Simulation

        Raises
        ------
        HardwareError
            When the design hangs, breaks the rules of a stream, or gives bits that are not defined.
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
        # $fread fills a register from its most significant byte on; lane 0 is the least significant.
        beats.reshape(-1, self._lanes)[:, ::-1].tofile(self._folder / "beats.bin")
        settings = {
            "images": len(images),
            "image_beats": image_beats,
            "classes": network.outputs,
            "stall": stall or 0,
            "patience": patience(network),
            "step": -(-len(images) // 100),
        }

        def on_line(line):
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
                f"the design must take and give all of its {len(images)} images, but {self.name} found: "
                + said[said.index("error: ") + 7 :].splitlines()[0]
                + "; this is a defect of sbgen, please report it with the network and its foldings"
            )
        return self._result(len(images))

    def _result(self, images):
        classes = self._network.outputs
        text = (self._folder / "scores.txt").read_text()
        if "x" in text.lower():
            raise HardwareError(f"every score must be defined, but {self.name} found bits that are not (x)")
        numbers = np.array(text.split(), np.int64).reshape(images, classes, 3 + self._top)
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
    verilog_text,
    network,
    images,
    *,
    lanes,
    simulator="auto",
    stall=None,
    progress=None,
    keep=None,
    top=1,
    image=(),
):
    """Images through the emitted Verilog, once.

    Parameters
    ----------
    verilog_text : str
        As `verilog.convert` gives it, with the module ``top``.
    network : Network
    images : uint8 array, shape (N, *image_shape) or (N, pixels), N at least 1
    lanes : int
        Pixels in a beat, as in `Core.lanes`.
    simulator : str
        One of `SIMULATORS`, or ``"auto"``: Icarus while the work is small or there is nothing else, else
        Verilator.
    stall : int or None
        As in `Simulator.run`.
    progress : callable or None
        As in `Simulator.run`.
    keep : path or None
        A folder for the testbench, its inputs, outputs and logs; None is a temporary one.
    top, image
        As in `Simulator`.

    Returns
    -------
    Simulation

    Raises
    ------
    ToolError
        No simulator is found, or the design is wrong in a way that no score tells.
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
            top=top,
            image=image,
        )
        return built.run(images, stall=stall, progress=progress)


def quickest(network, images):
    """The one of `SIMULATORS` that is done first with so many images, of those that are there; a `ToolError`
    when none is.
    """
    return _choose(images * work(network))


def patience(network):
    """Cycles in which nothing moves at either end after which a core certainly hangs.

    One that works stands still at both ends for at most one image, and each weight takes at most a cycle.
    """
    return 1000 + 4 * (network.pixels + work(network))


def work(network):
    """Weights that are read for one image, a convolution's once for each position and those of several planes
    for each plane, and elements under the kernels of pools."""
    return sum(map(layer_work, network.layers, network.shapes[1:]))


def layer_work(layer, output_shape):
    """The share of a layer, with an output of that shape, in the `work` of its network."""
    if layer.weight_bits:
        return layer.planes * layer.weight_bits * math.prod(output_shape) // layer.outputs
    return math.prod(output_shape) * math.prod(getattr(layer, "kernel", ()))


# Icarus counts some 300,000 weights a second whatever the folding, Verilator 300 million after some 12 s of
# compilation.
_ICARUS_WEIGHTS = 4_000_000


def _choose(weights):
    found, errors = [], []
    for simulator, program in ("icarus", "iverilog"), ("verilator", "verilator"):
        try:
            tools.find(program)
            found.append(simulator)
        except ToolError as error:
            errors.append(str(error))
    if not found:
        raise ToolError("a simulator of Verilog is needed; " + "; ".join(errors))
    return found[-1] if weights > _ICARUS_WEIGHTS else found[0]


def _port_width(verilog_text, port):
    found = re.search(
        rf"^\s*output (?:wire |reg )?(?:\[(\d+):0\] )?{port}\s*[;,]", verilog_text, re.MULTILINE
    )
    return int(found[1] or 0) + 1


def build(folder, *, simulator, macros, waves=False, quick=False):
    """Compile ``testbench.v`` and ``top.v`` of a folder.

    Parameters
    ----------
    folder : Path
    simulator : str
        One of `SIMULATORS`.
    macros : dict of str
        What the testbench finds defined.
    waves : bool
        Whether ``WAVES`` is defined too, under which a testbench calls ``$dumpvars``.
    quick : bool
        Whether compiling soon counts for more than running fast.

    Returns
    -------
    program : `sbgen.tools.Tool`
        To be run in that folder.
    name : str
        Name and version of the simulator.
    """
    macros = {**macros, "WAVES": 1} if waves else macros
    return (
        _icarus(folder, macros)
        if simulator == "icarus"
        else _verilator(folder, macros, "-O0" if quick else "-O2")
    )


def _icarus(folder, macros):
    compiler, runner = tools.find("iverilog"), tools.find("vvp")
    tools.run(
        compiler,
        ["-g2005", "-s", "testbench", "-o", "testbench.vvp", *_defines(macros), "testbench.v", "top.v"],
        cwd=folder,
        log=folder / "build.log",
    )
    # -n: a testbench that stops must end, not ask.
    return replace(runner, argv=(*runner.argv, "-n", "testbench.vvp")), f"Icarus Verilog {compiler.version}"


def _verilator(folder, macros, optimization):
    compiler = tools.find("verilator")
    (folder / "main.cpp").write_text(MAIN)
    make = {
        # The runtime library is compiled as well and hardly runs: its optimisation would only cost time.
        "OPT_FAST": optimization,
        "OPT_SLOW": "-O0",
        "OPT_GLOBAL": "-O0",
        # Empty in the package, which breaks designs of more than one file.
        "CFG_CXXFLAGS_PCH_I": "-include",
        "PYTHON3": sys.executable,
    }
    tools.run(
        compiler,
        [
            "--cc",
            "--exe",
            "--build",
            "-j",
            "0",
            "--no-timing",
            "-O3",
            *(["--trace-vcd"] if "WAVES" in macros else []),
            "-Wno-fatal",
            "-Wno-lint",
            "-Wno-style",
            "-MAKEFLAGS",
            " ".join(f"{name}={value}" for name, value in make.items()),
            "--top-module",
            "testbench",
            "-Mdir",
            "obj",
            "-o",
            "testbench",
            *_defines(macros),
            "testbench.v",
            "top.v",
            "main.cpp",
        ],
        cwd=folder,
        log=folder / "build.log",
    )
    program = tools.Tool(
        name="testbench",
        argv=(str((folder / "obj" / "testbench").absolute()),),
        version=compiler.version,
        origin="build",
    )
    return program, f"Verilator {compiler.version}"


def _defines(macros):
    return [f"-D{name}={value}" for name, value in macros.items()]
