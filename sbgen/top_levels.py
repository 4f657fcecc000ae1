"""What a build emits: the core's files, and the board around the core at any clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .console import Console

if TYPE_CHECKING:  # only needed when a build runs
    from .boards import BoardSpec
    from .boards.board_spec import Pin
    from .boards.flow import Implementation
    from .boards.plan import Plan
    from .compiler.design import Design
    from .hw.core import Core
    from .hw.link_parameters import Parameters
    from .hw.self_test import Parameters as SelfTestParameters

__all__ = ["ClockOptions", "Emitted", "TopLevels", "emit"]


@dataclass(frozen=True, kw_only=True)
class ClockOptions:
    """The clock and the serial line that are requested, and how place and route looks for them.

    Parameters
    ----------
    clock : float, ``"best"`` or None
        Core clock in MHz; ``"best"`` is the fastest that any seed reaches, None the board's usual one.
    margin : float or None
        Share by which the Fmax must exceed the clock; None is the board's.
    seeds : sequence of int or None
        Seeds of place and route, in the order in which they are tried.
    jobs : int or None
        How many at the same time; None is as cores and memory allow.
    fresh : bool
        Run every step, even if an earlier build cached its result.
    baud : int or None
        Of the host link; None is the fastest that the board can make.
    sleep : bool
        Stop the clock between requests.
    """

    clock: "float | str | None" = None
    margin: float | None = None
    seeds: Sequence[int] | None = None
    jobs: int | None = None
    fresh: bool = False
    baud: int | None = None
    sleep: bool = False

    @property
    def fixed(self) -> float | None:
        """The clock that was given in MHz, or None."""
        return self.clock if isinstance(self.clock, (int, float)) else None


@dataclass(frozen=True, kw_only=True)
class Emitted:
    """A core and its Verilog, the network's digest, and the weights to load at start-up (often none)."""

    core: "Core"
    link: "Parameters"
    verilog: str
    digest: str
    weights: bytes


def emit(design: "Design", board: "BoardSpec", recipe: Mapping[str, Any] | None, staging: Path) -> Emitted:
    """Write the files of the core."""
    from .boards import flash_image
    from .compiler import design_file, exchange, linked, lower, verilog

    core = lower.lower(design)
    emitted = Emitted(
        core=core,
        link=linked.link_parameters(design, board.device, flow_control=board.usb_link),
        verilog=verilog.convert(core),
        digest=exchange.digest(design.network),
        weights=flash_image.weight_bytes(core.ram_contents),
    )
    (staging / "core.v").write_text(emitted.verilog, encoding="ascii")
    if emitted.weights:
        (staging / "weights.bin").write_bytes(emitted.weights)
    exchange.save(design.network, staging / "network.json", recipe=recipe)
    design_file.save(design, staging / "design.json")
    return emitted


@dataclass(frozen=True, kw_only=True)
class TopLevels:
    """The board around the core, at any clock.

    Parameters
    ----------
    options : ClockOptions
    fixed_rate : bool
        Whether the design was folded for a number of images per second.
    board : BoardSpec
    emitted : Emitted
    patchable : bool
    self_test : Parameters or None
        Of the test that is in place of the host link.
    """

    options: ClockOptions
    fixed_rate: bool
    board: "BoardSpec"
    emitted: Emitted
    patchable: bool
    self_test: "SelfTestParameters | None"

    @property
    def margin(self) -> float:
        """Share by which the Fmax must exceed the clock."""
        given = self.options.margin
        return self.board.clock_margin if given is None else given

    def verilog(self, clock_mhz: float | None) -> "tuple[str, Sequence[Pin]]":
        """The Verilog of the top level, and its pins."""
        from .boards import harness
        from .boards.self_test import SelfTestTop
        from .compiler import verilog

        if self.self_test is not None:
            tested = SelfTestTop(
                core=self.emitted.core, board=self.board, parameters=self.self_test, clock_mhz=clock_mhz
            )
            return verilog.convert(tested), tested.pins
        top = harness.Top(
            core=self.emitted.core,
            board=self.board,
            link=self.emitted.link,
            baud=self.options.baud,
            clock_mhz=clock_mhz,
            digest=bytes.fromhex(self.emitted.digest),
            patchable=self.patchable,
            sleeps=self.options.sleep,
        )
        return verilog.convert(top), top.pins

    def plan(self, clock_mhz: float | None) -> "tuple[str, Plan]":
        """The Verilog of the top level, and the plan for its bitstream."""
        from .boards import flow

        text, pins = self.verilog(clock_mhz)
        return text, flow.plan(
            verilog=text,
            board=self.board,
            clock_mhz=clock_mhz,
            margin=self.margin,
            pins=pins,
            every_seed=self.options.clock == "best",
            seeds=flow.SEEDS if self.options.seeds is None else self.options.seeds,
            patchable=self.patchable,
        )

    def implement(
        self, first: "tuple[str, Plan]", staging: Path, console: Console
    ) -> "tuple[str, Implementation]":
        """The Verilog at the final clock, and what place and route reached."""
        from . import clock_search

        options = self.options
        return clock_search.search(
            self.plan,
            first,
            lambda plan: clock_search.implement(
                plan, staging, console=console, jobs=options.jobs, fresh=options.fresh
            ),
            wish=clock_search.Wish(
                required=options.fixed is not None,
                rate=self.fixed_rate,
                best=options.clock == "best",
                margin=self.margin,
            ),
            console=console,
        )
