"""The sharpness nu of every layer in every epoch."""

from dataclasses import dataclass, field

from .errors import SettingsError

__all__ = ["Range", "Schedule"]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Sharpness from `start` to `end`, exponential or linear in the epoch.

    The paper's is ``nu(e) = 1000 ** (e / (E - 1))``, e = 0 ... E - 1: exponential from 1 to 1000.
    """

    start: float = 1.0
    end: float = 1000.0
    shape: str = "exponential"

    def __post_init__(self):
        if self.shape not in ("exponential", "linear"):
            raise SettingsError(f"the shape of a schedule must be exponential or linear, not {self.shape!r}")
        if not 0 < self.start < float("inf") or not 0 < self.end < float("inf"):
            raise SettingsError(f"nu must be finite and greater than 0, not {self.start} ... {self.end}")

    def nu(self, epoch, epochs):
        done = epoch / (epochs - 1) if epochs > 1 else 1.0
        if self.shape == "linear":
            return self.start + (self.end - self.start) * done
        return self.start * (self.end / self.start) ** done


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How a network is sharpened.

    Parameters
    ----------
    weights, activations : `Range`
    layers : dict of str to `Range`
        Layers, by their name in the model, that have a range of their own.
    hard_tail : float
        Part of the epochs, at the end, whose forward pass is sign (our extension); 0 is the paper's method.
    """

    weights: Range = Range()
    activations: Range = Range()
    layers: dict = field(default_factory=dict)
    hard_tail: float = 0.0

    def __post_init__(self):
        if not 0 <= self.hard_tail <= 1:
            raise SettingsError(f"the hard tail must be in 0 ... 1 of the epochs, not {self.hard_tail}")

    def apply(self, model, *, epoch, epochs):
        """Sets nu and the hard tail in every layer of `model` that `sharpens`, for `epoch` in 0 ... epochs -
        1.
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
