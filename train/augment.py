"""Training images, each in several ways: moved by whole pixels, or slightly turned, scaled, sheared and moved."""

import math

import torch
import torch.nn.functional as F

__all__ = ["Augmented", "deformed"]

#: Greatest deformation: a turn in radians, parts of the size to scale and shear by, and part of the width to move by.
_TURN, _SCALE, _SHEAR, _MOVE = math.radians(10), 0.1, 0.1, 0.04


def deformed(images, *, seed):
    """A copy of uint8 images (N, height, width), each turned, scaled, sheared and moved at random, bilinearly."""
    random = torch.Generator().manual_seed(seed)

    def up_to(greatest):
        return (2 * torch.rand(len(images), generator=random) - 1) * greatest

    turn, scale, shear = up_to(_TURN), 1 + up_to(_SCALE), up_to(_SHEAR)
    right, down = up_to(2 * _MOVE), up_to(2 * _MOVE)  # grid coordinates are -1 ... +1
    maps = torch.stack([torch.stack([scale * turn.cos(), shear - scale * turn.sin(), right], 1),
                        torch.stack([scale * turn.sin(), scale * turn.cos(), down], 1)], 1)
    parts = [F.grid_sample(part[:, None].float(), F.affine_grid(way, (len(part), 1, *part.shape[1:]), align_corners=False),
                           align_corners=False)[:, 0].round().to(torch.uint8)
             for part, way in zip(images.split(4096), maps.split(4096), strict=True)]
    return torch.cat(parts)


class Augmented:
    """All images of a set in several ways, 0 where a pixel came from nowhere.

    Moving by whole pixels copies nothing but the padded images: a batch is one gather from a strided view.

    Parameters
    ----------
    images : uint8 tensor, shape (N, height, width)
    shift : int
        Pixels to move by, up, down, left and right.
    deform : int
        Copies of each image: the first as it is, the others `deformed`, each of which may be moved too.
    """

    def __init__(self, images, *, shift=0, deform=1):
        self._count, self._side = len(images), 2 * shift + 1
        self.ways = deform * self._side**2
        _, height, width = images.shape
        copies = torch.cat([images, *(deformed(images, seed=seed) for seed in range(1, deform))])
        padded = F.pad(copies, (shift,) * 4) if shift else copies
        self._views = padded.unfold(1, height, 1).unfold(2, width, 1)

    def __len__(self):
        return self._count

    def __call__(self, index, way):
        """The images `index` (N,), each in its `way` (N,), 0 ... ways - 1."""
        copy, move = way // self._side**2, way % self._side**2
        return self._views[index + copy * self._count, move // self._side, move % self._side]

    def draw(self, count, *, generator):
        """A random way for each of `count` images."""
        return torch.randint(self.ways, (count,), generator=generator)
