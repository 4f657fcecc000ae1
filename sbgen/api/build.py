"""The output folder of a build: what it reports, whether it is right, and what it predicts."""

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..built import Built
from ..console import Console, silent
from ..errors import ModelError
from .inputs import Inputs, images_of, quiet

if TYPE_CHECKING:
    from ..engines import Answers
    from ..verification.whole import Ledger

__all__ = ["BuiltDesign", "open_build"]


def open_build(folder: str | PathLike[str]) -> "BuiltDesign":
    """The build in a folder, of `FoldedDesign.build` or ``sbgen build``.

    Raises
    ------
    ModelError
        The folder is not of a build.
    """
    return BuiltDesign(folder)


class BuiltDesign:
    """The output folder of a build; `FoldedDesign.build` and `open_build` return it."""

    def __init__(self, folder: str | PathLike[str]) -> None:
        self._built = Built(Path(folder))
        self._built.report  # noqa: B018 - refuses what is no build

    def __repr__(self) -> str:
        report = self.report
        verdict = report["verdict"]
        exact = f"exact on {verdict['images']:,} images" if verdict["status"] == "exact" else "not simulated"
        return (
            f"BuiltDesign({self.folder}: {report['network']['name']} on {report['board']},"
            f" {report['timing']['images_per_second']:,.0f} images/s, {exact})"
        )

    def _repr_html_(self) -> str:
        from ..pictures import frame

        return frame((self.folder / "report.html").read_text(encoding="utf-8"), height=900)

    @property
    def folder(self) -> Path:
        """The output folder."""
        return self._built.folder

    @property
    def report(self) -> dict[str, Any]:
        """The content of report.json (``docs/report.md``)."""
        return self._built.report

    @property
    def bitstream(self) -> Path:
        """The file of the bitstream.

        Raises
        ------
        MissingError
            None was built.
        """
        return self._built.bitstream

    @property
    def verilog(self) -> str:
        """The core's Verilog."""
        return self._built.core_verilog

    def predict(self, x: Inputs, *, engine: str = "reference") -> np.ndarray:
        """The class of each image, computed by the reference or by simulated hardware.

        Parameters
        ----------
        x : array or path
            As `LoadedNetwork.predict`.
        engine : {"reference", "verilog", "netlist"}
            ``"verilog"`` simulates core.v; ``"netlist"`` the whole board after place and route, byte by byte
            through its serial line, which takes seconds for each image.

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
            There is no such engine, or the build has no netlist.
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
        from ..engines import ENGINES, require_right

        if engine not in ENGINES:
            raise ModelError(f"engine must be one of {', '.join(ENGINES)}, not {engine!r}")
        built = self._built
        images = images_of(x, built.network, built.recipe)
        with quiet():
            answers = ENGINES[engine](built, images, lambda done, total: None)
        require_right(answers, built.network, images)
        return answers

    def verify(
        self,
        *,
        model: str | PathLike[str] | None = None,
        samples: str | PathLike[str] | None = None,
        data: str | PathLike[str] | None = None,
        images: int | None = 300,
        seed: int | None = None,
        progress: bool = False,
    ) -> "Ledger":
        """Check the build against its model, level by level, as ``sbgen verify`` does.

        Parameters
        ----------
        model : path, optional
            The file that it was built from, if it has moved.
        samples, data : path, optional
            The images: of your own, or a folder with data sets.
        images : int or None
            The first so many; None is all. Slow levels run only the first few.
        seed : int, optional
            Random images in place of the test set.
        progress : bool
            Print the steps.

        Returns
        -------
        Ledger
            ``failed`` is True if a level found a difference; ``outcomes`` has one entry for each level.
        """
        from ..verification import whole

        with quiet():
            ledger = whole.verify(
                self._built,
                model=None if model is None else Path(model),
                samples=None if samples is None else Path(samples),
                data=None if data is None else Path(data),
                images=images,
                seed=seed,
                console=Console() if progress else silent(),
            )
        return ledger

    def prove(
        self, *, budget: int = 300, jobs: int = 2, only: str | None = None, progress: bool = False
    ) -> dict[str, Any]:
        """Prove the parts of the design correct for every input, as ``sbgen prove`` does.

        Parameters
        ----------
        budget : int
            Maximum processor seconds per proof.
        jobs : int
            Proofs in parallel.
        only : str, optional
            Only statements whose subject or place contains this text; nothing is written then.
        progress : bool
            Print the steps.

        Returns
        -------
        dict
            The content of proofs.json: ``proofs``, each with ``subject``, ``claim`` and ``status``, and
            what is ``not_proved_here`` (``docs/prove.md``).
        """
        from .. import proving

        with quiet():
            report = proving.prove(
                self._built, budget=budget, jobs=jobs, only=only, console=Console() if progress else silent()
            )
        return report
