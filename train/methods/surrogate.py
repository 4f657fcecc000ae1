"""The method of sbgen 0.1: a capped slope, and sign in the last part of the training."""

from .method import Method, Recipe

__all__ = ["SURROGATE"]

#: tanh(nu x) forward until the hard tail, then sign. The backward pass uses c sech^2(c x), c = min(nu, cap).
#: With the cap of 1 the gradient is that of the forward pass in the first steps alone. Later it is a fixed
#: window, as in straight-through methods. sbgen 0.1 called this "self-binarizing".
SURROGATE = Method(
    name="surrogate",
    weights="capped",
    activations="capped",
    exact=False,
    recipe=Recipe(nu_weights=(1.0, 1000.0), nu_activations=(1.0, 1000.0), slope_cap=1.0, hard_tail=0.5),
)
