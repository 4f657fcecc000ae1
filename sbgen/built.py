"""The folder that `sbgen build` wrote, for the commands that read it: verify, prove, patch and flash."""

import gzip
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import ModelError, SbgenError, VendorError

if TYPE_CHECKING:  # slow to import, and not every command that reads a folder needs them
    from .boards import BoardSpec
    from .boards.harness import Top
    from .boards.netlist import Netlist
    from .compiler.design import Design
    from .compiler.ir import Network
    from .hw.core import Core

__all__ = ["FILES", "Built", "MissingError"]

#: Every file that a build may write, in the order in which they are moved into place.
FILES = (
    "network.json",
    "design.json",
    "core.v",
    "weights.bin",
    "top.v",
    "netlist.json.gz",
    "placed.json.gz",
    "layout.gz",
    "top.bin",
    "top.bit",
    "top.fs",
    "memory.json",
    "vendor.zip",
    "report.html",
    "report.json",
)


class MissingError(SbgenError):
    """A folder lacks a file that only some builds write."""


@dataclass(frozen=True)
class Built:
    """What a build wrote; each file is read when it is first used.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    ModelError
        From any attribute: the folder is not of a build, or the file is damaged.
    MissingError
        From any attribute: the build did not write the file.
    """

    folder: Path

    @cached_property
    def report(self) -> dict[str, Any]:
        """The content of report.json."""
        try:
            report = json.loads((self.folder / "report.json").read_text(encoding="ascii"))
        except OSError as error:
            why = f"its report.json cannot be read: {error.strerror or error}"
            if any(self.folder.glob("*.core")):
                why = "has a core alone, without a board; build without --core"
            raise ModelError(f"{self.folder} must be a folder of `sbgen build`, but {why}") from error
        except ValueError:
            report = None
        if not (
            isinstance(report, dict)
            and isinstance(report.get("board"), str)
            and isinstance(report.get("files"), dict)
        ):
            raise ModelError(
                f"{self.folder}: report.json must be that of a build, but it is damaged; build again"
            )
        return report

    @cached_property
    def board(self) -> "BoardSpec":
        from . import boards

        return boards.get(self.report["board"])

    @property
    def trained_on(self) -> dict[str, Any]:
        """What `trial_images.choose` needs to know of the model's training."""
        # The report of an early build has the data set with the accuracy.
        return {"dataset": self.report["accuracy"]["dataset"], **self.report["model"], "recipe": self.recipe}

    @property
    def _vendors(self) -> str:
        """Why the build has nothing from place and route, if that is its vendor's alone; else empty."""
        try:
            self.board.family  # noqa: B018
        except VendorError as error:
            return str(error)
        except SbgenError:  # a folder without a report
            pass
        return ""

    @cached_property
    def network(self) -> "Network":
        """The integer network, after all passes."""
        from .compiler import exchange

        return exchange.load(self._required("network.json"))

    @cached_property
    def recipe(self) -> dict[str, Any] | None:
        """How samples become inputs of the network, as `samples.Recipe.primitives`; None if it has no
        recipe.
        """
        from .compiler import exchange

        return exchange.load_recipe(self._required("network.json"))

    @cached_property
    def design(self) -> "Design":
        from .compiler import design_file

        return design_file.load(self._required("design.json"), self.network)

    def core(self) -> "Core":
        """A new core component; one that was simulated cannot be used again."""
        from .compiler import lower

        return lower.lower(self.design)

    @property
    def tests_itself(self) -> bool:
        """Whether it was built with stored images in place of a host link."""
        return "self_test" in self.report

    @property
    def baud(self) -> int:
        """The baud rate of its host link."""
        if self.tests_itself:
            raise MissingError("the build tests itself and has no host link; build again without --selftest")
        return int(self.report["link"]["baud"])

    @cached_property
    def top(self) -> "Top":
        """The top-level component, at the clock of the build."""
        from .boards import harness
        from .compiler import exchange, linked

        return harness.Top(
            core=self.core(),
            board=self.board,
            link=linked.link_parameters(self.design, self.board.device, flow_control=self.board.usb_link),
            baud=self.baud,
            clock_mhz=self.report["timing"]["clock_mhz"],
            digest=bytes.fromhex(exchange.digest(self.network)),
            patchable=self.design.patchable,
            sleeps=self.report["timing"].get("sleeps", False),
        )

    @property
    def core_verilog(self) -> str:
        return self._required("core.v").read_text(encoding="ascii")

    @property
    def top_verilog(self) -> str:
        path = self.folder / "top.v"
        if not path.is_file():
            raise MissingError("top.v is not there")
        return path.read_text(encoding="ascii")

    def netlist(self, name: str) -> "Netlist":
        """The netlist in the file `name`, as `sbgen.boards.netlist.load` returns it."""
        from .boards import netlist

        if self.design.patchable:
            raise MissingError("the netlists of a patchable build hold random fill in place of weights")
        if not (self.folder / name).exists():
            raise MissingError(
                self._vendors or f"{name} is not there: built without a bitstream, or by an earlier sbgen"
            )
        return netlist.load(self.folder / name)

    @property
    def bitstream(self) -> Path:
        """The bitstream that the build wrote."""
        from .boards.families import FAMILIES

        for family in FAMILIES.values():
            if (self.folder / family.bitstream_file).is_file():
                return self.folder / family.bitstream_file
        raise MissingError(self._vendors or "there is no bitstream: built with --no-bitstream")

    @cached_property
    def layout(self) -> str:
        """The layout that the build packed into its bitstream, as text."""
        from .boards.flow import LAYOUT

        path = self.folder / LAYOUT
        if not path.is_file():
            raise MissingError(f"{LAYOUT} is not there: built without a bitstream, or by an earlier sbgen")
        packed = path.read_bytes()
        if hashlib.sha256(packed).hexdigest() != self.digest(LAYOUT):
            raise ModelError(f"{path}: must be the file that was built, but is another one; build again")
        return gzip.decompress(packed).decode("ascii")

    @property
    def spram_weights(self) -> bytes:
        """The weights that the board loads into SPRAM at start-up; empty if it loads none."""
        from .boards import flash_image

        if not self.core().ram_contents:
            return b""
        bitstream = self.folder / self.board.family.bitstream_file
        # A build without a bitstream has them in a file of their own.
        return (
            bitstream.read_bytes()[flash_image.OFFSET :]
            if bitstream.exists()
            else (self.folder / "weights.bin").read_bytes()
        )

    def digest(self, name: str) -> str:
        """The SHA-256 of a file, as the report has it."""
        digest = self.report["files"].get(name)
        if not isinstance(digest, str):
            raise ModelError(
                f"{self.folder}: report.json must have the SHA-256 of {name}, but it has none; build again"
            )
        return digest

    def _required(self, name: str) -> Path:
        """The path of a file that every build writes."""
        if not (self.folder / name).is_file():
            raise ModelError(
                f"{self.folder} must be a folder of `sbgen build`, but has no {name}; try: sbgen build --out"
                f" {self.folder}"
            )
        return self.folder / name
