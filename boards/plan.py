"""The way from Verilog to a bitstream as a plan: every file and every command, before anything runs.

Everything runs in one folder with relative names, so that no path gets into a product and the same plan
produces the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .. import tools
    from ..compiler.contents import Memory
    from .board_spec import BoardSpec

__all__ = ["FLAT", "MARGIN", "Plan", "Step", "placement"]

#: Share by which a design must be faster than its clock: room for the jitter of oscillator and PLL, which the
#: timing analysis leaves out.
MARGIN = 0.03

#: The end of every synthesis: the hierarchy is needed no more, and the netlist is written.
FLAT = "setattr -mod -unset keep_hierarchy *; flatten; opt_clean -purge; write_json top.json"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One call of a tool.

    Parameters
    ----------
    title : str
        What it does, for a person.
    tool : `sbgen.tools.Tool`
    args : tuple of str
    reads, writes : tuple of str
        Names of its input files and of the output that is needed.
    seed : int or None
        Of place and route.
    spare : tuple of str or None
        Arguments for a second attempt, after a known fault of the tool (`workarounds.run`).
    refused : str
        A regular expression of a line in its log that makes it fail, although the tool went on.
    """

    title: str
    tool: tools.Tool
    args: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    seed: int | None = None
    spare: tuple[str, ...] | None = None
    refused: str = ""

    @property
    def log(self) -> str:
        """Name of its log."""
        return f"{self.tool.name}.log" if self.seed is None else f"{self.tool.name}-{self.seed}.log"

    def key(self, folder: Path) -> str | None:
        """SHA-256 of its command, its tool's version and the files that it reads in `folder`; None for a tool
        whose version is not known.
        """
        if not self.tool.version:
            return None
        files = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in self.reads}
        content = [self.tool.name, self.tool.version, self.tool.origin, *self.args, files]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is going to happen, before it does.

    Parameters
    ----------
    board : `BoardSpec`
    clock_mhz : float
        The clock that the core really gets and that has to be met.
    files : dict of str to str
        Names and contents of the input files.
    synthesis : `Step`
    placements : tuple of `Step`
        Place and route with each seed. Each writes nextpnr's report, the placed netlist and, in most
        families, the layout.
    packing : `Step`
        Reads the last of these, of the seed that is taken, under another name.
    bitstream : str
        Name of the product.
    margin : float
        Share by which the Fmax must exceed the clock.
    every_seed : bool
        Whether all seeds are tried and the one with the highest Fmax is taken, or the first that meets the
        clock.
    contents, noise : dict of str to `sbgen.compiler.contents.Memory`, or None
        In a patchable design, what its ROMs finally hold, and the random fill that replaces it from synthesis
        to place and route.
    """

    board: BoardSpec
    clock_mhz: float
    files: Mapping[str, str]
    synthesis: Step
    placements: tuple[Step, ...]
    packing: Step
    bitstream: str
    margin: float = MARGIN
    every_seed: bool = False
    contents: Mapping[str, Memory] | None = None
    noise: Mapping[str, Memory] | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        return (self.synthesis, *self.placements, self.packing)

    @property
    def least_fmax_mhz(self) -> float:
        """The Fmax that meets the clock with its margin."""
        return self.clock_mhz * (1 + self.margin)

    @property
    def aim_mhz(self) -> float:
        """The Fmax that place and route aims at: also with a smaller margin it accepts the same result."""
        return self.clock_mhz * (1 + max(self.margin, MARGIN))

    @property
    def digest(self) -> str:
        """SHA-256 of the inputs, the commands and the tools' versions: plans with the same digest produce the
        same bitstream.
        """
        contents = (
            None if self.contents is None else {name: memory.words for name, memory in self.contents.items()}
        )
        content = {
            "files": self.files,
            "margin": self.margin,
            "every_seed": self.every_seed,
            "contents": contents,
            "steps": [[step.tool.name, step.tool.version, *step.args] for step in self.steps],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def placement(
    seed: int,
    *,
    tool: tools.Tool,
    reads: tuple[str, ...],
    args: Sequence[str],
    layout_option: str = "",
    suffix: str = "",
    refused: str = "",
) -> Step:
    """Place and route of nextpnr with a seed.

    The names of its files contain the seed, so that several run in one folder. `layout_option` makes it write
    the layout; without it, it writes none. `refused` is as in `Step`.
    """
    report, placed = f"nextpnr-{seed}.json", f"placed-{seed}.json"
    layout = (f"top-{seed}.{suffix}",) if layout_option else ()
    return Step(
        title="place and route",
        tool=tool,
        reads=reads,
        writes=(report, placed, *layout),
        seed=seed,
        refused=refused,
        args=(
            *args,
            *((layout_option, *layout) if layout else ()),
            "--write",
            placed,
            "--seed",
            str(seed),
            "--report",
            report,
            "--timing-allow-fail",
        ),
    )
