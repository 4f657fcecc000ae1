"""The layers of a self-binarizing network, ordinary modules to compose in `nn.Sequential` or a module of one's own.

    uint8 pixels -> Binarize -> (BinaryLinear -> BatchNorm -> BinaryActivation) ... -> Scores -> logits

Each has two ways to compute. In the ordinary one it can be trained. *Hardened* (see `hardened`, and `harden` for the
step that makes it permanent) it computes on -1 and +1 only, exactly as the integer network of ``docs/semantics.md``:
sums of signs are exact in float32 up to 2**24, the batch norm is a chain of separate float64 operations, each correctly
rounded and therefore monotone, and the scores are integers.
"""

from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import binarizers
from .binarizers import sign

__all__ = ["BatchNorm", "Binarize", "BinaryActivation", "BinaryLinear", "Scores", "hardened", "hardened_layers"]


class Binarize(nn.Module):
    """Raw pixels to bits: output ``i * levels + l`` is +1 where ``pixel[i] >= thresholds[i, l]``, else -1.

    Takes uint8 images of shape (N, ...) with `pixels` values each, gives float32 of shape (N, pixels * levels).

    Parameters
    ----------
    pixels : int
    thresholds : sequence of int, or array of shape (pixels, levels); values 0 ... 256
        A flat sequence holds for every pixel; several levels make thermometer bits.
    """

    def __init__(self, pixels, thresholds):
        super().__init__()
        thresholds = np.asarray(thresholds)
        if thresholds.ndim == 1:
            thresholds = np.tile(thresholds, (pixels, 1))
        if thresholds.ndim != 2 or len(thresholds) != pixels or not thresholds.size:
            raise ValueError(f"thresholds must have the shape ({pixels}, levels), not {thresholds.shape}")
        if not np.issubdtype(thresholds.dtype, np.integer) or thresholds.min() < 0 or thresholds.max() > 256:
            raise ValueError(f"thresholds must be integers in 0 ... 256, not {thresholds.dtype} "
                             f"{thresholds.min()} ... {thresholds.max()}")
        self.pixels = pixels
        self.register_buffer("thresholds", torch.from_numpy(thresholds.astype(np.int16)))

    @property
    def outputs(self):
        return self.thresholds.numel()

    def forward(self, images):
        if images.dtype != torch.uint8:
            raise TypeError(f"images must be raw uint8 pixels, not {images.dtype}")
        # A pixel less its threshold less a half is never 0: its sign is the bit, several times faster than comparing.
        pixels = images.reshape(len(images), self.pixels, 1).to(torch.float32)
        return (pixels - (self.thresholds - 0.5)).sign_().reshape(len(images), -1)

    def extra_repr(self):
        return f"{self.pixels}, levels={self.thresholds.shape[1]}"


class BinaryLinear(nn.Module):
    """Sums of inputs weighted by -1 and +1, without bias and without scale: (N, inputs) to (N, outputs).

    Parameters
    ----------
    inputs, outputs : int
    method : str
        One of `binarizers.METHODS`.
    slope_cap : float or None
        See `binarizers.SelfBinarizing`.
    """

    hardened = False
    sharpens = "weights"

    def __init__(self, inputs, outputs, *, method="self-binarizing", slope_cap=None):
        super().__init__()
        self.inputs, self.outputs, self.method, self.slope_cap = inputs, outputs, method, slope_cap
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.binarizer = binarizers.make(method, slope_cap=slope_cap)
        nn.init.xavier_uniform_(self.weight)  # uniform +-0.5 freezes before it moves

    def forward(self, x):
        return F.linear(x, sign(self.weight) if self.hardened else self.binarizer(self.weight))

    def extra_repr(self):
        return f"{self.inputs}, {self.outputs}, method={self.method!r}, slope_cap={self.slope_cap}"


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation; hardened, ``gamma * ((x - mean) / sqrt(var + eps)) + beta`` in float64, step by step."""

    hardened = False

    def forward(self, x):
        if not self.hardened:
            return super().forward(x)
        mean, variance = self.running_mean.double(), self.running_var.double()
        return (x.double() - mean) / torch.sqrt(variance + self.eps) * self.weight.double() + self.bias.double()


class BinaryActivation(nn.Module):
    """Each value to -1 or +1, by the method's own way in training.

    Parameters
    ----------
    method : str
    slope_cap : float or None
        Both as in `BinaryLinear`.
    """

    hardened = False
    sharpens = "activations"

    def __init__(self, *, method="self-binarizing", slope_cap=None):
        super().__init__()
        self.method, self.slope_cap = method, slope_cap
        self.binarizer = binarizers.make(method, slope_cap=slope_cap)

    def forward(self, x):
        return sign(x).to(torch.float32) if self.hardened else self.binarizer(x)

    def extra_repr(self):
        return f"method={self.method!r}, slope_cap={self.slope_cap}"


class Scores(BinaryLinear):
    """The last layer: ``scale * (sum + offset)``, one scale for all classes and an offset for each.

    A shared positive scale leaves the order of the classes alone, so no multiplier is needed afterwards. Hardened, a
    score is ``popcount + round(offset / 2)``, an integer: the sum of n signs is ``2 * popcount - n``.
    """

    def __init__(self, inputs, classes, *, method="self-binarizing", slope_cap=None):
        super().__init__(inputs, classes, method=method, slope_cap=slope_cap)
        self.log_scale = nn.Parameter(torch.tensor(-0.5 * float(np.log(inputs))))
        self.offset = nn.Parameter(torch.zeros(classes))

    def integer_offsets(self):
        """Offsets of the integer scores, shape (classes,), as floats."""
        return torch.round(self.offset.detach() / 2)

    def forward(self, x):
        sums = super().forward(x)
        if self.hardened:
            return (sums + self.inputs) / 2 + self.integer_offsets()
        return self.log_scale.exp() * (sums + self.offset)


#: The layers whose hardened computation differs from the ordinary one.
_HARDENED = (BatchNorm, BinaryActivation, BinaryLinear)


def hardened_layers(model):
    """Name and module of each layer that can be hardened, in order."""
    return [(name, module) for name, module in model.named_modules() if isinstance(module, _HARDENED)]


@contextmanager
def hardened(model):
    """Evaluates `model` hardened for a while, its weights untouched."""
    before = [(layer, layer.hardened) for _, layer in hardened_layers(model)]
    training = model.training
    try:
        for layer, _ in before:
            layer.hardened = True
        yield model.eval()
    finally:
        for layer, value in before:
            layer.hardened = value
        model.train(training)
