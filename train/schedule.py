"""The sharpness nu of every layer, and the noise on its inputs, at every step of a training."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from .errors import SettingsError
from .methods import METHODS
from .methods.surrogate import SURROGATE

if TYPE_CHECKING:  # settings are read without torch
    from torch import nn

__all__ = ["CONNECTING", "Range", "Schedule", "Sharpening"]

#: Share of the steps in which neurons with few inputs choose them.
CONNECTING = 0.5


@dataclass(frozen=True, kw_only=True)
class Range:
    """Sharpness from `start` to `end`, exponential or linear in the step, reached at the share `until` of the
    steps.

    That of the paper (Lahoud et al., arXiv 1902.00730) is ``nu(e) = 1000 ** (e / (E - 1))``, e = 0 ... E - 1:
    exponential from 1 to 1000.
    """

    start: float = 1.0
    end: float = 1000.0
    shape: str = "exponential"
    until: float = 1.0

    def __post_init__(self) -> None:
        if self.shape not in ("exponential", "linear"):
            raise SettingsError(f"the shape of a schedule must be exponential or linear, not {self.shape!r}")
        if not 0 < self.start < float("inf") or not 0 < self.end < float("inf"):
            raise SettingsError(f"nu must be finite and greater than 0, not {self.start} ... {self.end}")
        if not 0 < self.until <= 1:
            raise SettingsError(f"nu_until must be above 0 and at most 1, not {self.until}")

    def nu(self, step: int, steps: int) -> float:
        """Sharpness at `step`, 0 ... steps - 1."""
        done = min(1.0, step / (steps - 1) / self.until) if steps > 1 else 1.0
        if self.shape == "linear":
            return self.start + (self.end - self.start) * done
        return self.start * (self.end / self.start) ** done


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """The sharpness and noise of all layers over the steps.

    Parameters
    ----------
    weights, activations : `Range`
    pooled : `Range` or None
        Of activations before a maximum pool; None is that of the others.
    layers : dict of str to `Range`
        Ranges of single layers, by their name in the model.
    hard_tail : float
        Share of the steps, at the end, whose forward pass is sign, 0 ... 1: in layers of the method
        "surrogate", and in activations of exact methods.
    noise, sampling : float
        As in `methods.Recipe`.
    """

    weights: Range = Range()
    activations: Range = Range()
    pooled: Range | None = None
    layers: dict[str, Range] = field(default_factory=dict)
    hard_tail: float = 0.0
    noise: float = 0.0
    sampling: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.hard_tail <= 1:
            raise SettingsError(f"the hard tail must be in 0 ... 1 of the steps, not {self.hard_tail}")

    def over(self, model: nn.Module) -> Sharpening:
        """The schedule for the layers of `model`.

        Raises
        ------
        SettingsError
            A range is for a layer that does not exist.
        """
        return Sharpening(self, model)


class Sharpening:
    """A `Schedule` for the layers of one model."""

    def __init__(self, schedule: Schedule, model: nn.Module) -> None:
        self._hard_tail, self._noise, self._sampling = schedule.hard_tail, schedule.noise, schedule.sampling
        found = [(name, layer) for name, layer in model.named_modules() if hasattr(layer, "sharpens")]
        names = {name for name, _ in found}
        if set(schedule.layers) - names:
            raise SettingsError(
                f"a sharpness range must be for one of the layers {', '.join(sorted(names))}, not "
                f"{min(set(schedule.layers) - names)!r}"
            )
        needs_pooled = schedule.pooled or schedule.noise or schedule.sampling
        pooled = _before_maximum(model) if needs_pooled else []
        self._layers: list[tuple[Any, Range]] = []
        self._noisy: list[Any] = []
        for name, layer in found:
            usual = getattr(schedule, layer.sharpens)
            is_pooled = any(layer is other for other in pooled)
            if is_pooled and schedule.pooled:
                usual = schedule.pooled
            self._layers.append((layer, schedule.layers.get(name, usual)))
            if layer.sharpens == "activations" and not is_pooled:  # a maximum would shift the mean of noise
                self._noisy.append(layer)

    def apply(self, step: int, steps: int) -> None:
        """Set nu, the hard tail and the noise of every layer for `step` in 0 ... steps - 1."""
        ends = step >= steps * (1 - self._hard_tail)
        for layer, sharpness in self._layers:
            layer.binarizer.nu = sharpness.nu(step, steps)
            is_exact = METHODS[layer.method].exact and layer.sharpens == "activations"
            if is_exact or layer.method == SURROGATE.name:
                layer.binarizer.hard = ends
            if layer.sharpens == "weights":
                layer.connected = step >= steps * CONNECTING
        part = step / (steps - 1) if steps > 1 else 1.0
        for layer in self._noisy:
            layer.noise = self._noise * part
            layer.binarizer.sampling = self._sampling * part


def _before_maximum(model: nn.Module) -> list[nn.Module]:
    """The activations before a maximum pool."""
    from .layers import BinaryActivation
    from .trace import leaves, trace

    layers = [layer for _, layer in leaves(trace(model))]
    return [
        layer
        for layer, after in pairwise(layers)
        if isinstance(layer, BinaryActivation) and "MaxPool" in type(after).__name__
    ]
