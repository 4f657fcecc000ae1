"""The last layer of a network."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from ..methods import DEFAULT
from .pools import average_unit
from .weights import BinaryLinear

__all__ = ["Scores"]


class Scores(BinaryLinear):
    """The last layer: ``scale * (sum + offset)``, with one offset per class, and one scale for all classes or
    one per class.

    A shared positive scale does not change the order of the classes, so the hardware needs no multiplier.
    Hardened, a score is the integer ``popcount + round(offset / 2)``, because the sum of n signs is ``2 *
    popcount - n``.

    After an average of k signs, which stands for their count of +1, a score is computed from the sum of these
    counts. Weights of 0 leave a constant per class, which becomes part of its offset.

    If the signs of the scores decide (``docs/semantics.md``), an output is on if its score is not negative.
    Its integer offset is the largest one for which ``popcount + offset`` has that sign, ``floor((offset - n)
    / 2)``.

    Scales per class become integers of `scale_bits` bits, scaled so that the largest is all ones. Hardened, a
    score is then ``scale * popcount + round(scale * (offset - n) / 2)``.

    Parameters
    ----------
    inputs, classes : int
        Inputs and outputs. Each output is a class or, if the signs decide, a bit.
    decision : {"argmax", "sign"} or None
        Meaning of the scores. None is "sign" for one output and "argmax" for several. One output cannot have
        "argmax".
    per_class : bool
        Whether each class has a scale of its own; not if the signs decide, which a scale does not change.
    grouped : bool
        Whether each class has inputs of its own, an equal share in their order, and adds them with weights of
        +1. Such a layer has no weights to train. The classes must divide the inputs.
    average : int
        Number of signs that each input is the sum of: the kernel size of an `AvgPool2d` before it, times the
        levels less 1 of the activation before that. 1 for signs.
    method, slope_cap, ternary
        As in `BinaryWeights`.

    Raises
    ------
    ValueError
        The arguments contradict each other as described.
    """

    #: Bits of a hardened scale of a class, chosen by `sbgen.train.harden.harden`.
    scale_bits = 8

    def __init__(
        self,
        inputs: int,
        classes: int,
        *,
        decision: str | None = None,
        per_class: bool = False,
        grouped: bool = False,
        average: int = 1,
        method: str = DEFAULT,
        slope_cap: float | None = None,
        ternary: float | None = None,
    ):
        super().__init__(inputs, classes, method=method, slope_cap=slope_cap, ternary=ternary)
        if not isinstance(average, int) or average < 1:
            raise ValueError(f"average must be an integer of at least 1, not {average!r}")
        decision = decision or ("sign" if classes == 1 else "argmax")
        if decision not in ("argmax", "sign") or decision == "argmax" and classes == 1:
            raise ValueError(
                f"decision must be 'sign'{'' if classes == 1 else ' or ' + repr('argmax')} for {classes}"
                f" outputs, not {decision!r}"
            )
        if per_class and decision == "sign":
            raise ValueError(
                "per_class must be False if the signs of the scores decide, which a scale does not change"
            )
        self.decision, self.per_class, self.average, self.grouped = decision, per_class, average, grouped
        if grouped:
            self._group(ternary)
        added = inputs // classes if grouped else inputs
        self.log_scale = nn.Parameter(
            torch.full((classes,) if per_class else (), -0.5 * float(np.log(added)))
        )
        self.offset = nn.Parameter(torch.zeros(classes))

    def _group(self, ternary: float | None) -> None:
        """Replace the weights by those of groups: 1 where an input belongs to the class, else 0."""
        if self.inputs % self.outputs:
            raise ValueError(
                f"inputs must be a multiple of the {self.outputs} classes if they are grouped, not"
                f" {self.inputs}"
            )
        if ternary is not None:
            raise ValueError("ternary must be None if the inputs are grouped by class")
        del self.weight
        groups = torch.eye(self.outputs).repeat_interleave(self.inputs // self.outputs, dim=1)
        self.register_buffer("weight", groups, persistent=False)

    @property
    def has_zeros(self) -> bool:
        return self.grouped or super().has_zeros

    def _values(self, binarizer: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        return self.weight if self.grouped else super()._values(binarizer)

    def binarized(self, binarizer: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """As of any layer of weights; those of groups are 1."""
        return self.weight[self.weight > 0] if self.grouped else super().binarized(binarizer)

    def integer_scales(self) -> torch.Tensor | None:
        """Scales of the integer scores, shape (classes,), as floats; None if all classes share one."""
        return torch.round(self._scales()) if self.per_class else None

    def integer_offsets(self) -> torch.Tensor:
        """Offsets of the integer scores, shape (classes,), as floats."""
        offset = average_unit(self.average) * self.offset.detach()
        if self.per_class:
            return torch.round(self._scales() * (offset - self._max_counts()) / 2)
        if self.decision == "sign":
            return torch.floor((offset - self._max_counts()) / 2)
        return torch.round((offset + self._missing_counts()) / 2)

    def settle(self) -> None:
        """Set the offsets to the values that the integer offsets stand for."""
        # What the sum is without any agreement.
        minimum = -self._max_counts() if self.decision == "sign" else self._missing_counts()
        self.offset.copy_((2 * self.integer_offsets() - minimum) / average_unit(self.average))

    def harden(self) -> None:
        super().harden()
        if not self.per_class:
            self.settle()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        sums = super().forward(x)
        if self.hardened:
            counts = (average_unit(self.average) * sums + self._max_counts()) / 2
            scales = self.integer_scales()
            return (counts if scales is None else counts * scales) + self.integer_offsets()
        return self.log_scale.exp() * (sums + self.offset)

    def extra_repr(self) -> str:
        decision = ", decision='sign'" if self.decision == "sign" and self.outputs > 1 else ""
        return (
            super().extra_repr()
            + decision
            + (", per_class=True" if self.per_class else "")
            + (", grouped=True" if self.grouped else "")
            + (f", average={self.average}" if self.average > 1 else "")
        )

    def _scales(self) -> torch.Tensor:
        """The scales of the classes in units of the integer ones, in float64."""
        scales = self.log_scale.detach().double()
        return (scales - scales.max()).exp() * (2**self.scale_bits - 1)

    def _max_counts(self) -> torch.Tensor:
        """The maximum count of each class, shape (classes,)."""
        return self.hard().detach().abs().sum(1) * self.average

    def _missing_counts(self) -> torch.Tensor:
        """How much weights of 0 reduce the maximum count."""
        return self.inputs * self.average - self._max_counts()
