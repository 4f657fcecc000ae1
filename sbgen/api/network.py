"""`sbgen.load`: a model file of any kind, and what can be asked of its network."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .inputs import Inputs, images_of, option

if TYPE_CHECKING:
    from ..compiler.frontends.model import Model
    from ..compiler.ir import Network
    from .design import FoldedDesign

__all__ = ["LoadedNetwork", "load"]


def load(model: str | PathLike[str], *, pixels: str | None = None, force: bool = False) -> "LoadedNetwork":
    """Read a model.

    Parameters
    ----------
    model : path
        A ``net.pt`` of `sbgen train`, a QONNX file, a larq model, a ``network.json``, or the name of a
        shipped model (``"digits"``).
    pixels : {"unit", "fixed", "raw", "signed"} or None
        What a pixel p of 0 ... 255 stands for in a QONNX file or larq model: p/255, p/256, p, p/127.5 - 1.
        None is what the file says.
    force : bool
        Accept a ``net.pt`` that is not hardened enough.

    Returns
    -------
    LoadedNetwork

    Raises
    ------
    ModelError
        There is no such file, or it cannot be read; the message says why.

    Examples
    --------
    >>> import sbgen
    >>> network = sbgen.load("digits")
    >>> network.image_shape, network.weights
    ((8, 8), 82560)
    """
    from .. import network_cache

    found = network_cache.load(model if isinstance(model, str) else Path(model), pixels=pixels, force=force)
    return LoadedNetwork(model, found, pixels=pixels, force=force)


class LoadedNetwork:
    """A network of integers, with the same scores as any hardware that is made from it.

    `load` returns it; it is not created otherwise.

    Examples
    --------
    >>> import sbgen
    >>> sbgen.load("digits")
    LoadedNetwork(digits: 8 x 8 pixels, 4 layers, 82,560 weights, 10 classes)
    """

    def __init__(
        self, source: str | PathLike[str], network: "Network", *, pixels: str | None, force: bool
    ) -> None:
        self._source, self._network, self._pixels, self._force = source, network, pixels, force

    def __repr__(self) -> str:
        network = self._network
        shape = " x ".join(map(str, network.image_shape))
        return (
            f"LoadedNetwork({network.name}: {shape} pixels, {len(network.layers)} layers,"
            f" {self.weights:,} weights, {network.outputs} {'outputs' if network.multi_label else 'classes'})"
        )

    def _repr_html_(self) -> str:
        from ..pictures import network_table

        return network_table(self._network)

    @cached_property
    def model(self) -> "Model":
        """The whole model file; reading a ``net.pt`` needs torch."""
        from ..compiler.frontends import model

        return model.load(Path(self._source), force=self._force, pixels=self._pixels)

    @property
    def integer(self) -> "Network":
        """The integer network, after all passes (`sbgen.compiler.ir.Network`)."""
        return self._network

    @property
    def name(self) -> str:
        """The name of the network."""
        return self._network.name

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the classes, or of the outputs of a multi-label network."""
        return tuple(self._network.labels)

    @property
    def image_shape(self) -> tuple[int, ...]:
        """The shape of an image, without the number of images."""
        return tuple(self._network.image_shape)

    @property
    def weights(self) -> int:
        """The number of weights."""
        from ..compiler.weight_count import weights

        return sum(weights(self._network))

    @property
    def recipe(self) -> Mapping[str, Any] | None:
        """How samples of a person's own become inputs; None where inputs are pixels."""
        return self.model.info.get("recipe")

    def images(self, x: Inputs) -> np.ndarray:
        """The inputs that the network takes, as uint8 (N, \\*image_shape).

        Parameters
        ----------
        x : array or path
            As `predict`.
        """
        return images_of(x, self._network, None if _are_pixels(x) else self.recipe)

    def scores(self, x: Inputs) -> np.ndarray:
        """The score of every output, by the reference.

        Parameters
        ----------
        x : array or path
            As `predict`.

        Returns
        -------
        int64 array, shape (N, outputs)
        """
        from ..compiler import fast_reference

        return fast_reference.evaluate(self._network, self.images(x))[0]

    def predict(self, x: Inputs) -> np.ndarray:
        """The class of each image, by the reference.

        Parameters
        ----------
        x : array or path
            uint8 pixels (N, ...), as many per image as the network takes; of a network with a recipe also the
            raw samples; or the path of a file of either.

        Returns
        -------
        int64 array
            Places in `labels`, shape (N,); of a multi-label network the bits of its outputs, (N, outputs).

        Raises
        ------
        DataError
            It is no such array, or the file cannot be read.

        Examples
        --------
        >>> import numpy as np, sbgen
        >>> sbgen.load("digits").predict(np.zeros((2, 64), np.uint8)).shape
        (2,)
        """
        from ..compiler import fast_reference

        return fast_reference.evaluate(self._network, self.images(x))[1]

    def fold(
        self,
        board: str | None = None,
        *,
        part: str | None = None,
        fps: float | None = None,
        fastest: bool = False,
        design: str | PathLike[str] | None = None,
        pe: "str | Sequence[int] | Mapping[str, int] | None" = None,
        simd: "str | Sequence[int] | Mapping[str, int] | None" = None,
        patchable: bool = False,
        top: int | None = None,
        clock: float | None = None,
    ) -> "FoldedDesign":
        """Decide how much of each layer works in parallel, for a board or an FPGA without a board.

        Parameters
        ----------
        board : str
            A board of ``sbgen boards``, or ``MODULE:CLASS`` of a platform of amaranth-boards.
        part : str
            In place of a board: the name of an FPGA or what it has, ``"lut6=53200,bram36=140"``, for Verilog
            and estimates.
        fps : float, optional
            The smallest design that reaches so many images per second, at the lowest clock. The default is
            four times what the board's host link carries; without a link the fastest that is quickly built.
        fastest : bool
            The most images per second that the device can do, however long it builds.
        design : path, optional
            Start from a design file.
        pe, simd : sequence of int, or dict of layer to int, optional
            Fold by hand: outputs and inputs at once.
        patchable : bool
            Weights can be replaced in the bitstream.
        top : int, optional
            The number of best classes that the core reports.
        clock : float, optional
            MHz; by default the board's usual clock, and 100 for a part.

        Returns
        -------
        FoldedDesign

        Raises
        ------
        BoardError
            There is no such board or part, or both or neither are given.
        FitError
            Nothing fits, with what would.

        Examples
        --------
        >>> import sbgen
        >>> sbgen.load("digits").fold("icebreaker", fps=5000)  # doctest: +ELLIPSIS
        FoldedDesign(digits on icebreaker: ... cycles per image, ... images/s at ... MHz)
        """
        from .. import folding, network_cache
        from ..errors import BoardError
        from ..target import of_board, of_part
        from .design import FoldedDesign

        if board is not None and part is None:
            target = of_board(board, clock)
        elif part is not None and board is None:
            target = of_part(part, clock)
        else:
            raise BoardError(
                'fold must have a board or a part, such as fold("icebreaker") or fold(part="xc7z020")'
            )
        request = folding.Request(
            fps=fps,
            fastest=fastest,
            pe=option("pe", pe),
            simd=option("simd", simd),
            design=None if design is None else Path(design),
            patchable=patchable,
            top_k=top,
            clock=clock,
            lowest_clock=clock is None,
        )
        network = self._network
        if request.is_patchable:
            network = network_cache.load(
                Path(self._source), force=self._force, pixels=self._pixels, patchable=True
            )
        return FoldedDesign(self, folding.fold(request, network, target), request)


def _are_pixels(x: Inputs) -> bool:
    """Whether no recipe is needed, for which the whole model would have to be read."""
    return isinstance(x, np.ndarray) and x.dtype == np.uint8
