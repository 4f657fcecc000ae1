"""The plain dense network that the presets are."""

from collections import OrderedDict

from torch import nn

from .layers import BatchNorm, Binarize, BinaryActivation, BinaryLinear, Scores

__all__ = ["network"]


def network(*, pixels, thresholds, widths, classes, method="self-binarizing", slope_cap=None):
    """Binarize, then (linear, norm, active) for each of `widths`, then scores, as an `nn.Sequential`."""
    how = {"method": method, "slope_cap": slope_cap}
    layers = OrderedDict(binarize=Binarize(pixels, thresholds))
    inputs = layers["binarize"].outputs
    for number, outputs in enumerate(widths, 1):
        layers[f"linear{number}"] = BinaryLinear(inputs, outputs, **how)
        layers[f"norm{number}"] = BatchNorm(outputs)
        layers[f"active{number}"] = BinaryActivation(**how)
        inputs = outputs
    layers["scores"] = Scores(inputs, classes, **how)
    return nn.Sequential(layers)


