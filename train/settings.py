"""How a network is trained, apart from what it is."""

import math
from dataclasses import asdict, dataclass, field

from .errors import SettingsError
from .schedule import Range, Schedule

__all__ = ["METHODS", "Settings"]

#: Names of the methods, whose functions and gradients `binarizers` has.
METHODS = ("self-binarizing", "straight-through", "ede")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All that a training run depends on besides its network, its images and its seed.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    slope_cap : float or None
        Greatest slope of the self-binarizing backward pass; None is the paper's method.
    nu_weights, nu_activations : (float, float)
        Sharpness at the first and the last epoch.
    nu_shape : str
        "exponential" or "linear".
    nu_layers : dict of str to (float, float)
        Layers, by name, that have a range of their own.
    hard_tail : float, 0 ... 1
        Part of the epochs, at the end, with sign as the forward pass.
    epochs, batch : int
    lr, lr_end : float
        Learning rate of AdamW without decay, from `lr` to `lr_end` along a cosine.
    shift : int
        Pixels by which training images are moved at random.
    flip : bool
        Whether training images are mirrored, left to right, at random.
    deform : int
        Copies of each training image: the first as it is, the others slightly turned, scaled, sheared and
        moved.
    distill : float, 0 ... 1
        Part of the loss that follows a float teacher; 0 trains none.
    temperature : float
        Of the teacher's and the network's answers in that part.
    teacher_width, teacher_epochs : int
    validation : float, 0 ... 1
        Part of the training images held out for every choice; never trained on.
    """

    method: str = "self-binarizing"
    slope_cap: float | None = None
    nu_weights: tuple = (1.0, 1000.0)
    nu_activations: tuple = (1.0, 1000.0)
    nu_shape: str = "exponential"
    nu_layers: dict = field(default_factory=dict)
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

    def __post_init__(self):
        def require(name, holds, what):
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

    def schedule(self):
        def both(ends):
            return Range(start=ends[0], end=ends[1], shape=self.nu_shape)

        return Schedule(
            weights=both(self.nu_weights),
            activations=both(self.nu_activations),
            layers={name: both(ends) for name, ends in self.nu_layers.items()},
            hard_tail=self.hard_tail if self.method == "self-binarizing" else 0.0,
        )

    def primitives(self):
        """The settings as a dict of numbers, strings and lists, as files keep them."""
        return {
            name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()
        }
