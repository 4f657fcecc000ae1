"""Self-binarizing networks to FPGA bitstreams."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to import, and each needs packages that others do not
    from .classifier import Classifier
    from .device import Board

__all__ = ["Board", "Classifier", "__version__"]

__version__ = "0.1.0"

#: The module of each name that is imported when it is first used.
_LAZY = {"Board": "device", "Classifier": "classifier"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)
