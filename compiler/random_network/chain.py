"""A chain of layers that grows, and the limits on what a simulator takes."""

from collections.abc import Callable
from math import prod

from ...errors import ModelError
from ..ir import PIXEL_LEVELS, Layer, Network, Scores, Shape, Signal
from ..simulate import layer_work

__all__ = ["ELEMENT_BITS", "MAX_WORK", "SUM_BITS", "Chain"]

#: Weights read for one image, as `simulate.work` counts them: a simulator reads some 300,000 a second.
MAX_WORK = 50_000

#: Bits of a sum. A layer with weights takes elements of at most 16 bits.
SUM_BITS, ELEMENT_BITS = 31, 16


class Chain:
    """Layers one after the other, and what the last of them outputs.

    Parameters
    ----------
    image_shape : tuple of int
    largest : int
        Maximum neurons of a layer.
    """

    def __init__(self, image_shape: Shape, largest: int) -> None:
        self.largest = largest
        self.image_shape = tuple(image_shape)
        self.layers: list[Layer] = []
        self._signal = Signal(shape=self.image_shape, maximum=PIXEL_LEVELS - 1)
        self._work = 0

    @property
    def shape(self) -> Shape:
        return self._signal.shape

    @property
    def maximum(self) -> int:
        return self._signal.maximum

    @property
    def sides(self) -> tuple[int, int]:
        """Rows and columns of an image."""
        return self.shape[0], self.shape[1]

    @property
    def elements(self) -> int:
        return prod(self.shape)

    @property
    def length(self) -> int:
        return len(self.layers)

    def append(self, layer: Layer) -> bool:
        """Whether a layer is added: not where it doesn't take what is there, outputs too wide sums or takes
        too long.
        """
        try:
            signal = layer.after(self._signal)
        except ModelError:
            return False
        work = self._work + layer_work(layer, signal.shape)
        if work > MAX_WORK or signal.maximum.bit_length() > SUM_BITS:
            return False
        self.layers.append(layer)
        self._signal, self._work = signal, work
        return True

    def attempt(self, steps: Callable[["Chain"], bool]) -> bool:
        """Whether a function of this chain adds all that it wants; if it returns False, the chain is as it
        was.
        """
        before = self.layers[:], self._signal, self._work
        if steps(self):
            return True
        self.layers, self._signal, self._work = before
        return False

    def stored(self, fork: str) -> int:
        """Maximum element of what a fork stores."""
        return self._signal.shortcuts[fork].maximum

    def network(self, name: str, scores: Scores, *, signs: bool) -> Network:
        """The network that ends with `scores`; `signs`: whether several outputs decide by their signs, as one
        always does.
        """
        outputs = scores.outputs
        return Network(
            name=name,
            image_shape=self.image_shape,
            layers=(*self.layers, scores),
            labels=tuple(map(str, range(max(2, outputs)))),
            decision="sign" if signs or outputs == 1 else "argmax",
        )
