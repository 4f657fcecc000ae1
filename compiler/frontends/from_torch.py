"""A trained torch module as an integer network.

No threshold is derived by algebra. Each neuron's own hardened function is evaluated at every sum that it can
reach, and its threshold is the sum at which it switches. So the integer network agrees with the trained one
by construction. The tests compare with the algebraic form.
"""

import math
import re
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

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
    Convolution,
    Pixels,
    Residual,
    Scores,
    hardened,
)
from ...train.layers.pools import average_unit
from ...train.shapes import output_shape, pool_padding, pool_window
from ...train.trace import sides
from ...train.trust import check_trust
from .. import ir
from .trained_activation import Activation, Numbers, next_activation, switches, symmetric

__all__ = ["to_network"]

#: Sums of signs below this are exact in float32.
_EXACT = 2**24

#: A layer of a module, with its name in it.
_Named = tuple[str, nn.Module]


def to_network(
    model: nn.Module | Checkpoint,
    *,
    name: str = "network",
    labels: Sequence[str] | None = None,
    image_shape: Sequence[int] | None = None,
    force: bool = False,
) -> ir.Network:
    """The integer network of a trained module or model file.

    Parameters
    ----------
    model : nn.Module or Checkpoint
        A chain of the layers of `sbgen.train.layers`.
    name : str
    labels : sequence of str or None
        None are those of the checkpoint, or else numbers.
    image_shape : tuple of int or None
        None is that of the checkpoint, or else of the first layer, or else ``(pixels,)``.
    force : bool
        Whether to accept a module that is not hardened enough to be trusted.

    Returns
    -------
    ir.Network
        Its scores are exactly those of the hardened `model`, for every image.

    Raises
    ------
    ModelError
        The module is no such chain, has a value that is not finite, or is not hardened enough.
    """
    if isinstance(model, Checkpoint):
        labels, image_shape = labels or model.labels, image_shape or model.image_shape
        model = model.model  # checked when it was loaded
    elif not force:
        check_trust(model)
    with torch.no_grad(), hardened(model):
        trained = chain(model)
        check_values(trained)
        conversion = _Conversion()
        conversion.add(trained)
        layers = conversion.layers
        first, second = trained[0][1], trained[1][1]
        pixels = cast(Binarize | Pixels, first)
        grey = isinstance(first, Pixels) and isinstance(second, BinaryConv2d)
        if not image_shape or grey or pixels.sequence is not None:
            # It has the channel of grey images, which a convolution needs, and the width of sequences, 1.
            image_shape = pixels.image
    decision, outputs = cast(Scores, trained[-1][1]).decision, cast(ir.Scores, layers[-1]).outputs
    labels = tuple(labels) if labels else tuple(str(label) for label in range(max(2, outputs)))
    return ir.Network(
        name=name,
        image_shape=tuple(image_shape or (cast(ir.Binarize, layers[0]).inputs,)),
        layers=tuple(layers),
        labels=labels,
        decision=decision,
    )


def _name(place: str, kind: str) -> str:
    """A layer's name as an identifier; a plain `nn.Sequential` has numbers for names."""
    name = re.sub(r"\W", "_", place)
    return f"{kind}_{name}" if not name or name[0].isdigit() else name


def _weights(layer: BinaryWeights, shape: Sequence[int]) -> tuple[np.ndarray, np.ndarray | None]:
    """Weight bits and mask, as in `ir.Dense` or `ir.Conv2d`, of a layer whose input has that shape.

    The channels of an image are last, whereas torch has them first.
    """

    def ordered(bits: torch.Tensor) -> np.ndarray:
        if isinstance(layer, Convolution):
            outputs, channels, *kernel = bits.shape
            bits = bits.reshape(outputs, channels, *_over_image(kernel, 1)).permute(0, 2, 3, 1)
        elif len(shape) > 1:
            bits = bits.reshape(-1, *shape).movedim(1, -1).flatten(1)
        return bits.to(torch.uint8).numpy()

    weights = layer.hard()
    return ordered(weights > 0), ordered(weights != 0) if layer.has_zeros else None


_Size = TypeVar("_Size")


def _over_image(sizes: Sequence[_Size], rest: _Size) -> tuple[_Size, _Size]:
    """One size for rows and one for columns. A sequence is an image of one column, whose size is `rest`."""
    rows, columns = (*sizes, rest)[:2]
    return rows, columns


