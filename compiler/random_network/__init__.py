"""Random networks, foldings and images, to test a flow that must hold for all of them.

Everything is a function of its seed. Sizes reach from 1 and rarely divide each other; thresholds include
always on and never; PE and SIMD reach from one to the whole layer. `features` lists what a design really has.
"""

from .designs import image_count, random_design
from .foldings import fold_at_random
from .images import random_images
from .networks import other_contents, random_network

__all__ = [
    "fold_at_random",
    "image_count",
    "other_contents",
    "random_design",
    "random_images",
    "random_network",
]
