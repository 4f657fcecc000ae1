"""Requests whose answers have not come, and what an answer says about them (``docs/link.md``).

A board answers requests in the order in which they arrive. So an answer also says that what was sent before
its request and is not answered never will be: it is lost, and is sent again under a new number.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ..errors import LinkError
from ..hw.protocol import REASON_COMMAND, REASON_LENGTH, REASON_WANT, REASON_WEIGHTS
from ..hw.slip import END
from .frames import REASONS, Frame

__all__ = ["MOST", "Flight", "Request"]

#: Requests in flight at most: half of the sequence numbers.
MOST = 128

#: Failures of an undamaged request: sending it again would not help.
_HOPELESS = (REASON_COMMAND, REASON_LENGTH, REASON_WANT, REASON_WEIGHTS)


@dataclass(kw_only=True, eq=False)
class Request:
    """A request, which may be sent several times.

    Parameters
    ----------
    command : int
    payload : bytes
    answer_bytes : int or None
        Length of the payload of its answer; None is any.
    first : int
        Number of its first image.
    packed : uint8 array, shape (images, image_bytes), or None
        Its images; None if it is not about images.
    tries : int
        How often it was sent.
    line_bytes : int
        What it takes on the line, once it was sent.
    """

    command: int
    payload: bytes
    answer_bytes: int | None = None
    first: int = 0
    packed: np.ndarray | None = None
    tries: int = 0
    line_bytes: int = 0

    @property
    def images(self) -> int:
        return 0 if self.packed is None else len(self.packed)


class Flight:
    """Requests in flight, in the order in which they were sent.

    Parameters
    ----------
    number : int
        The first sequence number, 0 ... 255. One that nobody can expect keeps answers to a host before this
        one apart.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        self._requests: dict[int, Request] = {}
        #: What all of them take on the line.
        self.line_bytes = 0

    def __len__(self) -> int:
        return len(self._requests)

    def __iter__(self) -> Iterator[Request]:
        return iter(self._requests.values())

    def add(self, request: Request, *, pace: int = 0) -> bytes:
        """Give a request the next free number.

        Parameters
        ----------
        request : Request
        pace : int
            Bytes that it is to take on the line at least; END bytes fill it up.

        Returns
        -------
        bytes
            For the line.
        """
        if len(self._requests) >= MOST:
            raise ValueError(f"at most {MOST} requests can be in flight")
        while self._number in self._requests:
            self._number = (self._number + 1) % 256
        frame = Frame(command=request.command, sequence=self._number, payload=request.payload)
        line = frame.encode().ljust(pace, bytes([END]))
        self._requests[self._number] = request
        self._number = (self._number + 1) % 256
        request.tries += 1
        request.line_bytes = len(line)
        self.line_bytes += len(line)
        return line

    def _remove(self, number: int) -> Request:
        request = self._requests.pop(number)
        self.line_bytes -= request.line_bytes
        return request

    def accept(self, frame: Frame) -> tuple[Request | None, list[Request], str | None]:
        """What an undamaged frame of the board says.

        Returns
        -------
        answered : Request or None
            The request that it answers.
        lost : list of Request
            Requests that the board will never answer.
        reason : str or None
            Why the board refused the one that is lost.

        Raises
        ------
        LinkError
            The board refuses an undamaged request.
        """
        request = self._requests.get(frame.sequence)
        if request is None:
            return None, [], None  # about noise, or an answer that comes late
        if frame.is_failure:
            return self._failed(frame, request)
        if not frame.answers(Frame(command=request.command, sequence=frame.sequence)) or (
            request.answer_bytes not in (None, len(frame.payload))
        ):
            return None, [], None
        lost = []
        while (other := self._remove(next(iter(self._requests)))) is not request:
            lost.append(other)
        return request, lost, None

    def _failed(self, frame: Frame, request: Request) -> tuple[None, list[Request], str | None]:
        code = frame.payload[0] if frame.payload else 0
        reason = REASONS.get(code, "failure")
        # The number of a damaged frame may be another's. That one's own answer is then still to come, unless
        # it is the oldest: all that was sent before the damaged frame is answered or lost.
        if request is not next(iter(self)):
            return None, [], None
        if code in _HOPELESS:
            raise LinkError(
                f"the board must take the host's requests, but refuses an undamaged one: {reason}; load its"
                " bitstream again (sbgen flash), or build it with this sbgen"
            )
        return None, [self._remove(frame.sequence)], reason

    def clear(self) -> None:
        """Forget all requests."""
        self._requests.clear()
        self.line_bytes = 0