def _excess(weights: np.ndarray, mask: np.ndarray | None, maximum: int) -> np.ndarray:
    """What each neuron counts too much if its inputs are at most `maximum`, less than their bits can hold.

    A weight of -1 counts down from the maximum of the bits.

    Parameters
    ----------
    weights, mask
        As from `_weights`.

    Returns
    -------
    integer array, shape (outputs,)
    """
    negative = (1 - weights) if mask is None else mask * (1 - weights)
    top = (1 << maximum.bit_length()) - 1
    return negative.reshape(len(weights), -1).sum(1, dtype=int) * (top - maximum)


class _Conversion:
    """The integer layers so far, and what the last trained layer outputs."""

    def __init__(self) -> None:
        self.layers: list[ir.Layer] = []
        self.shape: tuple[int, ...] = ()  # of an image, in torch's order
        self.numbers = symmetric(1)

    def add(self, trained: Iterable[_Named]) -> None:
        """Append the layers of a chain, or of a part of one."""
        rest = deque(trained)
        while rest:
            place, layer = rest.popleft()
            before, self.shape = self.shape, output_shape(place, layer, self.shape or None)
            match layer:
                case Binarize():
                    thresholds = layer.thresholds.numpy()
                    self.layers.append(ir.Binarize(name=_name(place, "binarize"), thresholds=thresholds))
                case Pixels():
                    self.numbers = symmetric(ir.PIXEL_LEVELS - 1, unit=ir.PIXEL_LEVELS)
                case Scores():
                    self.layers.append(self._scores(place, layer, before))
                case nn.AvgPool1d() | nn.AvgPool2d():
                    kernel, stride = pool_window(layer)
                    self.layers.append(
                        ir.SumPool(
                            name=_name(place, "sumpool"),
                            kernel=_over_image(kernel, 1),
                            stride=_over_image(stride, 1),
                        )
                    )
                    area = math.prod(kernel)
                    self.numbers = symmetric(
                        area * self.numbers.maximum, unit=average_unit(area) * self.numbers.unit
                    )
                case nn.MaxPool1d() | nn.MaxPool2d():
                    kernel, stride = pool_window(layer)
                    self.layers.append(
                        ir.MaxPool(
                            name=_name(place, "maxpool"),
                            kernel=_over_image(kernel, 1),
                            stride=_over_image(stride, 1),
                            padding=_over_image(pool_padding(layer), (0, 0)),
                        )
                    )
                case BinaryWeights():
                    self._weighted(place, layer, before, rest)
                case Residual():
                    self._residual(place, layer, before)
                case BatchNorm() | BinaryActivation():
                    rest.appendleft((place, layer))
                    self._threshold(_name(place, "threshold"), next_activation(rest))

    def _scores(self, place: str, layer: Scores, shape: Sequence[int]) -> ir.Scores:
        weights, mask = _weights(layer, shape)
        integers = layer.integer_scales()
        scales = None if integers is None else integers.long().numpy()
        excess = _excess(weights, mask, self.numbers.maximum) * (1 if scales is None else scales)
        return ir.Scores(
            name=_name(place, "scores"),
            weights=weights,
            mask=mask,
            planes=self.numbers.planes,
            scales=scales,
            offsets=layer.integer_offsets().long().numpy() - excess,
        )

    def _weighted(self, place: str, layer: BinaryWeights, shape: Sequence[int], rest: deque[_Named]) -> None:
        """A layer with weights: neurons with the activation that follows, or sums for a shortcut."""
        name = _name(place, "conv" if isinstance(layer, Convolution) else "dense")
        if rest and not isinstance(rest[0][1], Residual):
            activation = next_activation(rest)
            self.layers += _neurons(name, layer, activation, shape, self.numbers)
            self.numbers = activation.numbers
            return
        if self.numbers.maximum > 1 or layer.has_zeros:
            raise ModelError(
                f"layer {place!r}: sums at the beginning or end of a shortcut must be of signs and of weights"
                " of -1 and +1, not of averages, of activations of several levels, or of weights of 0; put"
                " BinaryActivation in between"
            )
        self.layers.append(_layer(name, layer, _weights(layer, shape), None, 1))
        self.numbers = symmetric(layer.weight[0].numel())

    def _residual(self, place: str, residual: Residual, shape: tuple[int, ...]) -> None:
        name, stored, layers = _name(place, "residual"), self.numbers, sides(place, residual)
        fork, taken = ir.Fork(name=f"{name}_fork"), self.numbers
        self.layers.append(fork)
        kept = fork.name
        if "shortcut" in layers:
            self.shape = shape
            self.add(layers["shortcut"])
            switch = ir.Switch(name=f"{name}_switch", fork=fork.name)
            self.layers.append(switch)
            kept, stored, self.numbers = switch.name, self.numbers, taken
        self.shape = shape
        self.add(layers["body"])
        self.layers.append(ir.Add(name=f"{name}_add", fork=kept, scale=residual.scale))
        self.numbers = Numbers(
            self.numbers.maximum + residual.scale * stored.maximum,
            self.numbers.lowest + residual.scale * stored.lowest,
            self.numbers.unit,
        )
        if 2 * self.numbers.maximum >= _EXACT:
            raise ModelError(
                f"layer {place!r}: sums must stay below {_EXACT:,} to be exact, but reach"
                f" {2 * self.numbers.maximum:,}; use a smaller scale, or put BinaryActivation between"
                " residuals"
            )

    def _threshold(self, name: str, activation: Activation) -> None:
        """An optional batch norm and a sign, of the sums of the previous layer."""
        sums = (2 * torch.arange(self.numbers.maximum + 1)[:, None] + self.numbers.lowest) / self.numbers.unit
        on, falls = switches(activation, sums, self.shape[0])
        # Of a falling channel, the levels that fewer sums reach have the lower thresholds.
        thresholds = np.sort((on == falls[:, None]).sum(0).numpy(), axis=1)
        self.layers.append(_levels(name, thresholds, inverted=falls.int().numpy()))
        self.numbers = activation.numbers


