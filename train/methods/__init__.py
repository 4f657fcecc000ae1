"""The training methods by name, one file each. They are plain values, so that settings need no torch."""

from .ede import EDE
from .method import Method, Recipe
from .paper import PAPER
from .self_binarizing import SELF_BINARIZING
from .straight_through import STRAIGHT_THROUGH
from .surrogate import SURROGATE

__all__ = ["DEFAULT", "METHODS", "Method", "Recipe"]

#: The methods by name, the default first.
METHODS: dict[str, Method] = {
    method.name: method for method in (SELF_BINARIZING, PAPER, SURROGATE, STRAIGHT_THROUGH, EDE)
}

#: The method of settings and layers that name none.
DEFAULT = SELF_BINARIZING.name
