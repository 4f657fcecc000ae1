"""A trained network as integers.

No threshold is derived by algebra. Each neuron's own hardened function is evaluated at every sum that it can reach,
and the point where it switches is its threshold, so that the integer and the trained network agree by construction.
The algebraic form is the cross-check in the tests.
"""

import re
from collections import deque

import torch
from torch import nn

from ..errors import ModelError
from ..train.chain import body, chain, check_values, output_shape, pool_window
from ..train.checkpoint import Checkpoint, check_trust
from ..train.layers import (
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
from . import ir

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
    labels = tuple(labels) if labels else tuple(str(label) for label in range(layers[-1].outputs))
    return ir.Network(name=name, image_shape=tuple(image_shape or (layers[0].inputs,)), layers=tuple(layers),
                      labels=labels)


def _name(at, kind):
    """A layer's name as an identifier: plain `nn.Sequential` numbers its layers."""
    name = re.sub(r"\W", "_", at)
    return f"{kind}_{name}" if not name or name[0].isdigit() else name


def _bits(layer, shape):
    """Weight bits of a layer whose input has that shape, in the order of the integer network.

    There the channels of an image come last, while torch has them first.
    """
    bits = (layer.weight >= 0).to(torch.uint8)
    if isinstance(layer, BinaryConv2d):
        return bits.permute(0, 2, 3, 1).numpy()
    if len(shape) == 3:
        bits = bits.reshape(-1, *shape).permute(0, 2, 3, 1).flatten(1)
    return bits.numpy()


class _Conversion:
    """The integer layers so far, and what the trained ones give where they give integers.

    A sum of signs is ``2 * integer + least``, an integer 0 ... `greatest`; a sign likewise, of an integer 0 ... 1. (Behind
    `Pixels`, sums are in 256ths, and none goes further than its own activation.)
    """

    def __init__(self):
        self.layers, self.shape, self.planes = [], None, 1
        self._bits()

    def _bits(self):
        self.greatest, self.least = 1, -1

    def add(self, trained):
        """Append the layers of a chain, or of a part of one."""
        rest = deque(trained)
        while rest:
            at, layer = rest.popleft()
            before, self.shape = self.shape, output_shape(at, layer, self.shape)
            match layer:
                case Binarize():
                    self.layers.append(ir.Binarize(name=_name(at, "binarize"), thresholds=layer.thresholds.numpy()))
                case Pixels():
                    self.planes = ir.PIXEL_BITS
                case Scores():
                    self.layers.append(ir.Scores(name=_name(at, "scores"), weights=_bits(layer, before),
                                                 offsets=layer.integer_offsets().long().numpy(),
                                                 scales=layer.integer_scales().long().numpy() if layer.per_class else None))
                case nn.MaxPool2d():
                    kernel, stride = pool_window(layer)
                    self.layers.append(ir.MaxPool(name=_name(at, "maxpool"), kernel=kernel, stride=stride))
                case BinaryWeights():
                    name = _name(at, "conv" if isinstance(layer, BinaryConv2d) else "dense")
                    if rest and not isinstance(rest[0][1], Residual):
                        self.layers.append(_neurons(name, layer, _activation(rest), before, self.planes))
                        self.planes = 1
                        self._bits()
                    else:
                        # A sum that a shortcut ends or begins at.
                        self.layers.append(_unit(name, layer, _bits(layer, before), None, 1))
                        self.greatest = layer.weight[0].numel()
                        self.least = -self.greatest
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
            raise ModelError(f"layer {at!r}: sums must stay below {_EXACT:,} to be exact, but reach {2 * self.greatest:,}; take a "
                             "smaller scale, or put BinaryActivation between residuals")

    def _threshold(self, name, activation):
        """A batch norm, perhaps, and sign, on sums that the layer before them has given whole."""
        sums = 2 * torch.arange(self.greatest + 1) + self.least
        on, falls = _switches(activation, sums, self.shape[0])
        self.layers.append(ir.Threshold(name=name, thresholds=(on == falls).sum(0).numpy(), inverted=falls.int().numpy()))
        self._bits()


def _activation(rest):
    """BatchNorm or none, then BinaryActivation: taken from the front of what is left, as one function."""
    norm, (_, active) = None, rest.popleft()
    if isinstance(active, BatchNorm):
        norm, (_, active) = active, rest.popleft()
    return lambda x: active(norm(x) if norm is not None else x) > 0


def _switches(activation, sums, channels):
    """Which of so many channels are on at each of the rising `sums`, and which of them fall.

    Returns
    -------
    bool tensors, shape (sums, channels) and (channels,)
    """
    sums = sums.to(torch.float32)
    on = torch.cat([activation(part) for part in sums[:, None].expand(-1, channels).split(4096)])
    falls = on[0] & ~on[-1]
    rising = on ^ falls
    assert not (rising[:-1] & ~rising[1:]).any(), "a hardened neuron must be monotone"
    return on, falls


def _neurons(name, layer, activation, shape, planes):
    """One layer of neurons, on bits or on pixels of 8 planes: weights, then perhaps batch norm, then sign."""
    reach = layer.weight[0].numel() * (2**planes - 1)
    # What the trained layer sums where the integer one counts; those of `Pixels` are in 256ths.
    sums = (2 * torch.arange(reach + 1) - reach) / (1 if planes == 1 else ir.PIXEL_LEVELS)
    on, falls = _switches(activation, sums, layer.outputs)
    # A neuron that switches off as agreement grows is one that switches on as agreement with the complement grows.
    on = torch.where(falls, on.flip(0), on)
    weights = _bits(layer, shape)
    weights = weights ^ falls.numpy().astype(weights.dtype).reshape(-1, *(1,) * (weights.ndim - 1))
    return _unit(name, layer, weights, (~on).sum(0).numpy(), planes)


def _unit(name, layer, weights, thresholds, planes):
    if isinstance(layer, BinaryConv2d):
        return ir.Conv2d(name=name, weights=weights, thresholds=thresholds, stride=layer.stride, padding=layer.padding,
                         padding_bit=int(layer.padding_value > 0), groups=layer.groups, planes=planes)
    return ir.Dense(name=name, weights=weights, thresholds=thresholds, planes=planes)
