"""A board's top level in a Verilog simulator, through the pins of its link, as a host sees the board. ::

    line.txt ──▶ host ═ rx and tx, or D+ and D- ═▶ top ═▶ host ──▶ heard.txt

The top level may be the emitted one, a netlist after synthesis or after place and route, or the Verilog of a
bitstream: all have the same pins. The clock at the pin is the one that the PLL would output. If the design
loads its weights, a flash that holds them is connected to its other pins and is modelled cycle by cycle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import tools
from ..compiler.reference import check_images
from ..compiler.simulate import HardwareError, patience
from . import frames, messages, testbench
from .messages import WANT_ALL

if TYPE_CHECKING:
    from ..compiler.ir import Network

__all__ = ["USB_HOST", "Answers", "Pins"]

# In a line of line.txt, a number from 0 is a byte to send and -1 waits for the next frame. The end of the
# file ends the run after the last frame. A frame ends with the END (192) that follows at least one other
# byte.
#: Most images in a request.
_IMAGES = 3

#: Cycles without a byte that enumeration, a late host and a poll take together.
_USB_PATIENCE = 300_000

#: The other ends of a UART and of USB.
UART_HOST, USB_HOST = (Path(__file__).with_name(f"{name}_host.v") for name in ("uart", "usb"))

_BODY = """\
  wire rx, tx;
`ifdef USB
  wire d_p, d_n, pulled_up, host_p, host_n, host_drives;
  assign d_p = host_drives ? host_p : 1'bz;
  assign d_n = host_drives ? host_n : 1'bz;
  pullup (d_p);
  pulldown (d_n);
  `define LINE .usb_d_p(d_p), .usb_d_n(d_n), .usb_pullup(pulled_up)
`else
  `define LINE .rx(rx), .tx(tx)
`endif
  top dut(.clk(clk), `LINE `FLASH_PINS);

`ifdef WAVES
  initial begin $dumpfile("waves.vcd"); $dumpvars; end
`endif

  integer line_file, heard_file, got, code;
  integer divisor, reset_cycles, patience, pause;
  integer cycle = 0, idle = 0, rest = 0, wanted = 0, frames = 0;
  reg ended = 0, content = 0, offered = 0;
  reg [7:0] offer = 0;
  wire taken, heard, failed;
  wire [7:0] heard_byte, failure;
`ifdef USB
  usb_host #(.FAULTS(`FAULTS)) host(
    .clk(clk), .start(cycle > reset_cycles), .present(pulled_up),
    .p(host_p), .n(host_n), .drive(host_drives), .line_p(d_p), .line_n(d_n),
    .send_byte(offer), .send_valid(offered), .send_ready(taken), .heard_byte(heard_byte),
    .heard_valid(heard), .configured(), .failed(failed), .failure(failure));
`else
  uart_host host(
    .clk(clk), .start(cycle > reset_cycles), .divisor(divisor), .rx(rx), .tx(tx),
    .send_byte(offer), .send_valid(offered), .send_ready(taken), .heard_byte(heard_byte),
    .heard_valid(heard), .failed(failed), .failure(failure));
`endif

  initial begin
    got = $value$plusargs("divisor=%d", divisor) + $value$plusargs("reset=%d", reset_cycles)
        + $value$plusargs("patience=%d", patience) + $value$plusargs("pause=%d", pause);
    line_file = $fopen("line.txt", "r");
    heard_file = $fopen("heard.txt", "w");
  end

  always @(posedge clk) begin
    cycle <= cycle + 1;
    idle <= idle + 1;

    if (offered) begin
      idle <= 0;
      if (taken) offered <= 0;
    end else if (rest != 0) begin
      idle <= 0;
      rest <= rest - 1;
      offered <= rest == 1;
    end else if (cycle > reset_cycles && frames == wanted && !ended) begin
      got = $fscanf(line_file, "%d", code);
      if (got != 1) ended <= 1;
      else if (code < 0) wanted <= wanted + 1;
      else begin
        offer <= code[7:0];
        if (pause != 0) rest <= 1 + $urandom % pause;
        else offered <= 1;
      end
    end

    if (heard) begin
      idle <= 0;
      $fwrite(heard_file, "%0d\\n", heard_byte);
      content <= heard_byte != 192;
      if (heard_byte == 192 && content) begin
        frames <= frames + 1;
        $display("%0d", frames + 1);
        $fflush;
      end
    end
    if (failed) begin
      $display("error: the host at the board's pins found fault %0d", failure);
      $finish;
    end

    if (ended && frames == wanted) begin $display("done"); $finish; end
    if (idle > patience) begin
      $display("error: nothing came for %0d cycles; %0d frames so far", patience, frames);
      $finish;
    end
  end
