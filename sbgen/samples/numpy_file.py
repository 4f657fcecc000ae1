"""Arrays in .npy and .npz files from anywhere: nothing is allocated, unpacked or run because a header says
so.

The format is NumPy's (NEP 1). `numpy.load` allocates what a header promises. Here the promise is first
compared with the bytes in the file, and with a limit. Pickled objects are never read.
"""

import io
import lzma
import math
import struct
import tokenize
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO

import numpy as np

from ..errors import DataError

__all__ = ["MAGIC", "MAX_BYTES", "ZIP_MAGIC", "StoredArray", "archive", "stored"]

#: How a .npy and a .npz begin.
MAGIC = b"\x93NUMPY"
ZIP_MAGIC = b"PK"

#: The maximum size of an array in bytes.
MAX_BYTES = 1 << 30

#: A header is read from this many bytes; NumPy itself refuses one of more than 10,000.
_HEAD = 1 << 14

#: What zipfile and its decompressors raise on a damaged or unusual archive.
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
    struct.error,
    OverflowError,
)


@dataclass(frozen=True, kw_only=True)
class StoredArray:
    """An array whose header has been read and whose elements have not.

    Parameters
    ----------
    where : str
        Begins messages: the file, and the name of the array in it.
    shape : tuple of int
    dtype : numpy.dtype
    fortran : bool
        Whether the elements are in column-major order.
    """

    where: str
    shape: tuple[int, ...]
    dtype: np.dtype
    fortran: bool
    _stream: IO[bytes]
    _head: bytes

    def read(self) -> np.ndarray:
        """The elements, in the machine's byte order; a `DataError` when they are damaged. Once only."""
        elements = self._elements(math.prod(self.shape)).reshape(
            self.shape, order="F" if self.fortran else "C"
        )
        return np.ascontiguousarray(elements, self.dtype.newbyteorder("="))

    def some(self) -> np.ndarray:
        """The first million elements at most, flat, in the order of the file. Once only."""
        return self._elements(min(math.prod(self.shape), 1 << 20))

    def _elements(self, count: int) -> np.ndarray:
        data = bytearray(count * self.dtype.itemsize)
        view, filled = memoryview(data), min(len(self._head), len(data))
        view[:filled] = self._head[:filled]
        whole = count == math.prod(self.shape)
        try:
            while filled < len(data) and (chunk := self._stream.read(min(len(data) - filled, 1 << 20))):
                view[filled : filled + len(chunk)] = chunk
                filled += len(chunk)
            # An archive checks its checksum when its end is read.
            more = whole and self._stream.read(1)
        except _ZIP_ERRORS as error:
            raise DataError(f"{self.where} is damaged: {error}; save it again") from error
        if filled < len(data) or more:
            raise DataError(
                f"{self.where} is damaged: it has {'more' if more else 'fewer'} bytes of elements than its"
                " header promises; save it again"
            )
        return np.frombuffer(data, self.dtype, count) if count else np.zeros(0, self.dtype)


def stored(stream: IO[bytes], size: int, *, where: str) -> StoredArray:
    """The array of a .npy file, its header checked against the file.

    Parameters
    ----------
    stream : binary file
        Positioned at the start of the .npy.
    size : int
        Its size in bytes.
    where : str
        Begins messages.

    Returns
    -------
    StoredArray
        Its dtype has a fixed size above 0 and holds no objects.

    Raises
    ------
    DataError
        It is no .npy, holds pickled objects or records, is larger than `MAX_BYTES`, or promises more than it
        has.
    """
    try:
        head = stream.read(_HEAD)
    except _ZIP_ERRORS as error:
        raise DataError(f"{where} cannot be read: {error}; save it again") from error
    file = io.BytesIO(head)
    try:
        with warnings.catch_warnings():  # of headers that Python 2 wrote, and of odd literals
            warnings.simplefilter("ignore")
            version = np.lib.format.read_magic(file)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[
                version
            ]
            shape, fortran, dtype = read(file)
    except (
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        SyntaxError,
        OverflowError,
        RecursionError,
        MemoryError,
        tokenize.TokenError,
    ) as error:
        raise DataError(
            f"{where} must be an array as numpy.save writes it, but its header cannot be read "
            f"({type(error).__name__}); save it again"
        ) from error
    if dtype.hasobject:
        raise DataError(
            f"{where} must hold numbers or text, but holds pickled Python objects, which are never read; save"
            " array.astype(str) of text, and one shape of numbers"
        )
    if dtype.names is not None or dtype.subdtype is not None or not dtype.itemsize:
        raise DataError(f"{where} must hold plain numbers or text, found {_short(dtype)}")
    if len(shape) > 64 or any(type(length) is not int or not 0 <= length < 1 << 62 for length in shape):
        raise DataError(
            f"{where} must have at most 64 axes of 0 ... 2^62 elements, but its header promises the shape"
            f" {_short(shape)}; save it again"
        )
    promised, found = math.prod(shape) * dtype.itemsize, size - file.tell()
    if promised > MAX_BYTES:
        raise DataError(
            f"{where} must have at most {MAX_BYTES:,} bytes of elements, but its header promises"
            f" {_short(f'{promised:,}')}; save fewer"
        )
    if promised != found:
        raise DataError(
            f"{where} is damaged: its header promises {promised:,} bytes of elements, but it has {found:,};"
            " save it again"
        )
    return StoredArray(
        where=where, shape=shape, dtype=dtype, fortran=fortran, _stream=stream, _head=head[file.tell() :]
    )


def archive(file: IO[bytes], *, where: str) -> dict[str, Callable[[], StoredArray]]:
    """The arrays of a .npz by name, each a function that returns a `StoredArray`; nothing is unpacked before
    one is called.

    Raises a `DataError` when `file` is no archive or holds a name twice.
    """
    try:
        opened = zipfile.ZipFile(file)
        infos = opened.infolist()
    except _ZIP_ERRORS as error:
        raise DataError(f"{where} must be an archive of numpy.savez, but {error}; save it again") from error
    found = {}
    for info in infos:
        name = info.filename.removesuffix(".npy")
        if name in found:
            raise DataError(f"{where} must hold each array once, but holds {name!r:.60} twice; save it again")
        found[name] = info

    def getter(name: str, info: zipfile.ZipInfo) -> Callable[[], StoredArray]:
        def get() -> StoredArray:
            try:
                stream = opened.open(info)
            except _ZIP_ERRORS as error:
                raise DataError(
                    f"{where}, {name} cannot be unpacked: {error}; save it with numpy.savez"
                ) from error
            return stored(stream, info.file_size, where=f"{where}, {name}")

        return get

    return {name: getter(name, info) for name, info in found.items()}


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
