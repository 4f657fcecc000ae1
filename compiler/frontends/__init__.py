"""Frontends: networks of other tools as integer networks.

`model.load` reads any file. `from_torch` converts a trained module layer by layer. `qonnx` and `larq` run a
graph on tensors whose elements are functions of integers (`tensors`), and turn these into layers:

* `chain` has the layers so far; `elements` decides what a layer takes: `first_layer` turns pixels into bits
or
  numbers, `thresholds` turns counts and sums into bits;
* `neurons`, `pools` and `shortcuts` add layers, with `images` (positions, padding, order) and `weights`
(bits,
  masks);
* `last_layer` makes scores: `class_scores` in the order of the graph's, `sign_scores` with their signs.

`qonnx` also writes integer networks as QONNX files.
"""