"""


@dataclass(frozen=True, kw_only=True)
class Answers:
    """The answers of the board.

    Parameters
    ----------
    identity : `messages.Identity`
    scores : int64 array, shape (N, outputs)
    labels : int64 array, shape (N,), or of a multi-label network its bits, (N, outputs)
    simulator : str
    """

    identity: messages.Identity
    scores: np.ndarray
    labels: np.ndarray
    simulator: str


class Pins:
    """The compiled simulation of one top level.

    Parameters
    ----------
    verilog_text : str
        With the module ``top`` and the pins ``clk``, ``rx`` and ``tx``.
    network : Network
    simulator : str
        One of `sbgen.compiler.simulate.SIMULATORS`.
    divisor : int
        Clock cycles per bit of the line.
    usb : bool
        Whether it is USB (``usb_host.v``), whose clock is then that of the core too.
    faults : bool
        Whether packets on USB are damaged, lost and late at random.
    reset_cycles : int
        From the start until the board listens and has loaded its weights.
    flash : bytes
        Contents of the flash from `flash_image.OFFSET` on; empty if the top level has no flash.
    folder : path
        Where to build; created if necessary, and not removed.
    waves : bool
        Whether a run leaves ``waves.vcd`` in the folder.
    pause : int
        Before each byte the line rests for a random number of cycles below this; 0 for none.

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
        simulator: str,
        divisor: int,
        usb: bool = False,
        faults: bool = False,
        reset_cycles: int,
        folder: str | Path,
        flash: bytes = b"",
        waves: bool = False,
        pause: int = 0,
    ):
        self._network = network
        self._settings = {
            "divisor": divisor,
            "reset": reset_cycles,
            "patience": reset_cycles
            + _IMAGES * patience(network)
            + (_USB_PATIENCE if usb else 20 * 10 * divisor),
            "pause": pause,
        }
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        verilog_text += (USB_HOST if usb else UART_HOST).read_text(encoding="ascii")
        self._program, self.name = testbench.compile_top(
            verilog_text,
            body=_BODY,
            simulator=simulator,
            folder=self._folder,
            flash=flash,
            macros={"USB": 1, "FAULTS": int(faults)} if usb else {},
            waves=waves,
        )

    def ask(self, images: np.ndarray, *, progress: Callable[[int, int], None] | None = None) -> Answers:
        """Identify the board, then classify every image.

        Parameters
        ----------
        images : uint8 array, shape (N, *image_shape) or (N, pixels)
        progress : function or None
            Called with (images done, images).

        Raises
        ------
        HardwareError
            When an answer is missing, or does not answer its request.
        """
        images = check_images(self._network, images)
        identity = messages.parse_identity(self._exchange([messages.identify(sequence=0)], None)[0])
        signs = self._network.decision == "sign"
        if (identity.outputs, identity.signs) != (self._network.outputs, signs):
            raise HardwareError(
                f"the board must report {self._network.outputs} outputs that decide by"
                f" {self._network.decision}, but reports {identity.outputs} by"
                f" {'sign' if identity.signs else 'argmax'}"
            )
        packed = identity.pack(images.reshape(len(images), -1))
        size = min(_IMAGES, identity.frame_images)
        parts = [packed[first : first + size] for first in range(0, len(packed), size)]
        requests = [
            messages.classify(sequence=n % 256, packed=part, want=WANT_ALL) for n, part in enumerate(parts)
        ]
        answers = self._exchange(requests, progress and (lambda done: progress(done * size, len(images))))
        results = [
            messages.parse_results(answer, identity=identity, want=WANT_ALL, images=len(part))
            for answer, part in zip(answers, parts, strict=True)
        ]
        return Answers(
            identity=identity,
            scores=np.concatenate([each.scores for each in results]),
            labels=np.concatenate([each.labels for each in results]),
            simulator=self.name,
        )

    def _exchange(
        self, requests: list[frames.Frame], progress: Callable[[int], None] | None
    ) -> list[frames.Frame]:
        """The answers to requests, sent one after the other; `progress` is called with their number."""
        with open(self._folder / "line.txt", "w") as file:
            for request in requests:
                file.writelines(f"{byte}\n" for byte in request.encode())
                file.write("-1\n")

        def on_line(line: str) -> None:
            if progress is not None and line.isdigit():
                progress(int(line))

        said = tools.run(
            self._program,
            [f"+{name}={value}" for name, value in self._settings.items()],
            cwd=self._folder,
            log=self._folder / "run.log",
            on_line=on_line,
        )
        if "error: " in said:
            raise HardwareError(
                f"the board must answer every frame, but {self.name} found: "
                + said[said.index("error: ") + 7 :].splitlines()[0]
            )
        line = bytes(map(int, (self._folder / "heard.txt").read_text().split()))
        heard = frames.Reader().feed(line)
        if len(heard) != len(requests) or not all(map(frames.Frame.answers, heard, requests)):
            raise HardwareError(
                f"the board must answer {len(requests)} frames, but {self.name} heard {len(heard)} undamaged"
                " ones"
            )
        return heard
