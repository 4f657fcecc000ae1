"""A trained network as integers.

No threshold is derived by algebra. Each neuron's own hardened function is evaluated at every sum that it can
reach, and the point where it switches is its threshold, so that the integer and the trained network agree by
construction. The algebraic form is the cross-check in the tests.
"""

import math
import re
from collections import deque

import numpy as np
import torch
from torch import nn

from ...errors import ModelError
from ...train.chain import chain, check_values
from ...train.checkpoint import Checkpoint
from ...train.layers import (
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryWeights,
    Pixels,
    Residual,
    Scores,
    hardened,
)
from ...train.shapes import output_shape, pool_padding, pool_window
from ...train.trace import body
from ...train.trust import check_trust
from .. import ir

__all__ = ["to_network"]

#: Greatest sum of signs, in halves, that float32 holds exactly.
_EXACT = 2**24


def to_network(model, *, name="network", labels=None, image_shape=None, force=False):
    """The integer network of a trained module or model file.

    Parameters
    ----------
    model : nn.Module or Checkpoint
        A chain of the layers of `sbgen.train.layers`.
    name : str
    labels : sequence of str or None
        None takes a checkpoint's, else the class numbers.
    image_shape : tuple of int or None
        None takes a checkpoint's, else that of the first layer, else ``(pixels,)``.
    force : bool
        Whether to accept a module that is not hardened enough to trust.

    Returns
    -------
    ir.Network
        Its scores are those of ``model`` hardened, exactly, on every image.

    Raises
    ------
    ModelError
        The module is no such chain, has a value that is not finite, or is not hardened enough.
    """
    if isinstance(model, Checkpoint):
        labels, image_shape = labels or model.labels, image_shape or model.image_shape
        model = model.model  # its trust was decided when it was loaded
    elif not force:
        check_trust(model)
    with torch.no_grad(), hardened(model):
        trained = chain(model)
        check_values(trained)
        conversion = _Conversion()
        conversion.add(trained)
        layers = conversion.layers
        first = trained[0][1]
        if not image_shape or (isinstance(first, Pixels) and isinstance(layers[0], ir.Conv2d)):
            image_shape = first.image  # tells the one channel of grey images, which a convolution must see
    decision, outputs = trained[-1][1].decision, layers[-1].outputs
    labels = tuple(labels) if labels else tuple(str(label) for label in range(max(2, outputs)))
    return ir.Network(
        name=name,
        image_shape=tuple(image_shape or (layers[0].inputs,)),
        layers=tuple(layers),
        labels=labels,
        decision=decision,
    )


def _name(at, kind):
    """A layer's name as an identifier: plain `nn.Sequential` numbers its layers."""
    name = re.sub(r"\W", "_", at)
    return f"{kind}_{name}" if not name or name[0].isdigit() else name


def _weights(layer, shape):
    """Weight bits and mask (None: all count) of a layer whose input has that shape, in the order of the
    integer network.

    There the channels of an image come last, while torch has them first.
    """

    def ordered(bits):
        if isinstance(layer, BinaryConv2d):
            bits = bits.permute(0, 2, 3, 1)
        elif len(shape) == 3:
            bits = bits.reshape(-1, *shape).permute(0, 2, 3, 1).flatten(1)
        return bits.to(torch.uint8).numpy()

    weights = layer.hard()
    return ordered(weights > 0), None if layer.ternary is None else ordered(weights != 0)


def _lost(weights, mask, greatest):
    """What each neuron counts for elements that stop short of their planes: a weight of -1 counts from the
    planes' top.

    Parameters
    ----------
    weights, mask
        As from `_weights`.
    greatest : int
        The greatest element.

    Returns
    -------
    integer array, shape (outputs,)
    """
    negative = (1 - weights) if mask is None else mask * (1 - weights)
    return negative.reshape(len(weights), -1).sum(1, dtype=int) * (
        (1 << greatest.bit_length()) - 1 - greatest
    )


