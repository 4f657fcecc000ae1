"""Networks from files of other tools, as integer networks; and QONNX files from integer networks."""
