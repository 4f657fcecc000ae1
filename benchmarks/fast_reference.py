"""Images per second of the reference and of the fast reference, on one core.

    python benchmarks/fast_reference.py [--models cnv-cifar10 ...] [--seconds S]

Random images through the shipped models: `compiler/reference.py`, `compiler/fast_reference.py`, and packed
words with XOR and popcount (`packed.py`), whose scores must be equal. Seconds are of the processor in one
thread, so that other programs on the machine do not count; of several calls the fastest is taken. Writes
``results/fast_reference.json``.
"""

import argparse
import os
import time

os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before NumPy is loaded

import numpy as np
import record
from packed import Packed

from sbgen.compiler import exchange, fast_reference, reference, shipped

#: Images of a call.
_IMAGES = 256


def rate(function, images, seconds):
    """Images per second of processor time of `function`: the best of as many calls as the time allows."""
    best, end = 0.0, time.process_time() + seconds
    while time.process_time() < end:
        start = time.process_time()
        function(images)
        best = max(best, len(images) / (time.process_time() - start))
    return round(best, 1)


def measure(name, seconds):
    """The rates of one model."""
    network = exchange.load(shipped.path_of(name))
    images = np.random.default_rng(0).integers(0, 256, (_IMAGES, *network.image_shape)).astype(np.uint8)
    fast, packed = fast_reference.FastReference(network), Packed(network)
    ways = {
        "reference": lambda images: reference.evaluate(network, images, batch=64)[0],
        "packed": packed.scores,
        "fast": lambda images: fast.evaluate(images)[0],
    }
    expected = ways["reference"](images)
    for way, function in ways.items():
        assert np.array_equal(function(images), expected), f"{name}: {way} must equal the reference"
    return {"model": name, **{way: rate(function, images, seconds) for way, function in ways.items()}}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", choices=shipped.NAMES, default=list(shipped.NAMES))
    parser.add_argument("--seconds", type=float, default=5.0, help="for each way (5)")
    options = parser.parse_args()

    rows = []
    for name in options.models:
        rows.append(measure(name, options.seconds))
        print(rows[-1], flush=True)
    record.write(
        "fast_reference",
        {
            "command": "python benchmarks/fast_reference.py",
            "processor": record.processor(),
            "numpy": np.__version__,
            "unit": "images per second of one core",
            "rows": rows,
        },
    )


if __name__ == "__main__":
    main()
