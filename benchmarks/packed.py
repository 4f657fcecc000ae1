"""A binary network on a CPU as one would write it in NumPy: bits packed into words, XOR and popcount."""

import numpy as np

from sbgen.compiler.ir import Binarize, Conv2d, Dense, MaxPool, Scores

__all__ = ["Packed"]

#: Products of words that are computed at once: they fit a processor's cache.
_WORDS = 1 << 18


def _pack(bits):
    """(..., n) bits as (..., ceil(n / 64)) words of 64."""
    packed = np.packbits(bits, axis=-1, bitorder="little")
    padding = [(0, 0)] * (packed.ndim - 1) + [(0, -packed.shape[-1] % 8)]
    return np.ascontiguousarray(np.pad(packed, padding)).view(np.uint64)


def _counts(x, weights, inputs):
    """Agreeing places of (N, words) and (outputs, words), each of so many inputs, as (N, outputs)."""
    counts = np.empty((len(x), len(weights)), np.int64)
    step = max(1, _WORDS // weights.size)
    for at in range(0, len(x), step):
        differ = np.bitwise_count(x[at : at + step, None] ^ weights)
        counts[at : at + step] = inputs - differ.sum(axis=2, dtype=np.int64)
    return counts


class Packed:
    """A network of layers without shortcuts, sums and masks, its weights packed once.

    Parameters
    ----------
    network : Network

    Raises
    ------
    ValueError
        For a layer of another kind.
    """

    def __init__(self, network):
        self.network = network
        self._weights = []
        for layer in network.layers:
            if (
                not isinstance(layer, Binarize | Conv2d | Dense | MaxPool | Scores)
                or getattr(layer, "mask", None) is not None
            ):
                raise ValueError(
                    f"layer {layer.name!r}: must be of a kind that is known here, not {type(layer).__name__}"
                )
            self._weights.append(
                _pack(layer.weights.reshape(layer.outputs, -1)) if layer.weight_bits else None
            )

    def scores(self, images):
        """Scores (N, classes) of raw uint8 images (N, *image_shape)."""
        x = images
        for layer, weights in zip(self.network.layers, self._weights, strict=True):
            match layer:
                case Binarize():
                    x = (x.reshape(len(x), -1, 1) >= layer.thresholds).astype(np.uint8)
                    x = x.reshape(len(x), *layer.output_shape(self.network.image_shape))
                case MaxPool():
                    x = self._under(
                        np.pad(x, ((0, 0), *layer.padding, (0, 0))), layer.kernel, layer.stride
                    ).max(axis=(3, 4))
                case _:
                    x = self._neurons(layer, weights, x)
        return x

    @staticmethod
    def _under(x, kernel, stride):
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel, axis=(1, 2))[
            :, :: stride[0], :: stride[1]
        ]
        return windows.transpose(0, 1, 2, 4, 5, 3)

    def _neurons(self, layer, weights, x):
        if isinstance(layer, Conv2d):
            if layer.groups > 1:
                raise ValueError(f"layer {layer.name!r}: groups are not known here")
            x = np.pad(
                x, ((0, 0), *layer.padding, (0, 0)), constant_values=layer.padding_bit * (2**layer.planes - 1)
            )
            x = self._under(x, layer.kernel, layer.stride)
        flat = x.reshape(-1, layer.inputs)
        positions = x.shape[:3] if isinstance(layer, Conv2d) else x.shape[:1]
        counts = sum(
            _counts(_pack(flat >> plane & 1), weights, layer.inputs) << plane for plane in range(layer.planes)
        )
        if isinstance(layer, Scores):
            return (counts if layer.scales is None else counts * layer.scales) + layer.offsets
        return (counts >= layer.thresholds).astype(np.uint8).reshape(*positions, layer.outputs)
