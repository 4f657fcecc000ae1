"""All levels of a build, and what they found: the verification report."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__, evidence, trial_images, verification
from ..built import Built
from ..compiler import shipped
from ..console import Console
from ..errors import ModelError
from . import level
from .level import Outcome
from .subject import Build, Subject, Trials

__all__ = ["Ledger", "model_file", "trials_of", "verify", "verify_bitstream"]


@dataclass(frozen=True, kw_only=True)
class Ledger:
    """What the levels found.

    Parameters
    ----------
    outcomes : tuple of Outcome
        One for each level, in order.
    trials : Trials or None
        The images that ran; None where only a bitstream was checked.
    """

    outcomes: tuple[Outcome, ...]
    trials: Trials | None = None

    @property
    def failed(self) -> bool:
        """Whether a level found a difference. A level that was not run is no failure."""
        return any(outcome.status == "FAIL" for outcome in self.outcomes)

    @property
    def complete(self) -> bool:
        """Whether every level was run and passed."""
        return all(outcome.status == "PASS" for outcome in self.outcomes)

    def about(self) -> dict[str, Any]:
        """All of it as plain values: what ledger.json holds and ``sbgen verify --json`` prints."""
        return {
            "sbgen": __version__,
            "images": None if self.trials is None else str(self.trials),
            "tried": None if self.trials is None else self.trials.about(),
            "rungs": [
                {
                    "rung": outcome.level,
                    "status": outcome.status,
                    "note": outcome.note,
                    "seconds": round(outcome.seconds, 1),
                }
                for outcome in self.outcomes
            ],
        }

    def __str__(self) -> str:
        return "\n".join(f"{each.status:8} {each.level}: {each.note}" for each in self.outcomes)

    def _repr_html_(self) -> str:
        from ..pictures import ledger_table

        return ledger_table(self.outcomes)


def verify(
    built: Built,
    *,
    model: Path | None = None,
    samples: Path | None = None,
    data: Path | None = None,
    images: int | None = 300,
    seed: int | None = None,
    console: Console,
) -> Ledger:
    """Check a build level by level, and write ledger.json and the report again.

    Parameters
    ----------
    built : Built
    model : Path or None
        The file that it was built from; by default it is looked for where it was.
    samples, data, seed
        Which images run (`sbgen.trial_images.choose`).
    images : int or None
        The first so many of them; None is all. Slow levels run only the first few.

    Raises
    ------
    ModelError
        The folder is not of a build, or `model` is not the file that it was built from.
    """
    path = model_file(model, built)
    trials = trials_of(built, samples=samples, data=data, images=images, seed=seed)
    console.line(f"  {trials}")
    build = Build(built=built, model_file=path, trials=trials)
    outcomes = level.run(verification.LEVELS, build, console=console)
    ledger = Ledger(outcomes=tuple(outcomes), trials=trials)
    evidence.write(built.folder, "ledger", ledger.about())
    return ledger


def verify_bitstream(built: Built, bitstream: Path, *, console: Console) -> Ledger:
    """Check that a bitstream is that of a build, or was patched from it, bit for bit."""
    subject = Subject(built=built, bitstream_file=bitstream)
    levels = [each for each in verification.BITSTREAM_LEVELS if each.applies(subject)]
    outcomes: Sequence[Outcome] = level.run(levels, subject, console=console)
    return Ledger(outcomes=tuple(outcomes))


def trials_of(
    built: Built,
    *,
    samples: Path | None = None,
    data: Path | None = None,
    images: int | None = 300,
    seed: int | None = None,
) -> Trials:
    """The images to run on a build, with the scores that they must have; arguments as of `verify`."""
    chosen = trial_images.choose(
        network=built.network,
        trained_on=built.trained_on,
        samples_file=samples,
        data=data,
        count=images,
        seed=seed,
    )
    return Trials.of(built, chosen, images)


def model_file(given: Path | None, built: Built) -> Path | None:
    """The file that was built from; None if it was not found."""
    model = built.report["model"]
    name = Path(model["file"])
    candidates = [shipped.path_of(given)] if given else [name, "models" / name, shipped.path_of(name.stem)]
    for path in candidates:
        if path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == model["sha256"]:
            return path
    if given:
        raise ModelError(
            f"--model must be the file that {built.folder} was built from, with the SHA-256"
            f" {model['sha256'][:16]}..., but {given} is another, or not there"
        )
    return None
