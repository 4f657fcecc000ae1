"""The level of files: each is the one that the build wrote."""

import hashlib

from ..built import FILES
from ..console import Step
from .level import LevelError
from .subject import Subject

__all__ = ["check"]


def check(subject: Subject, step: Step) -> str:
    """Compare every file of the build with its SHA-256 in the report."""
    built = subject.built
    recorded = built.report["files"]
    present = [name for name in FILES if (built.folder / name).exists() and not name.startswith("report.")]
    for name in dict.fromkeys((*recorded, *present)):
        expected = built.digest(name)
        try:
            found = hashlib.sha256((built.folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise LevelError(f"{name} is not there any more") from error
        if found != expected:
            raise LevelError(
                f"{name} is not the one that was built: expected SHA-256 {expected[:16]}..., found"
                f" {found[:16]}..."
            )
    return f"{len(recorded)} files have the SHA-256 of the report"
