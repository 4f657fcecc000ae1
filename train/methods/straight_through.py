"""The straight-through estimator of BinaryNet (Courbariaux et al., arXiv 1602.02830)."""

from .method import Method, Recipe

__all__ = ["STRAIGHT_THROUGH"]

#: sign forward; the gradient passes unchanged where |x| <= 1.
STRAIGHT_THROUGH = Method(
    name="straight-through", weights="straight", activations="straight", exact=False, recipe=Recipe()
)
