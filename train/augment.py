"""Images moved by a few pixels."""

import torch
import torch.nn.functional as F

__all__ = ["Shifted"]


class Shifted:
    """All images of a set, each moved by up to `shift` pixels up, down, left and right, 0 where nothing came from.

    Nothing is copied but the padded images; a batch is one gather from a strided view.

    Parameters
    ----------
    images : uint8 tensor, shape (N, height, width)
    shift : int
        0 leaves the images as they are.
    """

    def __init__(self, images, *, shift):
        self.shift = shift
        self.ways = (2 * shift + 1) ** 2
        _, height, width = images.shape
        padded = F.pad(images, (shift,) * 4) if shift else images
        self._views = padded.unfold(1, height, 1).unfold(2, width, 1)

    def __len__(self):
        return len(self._views)

    def __call__(self, index, way):
        """The images `index` (N,) moved `way` (N,), each in 0 ... ways - 1; the middle way is unmoved."""
        down, right = way // (2 * self.shift + 1), way % (2 * self.shift + 1)
        return self._views[index, down, right]

    def draw(self, count, *, generator):
        """A random way for each of `count` images."""
        return torch.randint(self.ways, (count,), generator=generator)
