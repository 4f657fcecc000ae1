"""What a training method is: the functions of weights and activations, and the recipe that goes with them."""

from dataclasses import dataclass

__all__ = ["Method", "Recipe"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """The settings that a method has of its own; `Settings` may replace each of them.

    Parameters
    ----------
    nu_weights, nu_activations : (float, float)
        Sharpness at the first and the last step.
    nu_pooled : (float, float) or None
        That of activations before a maximum pool; None is that of the others.
    nu_shape : str
        "exponential" or "linear" in the step.
    nu_until : float, above 0 to 1
        Share of the steps over which the sharpness of the weights grows; then it stays. That of the
        activations grows to the end.
    slope_cap : float
        Maximum sharpness of the backward pass; infinite is none. For "surrogate" only.
    hard_tail : float, 0 ... 1
        Share of the steps, at the end, with sign as the forward pass: of weights and activations for
        "surrogate"; of activations for exact methods, whose derivative is then 0, so that only the last
        layer learns.
    noise : float
        Standard deviation, at the last step, of Gaussian noise on the inputs of activations while training.
        It grows linearly from 0. Activations before a maximum pool have none.
    sampling : float
        Share, at the last step, of the noise that activations would have if each were a sign drawn with the
        probability (1 + tanh(nu y)) / 2. It grows and is left out as `noise`. For exact methods only.
    average : float, 0 to less than 1
        Share of the steps, at the end, over which the parameters are averaged; the average is the result.
    final_rate : float, 0 ... 1
        Learning rate at the last step as a share of the first, where the settings name none.
    """

    nu_weights: tuple[float, float] = (1.0, 1.0)
    nu_activations: tuple[float, float] = (1.0, 1.0)
    nu_pooled: tuple[float, float] | None = None
    nu_shape: str = "exponential"
    nu_until: float = 1.0
    slope_cap: float = float("inf")
    hard_tail: float = 0.0
    noise: float = 0.0
    sampling: float = 0.0
    average: float = 0.0
    final_rate: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way to train signs.

    Parameters
    ----------
    name : str
    weights, activations : str
        Their functions, by name in `binarizers.FUNCTIONS`.
    exact : bool
        Whether the gradient with respect to each weight w = tanh(nu W) and to the input of each activation is
        the derivative of what the forward pass computes. Such a network is smooth until it is hardened.
    recipe : `Recipe`
    several : `Recipe` or None
        The recipe of networks with activations of more than two levels; None is the same.
    """

    name: str
    weights: str
    activations: str
    exact: bool
    recipe: Recipe
    several: Recipe | None = None
