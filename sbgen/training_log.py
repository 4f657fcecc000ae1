"""What a training writes after each epoch: a .csv, a picture, and the log that TensorBoard reads."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import training_chart
from .errors import ToolError
from .train.errors import SettingsError

if TYPE_CHECKING:  # it needs torch
    from .train.loop import Epoch

__all__ = ["TrainingLog"]

_COLUMNS = "seed,epoch,nu,loss,soft,hard"


class TrainingLog:
    """The files of a training with one or more seeds, complete after each epoch.

    Parameters
    ----------
    title : str
        Of the picture.
    csv : Path or None
        File with a line for each epoch.
    plot : Path or None
        Picture of soft and hardened accuracy by epoch, an .svg.
    tensorboard : Path or None
        Folder for TensorBoard, with one run for each seed. Its epochs replace those of an earlier log.

    Raises
    ------
    SettingsError
        A file cannot be written.
    ToolError
        There is a folder for TensorBoard, whose package is not installed.
    """

    def __init__(
        self,
        title: str,
        *,
        csv: Path | None = None,
        plot: Path | None = None,
        tensorboard: Path | None = None,
    ) -> None:
        self._title, self._csv, self._plot, self._folder = title, csv, plot, tensorboard
        self._seen: dict[int, list[Epoch]] = {}
        self._writers: dict[int, Any] = {}
        self._writer = None if tensorboard is None else _summary_writer()
        if csv is not None:
            _line(csv, "w", _COLUMNS)

    def begin(self, seed: int) -> None:
        """Begin the epochs of a seed."""
        self._seen[seed] = []
        if self._folder is not None and self._writer is not None:
            try:
                self._writers[seed] = self._writer(self._folder / f"seed{seed}", purge_step=1)
            except OSError as error:
                raise SettingsError(
                    f"--tensorboard {self._folder}: cannot be written: {error.strerror or error}"
                ) from error

    def add(self, seed: int, epoch: "Epoch") -> None:
        """Write the next epoch of a seed that has begun."""
        self._seen[seed].append(epoch)
        if self._plot is not None:
            training_chart.write(self._plot, self._title, self._seen)
        if self._csv is not None:
            soft = "" if epoch.soft is None else repr(epoch.soft)
            values = f"{seed},{epoch.epoch + 1},{epoch.nu!r},{epoch.loss!r},{soft},{epoch.hard!r}"
            _line(self._csv, "a", values)
        if (writer := self._writers.get(seed)) is not None:
            scalars = {"loss": epoch.loss, "nu": epoch.nu, "validation/hard": epoch.hard}
            if epoch.soft is not None:
                scalars |= {"validation/soft": epoch.soft, "validation/gap": epoch.soft - epoch.hard}
            for name, value in scalars.items():
                writer.add_scalar(name, value, epoch.epoch + 1)
            writer.flush()

    def close(self) -> None:
        """End the logs of TensorBoard."""
        for writer in self._writers.values():
            writer.close()


def _summary_writer() -> Any:
    try:
        return importlib.import_module("torch.utils.tensorboard").SummaryWriter
    except ImportError as error:
        raise ToolError(
            "--tensorboard needs the package tensorboard, which is not installed; try `pip install"
            " 'sbgen[tensorboard]'`"
        ) from error


def _line(path: Path, mode: str, line: str) -> None:
    try:
        with open(path, mode, encoding="ascii") as file:
            file.write(line + "\n")
    except OSError as error:
        raise SettingsError(f"--log {path}: cannot be written: {error.strerror or error}") from error
