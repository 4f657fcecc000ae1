"""Random boards for tests of hosts: identities, and images with their true scores and decisions."""

import random

import numpy as np
from soft_board import DIGEST, scores_of

from sbgen.boards.messages import Identity

__all__ = ["Damage", "decisions_of", "random_identity", "random_images"]


def random_identity(rng, *, outputs=(1, 2, 3, 10, 257)):
    """An identity of any kind that a board may have."""
    outputs = rng.choice(outputs)
    signs = outputs == 1 or rng.random() < 0.2
    bits = rng.choice((1, 2, 3, 8))
    levels = ()
    if rng.random() < 0.7:
        levels = tuple(sorted(rng.sample(range(1, 256), min(15, (1 << bits) - 1))))
    pixels = rng.choice((1, 7, 16, 40))
    image_bytes = -(-pixels * bits // 8)
    images = rng.choice((1, 2, 7, 100))
    return Identity(
        lanes=1,
        outputs=outputs,
        pixels=pixels,
        digest=DIGEST,
        signs=signs,
        pixel_bits=bits,
        levels=levels,
        score_bytes=rng.choice((2, 3, 4)),
        top_k=0 if signs else rng.randint(1, min(outputs, 5)),
        frame_images=images,
        store_bytes=2 * (images * image_bytes + 8),
        image_cycles=rng.choice((1, 100, 5000)),
        byte_cycles=rng.choice((40, 160)),
    )


def random_images(identity, count, seed):
    """Raw images that a board can take, uint8, (count, pixels)."""
    top = 256 if identity.levels else 1 << identity.pixel_bits
    return np.random.default_rng(seed).integers(0, top, (count, identity.pixels)).astype(np.uint8)


def decisions_of(identity, images):
    """The class of each image, or its bits."""
    scores = scores_of(identity, images)
    if not identity.signs:
        return scores.argmax(axis=1)
    bits = (scores >= 0).astype(int)
    return bits if identity.multi_label else bits[:, 0]


class Damage:
    """Flips, drops and doubles bytes, and adds noise."""

    def __init__(self, seed, rate):
        self.rng, self.rate = random.Random(seed), rate

    def __call__(self, line):
        out = bytearray()
        for byte in line:
            if self.rng.random() >= self.rate:
                out.append(byte)
                continue
            match self.rng.choice(("flip", "drop", "double", "noise")):
                case "flip":
                    out.append(byte ^ 1 << self.rng.randrange(8))
                case "double":
                    out += bytes([byte, byte])
                case "noise":
                    out += self.rng.randbytes(self.rng.randrange(20)) + bytes([byte])
        return bytes(out)
