"""The layers of a self-binarizing network, ordinary modules to compose in `nn.Sequential` or a module of
one's own.

    uint8 pixels -> Binarize -> (BinaryConv2d -> BatchNorm -> BinaryActivation -> nn.MaxPool2d) ...
                 or Pixels   -> (BinaryLinear -> BatchNorm -> BinaryActivation) ... -> Scores -> logits

Each has two ways to compute. In the ordinary one it can be trained. *Hardened* (see `hardened`, and `harden`
for the step that makes it permanent) it computes on -1 and +1 only, exactly as the integer network of
``docs/semantics.md``: sums of signs are exact in float32 up to 2**24, the batch norm is a chain of separate
float64 operations, each correctly rounded and therefore monotone, and the scores are integers.
"""

from contextlib import contextmanager

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from . import binarizers
from .binarizers import sign

__all__ = [
    "WHITE",
    "AvgPool2d",
    "BatchNorm",
    "Binarize",
    "BinaryActivation",
    "BinaryConv2d",
    "BinaryLinear",
    "BinaryWeights",
    "Pixels",
    "Residual",
    "Scores",
    "hardened",
    "hardened_layers",
]

#: What `Pixels` makes of the greatest pixel; the least becomes its negative.
WHITE = 255 / 256


class Binarize(nn.Module):
    """Raw pixels to bits: output ``i * levels + l`` is +1 where ``pixel[i] >= thresholds[i, l]``, else -1.

    Takes uint8 images of shape (N, ...) with `pixels` values each, gives float32 of shape (N, pixels *
    levels); or, for convolutions, takes rows of pixels with their channels last and gives (N, channels *
    levels, height, width).

    Parameters
    ----------
    pixels : int
    thresholds : sequence of int, or array of shape (pixels, levels); values 0 ... 256
        A flat sequence holds for every pixel; several levels make thermometer bits.
    image : (int, int, int) or None
        Height, width and channels, where the output is to be an image.
    """

    def __init__(self, pixels, thresholds, *, image=None):
        super().__init__()
        if image is not None and int(np.prod(image)) != pixels:
            raise ValueError(
                f"an image of {' x '.join(map(str, image))} must have {pixels} pixels, "
                f"not {int(np.prod(image))}"
            )
        thresholds = np.asarray(thresholds)
        if thresholds.ndim == 1:
            thresholds = np.tile(thresholds, (pixels, 1))
        if thresholds.ndim != 2 or len(thresholds) != pixels or not thresholds.size:
            raise ValueError(f"thresholds must have the shape ({pixels}, levels), not {thresholds.shape}")
        if not np.issubdtype(thresholds.dtype, np.integer) or thresholds.min() < 0 or thresholds.max() > 256:
            raise ValueError(
                f"thresholds must be integers in 0 ... 256, not {thresholds.dtype} "
                f"{thresholds.min()} ... {thresholds.max()}"
            )
        self.pixels, self.image = pixels, None if image is None else tuple(image)
        self.register_buffer("thresholds", torch.from_numpy(thresholds.astype(np.int16)))

    @property
    def outputs(self):
        return self.thresholds.numel()

    def forward(self, images):
        if images.dtype != torch.uint8:
            raise TypeError(f"images must be raw uint8 pixels, not {images.dtype}")
        # A pixel less its threshold less a half is never 0: its sign is the bit, several times faster than
        # comparing.
        pixels = images.reshape(len(images), self.pixels, 1).to(torch.float32)
        signs = (pixels - (self.thresholds - 0.5)).sign_()
        if self.image is None:
            return signs.reshape(len(images), -1)
        return signs.reshape(len(images), *self.image[:2], -1).permute(0, 3, 1, 2)

    def extra_repr(self):
        return f"{self.pixels}, levels={self.thresholds.shape[1]}" + (
            "" if self.image is None else f", image={self.image}"
        )


