"""Settings of the training, apart from the network."""

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from .errors import SettingsError
from .methods import DEFAULT, METHODS, Recipe
from .number_format import Format
from .schedule import Range, Schedule

__all__ = ["Settings"]

#: Lowest learning rate at the end, where the settings name none.
_LAST_RATE = 1e-5


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything that a training run depends on besides its network, its images and its seed.

    Parameters
    ----------
    method : str
        One of `methods.METHODS`.
    nu_weights, nu_activations, nu_pooled, nu_shape, nu_until, slope_cap, hard_tail, noise, sampling, average
        As in `methods.Recipe`; None is the method's own. `recipe` has them all.
    nu_layers : dict of str to (float, float)
        Sharpness of single layers at the first and the last step, by name.
    activation_levels : tuple of int
        Values of the activations, 2 ... 16: one number for all, or one for each hidden layer.
    epochs, batch : int
    lr, lr_end : float
        Learning rate of AdamW without decay, from `lr` to `lr_end` along a cosine. None is the method's own
        share of `lr`.
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
    keep : str
        "last": the result is the network after the last epoch; or "best": after the epoch with the highest
        hardened accuracy on the validation images.
    patience : int
        Epochs without a better one after which the training ends, and the best is the result; 0 is none.
    fixed_point : str or None
        Grid of parameters, gradients and tanh, such as "Q2.6" (`number_format.Format`); None is float32.
    """

    method: str = DEFAULT
    nu_weights: tuple[float, float] | None = None
    nu_activations: tuple[float, float] | None = None
    nu_pooled: tuple[float, float] | None = None
    nu_shape: str | None = None
    nu_until: float | None = None
    nu_layers: dict[str, tuple[float, float]] = field(default_factory=dict)
    slope_cap: float | None = None
    hard_tail: float | None = None
    noise: float | None = None
    sampling: float | None = None
    average: float | None = None
    activation_levels: tuple[int, ...] = (2,)
    epochs: int = 30
    batch: int = 256
    lr: float = 1e-2
    lr_end: float | None = None
    shift: int = 0
    flip: bool = False
    deform: int = 1
    distill: float = 0.0
    temperature: float = 4.0
    teacher_width: int = 800
    teacher_epochs: int = 12
    validation: float = 0.1
    keep: str = "last"
    patience: int = 0
    fixed_point: str | None = None

    def __post_init__(self) -> None:
        def require(name: str, value: Any, holds: bool, what: str) -> None:
            if not holds:
                raise SettingsError(f"{name} must be {what}, not {value}")

        def require_own(name: str, holds: bool, what: str) -> None:
            require(name, getattr(self, name), holds, what)

        require_own("method", self.method in METHODS, f"one of {', '.join(METHODS)}")
        for name in ("epochs", "batch", "deform", "teacher_epochs", "teacher_width"):
            require_own(name, getattr(self, name) >= 1, "at least 1")
        for name, rate in (("lr", self.lr), ("lr_end", self.last_rate), ("temperature", self.temperature)):
            require(name, rate, 0 < rate < math.inf, "greater than 0 and finite")
        levels = self.activation_levels
        within = bool(levels) and all(2 <= number <= 16 for number in levels)
        require_own("activation_levels", within, "numbers of 2 ... 16")
        require_own("shift", 0 <= self.shift <= 8, "0 ... 8 pixels")
        require_own("distill", 0 <= self.distill <= 1, "0 ... 1")
        require_own("validation", 0 < self.validation < 1, "between 0 and 1")
        require_own("keep", self.keep in ("last", "best"), "last or best")
        require_own("patience", self.patience >= 0, "at least 0")
        if self.fixed_point is not None:
            Format.parse(self.fixed_point)
        recipe = self.recipe
        require("slope_cap", recipe.slope_cap, recipe.slope_cap > 0, "greater than 0")
        require("noise", recipe.noise, 0 <= recipe.noise < math.inf, "at least 0 and finite")
        require("sampling", recipe.sampling, 0 <= recipe.sampling < math.inf, "at least 0 and finite")
        require("average", recipe.average, 0 <= recipe.average < 1, "0 to less than 1")
        self.schedule()

    @property
    def recipe(self) -> Recipe:
        """The method's recipe with what these settings replace."""
        method = METHODS[self.method]
        own = method.several if method.several and max(self.activation_levels) > 2 else method.recipe
        given = {name.name: getattr(self, name.name, None) for name in fields(Recipe)}
        return replace(own, **{name: value for name, value in given.items() if value is not None})

    @property
    def last_rate(self) -> float:
        """The learning rate at the last step."""
        return max(_LAST_RATE, self.recipe.final_rate * self.lr) if self.lr_end is None else self.lr_end

    @property
    def keeps_best(self) -> bool:
        """Whether the result is the best epoch."""
        return self.keep == "best" or self.patience > 0

    @property
    def layer_slope_cap(self) -> float | None:
        """The slope cap as layers take it: None is none."""
        return None if math.isinf(self.recipe.slope_cap) else self.recipe.slope_cap

    def schedule(self) -> Schedule:
        """The sharpness and noise of all layers over the steps."""
        recipe = self.recipe

        def both(ends: tuple[float, float], until: float = 1.0) -> Range:
            return Range(start=ends[0], end=ends[1], shape=recipe.nu_shape, until=until)

        return Schedule(
            weights=both(recipe.nu_weights, recipe.nu_until),
            activations=both(recipe.nu_activations),
            pooled=None if recipe.nu_pooled is None else both(recipe.nu_pooled),
            layers={name: both(ends) for name, ends in self.nu_layers.items()},
            hard_tail=recipe.hard_tail,
            noise=recipe.noise,
            sampling=recipe.sampling,
        )

    def primitives(self) -> dict[str, Any]:
        """All settings as a dict of numbers, strings and lists, as in files; those of the method included."""
        values = asdict(self) | asdict(self.recipe) | {"lr_end": self.last_rate}
        del values["final_rate"]
        if self.fixed_point is None:  # files of networks that are trained in floats stay as they were
            del values["fixed_point"]
        values["slope_cap"] = self.layer_slope_cap
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
