"""The images of one run as requests, and their results in order."""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

import numpy as np

from ..errors import LinkError
from ..hw.protocol import CLASSIFY, RESPONSE, WANT_ALL
from . import messages
from .flight import Request
from .frames import Frame
from .messages import Identity, Results

__all__ = ["Batch", "blocks"]

#: Bytes of images in a request, if the board takes more than one image: a longer frame is damaged more often,
#: a shorter one costs more of the line and of the host.
_FRAME_BYTES = 1024

#: Images that are packed at once.
_PACKED = 1024

#: How often the same images are sent before the line is too bad.
_TRIES = 50

#: Answers without a loss after which requests grow again.
_GROW = 32


def blocks(images: np.ndarray | Iterable[np.ndarray], group: int) -> Iterator[np.ndarray]:
    """Images in arrays (n, ...) of at most `group`: those of an array, or of anything that yields them one by
    one, which is asked only when there is room for more.
    """
    if isinstance(images, np.ndarray):
        for start in range(0, len(images), _PACKED):
            yield images[start : start + _PACKED]
        return
    source = iter(images)
    while some := [np.asarray(image) for image in islice(source, group)]:
        shapes = {image.shape for image in some}
        if len(shapes) > 1:
            raise LinkError(f"all images must have one shape, not {' and '.join(map(str, sorted(shapes)))}")
        yield np.stack(some)


class Batch:
    """Images on their way to a board, and results on their way back.

    Parameters
    ----------
    identity : Identity
        Of the board.
    images : array or iterable of arrays
        As for `blocks`; each image is uint8 of `identity.pixels` pixels.
    want : int
        What the board is to report of each image (`sbgen.hw.protocol`).
    """

    def __init__(self, identity: Identity, images: np.ndarray | Iterable[np.ndarray], want: int) -> None:
        self._identity = identity
        self._want = want
        self._most = max(1, min(identity.frame_images, _FRAME_BYTES // identity.image_bytes))
        self._size = self._most
        self._source = blocks(images, self._most)
        self._packed = np.zeros((0, identity.image_bytes), np.uint8)
        self._first = 0  # number of the first image in `_packed`
        self._exhausted = False
        self._again: deque[Request] = deque()
        self._well = 0  # answers since the last loss
        self._answers: dict[int, tuple[int, bytes]] = {}  # by the first image, until those before are there
        self._next = 0  # image whose result comes next

    @property
    def done(self) -> bool:
        """Whether every image has its result."""
        return self._exhausted and not len(self._packed) and not self._again and self._next == self._first

    def request(self) -> Request | None:
        """The next request; None if none is left to send."""
        if self._again:
            return self._again.popleft()
        while not len(self._packed):
            block = None if self._exhausted else next(self._source, None)
            if block is None:
                self._exhausted = True
                return None
            self._packed = self._identity.pack(block)
        packed, self._packed = self._packed[: self._size], self._packed[self._size :]
        self._first += len(packed)
        return self._request(self._first - len(packed), packed)

    def _request(self, first: int, packed: np.ndarray, tries: int = 0) -> Request:
        return Request(
            command=CLASSIFY,
            payload=bytes([self._want]) + packed.tobytes(),
            answer_bytes=len(packed) * messages.result_bytes(self._identity, self._want),
            first=first,
            packed=packed,
            tries=tries,
        )

    def answered(self, request: Request, payload: bytes) -> None:
        """Take the answer to a request."""
        self._answers[request.first] = request.images, payload
        self._well += 1
        if self._well % _GROW == 0:
            self._size = min(self._most, 2 * self._size)

    def lost(self, requests: Iterable[Request]) -> None:
        """Send requests again, in shorter frames.

        Raises
        ------
        LinkError
            They were sent too often.
        """
        again = list(requests)
        if not again:
            return
        self._well = 0
        self._size = max(1, self._size // 2)
        pieces = []
        for request in again:
            if request.tries >= _TRIES:
                raise LinkError(
                    f"the line must carry most frames, but image {request.first:,} was lost {request.tries}"
                    " times; use a shorter cable or a lower baud rate (sbgen build --baud)"
                )
            assert request.packed is not None
            for start in range(0, request.images, self._size):
                piece = request.packed[start : start + self._size]
                pieces.append(self._request(request.first + start, piece, request.tries))
        self._again = deque(sorted([*self._again, *pieces], key=lambda request: request.first))

    def results(self) -> Results | None:
        """The results that are complete and in order; None if there are none."""
        payloads = []
        first = self._next
        while self._next in self._answers:
            images, payload = self._answers.pop(self._next)
            payloads.append(payload)
            self._next += images
        if not payloads:
            return None
        results = messages.parse_results(
            Frame(command=CLASSIFY | RESPONSE, sequence=0, payload=b"".join(payloads)),
            identity=self._identity,
            want=self._want,
            images=self._next - first,
        )
        _check(results, self._identity, first, self._want)
        return results


def _check(results: Results, identity: Identity, first: int, want: int) -> None:
    """Refuse decisions that are not those of their scores."""
    if want == WANT_ALL:
        assert results.scores is not None
        if identity.signs:
            bits = (results.scores >= 0).astype(np.int64)
            wrong = results.labels != (bits if identity.multi_label else bits[:, 0])
            must = "a bit must be 1 if its score is not negative"
        else:
            wrong = results.labels != results.scores.argmax(axis=1)
            must = "the class must be the first with the maximum score"
        wrong = wrong.reshape(len(wrong), -1).any(axis=1)
    elif results.best is not None and results.best_scores is not None:
        falls = np.diff(results.best_scores, axis=1)
        wrong = ((falls > 0) | (falls == 0) & (np.diff(results.best, axis=1) <= 0)).any(axis=1)
        must = "the best classes must be in the order of their scores"
    else:
        return
    if wrong.any():
        n = int(wrong.argmax())
        found = results.scores if results.scores is not None else results.best_scores
        assert found is not None
        raise LinkError(
            f"image {first + n}: {must}, but the board reports {results.labels[n]} for the scores"
            f" {found[n].tolist()}; its bitstream is wrong"
        )