def _levels(name: str, thresholds: np.ndarray, *, inverted: np.ndarray) -> ir.Threshold:
    """The layer of thresholds (channels, levels)."""
    levels = thresholds.shape[1]
    return ir.Threshold(
        name=name, thresholds=thresholds[:, 0] if levels == 1 else thresholds, inverted=inverted
    )


def _neurons(
    name: str, layer: BinaryWeights, activation: Activation, shape: Sequence[int], inputs: Numbers
) -> list[ir.Layer]:
    """One layer of neurons on `inputs`: weights, then an optional batch norm, then an activation. That of
    several levels is a layer of its own, which compares the counts.
    """
    weights, mask = _weights(layer, shape)
    size, maximum = layer.weight[0].numel(), inputs.maximum
    # The maximum count of each neuron, if its inputs end where their bits do.
    most = (layer.hard() != 0).flatten(1).sum(1) * maximum
    counts = torch.arange(size * maximum + 1)[:, None]
    if mask is None:
        most = most[:1]
    sums = (2 * torch.minimum(counts, most) - most) / inputs.unit
    on, falls = switches(activation, sums, len(weights))
    # A neuron that switches off with more agreement switches on with more agreement with the complement.
    off = (on.logical_not() & (counts <= most)[:, :, None]).sum(0).numpy()
    weights = weights ^ falls.numpy().astype(weights.dtype).reshape(-1, *(1,) * (weights.ndim - 1))
    never = size * ((1 << inputs.planes) - 1) + 1
    excess = _excess(weights, mask, maximum)[:, None]
    thresholds = np.where(off == 0, 0, np.where(off > most.numpy()[:, None], never, off + excess))
    if activation.levels == 1:
        return [_layer(name, layer, (weights, mask), thresholds[:, 0], inputs.planes)]
    return [
        _layer(name, layer, (weights, mask), None, inputs.planes),
        _levels(_name(activation.name, "levels"), thresholds, inverted=np.zeros(len(thresholds), dtype=int)),
    ]


def _layer(
    name: str,
    layer: BinaryWeights,
    weights: tuple[np.ndarray, np.ndarray | None],
    thresholds: np.ndarray | None,
    planes: int,
) -> ir.Dense | ir.Conv2d:
    bits, mask = weights
    if isinstance(layer, Convolution):
        return ir.Conv2d(
            name=name,
            weights=bits,
            mask=mask,
            thresholds=thresholds,
            planes=planes,
            stride=_over_image(layer.stride, 1),
            padding=_over_image(layer.padding, (0, 0)),
            padding_bit=int(layer.padding_value > 0),
            groups=layer.groups,
        )
    return ir.Dense(name=name, weights=bits, mask=mask, thresholds=thresholds, planes=planes)