class _Conversion:
    """The integer layers so far, and what the trained ones give where they give integers.

    A sum of signs is ``2 * integer + least``, of an integer 0 ... `greatest`; a sign likewise, of an integer
    0 ... 1. Pixels and averages of signs are that in parts of `unit`.
    """

    def __init__(self):
        self.layers, self.shape = [], None
        self._sums(1)

    def _sums(self, greatest, *, unit=1):
        self.greatest, self.least, self.unit = greatest, -greatest, unit

    def add(self, trained):
        """Append the layers of a chain, or of a part of one."""
        rest = deque(trained)
        while rest:
            at, layer = rest.popleft()
            before, self.shape = self.shape, output_shape(at, layer, self.shape)
            match layer:
                case Binarize():
                    self.layers.append(
                        ir.Binarize(name=_name(at, "binarize"), thresholds=layer.thresholds.numpy())
                    )
                case Pixels():
                    self._sums(ir.PIXEL_LEVELS - 1, unit=ir.PIXEL_LEVELS)
                case Scores():
                    weights, mask = _weights(layer, before)
                    scales = layer.integer_scales().long().numpy() if layer.per_class else None
                    lost = _lost(weights, mask, self.greatest) * (1 if scales is None else scales)
                    self.layers.append(
                        ir.Scores(
                            name=_name(at, "scores"),
                            weights=weights,
                            mask=mask,
                            planes=self.greatest.bit_length(),
                            scales=scales,
                            offsets=layer.integer_offsets().long().numpy() - lost,
                        )
                    )
                case nn.AvgPool2d():
                    kernel, stride = pool_window(layer)
                    self.layers.append(ir.SumPool(name=_name(at, "sumpool"), kernel=kernel, stride=stride))
                    self._sums(math.prod(kernel), unit=layer.divisor_override or math.prod(kernel))
                case nn.MaxPool2d():
                    kernel, stride = pool_window(layer)
                    self.layers.append(
                        ir.MaxPool(
                            name=_name(at, "maxpool"),
                            kernel=kernel,
                            stride=stride,
                            padding=pool_padding(layer),
                        )
                    )
                case BinaryWeights():
                    name = _name(at, "conv" if isinstance(layer, BinaryConv2d) else "dense")
                    if rest and not isinstance(rest[0][1], Residual):
                        self.layers.append(
                            _neurons(
                                name, layer, _activation(rest), before, greatest=self.greatest, unit=self.unit
                            )
                        )
                        self._sums(1)
                    else:
                        # A sum that a shortcut ends or begins at.
                        if self.greatest > 1 or layer.ternary is not None:
                            raise ModelError(
                                f"layer {at!r}: sums that a shortcut ends or begins at must be of signs and"
                                " of weights of -1 and +1, not of averages or of ternary weights; put"
                                " BinaryActivation between"
                            )
                        self.layers.append(_unit(name, layer, _weights(layer, before), None, 1))
                        self._sums(layer.weight[0].numel())
                case Residual():
                    self._residual(at, layer, before)
                case BatchNorm() | BinaryActivation():
                    rest.appendleft((at, layer))
                    self._threshold(_name(at, "threshold"), _activation(rest))

    def _residual(self, at, residual, shape):
        name, greatest, least = _name(at, "residual"), self.greatest, self.least
        fork = ir.Fork(name=f"{name}_fork")
        self.layers.append(fork)
        self.shape = shape
        self.add(body(at, residual))
        self.layers.append(ir.Add(name=f"{name}_add", fork=fork.name, scale=residual.scale))
        self.greatest += residual.scale * greatest
        self.least += residual.scale * least
        if 2 * self.greatest >= _EXACT:
            raise ModelError(
                f"layer {at!r}: sums must stay below {_EXACT:,} to be exact, but reach {2 * self.greatest:,};"
                " take a smaller scale, or put BinaryActivation between residuals"
            )

    def _threshold(self, name, activation):
        """A batch norm, perhaps, and sign, on sums that the layer before them has given whole."""
        sums = (2 * torch.arange(self.greatest + 1)[:, None] + self.least) / self.unit
        on, falls = _switches(activation, sums, self.shape[0])
        self.layers.append(
            ir.Threshold(name=name, thresholds=(on == falls).sum(0).numpy(), inverted=falls.int().numpy())
        )
        self._sums(1)


def _activation(rest):
    """BatchNorm or none, then BinaryActivation: taken from the front of what is left, as one function."""
    norm, (_, active) = None, rest.popleft()
    if isinstance(active, BatchNorm):
        norm, (_, active) = active, rest.popleft()
    return lambda x: active(norm(x) if norm is not None else x) > 0


def _switches(activation, sums, channels):
    """Which of so many channels are on at each of the rising `sums`, and which of them fall.

    Parameters
    ----------
    sums : tensor, shape (sums, channels) or (sums, 1)

    Returns
    -------
    bool tensors, shape (sums, channels) and (channels,)
    """
    sums = sums.to(torch.float32)
    on = torch.cat([activation(part) for part in sums.expand(-1, channels).split(4096)])
    falls = on[0] & ~on[-1]
    rising = on ^ falls
    assert not (rising[:-1] & ~rising[1:]).any(), "a hardened neuron must be monotone"
    return on, falls


def _neurons(name, layer, activation, shape, *, greatest, unit):
    """One layer of neurons, on elements of 0 ... `greatest` in parts of `unit`: weights, then perhaps batch
    norm, then sign.
    """
    weights, mask = _weights(layer, shape)
    inputs, planes = layer.weight[0].numel(), greatest.bit_length()
    most = (layer.hard() != 0).flatten(1).sum(
        1
    ) * greatest  # the greatest count of each neuron, did elements end where planes do
    counts = torch.arange(inputs * greatest + 1)[:, None]
    if mask is None:
        most = most[:1]
    on, falls = _switches(activation, (2 * torch.minimum(counts, most) - most) / unit, layer.outputs)
    # A neuron that switches off as agreement grows is one that switches on as agreement with the complement
    # grows.
    off = (on.logical_not() & (counts <= most)).sum(0).numpy()
    weights = weights ^ falls.numpy().astype(weights.dtype).reshape(-1, *(1,) * (weights.ndim - 1))
    thresholds = np.where(
        off == 0,
        0,
        np.where(off > most.numpy(), inputs * ((1 << planes) - 1) + 1, off + _lost(weights, mask, greatest)),
    )
    return _unit(name, layer, (weights, mask), thresholds, planes)


def _unit(name, layer, weights, thresholds, planes):
    common = {
        "name": name,
        "weights": weights[0],
        "mask": weights[1],
        "thresholds": thresholds,
        "planes": planes,
    }
    if isinstance(layer, BinaryConv2d):
        return ir.Conv2d(
            **common,
            stride=layer.stride,
            padding=layer.padding,
            padding_bit=int(layer.padding_value > 0),
            groups=layer.groups,
        )
    return ir.Dense(**common)