class Pixels(nn.Module):
    """Raw pixels as numbers, for a first layer that sums them: pixel x becomes ``(2x - 255) / 256``.

    Each is an odd number of 256ths between -`WHITE` and `WHITE`, so that sums of up to 65,793 of them, each
    taken plain or negated, are exact in float32, in any order. Where an integer network counts the agreement
    p, 0 ... 255 n, the sum is ``(2p - 255 n) / 256``.

    Takes uint8 images of shape (N, ...) with the values of `image` each, in the order row, column, channel;
    gives float32 of shape (N, channels, height, width), or (N, pixels).

    Parameters
    ----------
    image : (int, int, int), (int, int) or (int,)
        Height, width and channels (1 where they are left out), or the number of pixels where there is no
        image.
    """

    def __init__(self, image):
        super().__init__()
        if not 1 <= len(image) <= 3:
            raise ValueError(f"an image must have the shape (height, width, channels), not {tuple(image)}")
        self.image = tuple(image) if len(image) != 2 else (*image, 1)

    @property
    def pixels(self):
        return int(np.prod(self.image))

    def forward(self, images):
        if images.dtype != torch.uint8:
            raise TypeError(f"images must be raw uint8 pixels, not {images.dtype}")
        images = images.reshape(len(images), *self.image)
        if len(self.image) == 3:
            # Channels stay innermost in memory, where the convolutions are a third faster.
            images = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.channels_last)
        return images.to(torch.float32).mul(2 / 256).sub_(WHITE)

    def extra_repr(self):
        return str(self.image)


class AvgPool2d(nn.AvgPool2d):
    """The average of signs under a kernel, exact: the sum divided by the power of two that is not below the
    kernel's size.

    Of n signs it is an odd or even number of 1/n at best, so that of 49 it would not be exact in float32, and
    neither the sums of such averages. (An `nn.AvgPool2d` whose kernel is of a power of two is the same.)

    Parameters
    ----------
    kernel : int or (int, int)
        The size of the image makes it global.
    stride : int or (int, int) or None
        None is the kernel.
    """

    def __init__(self, kernel, *, stride=None):
        kernel = _pair(kernel)
        super().__init__(
            kernel, kernel if stride is None else _pair(stride), divisor_override=_unit(kernel[0] * kernel[1])
        )


def _unit(average):
    """What the sum of so many signs is divided by."""
    return 1 << (average - 1).bit_length()


class BinaryWeights(nn.Module):
    """What layers with weights of -1 and +1, or of -1, 0 and +1, have in common.

    Parameters
    ----------
    shape : tuple of int
        Of the weights, the outputs first.
    method : str
        One of `binarizers.METHODS`.
    slope_cap : float or None
        See `binarizers.SelfBinarizing`.
    ternary : float or None
        Where the weights are to be -1, 0 and +1, the half width of what becomes 0, between 0 and 1: a weight
        is the mean of two that binarize W + ternary and W - ternary.
    """

    hardened = False
    sharpens = "weights"

    def __init__(self, shape, *, method, slope_cap, ternary):
        super().__init__()
        if ternary is not None and not 0 < ternary < 1:
            raise ValueError(f"ternary must be between 0 and 1, or None, not {ternary!r}")
        self.ternary = ternary
        self.method, self.slope_cap = method, slope_cap
        self.weight = nn.Parameter(torch.empty(shape))
        self.binarizer = binarizers.make(method, slope_cap=slope_cap)
        nn.init.xavier_uniform_(self.weight)  # uniform +-0.5 freezes before it moves

    def binarized(self, binarizer):
        """What `binarizer` makes of the weights, each end where they are ternary: its values go to -1 and +1."""
        if self.ternary is None:
            return binarizer(self.weight)
        return torch.stack((binarizer(self.weight + self.ternary), binarizer(self.weight - self.ternary)))

    def hard(self):
        """The weights as they count in the end: -1 and +1, and 0 where they are ternary."""
        return self._values(sign)

    def binary(self):
        """The weights as they count: those in the end, or on the way there."""
        return self._values(sign if self.hardened else self.binarizer)

    def _ternary_repr(self):
        return "" if self.ternary is None else f", ternary={self.ternary}"

    def _values(self, binarizer):
        values = self.binarized(binarizer)
        return values if self.ternary is None else values.mean(0)


class BinaryLinear(BinaryWeights):
    """Sums of inputs weighted by -1 and +1, without bias and without scale: (N, ...) to (N, outputs).

    An image is flattened first, as by `nn.Flatten`.

    Parameters
    ----------
    inputs, outputs : int
    method, slope_cap, ternary
        As in `BinaryWeights`.
    """

    def __init__(self, inputs, outputs, *, method="self-binarizing", slope_cap=None, ternary=None):
        super().__init__((outputs, inputs), method=method, slope_cap=slope_cap, ternary=ternary)
        self.inputs, self.outputs = inputs, outputs

    def forward(self, x):
        return F.linear(x.flatten(1), self.binary())

    def extra_repr(self):
        return (
            f"{self.inputs}, {self.outputs}, method={self.method!r}, slope_cap={self.slope_cap}"
            + self._ternary_repr()
        )


