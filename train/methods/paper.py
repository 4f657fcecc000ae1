"""The method of self-binarizing networks as published (Lahoud et al., arXiv 1902.00730)."""

from .method import Method, Recipe

__all__ = ["PAPER"]

#: Weights tanh(nu W) and activations tanh(nu y) with their exact derivatives; one nu for both, exponential
#: from 1 to 1000.
PAPER = Method(
    name="paper",
    weights="tanh",
    activations="tanh",
    exact=True,
    recipe=Recipe(nu_weights=(1.0, 1000.0), nu_activations=(1.0, 1000.0)),
)
