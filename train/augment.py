"""Augmentation of training images: shifted by whole pixels, mirrored, or slightly deformed."""

import math

import torch
import torch.nn.functional as F

__all__ = ["Augmented", "deformed"]

#: Maximum deformation: rotation in radians, scale and shear relative to the size, shift relative to the
#: width.
_TURN, _SCALE, _SHEAR, _MOVE = math.radians(10), 0.1, 0.1, 0.04


def deformed(images: torch.Tensor, *, seed: int) -> torch.Tensor:
    """A copy of uint8 images (N, height, width) or (N, height, width, channels), each rotated, scaled,
    sheared and shifted at random, with bilinear interpolation.
    """
    if images.dim() == 3:
        return deformed(images[..., None], seed=seed)[..., 0]
    random = torch.Generator().manual_seed(seed)

    def up_to(limit: float) -> torch.Tensor:
        return (2 * torch.rand(len(images), generator=random) - 1) * limit

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
    """All images of a data set in several ways; pixels from outside an image are 0.

    Shifting by whole pixels copies nothing but the padded images: a batch is one gather from a strided view.

    Parameters
    ----------
    images : uint8 tensor, shape (N, height, width) or (N, height, width, channels)
    shift : int
        Maximum shift in pixels, in each direction.
    flip : bool
        Whether to add the mirror image (left to right) of each image and of its copies.
    deform : int
        Copies of each image: the original, and `deformed` ones. Each can be shifted too.
    device : torch.device or str
        Where the images are, in all their ways.
    """

    def __init__(
        self,
        images: torch.Tensor,
        *,
        shift: int = 0,
        flip: bool = False,
        deform: int = 1,
        device: torch.device | str = "cpu",
    ):
        self._count, self._side = len(images), 2 * shift + 1
        self.ways = (1 + flip) * deform * self._side**2
        _, height, width, *channels = images.shape
        copies = torch.cat([images, *(deformed(images, seed=seed) for seed in range(1, deform))])
        if flip:
            copies = torch.cat([copies, copies.flip(2)])
        padded = F.pad(copies, (0,) * 2 * len(channels) + (shift,) * 4) if shift else copies
        views = padded.to(device).unfold(1, height, 1).unfold(2, width, 1)
        # (copies, down, across, height, width) and, where there are any, the channels again last
        self._views = views.movedim(3, -1) if channels else views

    def __len__(self) -> int:
        return self._count

    def __call__(self, index: torch.Tensor, way: torch.Tensor) -> torch.Tensor:
        """The images `index` (N,), each in its `way` (N,), 0 ... ways - 1."""
        copy, move = way // self._side**2, way % self._side**2
        return self._views[index + copy * self._count, move // self._side, move % self._side]

    def draw(self, count: int, *, generator: torch.Generator) -> torch.Tensor:
        """A random way for each of `count` images, shape (count,)."""
        return torch.randint(self.ways, (count,), generator=generator)
