"""Training images, each in several ways: moved by whole pixels, mirrored, or slightly turned, scaled, sheared
and moved.
"""

import math

import torch
import torch.nn.functional as F

__all__ = ["Augmented", "deformed"]

#: Greatest deformation: a turn in radians, parts of the size to scale and shear by, and part of the width to
#: move by.
_TURN, _SCALE, _SHEAR, _MOVE = math.radians(10), 0.1, 0.1, 0.04


def deformed(images, *, seed):
    """A copy of uint8 images (N, height, width) or (N, height, width, channels), each turned, scaled, sheared
    and moved at random, bilinearly."""
    if images.dim() == 3:
        return deformed(images[..., None], seed=seed)[..., 0]
    random = torch.Generator().manual_seed(seed)

    def up_to(greatest):
        return (2 * torch.rand(len(images), generator=random) - 1) * greatest

    turn, scale, shear = up_to(_TURN), 1 + up_to(_SCALE), up_to(_SHEAR)
    right, down = up_to(2 * _MOVE), up_to(2 * _MOVE)  # grid coordinates are -1 ... +1
    maps = torch.stack(
        [
            torch.stack([scale * turn.cos(), shear - scale * turn.sin(), right], 1),
            torch.stack([scale * turn.sin(), scale * turn.cos(), down], 1),
        ],
        1,
    )
    parts = [
        F.grid_sample(part.float(), F.affine_grid(way, part.shape, align_corners=False), align_corners=False)
        .round()
        .to(torch.uint8)
        for part, way in zip(images.permute(0, 3, 1, 2).split(4096), maps.split(4096), strict=True)
    ]
    return torch.cat(parts).permute(0, 2, 3, 1)


class Augmented:
    """All images of a set in several ways, 0 where a pixel came from nowhere.

    Moving by whole pixels copies nothing but the padded images: a batch is one gather from a strided view.

    Parameters
    ----------
    images : uint8 tensor, shape (N, height, width) or (N, height, width, channels)
    shift : int
        Pixels to move by, up, down, left and right.
    flip : bool
        Whether to mirror each image and its copies too, left to right.
    deform : int
        Copies of each image: the first as it is, the others `deformed`, each of which may be moved too.
    """

    def __init__(self, images, *, shift=0, flip=False, deform=1):
        self._count, self._side = len(images), 2 * shift + 1
        self.ways = (1 + flip) * deform * self._side**2
        _, height, width, *channels = images.shape
        copies = torch.cat([images, *(deformed(images, seed=seed) for seed in range(1, deform))])
        if flip:
            copies = torch.cat([copies, copies.flip(2)])
        padded = F.pad(copies, (0,) * 2 * len(channels) + (shift,) * 4) if shift else copies
        views = padded.unfold(1, height, 1).unfold(2, width, 1)
        # (copies, down, across, height, width) and, where there are any, the channels again last
        self._views = views.movedim(3, -1) if channels else views

    def __len__(self):
        return self._count

    def __call__(self, index, way):
        """The images `index` (N,), each in its `way` (N,), 0 ... ways - 1."""
        copy, move = way // self._side**2, way % self._side**2
        return self._views[index + copy * self._count, move // self._side, move % self._side]

    def draw(self, count, *, generator):
        """A random way for each of `count` images."""
        return torch.randint(self.ways, (count,), generator=generator)
