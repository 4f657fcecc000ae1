"""A network that is folded: its hardware, before anything is built."""

from collections.abc import Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..compiler.cycles import Cycles, predict
from ..compiler.design import Design
from ..errors import BoardError, ModelError
from ..folding import Folded, Request
from ..target import Target
from .inputs import Inputs, quiet

if TYPE_CHECKING:
    from ..engines import Answers
    from ..sizing import Estimate
    from .build import BuiltDesign
    from .network import LoadedNetwork

__all__ = ["FoldedDesign"]


class FoldedDesign:
    """A network and its folding, for a board or a part; `LoadedNetwork.fold` returns it.

    Examples
    --------
    >>> import sbgen
    >>> design = sbgen.load("digits").fold("icebreaker", fps=5000)
    >>> design.estimate().resources["bram"]["available"]
    30
    >>> design.estimate().images_per_second >= 5000
    True
    """

    def __init__(self, network: "LoadedNetwork", folded: Folded, request: Request) -> None:
        self._network, self._folded, self._request = network, folded, request
        self._design, self._target = folded.design, folded.target

    def __repr__(self) -> str:
        found = self.estimate()
        return (
            f"FoldedDesign({found.network} on {found.target}: {found.cycles:,} cycles per image,"
            f" {found.images_per_second:,.0f} images/s at {found.clock_mhz:g} MHz)"
        )

    def _repr_html_(self) -> str:
        from ..pictures import design_picture

        return design_picture(self._design, self.estimate())

    @property
    def network(self) -> "LoadedNetwork":
        """The network that was folded."""
        return self._network

    @property
    def foldings(self) -> Design:
        """The design itself (`sbgen.compiler.design.Design`)."""
        return self._design

    @property
    def target(self) -> Target:
        """What it was folded for."""
        return self._target

    def estimate(self) -> "Estimate":
        """Size and speed, without building.

        Returns
        -------
        Estimate
        """
        return self._estimate

    @cached_property
    def _estimate(self) -> "Estimate":
        from ..sizing import estimated

        return estimated(self._folded)

    def cycles(self) -> Cycles:
        """In which cycle each result leaves, exactly: latency and interval.

        Returns
        -------
        Cycles
            ``latency`` and ``interval`` in clock cycles, and the busy cycles of each of ``layers``.
        """
        return self._cycles

    @cached_property
    def _cycles(self) -> Cycles:
        return predict(self._design)

    @cached_property
    def verilog(self) -> str:
        """The core's Verilog, as a build writes it to core.v."""
        from ..compiler import lower, verilog

        return verilog.convert(lower.lower(self._design))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the folding as a design file, for ``fold(design=...)`` and ``--design``."""
        from ..compiler import design_file

        design_file.save(self._design, Path(path))

    def predict(self, x: Inputs, *, engine: str = "reference") -> np.ndarray:
        """The class of each image, computed by the reference or by simulated hardware.

        Parameters
        ----------
        x : array or path
            As `LoadedNetwork.predict`.
        engine : {"reference", "amaranth", "verilog"}
            ``"amaranth"`` simulates the components, without any tool, some images a second at most;
            ``"verilog"`` simulates the Verilog in Verilator or Icarus. A build also has ``"netlist"``
            (`BuiltDesign.predict`).

        Returns
        -------
        int64 array
            As `LoadedNetwork.predict`.

        Raises
        ------
        MismatchError
            The hardware computes other scores than the reference.
        ToolError
            There is no simulator.
        ModelError
            There is no such engine.
        """
        return self._answers(x, engine).decided

    def scores(self, x: Inputs, *, engine: str = "reference") -> np.ndarray:
        """The score of every output; arguments and errors as of `predict`.

        Returns
        -------
        int64 array, shape (N, outputs)
        """
        return self._answers(x, engine).scores

    def _answers(self, x: Inputs, engine: str) -> "Answers":
        from ..engines import DESIGN_ENGINES, require_right

        if engine not in DESIGN_ENGINES:
            raise ModelError(
                f"engine must be one of {', '.join(DESIGN_ENGINES)}, not {engine!r}"
                + (
                    '; design.build("out").predict(x, engine="netlist") is of a build'
                    if engine == "netlist"
                    else ""
                )
            )
        network, images = self._design.network, self._network.images(x)
        with quiet():
            answers = DESIGN_ENGINES[engine](self._design, images, lambda done, total: None)
        require_right(answers, network, images)
        return answers

    def build(
        self,
        folder: str | PathLike[str],
        *,
        bitstream: bool = True,
        simulate: bool = True,
        images: int | None = 300,
        samples: str | PathLike[str] | None = None,
        data: str | PathLike[str] | None = None,
        self_test: bool = False,
        best_clock: bool = False,
        clock_margin: float | None = None,
        seeds: Sequence[int] | None = None,
        jobs: int | None = None,
        baud: int | None = None,
        fresh: bool = False,
        force: bool = False,
        progress: bool = False,
    ) -> "BuiltDesign":
        """Build Verilog, bitstream, verdict and report, as ``sbgen build`` does.

        Parameters
        ----------
        folder : path
            Written as a whole, or left as it was.
        bitstream, simulate : bool
            Whether to go beyond Verilog, and whether to simulate.
        images : int or None
            Simulate the first so many images; None is all.
        samples, data : path, optional
            The images: of your own, or a folder with data sets.
        self_test : bool
            Store images in the bitstream in place of the host link; the LED lights for pass.
        best_clock : bool
            Go on to the fastest clock that place and route reaches; by default the clock of `fold` is
            required if one was given, else that of the board or a lower one is taken.
        clock_margin : float, optional
            Share by which the Fmax must exceed the clock, 0 ... 1.
        seeds : sequence of int, optional
            Of place and route.
        jobs : int, optional
            Seeds in parallel.
        baud : int, optional
            Of the host link.
        fresh : bool
            Use nothing that an earlier build cached.
        force : bool
            Write into a folder with other files.
        progress : bool
            Print the steps.

        Returns
        -------
        BuiltDesign

        Raises
        ------
        BoardError
            It was folded for a part without a board.
        SbgenError
            As ``sbgen build``: the clock is missed, a tool is missing, the folder is not empty, ...
        """
        from ..building import Options, build, check
        from ..console import Console, silent
        from ..top_levels import ClockOptions
        from .build import BuiltDesign

        if self._target.board is None:
            raise BoardError(
                f"a build must be for a board, but this design is for {self._target.name}; design.verilog is"
                " the Verilog of its core"
            )
        options = Options(
            clock=ClockOptions(
                clock="best" if best_clock else self._request.clock,
                margin=clock_margin,
                seeds=seeds,
                jobs=jobs,
                fresh=fresh,
                baud=baud,
            ),
            images=images,
            samples=None if samples is None else Path(samples),
            data=None if data is None else Path(data),
            self_test=self_test,
            bitstream=bitstream,
            simulate=simulate,
            force=force,
        )
        check(options, self._target.board, self._request)
        with quiet():
            build(
                self._network.model,
                self._request,
                self._target,
                options,
                Path(folder),
                folded=self._folded,
                console=Console() if progress else silent(),
            )
        return BuiltDesign(folder)
