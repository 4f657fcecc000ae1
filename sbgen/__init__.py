"""Self-binarizing networks to FPGA bitstreams."""

__version__ = "0.1.0"
