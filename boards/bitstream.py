"""What a finished bitstream holds in its block RAMs. ::

    top.bin ──iceunpack──▶ .ram_data X Y ─┐
                                          ├─▶ {location: bits in the order of addresses}
    top.bit ──ecpunpack──▶ .bram_init N ──┘

A block RAM's bits are always told in one order, that of its addresses at its natural width: iCE40 256 words
of 16, ECP5 2,048 bytes of 9. The order of the physical bits is the technology's affair and known only here.
"""

import re
from pathlib import Path

import numpy as np

from .. import tools
from ..errors import BoardError, ToolError

__all__ = ["RAM_BITS", "block_rams", "pack", "read", "unpack"]

#: Bits of a block RAM, by family.
RAM_BITS = {"ice40": 4096, "ecp5": 18432}

# yosys (techlibs/ice40/brams_map.v) numbers the 16 columns of a word with their four bits reversed, so that
# narrower words lie in one piece.
_ICE40_COLUMNS = np.array([int(f"{n:04b}"[::-1], 2) for n in range(16)])


def read(path):
    """The bytes of a bitstream; a `BoardError` when the file cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BoardError(f"{path}: cannot be read as a bitstream: {error.strerror}") from error


def unpack(path, *, family):
    """The bitstream as text, as the family's own unpacker tells it.

    Parameters
    ----------
    path : path
    family : str
        ``"ice40"`` or ``"ecp5"``.

    Raises
    ------
    BoardError
        When the file cannot be read, or the unpacker refuses it.
    ToolError
        When the unpacker is missing.
    """
    packed = read(path)
    # A folder of its own: WebAssembly tools see little else.
    with tools.temporary() as folder:
        (folder / "packed").write_bytes(packed)
        if family == "ice40":
            tool, args = tools.find("iceunpack"), ["packed", "text"]
        else:
            tool, args = tools.find("ecpunpack"), ["--input", "packed", "--textcfg", "text"]
        try:
            tools.run(tool, args, cwd=folder, log=folder / "log")
        except ToolError as error:
            raise BoardError(f"{path}: must be a bitstream of {family}, but {error.what}") from error
        return (folder / "text").read_text(encoding="ascii")


def pack(text, *, family):
    """The bitstream of a layout, as the family's own packer writes it.

    Parameters
    ----------
    text : str
        In the packer's format.
    family : str

    Returns
    -------
    bytes

    Raises
    ------
    ToolError
        When the packer is missing or refuses the layout.
    """
    with tools.temporary() as folder:
        (folder / "text").write_text(text, encoding="ascii")
        if family == "ice40":
            tool, args = tools.find("icepack"), ["text", "packed"]
        else:
            tool, args = tools.find("ecppack"), ["--compress", "--input", "text", "--bit", "packed"]
        tools.run(tool, args, cwd=folder, log=folder / "log")
        return (folder / "packed").read_bytes()


def block_rams(text, *, family):
    """The contents of each block RAM that a bitstream sets.

    Parameters
    ----------
    text : str
        As `unpack` gives it.
    family : str

    Returns
    -------
    dict of str to uint8 array, shape (RAM_BITS[family],), values 0 and 1
        By location: on iCE40 ``"X6/Y17"``, on ECP5 ``"WID 3"``, the number that links a block RAM with its
        contents.
    """
    rams = {}
    if family == "ice40":
        for x, y, rows in re.findall(
            r"^\.ram_data (\d+) (\d+)\n((?:[0-9a-f]{64}\n){16})", text, re.MULTILINE
        ):
            # Each row is a number of 256 bits, 16 words of 16, the first lowest.
            packed = np.array([np.frombuffer(bytes.fromhex(row)[::-1], np.uint8) for row in rows.split()])
            words = np.unpackbits(packed, bitorder="little").reshape(256, 16)
            rams[f"X{x}/Y{y}"] = words[:, _ICE40_COLUMNS].ravel()
    else:
        for wid, body in re.findall(r"^\.bram_init (\d+)\n((?:[0-9a-f]{3}(?:[ \n]))+)", text, re.MULTILINE):
            words = np.array([int(word, 16) for word in body.split()])
            rams[f"WID {wid}"] = (words[:, None] >> np.arange(9) & 1).astype(np.uint8).ravel()
    wrong = {where: len(bits) for where, bits in rams.items() if len(bits) != RAM_BITS[family]}
    if wrong:
        where, bits = next(iter(wrong.items()))
        raise BoardError(
            f"a block RAM of {family} must have {RAM_BITS[family]} bits, but {where} of the bitstream has"
            f" {bits}"
        )
    return rams
