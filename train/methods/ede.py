"""The error decay estimator of IR-Net (Qin et al., arXiv 1909.10788)."""

from .method import Method, Recipe

__all__ = ["EDE"]

#: sign forward; backward the derivative of k tanh(nu x), k = max(1/nu, 1), nu from 0.1 to 10.
EDE = Method(
    name="ede",
    weights="decaying",
    activations="decaying",
    exact=False,
    recipe=Recipe(nu_weights=(0.1, 10.0), nu_activations=(0.1, 10.0)),
)
