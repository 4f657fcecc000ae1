"""Settings of the training, apart from the network."""

import math
from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import SettingsError
from .schedule import Range, Schedule

__all__ = ["METHODS", "Settings"]

#: Names of the methods; their functions and gradients are in `binarizers`.
METHODS = ("self-binarizing", "straight-through", "ede")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a training run depends on besides its network, its images and its seed.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    slope_cap : float or None
        Maximum slope of the self-binarizing backward pass; None is the method of the paper.
    nu_weights, nu_activations : (float, float)
        Sharpness in the first and the last epoch.
    nu_shape : str
        "exponential" or "linear".
    nu_layers : dict of str to (float, float)
        Ranges of single layers, by name.
    hard_tail : float, 0 ... 1
        Share of the epochs, at the end, with sign as the forward pass.
    epochs, batch : int
    lr, lr_end : float
        Learning rate of AdamW without decay, from `lr` to `lr_end` along a cosine.
    shift : int
        Maximum random shift of training images, 0 ... 8 pixels in each direction.
    flip : bool
        Whether training images are mirrored at random, left to right.
    deform : int
        Copies of each training image: the original, and slightly rotated, scaled, sheared and shifted ones.
    distill : float, 0 ... 1
        Weight of a float teacher in the loss; 0 trains no teacher.
    temperature : float
        Softmax temperature of teacher and network in that part of the loss.
    teacher_width, teacher_epochs : int
    validation : float, 0 ... 1
        Share of the training images held out for every choice; never trained on.
    """

    method: str = "self-binarizing"
    slope_cap: float | None = None
    nu_weights: tuple[float, float] = (1.0, 1000.0)
    nu_activations: tuple[float, float] = (1.0, 1000.0)
    nu_shape: str = "exponential"
    nu_layers: dict[str, tuple[float, float]] = field(default_factory=dict)
    hard_tail: float = 0.0
    epochs: int = 30
    batch: int = 256
    lr: float = 1e-2
    lr_end: float = 1e-5
    shift: int = 0
    flip: bool = False
    deform: int = 1
    distill: float = 0.0
    temperature: float = 4.0
    teacher_width: int = 800
    teacher_epochs: int = 12
    validation: float = 0.1

    def __post_init__(self) -> None:
        def require(name: str, holds: bool, what: str) -> None:
            if not holds:
                raise SettingsError(f"{name} must be {what}, not {getattr(self, name)}")

        require("method", self.method in METHODS, f"one of {', '.join(METHODS)}")
        for name in ("epochs", "batch", "deform", "teacher_epochs", "teacher_width"):
            require(name, getattr(self, name) >= 1, "at least 1")
        for name in ("lr", "lr_end", "temperature", *(["slope_cap"] if self.slope_cap is not None else [])):
            require(name, 0 < getattr(self, name) < math.inf, "greater than 0 and finite")
        require("shift", 0 <= self.shift <= 8, "0 ... 8 pixels")
        require("distill", 0 <= self.distill <= 1, "0 ... 1")
        require("validation", 0 < self.validation < 1, "between 0 and 1")
        self.schedule()

    def schedule(self) -> Schedule:
        """The sharpness of all layers over the epochs."""

        def both(ends: tuple[float, float]) -> Range:
            return Range(start=ends[0], end=ends[1], shape=self.nu_shape)

        return Schedule(
            weights=both(self.nu_weights),
            activations=both(self.nu_activations),
            layers={name: both(ends) for name, ends in self.nu_layers.items()},
            hard_tail=self.hard_tail if self.method == "self-binarizing" else 0.0,
        )

    def primitives(self) -> dict[str, Any]:
        """The settings as a dict of numbers, strings and lists, as in files."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }
