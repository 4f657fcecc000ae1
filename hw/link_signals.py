"""The signals inside a host link."""

from amaranth.hdl import Signal

from .protocol import REASON_WEIGHTS

__all__ = ["LinkSignals"]


class LinkSignals:
    """Signals that the byte register, the receiver and the responder of a :class:`.HostLink` share.

    Parameters
    ----------
    longest_field : :class:`int`
        Bytes of the longest field of a request.
    """

    def __init__(self, longest_field: int):
        self.abandon = Signal()  # a failure under way gives way to a request

        # The byte register.
        self.byte = Signal(8)
        self.held = Signal()
        self.going_round = Signal()
        self.step = Signal(3)
        self.is_pixel = Signal()
        self.is_response = Signal()
        self.is_end = Signal(init=1)  # it stands for an END; until the next byte, the CRC is at its start
        self.is_check = Signal()
        self.accept = Signal()  # load a byte of the request
        self.send = Signal()  # load a byte of the response
        self.value = Signal(8)

        # The receiver.
        self.in_command = Signal()
        self.in_sequence = Signal()
        self.act = Signal()
        self.late = Signal()
        self.classify = Signal()
        self.sequence = Signal(8)
        self.reason = Signal(range(REASON_WEIGHTS + 1))
        self.damaged = Signal()  # a bit of the checksum differs
        self.decided = Signal()  # a frame has ended and is to be answered
        self.left = Signal(range(longest_field))  # bytes of the field after the present one

        # The responder.
        self.resting = Signal()  # it does nothing
        self.sequence_free = Signal()  # it does not need the sequence number any more
        self.failure = Signal()  # the response, under way or last, is a failure
