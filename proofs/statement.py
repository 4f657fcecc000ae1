"""What is to be proved, in words and as a circuit."""

from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Statement"]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """One statement about the parts of a design that are alike.

    Parameters
    ----------
    subject : str
        The component with its parameters; equal subjects have equal proofs.
    claim : str
        What is proved, in words, for every input and environment.
    scope : str
        What stands for what in the proof; empty where it is the component with its own parameters.
    circuit : callable or None
        Makes the `Circuit` in which the claim is that no violation is ever seen.
    check : callable or None
        Instead of a circuit, where so few cases are that all are compared: gives what differs, a line each.
    """

    subject: str
    claim: str
    scope: str = ""
    circuit: Callable | None = None
    check: Callable | None = None
