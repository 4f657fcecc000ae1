"""The default method: one representation of the weights, and exact gradients of the forward pass."""

from dataclasses import replace

from .method import Method, Recipe

__all__ = ["SELF_BINARIZING"]

_RECIPE = Recipe(
    nu_weights=(30.0, 1000.0),
    nu_activations=(1.0, 10.0),
    nu_until=0.6,
    noise=0.3,
    average=0.4,
    final_rate=0.1,
)

#: The forward pass uses no other value of a weight than w = tanh(nu W), and the deployed weight is its limit.
#: The exact gradient with respect to w moves W without the factor nu sech^2(nu W): mirror descent (Ajanthan
#: et al., arXiv 1910.08237). So a weight does not freeze once nu |W| is large. Activations stay smooth,
#: tanh(10 y) at the end, and noise on y keeps the network from relying on values near 0.
SELF_BINARIZING = Method(
    name="self-binarizing",
    weights="mirror",
    activations="tanh",
    exact=True,
    recipe=_RECIPE,
    # A staircase has a slope everywhere, so it takes sharper steps and less noise.
    several=replace(_RECIPE, nu_activations=(2.0, 12.0), noise=0.15),
)
