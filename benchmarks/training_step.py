"""Seconds of a training step on one core, and of an epoch: before and after batch norms were fused with their
activations.

    python benchmarks/training_step.py [--nets cnv cnn tfc] [--methods self-binarizing straight-through]
                                       [--steps 5]

A step is the forward pass, the backward pass and the optimiser on a batch of the preset's size of random
images, in the middle of a training. Seconds are processor time of one thread, the minimum of the steps, so
that other work on the machine counts little. An epoch is as many steps as the training images need, without
the measurement after it.

* tanh: batch norm and activation one after the other, with torch's tanh, which the backward pass repeats;
* sigmoid: the same with tanh by torch's sigmoid, as now;
* fused: as the training loop does it now.

Writes ``results/training_step.json``.
"""

import argparse
import sys
import time
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from unittest import mock

import record
import torch

from sbgen.console import Console
from sbgen.train import binarizers, data, distill, experiment
from sbgen.train.distributed import Processes
from sbgen.train.execution import HERE
from sbgen.train.network import network
from sbgen.train.presets import PRESETS
from sbgen.train.training_mode import training_mode

NAME = "training_step"

#: Training images of each data set, without the validation part.
IMAGES = {"mnist": 54_000, "cifar10": 45_000}

COLUMNS = ("net", "method", "batch", "variant", "seconds per step", "seconds per epoch")


def old_tanh(x, *, nu):
    return x.mul_(nu).tanh_()


def old_slope(x, *, nu, factor=1.0):
    return x.mul_(nu).tanh_().square_().mul_(-nu).add_(nu).mul_(factor)


#: What to replace, and whether norms are fused.
VARIANTS = {
    "tanh": ({"_tanh": old_tanh, "_slope": old_slope}, False),
    "sigmoid": ({}, False),
    "fused": ({}, True),
}


def step_of(net, method):
    """A function that trains for a step, and the batch."""
    about = PRESETS[net]
    settings = replace(about.settings, method=method, distill=0.0)
    kind = data.DATASETS[about.dataset]
    torch.manual_seed(0)
    model = network(
        image_shape=kind.image_shape,
        thresholds=about.thresholds,
        convolutions=about.convolutions,
        widths=about.widths,
        classes=10,
        **experiment.layers_by(settings),
    )
    settings.schedule().over(model).apply(50, 100)
    images = torch.randint(256, (settings.batch, *kind.image_shape), dtype=torch.uint8)
    labels = torch.randint(10, (settings.batch,))
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.lr, weight_decay=0.0, fused=True)
    model.train()

    def step():
        optimizer.zero_grad()
        distill.loss(model(images), labels).backward()
        optimizer.step()

    return model, step, settings.batch


def measured(net, method, variant, steps):
    """A row of the record."""
    replaced, fuses = VARIANTS[variant]
    with ExitStack() as stack:
        for name, function in replaced.items():
            stack.enter_context(mock.patch.object(binarizers, name, function))
        model, step, batch = step_of(net, method)
        stack.enter_context(training_mode(model, HERE, Processes(), fuses=fuses))
        step()
        seconds = min(map(partial(timed, step), range(steps)))
    count = -(-IMAGES[PRESETS[net].dataset] // batch)
    return {
        "net": net,
        "method": method,
        "batch": batch,
        "variant": variant,
        "step_seconds": round(seconds, 5),
        "epoch_seconds": round(seconds * count, 1),
    }


def timed(step, _):
    began = time.process_time()
    step()
    return time.process_time() - began


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--nets", nargs="+", default=["cnv", "cnn", "tfc"])
    parser.add_argument("--methods", nargs="+", default=["self-binarizing", "straight-through"])
    parser.add_argument("--steps", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(1)
    console, rows = Console(), []
    for net in args.nets:
        for method in args.methods:
            for variant in VARIANTS:
                with console.step(f"{net} {method} {variant}") as step:
                    rows.append(measured(net, method, variant, args.steps))
                    step.note(f"{rows[-1]['step_seconds']:.3f} s")
    record.write(NAME, {"torch": torch.__version__, "processor": record.processor(), "rows": rows})
    console.table(COLUMNS, [list(row.values()) for row in rows])
    return 0


if __name__ == "__main__":
    sys.exit(main())