class BinaryConv2d(BinaryWeights):
    """`BinaryLinear` at every position of a kernel: (N, channels, height, width) to (N, outputs, rows,
    columns).

    Parameters
    ----------
    channels, outputs : int
    kernel : int or (int, int)
    stride : int or (int, int)
    padding : int, (int, int) or ((int, int), (int, int))
        Rows above and below, columns left and right.
    padding_value : float
        What they hold, -1 or +1, there is no 0 among bits; behind `Pixels` the least or the greatest,
        -`WHITE` or `WHITE`.
    groups : int
    method, slope_cap, ternary
        As in `BinaryWeights`.
    """

    def __init__(
        self,
        channels,
        outputs,
        kernel,
        *,
        stride=1,
        padding=0,
        padding_value=-1,
        groups=1,
        method="self-binarizing",
        slope_cap=None,
        ternary=None,
    ):
        kernel, stride, padding = _pair(kernel), _pair(stride), tuple(_pair(each) for each in _pair(padding))
        if padding_value not in (-1, 1, -WHITE, WHITE):
            raise ValueError(
                f"padding_value must be -1 or +1, or -WHITE or WHITE behind Pixels, not {padding_value!r}: "
                "bits have no 0"
            )
        if groups < 1 or channels % groups or outputs % groups:
            raise ValueError(f"groups must divide {channels} channels and {outputs} outputs, not {groups!r}")
        super().__init__(
            (outputs, channels // groups, *kernel), method=method, slope_cap=slope_cap, ternary=ternary
        )
        self.channels, self.outputs, self.kernel, self.stride = channels, outputs, kernel, stride
        self.padding, self.padding_value, self.groups = padding, padding_value, groups

    def forward(self, x):
        (top, bottom), (left, right) = self.padding
        if top or bottom or left or right:
            x = F.pad(x, (left, right, top, bottom), value=float(self.padding_value))
        return F.conv2d(x, self.binary(), stride=self.stride, groups=self.groups)

    def extra_repr(self):
        return (
            f"{self.channels}, {self.outputs}, kernel={self.kernel}, stride={self.stride},"
            f" padding={self.padding}, padding_value={self.padding_value}, groups={self.groups},"
            f" method={self.method!r}, slope_cap={self.slope_cap}" + self._ternary_repr()
        )


def _pair(value):
    return (value, value) if isinstance(value, int) else tuple(value)


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of vectors (N, features) or images (N, features, height, width).

    Hardened, it is ``gamma * ((x - mean) / sqrt(var + eps)) + beta`` in float64, step by step.
    """

    hardened = False

    def _check_input_dim(self, x):
        if x.dim() not in (2, 4):
            raise ValueError(
                f"batch norm takes (N, features) or (N, features, height, width), not {tuple(x.shape)}"
            )

    def forward(self, x):
        if not self.hardened:
            return super().forward(x)
        mean, variance, scale, offset = (
            value.double().reshape(-1, *(1,) * (x.dim() - 2))
            for value in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        return (x.double() - mean) / torch.sqrt(variance + self.eps) * scale + offset


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


class Residual(nn.Module):
    """A shortcut past some layers: ``body(x) + scale * x``.

    Both are sums of signs, or signs, so the sum is an integer in float32 as on the chip; what stands behind
    it is BatchNorm and BinaryActivation, or another Residual that begins with them (the shortcut then carries
    the sums themselves, as in Bi-Real Net, Liu et al., arXiv 1808.00278).

    Parameters
    ----------
    body : nn.Module
        A chain of layers that ends in BinaryConv2d or BinaryLinear and gives the shape that it takes.
    scale : int
        How much the shortcut counts, at least 1. A sum of n signs is about sqrt(n), a sign beside it is 1.
    """

    def __init__(self, body, *, scale=1):
        super().__init__()
        if not isinstance(scale, int) or not 1 <= scale <= 2**16:
            raise ValueError(f"scale must be an integer in 1 ... {2**16}, not {scale!r}")
        self.body, self.scale = body, scale

    def forward(self, x):
        return self.body(x) + self.scale * x

    def extra_repr(self):
        return f"scale={self.scale}"


class Scores(BinaryLinear):
    """The last layer: ``scale * (sum + offset)``, an offset for each class and one scale for all, or one for
    each.

    A shared positive scale leaves the order of the classes alone, so no multiplier is needed afterwards.
    Hardened, a score is ``popcount + round(offset / 2)``, an integer: the sum of n signs is ``2 * popcount -
    n``.

    Behind an average of k signs, which stands for the count of those that are +1, a score is of the sum of
    the counts; weights of 0 leave a constant of each class, which goes into its offset.

    Where the signs of the scores decide (``docs/semantics.md``), an output is on where its score is not
    negative. Its offset is then the greatest integer with which ``popcount + offset`` has that sign,
    ``floor((offset - n) / 2)``.

    Scales of single classes become integers of `scale_bits` bits, the greatest the greatest of them:
    hardened, a score is ``scale * popcount + round(scale * (offset - n) / 2)``.

    Parameters
    ----------
    inputs, classes : int
        Inputs, and outputs; each output is a class, or where the signs decide a bit of its own.
    decision : {"argmax", "sign"} or None
        What the scores mean. None is "sign" for one output and "argmax" for several; one output has no
        "argmax".
    per_class : bool
        Whether each class has a scale of its own; not where the signs decide, which a scale leaves alone.
    average : int
        Signs that each input is the average of: the size of the kernel of an `AvgPool2d` before it, 1 without
        one.
    method, slope_cap, ternary
        As in `BinaryWeights`.
    """

    #: Bits of a hardened scale of a class, which `sbgen.train.harden.harden` chooses.
    scale_bits = 8

    def __init__(
        self,
        inputs,
        classes,
        *,
        decision=None,
        per_class=False,
        average=1,
        method="self-binarizing",
        slope_cap=None,
        ternary=None,
    ):
        super().__init__(inputs, classes, method=method, slope_cap=slope_cap, ternary=ternary)
        if not isinstance(average, int) or average < 1:
            raise ValueError(f"average must be an integer of at least 1, not {average!r}")
        decision = decision or ("sign" if classes == 1 else "argmax")
        if decision not in ("argmax", "sign") or decision == "argmax" and classes == 1:
            raise ValueError(
                f"decision must be 'sign'{'' if classes == 1 else ' or ' + repr('argmax')} for {classes}"
                f" outputs, not {decision!r}"
            )
        if per_class and decision == "sign":
            raise ValueError(
                "per_class must be False where the signs of the scores decide, which a scale leaves alone"
            )
        self.decision, self.per_class, self.average = decision, per_class, average
        self.log_scale = nn.Parameter(
            torch.full((classes,) if per_class else (), -0.5 * float(np.log(inputs)))
        )
        self.offset = nn.Parameter(torch.zeros(classes))

    def _scales(self):
        """The scales of the classes in the unit of the integer ones, in float64."""
        scales = self.log_scale.detach().double()
        return (scales - scales.max()).exp() * (2**self.scale_bits - 1)

    def integer_scales(self):
        """Scales of the integer scores, shape (classes,), as floats; None where all classes share one."""
        return torch.round(self._scales()) if self.per_class else None

    def integer_offsets(self):
        """Offsets of the integer scores, shape (classes,), as floats."""
        offset = _unit(self.average) * self.offset.detach()
        if self.per_class:
            return torch.round(self._scales() * (offset - self._greatest()) / 2)
        if self.decision == "sign":
            return torch.floor((offset - self._greatest()) / 2)
        return torch.round((offset + self._left_out()) / 2)

    def _greatest(self):
        """The greatest count of each class, shape (classes,)."""
        return self.hard().detach().abs().sum(1) * self.average

    def _left_out(self):
        """What weights of 0 take from it."""
        return self.inputs * self.average - self._greatest()

    def settle(self):
        """Make the offsets those that the integer ones stand for."""
        least = (
            -self._greatest() if self.decision == "sign" else self._left_out()
        )  # what the sum of no agreement adds
        self.offset.copy_((2 * self.integer_offsets() - least) / _unit(self.average))

    def forward(self, x):
        sums = super().forward(x)
        if self.hardened:
            counts = (_unit(self.average) * sums + self._greatest()) / 2
            return (counts * self.integer_scales() if self.per_class else counts) + self.integer_offsets()
        return self.log_scale.exp() * (sums + self.offset)

    def extra_repr(self):
        decision = ", decision='sign'" if self.decision == "sign" and self.outputs > 1 else ""
        return (
            super().extra_repr()
            + decision
            + (", per_class=True" if self.per_class else "")
            + (f", average={self.average}" if self.average > 1 else "")
        )


#: The layers whose hardened computation differs from the ordinary one.
_HARDENED = (BatchNorm, BinaryActivation, BinaryWeights)


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
