"""How many images per second a link over full-speed USB carries, computed from the bits on the bus.

Packets and gaps are those of USB 2.0, chapters 7 and 8. A host is assumed that asks the board for bytes after
each packet that it sends.
"""

from dataclasses import dataclass
from math import ceil

from .link_rate import REQUEST_BYTES, RESPONSE_BYTES, LinkRate

__all__ = ["PACKET", "USB_BAUD", "UsbRate"]

#: The rate with which a host opens the port. It has no meaning for the device; ten bits of it are about a
#: byte at the fastest that bulk transfers can be (1,216,000 bytes per second, USB 2.0, table 5-9).
USB_BAUD = 12_000_000

#: Bytes of a packet: the most of a bulk endpoint at full speed.
PACKET = 64

#: Bits per second, and in a frame of a millisecond.
_BITS, _FRAME = 12e6, 12_000

#: Bits of a token, of a data packet without its bytes, and of a handshake: SYNC, PID, fields, end of packet.
_TOKEN, _DATA, _HANDSHAKE = 35, 35, 19

#: Bits of a byte in a packet: of random bits, one in 126 is followed by a stuffed one.
_BYTE = 8 * (1 + 1 / 126)

#: Bits between packets: until a host sends the next, and until a device answers.
_GAP, _ANSWER = 3, 7

#: Bits at the end of a frame in which a host begins no transaction, since one may not end in time.
_LATE = 750


@dataclass(frozen=True, kw_only=True)
class UsbRate(LinkRate):
    """What bounds the rate of a link over USB whose host always has a request in flight.

    Parameters
    ----------
    clock_hz : float
        The core's clock.
    """

    clock_hz: float

    @property
    def cycles(self) -> dict[str, float]:
        """The clock cycles of an image by each that may bind: the bus, and the board."""
        n = self.images
        sent = (self.image_bytes + REQUEST_BYTES / n) / PACKET
        answer = n * self.result_bytes + RESPONSE_BYTES
        # A full last packet is followed by an empty one, which ends the transfer.
        answers = (ceil(answer / PACKET) + (answer % PACKET == 0)) / n
        out_bits = _TOKEN + _GAP + _DATA + PACKET * _BYTE + _ANSWER + _HANDSHAKE + _GAP
        in_bits = _TOKEN + _ANSWER + _DATA + _GAP + _HANDSHAKE + _GAP
        refused_bits = _TOKEN + _ANSWER + _HANDSHAKE + _GAP
        bits = (
            sent * out_bits + answers * in_bits + answer / n * _BYTE + max(0.0, sent - answers) * refused_bits
        )
        used = (_FRAME - _TOKEN - _GAP - _LATE + out_bits / 2) / _FRAME
        return {"packets": bits / used / _BITS * self.clock_hz, "board": float(self.image_cycles)}

    @property
    def images_per_second(self) -> float:
        return self.clock_hz / max(self.cycles.values())
