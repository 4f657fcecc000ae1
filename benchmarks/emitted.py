"""The emitted Verilog of a design in Verilator, against the reference."""

import tempfile
from pathlib import Path

import numpy as np

from sbgen.compiler import lower, reference, verilog
from sbgen.compiler.random_network import random_images
from sbgen.compiler.simulate import Simulator

__all__ = ["emitted"]


def emitted(design, images):
    """What the simulation of so many random images found, and what a record says of its scores."""
    network, core = design.network, lower.lower(design)
    pixels = random_images(1, network, images)
    scores, _ = reference.evaluate(network, pixels)
    with tempfile.TemporaryDirectory(prefix="sbgen-") as folder:
        simulator = Simulator(
            verilog.convert(core),
            network,
            lanes=core.lanes,
            simulator="verilator",
            folder=Path(folder),
            ram_contents=core.ram_contents,
        )
        found = simulator.run(pixels)
    return found, {
        "images": images,
        "simulator": simulator.name,
        "scores_equal": bool(np.array_equal(found.scores, scores)),
    }
