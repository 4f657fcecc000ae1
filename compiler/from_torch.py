"""A trained network as integers.

No threshold is derived by algebra. Each neuron's own hardened function is evaluated at every sum that it can reach,
and the point where it switches is its threshold, so that the integer and the trained network agree by construction.
The algebraic form is the cross-check in the tests.
"""

import re

import torch
from torch import nn

from ..train.chain import chain, check_values, output_shape, pool_window
from ..train.checkpoint import Checkpoint, check_trust
from ..train.layers import (
    BatchNorm,
    Binarize,
    BinaryActivation,
    BinaryConv2d,
    BinaryWeights,
    Pixels,
    Scores,
    hardened,
)
from . import ir

__all__ = ["to_network"]


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
    layers = []
    with torch.no_grad(), hardened(model):
        trained = chain(model)
        check_values(trained)
        rest, shape, planes = iter(trained), None, 1
        for at, layer in rest:
            before, shape = shape, output_shape(at, layer, shape)
            match layer:
                case Binarize():
                    layers.append(ir.Binarize(name=_name(at, "binarize"), thresholds=layer.thresholds.numpy()))
                case Pixels():
                    planes = ir.PIXEL_BITS
                case Scores():
                    layers.append(ir.Scores(name=_name(at, "scores"), weights=_bits(layer, before),
                                            offsets=layer.integer_offsets().long().numpy(),
                                            scales=layer.integer_scales().long().numpy() if layer.per_class else None))
                case nn.MaxPool2d():
                    kernel, stride = pool_window(layer)
                    layers.append(ir.MaxPool(name=_name(at, "maxpool"), kernel=kernel, stride=stride))
                case BinaryWeights():
                    norm, (_, active) = None, next(rest)
                    if isinstance(active, BatchNorm):
                        norm, (_, active) = active, next(rest)
                    kind = "conv" if isinstance(layer, BinaryConv2d) else "dense"
                    layers.append(_neurons(_name(at, kind), layer, norm, active, before, planes))
                    planes = 1
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


def _neurons(name, layer, norm, active: BinaryActivation, shape, planes):
    """One layer of neurons, on bits or on pixels of 8 planes: weights, then perhaps batch norm, then sign."""
    reach = layer.weight[0].numel() * (2**planes - 1)
    # What the trained layer sums where the integer one counts; those of `Pixels` are in 256ths.
    sums = (2 * torch.arange(reach + 1) - reach).to(torch.float32) / (1 if planes == 1 else ir.PIXEL_LEVELS)
    on = torch.cat([active(norm(part) if norm is not None else part) > 0
                    for part in sums[:, None].expand(-1, layer.outputs).split(4096)])
    # (reach + 1, outputs): whether each neuron is on at each count
    falls = on[0] & ~on[-1]
    # A neuron that switches off as agreement grows is one that switches on as agreement with the complement grows.
    on = torch.where(falls, on.flip(0), on)
    assert not (on[:-1] & ~on[1:]).any(), "a hardened neuron must be monotone"
    weights = _bits(layer, shape)
    weights = weights ^ falls.numpy().astype(weights.dtype).reshape(-1, *(1,) * (weights.ndim - 1))
    thresholds = (~on).sum(0).numpy()
    if isinstance(layer, BinaryConv2d):
        return ir.Conv2d(name=name, weights=weights, thresholds=thresholds, stride=layer.stride, padding=layer.padding,
                         padding_bit=int(layer.padding_value > 0), groups=layer.groups, planes=planes)
    return ir.Dense(name=name, weights=weights, thresholds=thresholds, planes=planes)
