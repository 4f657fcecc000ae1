"""Gowin's bitstreams (``.fs``) as text and back, without their checksums. ::

    header commands │ frames of the grid, of the block RAMs │ commands at the end
                    └── each followed by a CRC ──┘

A file has a line of ``0`` and ``1`` for each command and frame (Project Apicula's documentation of the
format). The text has them in hexadecimal, without the CRCs, in sections ``.header``, ``.grid``, ``.ram`` and
``.end``.
"""

from collections.abc import Iterator

from ...errors import ToolError
from .chips import CHIPS, Chip

__all__ = ["chip_of_text", "pack", "unpack"]

#: The header: filler of two lines and a magic number, then commands; the last one has the number of frames.
_PREAMBLE = 3
_HEADER_LINES = 10

#: Commands that name the chip, are left out of the CRC, and begin the frames.
_IDENTITY, _UNCHECKED, _FRAMES = 0x06, 0xD2, 0x3B

#: Each frame ends with its CRC and these bytes, of which the next frame's CRC includes the last six.
_GAP = b"\xff" * 6

#: Most bytes of a file: that of the largest chip has 7 MB.
_MAXIMUM = 32_000_000


def _table() -> list[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0xA001 if value & 1 else 0)
        table.append(value)
    return table


_CRC = _table()


def _crc(data: bytes) -> bytes:
    """CRC-16/ARC, the lower byte first."""
    value = 0
    for byte in data:
        value = value >> 8 ^ _CRC[(value ^ byte) & 0xFF]
    return value.to_bytes(2, "little")


def _chip(header: list[bytes]) -> Chip:
    """The chip that the commands of a header name; a `ToolError` when it is none that is known."""
    for command in header:
        if command[:1] == bytes([_IDENTITY]):
            for chip in CHIPS:
                if chip.identity == command:
                    return chip
    raise ToolError(f"it is not for one of the chips {', '.join(chip.name for chip in CHIPS)}")


def _lines(packed: bytes) -> Iterator[bytes]:
    """The lines of a file as bytes; comments are left out."""
    for line in packed.split(b"\n"):
        line = line.strip()
        if line and not line.startswith(b"//"):
            if len(line) % 8 or line.strip(b"01"):
                raise ToolError("its lines must be bytes of the digits 0 and 1")
            yield int(line, 2).to_bytes(len(line) // 8, "big")


def _before(header: list[bytes]) -> bytes:
    """What the CRC of the first frame includes before it."""
    return b"".join(command for command in header[_PREAMBLE:] if command[0] != _UNCHECKED)


def unpack(packed: bytes) -> bytes:
    """The text of a file; a `ToolError` when it is no bitstream for a known chip, or is damaged."""
    lines = list(_lines(packed[:_MAXIMUM]))
    header = lines[:_HEADER_LINES]
    if len(header) < _HEADER_LINES or header[-1][0] != _FRAMES:
        raise ToolError("it has no header")
    chip = _chip(header)
    count = int.from_bytes(header[-1][2:], "big")
    if count not in (chip.grid, chip.grid + 256 * len(chip.rows)) or len(lines) < _HEADER_LINES + count:
        raise ToolError(f"it has not the frames of a {chip.name}")
    frames, before = [], _before(header)
    for n, line in enumerate(lines[_HEADER_LINES : _HEADER_LINES + count]):
        frame, crc, gap = line[:-8], line[-8:-6], line[-6:]
        if len(frame) != -(-chip.width // 8) or crc != _crc(before + frame) or gap != _GAP:
            raise ToolError(f"frame {n} is damaged")
        frames.append(frame)
        before = _GAP
    sections = {
        "header": header,
        "grid": frames[: chip.grid],
        "ram": frames[chip.grid :],
        "end": lines[_HEADER_LINES + count :],
    }
    text = "".join(
        f".{name}\n" + "".join(f"{line.hex()}\n" for line in lines) for name, lines in sections.items()
    )
    return text.encode("ascii")


def chip_of_text(text: str) -> Chip:
    """The chip of a text that `unpack` returned."""
    _, _, header = text.partition(".header\n")
    return _chip([bytes.fromhex(line) for line in header.split("\n", _HEADER_LINES)[:_HEADER_LINES]])


def pack(text: bytes) -> bytes:
    """The file of a text that `unpack` returned, perhaps with other bits."""
    sections: dict[str, list[bytes]] = {}
    lines: list[bytes] = []
    for line in text.decode("ascii").splitlines():
        if line.startswith("."):
            lines = sections.setdefault(line[1:], [])
        else:
            lines.append(bytes.fromhex(line))
    header = sections["header"]
    out, before = list(header), _before(header)
    for frame in sections["grid"] + sections["ram"]:
        out.append(frame + _crc(before + frame) + _GAP)
        before = _GAP
    out += sections["end"]
    return "".join(f"{int.from_bytes(line, 'big'):0{8 * len(line)}b}\n" for line in out).encode("ascii")
