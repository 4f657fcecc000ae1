"""The memory of a training: blocks that are freed stay in the process."""

import ctypes

__all__ = ["keep"]

#: Parameters of glibc's mallopt: free memory at the top of the heap from which it is returned to the system,
#: and how many blocks may have a mapping of their own.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def keep() -> bool:
    """Keep freed memory in this process for the next tensors, up to 2 GiB; whether the C library can do so.

    By default glibc returns large blocks to the system at once. The tensors of the next step are then new
    pages, which the system clears one by one. This is a setting of the whole process, so commands and workers
    make it and the library does not.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # another C library
        return False
    return bool(mallopt(_MMAP_MAX, 0) and mallopt(_TRIM_THRESHOLD, 2**31 - 1))
