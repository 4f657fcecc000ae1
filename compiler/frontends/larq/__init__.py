"""larq networks, Keras models in HDF5, as integer networks; needs ``h5py``, but neither TensorFlow nor larq.

The model is run on tensors of functions (`tensors`), as QONNX files are.
"""

from .reader import load

__all__ = ["load"]
