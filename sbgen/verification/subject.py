"""What the levels check: a build, its bitstream, its model file and the images to run."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import trial_images
from ..boards.family import Family
from ..built import Built
from ..errors import VendorError
from ..expected_scores import ExpectedScores
from ..trial_images import TrialImages
from .level import SkippedError

__all__ = ["Build", "Subject", "Trials"]


@dataclass(frozen=True, kw_only=True)
class Trials:
    """Images to run, with the scores that they must have.

    Parameters
    ----------
    tried : TrialImages
        N images.
    expected : ExpectedScores
    accuracy : float or None
        Of the reference, 0 ... 1; None if the true classes are unknown.
    compared : str
        How the images compare with those of the build, in words.
    """

    tried: TrialImages
    expected: ExpectedScores
    accuracy: float | None
    compared: str

    @classmethod
    def of(cls, built: Built, whole: TrialImages, count: int | None) -> "Trials":
        """The first `count` images of `whole`; None is all."""
        chosen = whole.first(count)
        expected = ExpectedScores.of(built.network, chosen.images)
        return cls(
            tried=chosen,
            expected=expected,
            accuracy=chosen.accuracy(expected.classes),
            compared=_compared(built.report.get("images"), whole),
        )

    @property
    def images(self) -> np.ndarray:
        """uint8 array, shape (N, *image_shape)"""
        return self.tried.images

    def first(self, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The first `count` images and the scores that the reference computes."""
        images, scores, _ = self.expected.first(count)
        return images, scores

    def about(self) -> dict[str, Any]:
        """What ledger.json says of the images."""
        return self.tried.about() | {"accuracy": self.accuracy}

    def __str__(self) -> str:
        return f"{len(self.images):,} {self.tried}{self.compared}" + (
            ""
            if self.accuracy is None
            else f"; the reference is right on {self.accuracy:.2%} of these {len(self.images):,}"
        )


def _compared(of_build: Mapping[str, Any] | None, whole: TrialImages) -> str:
    if not of_build or not of_build["sha256"]:
        return ""
    if of_build["sha256"] == whole.sha256:
        return ", those of the build"
    return f"; the build used {of_build['count']:,} others, {trial_images.words(of_build)}" + (
        " (pass them with --samples)" if of_build["source"] == trial_images.SAMPLES else ""
    )


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A bitstream and the build that it is compared with.

    Parameters
    ----------
    built : Built
    bitstream_file : Path or None
        None is the build's own.
    """

    built: Built
    bitstream_file: Path | None = None

    @cached_property
    def bitstream(self) -> Path:
        return self.bitstream_file or self.built.bitstream

    @property
    def family(self) -> Family:
        """The family of its device; a `SkippedError` where no open tool knows its bitstreams."""
        try:
            return self.built.board.family
        except VendorError as error:
            raise SkippedError(str(error)) from error


@dataclass(frozen=True, kw_only=True)
class Build(Subject):
    """A whole build.

    Parameters
    ----------
    model_file : Path or None
        None if it was not found.
    trials : Trials
    """

    model_file: Path | None
    trials: Trials

    def failure_folder(self, level: str) -> Path:
        """A folder for what helps to debug a failure, such as a waveform; created if needed."""
        name = "".join(char if char.isalnum() else "-" for char in level.lower())
        folder = self.built.folder / "verify" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
