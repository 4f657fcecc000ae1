"""What is to be proved, in words and as a circuit."""

from collections.abc import Callable
from dataclasses import dataclass

from amaranth.lib import wiring

from .circuit import Circuit

__all__ = ["Make", "Statement"]

#: Builds the component that a statement is about, for the sizes that the proof chooses.
Make = Callable[..., wiring.Component]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement about equal parts of a design.

    Parameters
    ----------
    subject : str
        The component with its parameters; equal subjects have equal proofs.
    claim : str
        What is proved, in words, for every input and environment.
    scope : str
        What the proof abstracts or reduces; empty if it is about the component with its own parameters.
    circuit : callable or None
        Builds the `Circuit`; the claim is that it never shows a violation.
    check : callable or None
        Instead of a circuit, if all cases are compared: returns one line per difference.
    """

    subject: str
    claim: str
    scope: str = ""
    circuit: Callable[[], Circuit] | None = None
    check: Callable[[], list[str]] | None = None
