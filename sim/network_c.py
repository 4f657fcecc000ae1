"""A network of dense layers in C, for a processor without a core: XNOR and a count of bits, word by word."""

import numpy as np

from sbgen.compiler import reference
from sbgen.compiler.ir import Binarize, Dense, Network, Scores

__all__ = ["network_header"]

_COMMON = """
static uint32_t ones(uint32_t x) {
  x -= x >> 1 & 0x55555555u;
  x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
  x = (x + (x >> 4)) & 0x0F0F0F0Fu;
  return x * 0x01010101u >> 24;
}

// How many inputs agree with the weights of an output.
static int32_t agreeing(const uint32_t *weights, const uint32_t *inputs, int count) {
  int32_t differ = 0;
  for (int n = 0; n < (count + 31) / 32; n++) differ += (int32_t)ones(weights[n] ^ inputs[n]);
  return count - differ;
}
"""


def _rows(name: str, values: np.ndarray, kind: str, bits: int) -> str:
    rows = ",\n".join(
        "  {" + ", ".join(f"{int(value):#x}" if bits else str(int(value)) for value in row) + "}"
        for row in values
    )
    return f"static const {kind} {name}[{len(values)}][{len(values[0])}] = {{\n{rows}\n}};\n"


def _words(weights: np.ndarray) -> np.ndarray:
    """Rows of bits as words of 32, the first lowest."""
    padded = np.pad(weights.astype(np.uint8), ((0, 0), (0, -weights.shape[1] % 32)))
    return np.packbits(padded, axis=1, bitorder="little").view("<u4")


def network_header(network: Network, images: np.ndarray) -> str:
    """`network.h`: images, expected scores, and a function that computes the network.

    Parameters
    ----------
    network : Network
        Binarize, Dense layers and Scores, binary, with a class as the decision.
    images : uint8 array, shape (N, *image_shape)
    """
    scores, _ = reference.evaluate(network, images)
    first, *layers = network.layers
    assert isinstance(first, Binarize), "the first layer must compare pixels"
    levels = first.thresholds.shape[1]
    text = [
        "#include <stdint.h>\n",
        f"enum {{ IMAGES = {len(images)}, PIXELS = {network.pixels}, OUTPUTS = {network.outputs} }};\n",
        _rows("images", images.reshape(len(images), -1), "uint8_t", 0),
        _rows("expected", scores, "int32_t", 0),
        _rows("pixel_thresholds", np.broadcast_to(first.thresholds, (network.pixels, levels)), "uint16_t", 0),
        _COMMON,
    ]
    bits = f"layer_0[({levels} * n + k) / 32] |= 1u << ({levels} * n + k) % 32;"
    body = [
        f"  uint32_t layer_0[{-(-network.pixels * levels // 32)}] = {{0}};",
        f"  for (int n = 0; n < PIXELS; n++)\n    for (int k = 0; k < {levels}; k++)",
        f"      if (image[n] >= pixel_thresholds[n][k]) {bits}",
    ]
    for number, layer in enumerate(layers, 1):
        assert isinstance(layer, Dense | Scores) and layer.planes == 1 and layer.mask is None
        outputs, inputs = layer.weights.shape
        counted = f"agreeing(weights_{number}[n], layer_{number - 1}, {inputs})"
        text.append(_rows(f"weights_{number}", _words(layer.weights), "uint32_t", 16))
        if isinstance(layer, Dense):
            text.append(_rows(f"thresholds_{number}", layer.thresholds[None], "int32_t", 0))
            body += [
                f"  uint32_t layer_{number}[{-(-outputs // 32)}] = {{0}};",
                f"  for (int n = 0; n < {outputs}; n++)",
                f"    if ({counted} >= thresholds_{number}[0][n]) layer_{number}[n / 32] |= 1u << n % 32;",
            ]
        else:
            text.append(_rows("offsets", layer.offsets[None], "int32_t", 0))
            body += [
                "  uint32_t best = 0;",
                "  for (uint32_t n = 0; n < OUTPUTS; n++) {",
                f"    scores[n] = {counted} + offsets[0][n];",
                "    if (scores[n] > scores[best]) best = n;\n  }",
                "  return best;",
            ]
    return "\n".join(
        [*text, "static uint32_t network(const uint8_t *image, int32_t *scores) {", *body, "}", ""]
    )
