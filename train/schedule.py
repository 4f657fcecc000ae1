"""The sharpness nu of every layer in every epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .errors import SettingsError

if TYPE_CHECKING:  # settings are read without torch
    from torch import nn

__all__ = ["Range", "Schedule"]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Sharpness from `start` to `end`, exponential or linear in the epoch.

    That of the paper (Lahoud et al., arXiv 1902.00730) is ``nu(e) = 1000 ** (e / (E - 1))``, e = 0 ... E - 1:
    exponential from 1 to 1000.
    """

    start: float = 1.0
    end: float = 1000.0
    shape: str = "exponential"

    def __post_init__(self) -> None:
        if self.shape not in ("exponential", "linear"):
            raise SettingsError(f"the shape of a schedule must be exponential or linear, not {self.shape!r}")
        if not 0 < self.start < float("inf") or not 0 < self.end < float("inf"):
            raise SettingsError(f"nu must be finite and greater than 0, not {self.start} ... {self.end}")

    def nu(self, epoch: int, epochs: int) -> float:
        """Sharpness in `epoch`, 0 ... epochs - 1."""
        done = epoch / (epochs - 1) if epochs > 1 else 1.0
        if self.shape == "linear":
            return self.start + (self.end - self.start) * done
        return self.start * (self.end / self.start) ** done


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The sharpness of all layers over the epochs.

    Parameters
    ----------
    weights, activations : `Range`
    layers : dict of str to `Range`
        Ranges of single layers, by their name in the model.
    hard_tail : float
        Share of the epochs, at the end, whose forward pass is sign (our extension), 0 ... 1; 0 is the method
        of the paper.
    """

    weights: Range = Range()
    activations: Range = Range()
    layers: dict[str, Range] = field(default_factory=dict)
    hard_tail: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.hard_tail <= 1:
            raise SettingsError(f"the hard tail must be in 0 ... 1 of the epochs, not {self.hard_tail}")

    def apply(self, model: nn.Module, *, epoch: int, epochs: int) -> None:
        """Set nu and the hard tail in every layer of `model` that `sharpens`, for `epoch` in 0 ... epochs -
        1.

        Raises
        ------
        SettingsError
            A range is for a layer that does not exist.
        """
        names = set()
        for name, layer in model.named_modules():
            what = getattr(layer, "sharpens", None)
            if what is None:
                continue
            names.add(name)
            usual = {"weights": self.weights, "activations": self.activations}[what]
            layer.binarizer.nu = self.layers.get(name, usual).nu(epoch, epochs)
            if layer.method == "self-binarizing":
                layer.binarizer.hard = epoch >= epochs * (1 - self.hard_tail)
        if set(self.layers) - names:
            raise SettingsError(
                f"a sharpness range must be for one of the layers {', '.join(sorted(names))}, not "
                f"{min(set(self.layers) - names)!r}"
            )
