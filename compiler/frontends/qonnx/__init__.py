"""QONNX files as integer networks, and integer networks as QONNX files; needs the ``onnx`` package.

A graph is run on tensors of functions (`tensors`). Its layers with weights, pools and shortcuts become those
of the network; nothing is simplified by algebra.
"""

from .reader import load, loads
from .writer import save, to_model

__all__ = ["load", "loads", "save", "to_model"]
