"""Self-binarizing networks to FPGA bitstreams.

::

    import sbgen

    network = sbgen.load("digits")              # any model: net.pt, network.json, .onnx, a shipped name
    design = network.fold("icebreaker")         # how much works in parallel
    build = design.build("build/digits")        # Verilog, bitstream, verdict, report
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # slow to import, and each needs packages that others do not
    from .api.build import BuiltDesign, open_build
    from .api.design import FoldedDesign
    from .api.network import LoadedNetwork, load
    from .classifier import Classifier
    from .device import Board

__all__ = [
    "Board",
    "BuiltDesign",
    "Classifier",
    "FoldedDesign",
    "LoadedNetwork",
    "__version__",
    "load",
    "open_build",
]

__version__ = "0.2.0"

#: The module of each name that is imported when it is first used.
_LAZY = {
    "Board": "device",
    "BuiltDesign": "api.build",
    "Classifier": "classifier",
    "FoldedDesign": "api.design",
    "LoadedNetwork": "api.network",
    "load": "api.network",
    "open_build": "api.build",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f".{_LAZY[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
