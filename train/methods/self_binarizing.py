"""The default method: one representation of the weights, and exact gradients of the forward pass."""

from dataclasses import replace

from .method import Method, Recipe

__all__ = ["SELF_BINARIZING"]

_RECIPE = Recipe(
    nu_weights=(30.0, 1000.0),
    nu_activations=(1.0, 2.0),
    nu_pooled=(1.0, 10.0),
    nu_until=0.6,
    hard_tail=0.1,
    sampling=1.0,
    average=0.4,
    final_rate=0.1,
)

#: The forward pass uses no other value of a weight than w = tanh(nu W), and the deployed weight is its limit.
#: The exact gradient with respect to w moves W without the factor nu sech^2(nu W): mirror descent (Ajanthan
#: et al., arXiv 1910.08237). So a weight does not freeze once nu |W| is large. Activations are the means of
#: signs that are +1 with the probability (1 + tanh(nu y)) / 2, with the noise that drawn signs would have
#: (as in Peters and Welling, arXiv 1809.03368): what lies between -1 and +1 costs noise, so that the network
#: does not rely on it. At the end they are signs, and the last layer learns on.
SELF_BINARIZING = Method(
    name="self-binarizing",
    weights="mirror",
    activations="tanh",
    exact=True,
    recipe=_RECIPE,
    # A staircase has a slope everywhere, so it takes sharper steps and constant noise.
    several=replace(
        _RECIPE, nu_activations=(2.0, 12.0), nu_pooled=None, hard_tail=0.0, sampling=0.0, noise=0.15
    ),
)
