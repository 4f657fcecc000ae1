"""A board from Python: `sbgen.Board` opens it, and classifies images on it.

::

    with sbgen.Board("icebreaker") as board:
        print(board.identify().digest.hex())
        classes = board.predict(images)
"""

from collections.abc import Callable, Iterable, Iterator, Sized
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from .errors import LinkError

if TYPE_CHECKING:
    import numpy as np

    from .boards.host import LineErrors, Link
    from .boards.messages import Identity, Results

__all__ = ["Board", "Prediction", "Progress"]

#: Called with the images that are done, and how many there are, or None if that is not known.
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """What a board says about one image.

    Parameters
    ----------
    label : int, or int64 array of shape (outputs,)
        Its class; of a multi-label network its bits, 0 and 1.
    scores : int64 array, shape (outputs,), or None
        The score of each output, if they were asked for.
    best : tuple of (int, int), or None
        The best classes with their scores, the best first, if they were asked for.
    """

    label: "int | np.ndarray"
    scores: "np.ndarray | None" = None
    best: tuple[tuple[int, int], ...] | None = None


class Board:
    """A board that runs a network.

    Parameters
    ----------
    name : str or None
        A board of `sbgen boards`, found by its USB IDs; it needs no `port`.
    port : str or None
        A serial port, such as ``/dev/ttyUSB0`` or ``COM3``, or a URL of pyserial, such as
        ``socket://HOST:4000`` for an emulated board or one on another machine.
    baud : int or None
        Baud rate of its bitstream; by default that of the board.
    serial : str or None
        USB serial number of the board, to choose one of several.

    Raises
    ------
    LinkError
        Neither is given, the port cannot be opened or another program uses it, or pyserial is missing.
    BoardError
        There is no board of that name.
    """

    def __init__(
        self,
        name: str | None = None,
        *,
        port: str | None = None,
        baud: int | None = None,
        serial: str | None = None,
    ) -> None:
        from .boards.connect import connect

        self._link: Link = connect(name=name, port=port, baud=baud, serial=serial)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the port; a board that is gone is no error."""
        self._link.close()

    @property
    def baud(self) -> int:
        """The baud rate of the line."""
        return self._link.baud

    @property
    def latency_ms(self) -> float | None:
        """The latency timer of its USB converter; None if it is not known."""
        return self._link.latency_ms

    @property
    def errors(self) -> "LineErrors":
        """What went wrong on the line since it was opened."""
        return self._link.errors

    def identify(self) -> "Identity":
        """Ask the board which network it runs.

        Returns
        -------
        Identity
            With `digest`, the first 8 bytes of the SHA-256 of its network, `pixels`, `outputs` and so on.

        Raises
        ------
        LinkError
            The board does not answer, or its bitstream is of another version of sbgen.
        """
        return self._link.identify()

    def predict(
        self, images: "np.ndarray | Iterable[np.ndarray]", *, progress: Progress | None = None
    ) -> "np.ndarray":
        """Classify images.

        Parameters
        ----------
        images : uint8 array, shape (N, ...), or iterable of uint8 arrays
            Raw pixels, as many per image as the network takes, in its order.
        progress : callable or None
            As `Progress`.

        Returns
        -------
        int64 array
            The class of each image, shape (N,), or the bits of a multi-label network, shape (N, outputs).

        Raises
        ------
        LinkError
            The board does not answer, or cannot take such images.
        """
        import numpy as np

        from .hw.protocol import WANT_CLASS

        parts = [results.labels for results in self._results(images, WANT_CLASS, progress)]
        identity = self._link.identity
        assert identity is not None
        none = np.zeros((0, identity.outputs) if identity.multi_label else 0, np.int64)
        return np.concatenate([none, *parts])

    def scores(
        self, images: "np.ndarray | Iterable[np.ndarray]", *, progress: Progress | None = None
    ) -> "np.ndarray":
        """The score of every output for images; as `predict`.

        Returns
        -------
        int64 array, shape (N, outputs)
        """
        import numpy as np

        from .hw.protocol import WANT_ALL

        parts = [results.scores for results in self._results(images, WANT_ALL, progress)]
        assert self._link.identity is not None
        none = np.zeros((0, self._link.identity.outputs), np.int64)
        return np.concatenate([none, *(part for part in parts if part is not None)])

    def predictions(
        self,
        images: "np.ndarray | Iterable[np.ndarray]",
        *,
        best: int | None = None,
        scores: bool = False,
        progress: Progress | None = None,
    ) -> Iterator[Prediction]:
        """Classify any number of images, one after the other, while further ones are on their way.

        Parameters
        ----------
        images : uint8 array, shape (N, ...), or iterable of uint8 arrays
            Images of an iterable are taken when there is room for them, some hundred ahead of the results.
        best : int or None
            Ask for so many best classes with their scores; at most `top_k` of `identify`.
        scores : bool
            Ask for every score.
        progress : callable or None
            As `Progress`.

        Yields
        ------
        Prediction

        Raises
        ------
        LinkError
            As `predict`; the results up to then have been yielded.
        ValueError
            Both `best` and `scores` are asked for.
        """
        from .hw.protocol import WANT_ALL, WANT_CLASS

        if best is not None and scores:
            raise ValueError("ask for the best classes or for all scores, not for both")
        if best is not None and not 1 <= best < WANT_ALL:
            raise LinkError(f"the best classes must be 1 ... {WANT_ALL - 1}, not {best}")
        want = WANT_ALL if scores else WANT_CLASS if best is None else best
        for results in self._results(images, want, progress):
            for n, label in enumerate(results.labels):
                ranks = None
                if results.best is not None and results.best_scores is not None:
                    ranks = tuple(zip(results.best[n].tolist(), results.best_scores[n].tolist(), strict=True))
                yield Prediction(
                    label=int(label) if label.ndim == 0 else label,
                    scores=None if results.scores is None else results.scores[n],
                    best=ranks,
                )

    def _results(
        self, images: "np.ndarray | Iterable[np.ndarray]", want: int, progress: Progress | None
    ) -> "Iterator[Results]":
        total = len(images) if isinstance(images, Sized) else None
        done = 0
        for results in self._link.classify(images, want=want):
            done += len(results.labels)
            if progress is not None:
                progress(done, total)
            yield results
