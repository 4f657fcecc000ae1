"""The layers of a self-binarizing network: ordinary modules to compose in `nn.Sequential` or in a module of
your own.

    uint8 pixels -> Binarize -> (BinaryConv2d -> BatchNorm -> BinaryActivation -> nn.MaxPool2d) ...
                 or Pixels   -> (BinaryLinear -> BatchNorm -> BinaryActivation) ... -> Scores -> logits

On sequences, `BinaryConv1d` and the pools of one dimension replace those of two.

Each layer computes in one of two modes. In the ordinary mode it can be trained. *Hardened* (see `hardened`,
and `sbgen.train.harden` for the permanent step) it computes on -1 and +1 only, exactly as the integer network
of ``docs/semantics.md``: sums of signs are exact in float32 up to 2**24, the batch norm is a chain of
separate float64 operations, each correctly rounded and therefore monotone, and the scores are integers.
"""

from .activations import BatchNorm, BinaryActivation
from .convolutions import BinaryConv1d, BinaryConv2d, Convolution
from .hardening import Hardenable, hardened, hardened_layers
from .pixels import WHITE, Binarize, Pixels
from .pools import AvgPool1d, AvgPool2d
from .residual import Residual
from .scores import Scores
from .weights import BinaryLinear, BinaryWeights

__all__ = [
    "WHITE",
    "AvgPool1d",
    "AvgPool2d",
    "BatchNorm",
    "Binarize",
    "BinaryActivation",
    "BinaryConv1d",
    "BinaryConv2d",
    "BinaryLinear",
    "BinaryWeights",
    "Convolution",
    "Hardenable",
    "Pixels",
    "Residual",
    "Scores",
    "hardened",
    "hardened_layers",
]
