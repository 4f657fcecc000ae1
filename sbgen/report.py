"""report.json: everything that a build found out, as numbers and digests (``docs/report.md``)."""

import hashlib
import json
import math
import platform
from dataclasses import asdict
from importlib.metadata import version
from itertools import pairwise

from . import __version__, metrics, trial_images
from .boards import frames, usb
from .compiler.bound import AS_BUILT, bounds
from .compiler.weight_count import weights

__all__ = ["RESOURCES", "SCHEMA", "accuracy", "assemble", "digests", "dumps", "write"]

#: Version of the report's form; a reader must refuse one that it does not know.
SCHEMA = 1

#: The resources of a device, in the order in which they are shown.
RESOURCES = ("lut", "ff", "bram", "spram", "dsp")


def accuracy(*, tried, info, integer, classes, verdict):
    """The accuracy ledger.

    Parameters
    ----------
    tried : TrialImages
        The images.
    info : dict
        What the model file tells of itself, as in `sbgen.compiler.frontends.model.Model`.
    integer : int array, shape (N,), (N, top) or (N, outputs)
        What the reference says of each image: its class; its best classes, the best first; or of a
        multi-label network its bits.
    classes : int
        Of the network.
    verdict : Verdict or None
        Of a simulation over the first of the same images.
    """
    told = info.get("accuracy", {}).get("test", {})
    simulated = None if verdict is None else tried.first(verdict.images)
    some = None if verdict is None else integer[: verdict.images]
    several = tried.labels is not None and tried.labels.ndim > 1

    def first(found):
        """The best class of each image; bits as they are."""
        return found if several else found.reshape(len(found), -1)[:, 0]

    return {
        "dataset": tried.name if tried.source == trial_images.TEST_SET else None,
        "images": None if tried.labels is None else len(tried.labels),
        # Both of the test set of the model's own data set, whatever the images here.
        "float": told.get("float"),
        "hardened": told.get("hardened"),
        "integer": tried.accuracy(first(integer)),
        "rtl": None if verdict is None else simulated.accuracy(first(verdict.ranked)),
        "rtl_images": None if verdict is None else verdict.images,
        # The reference on the images that were simulated, which is what the RTL's accuracy must equal.
        "integer_rtl_images": None if verdict is None else simulated.accuracy(first(some)),
        # Whether the true class is among the best few that the core tells.
        "integer_top": tried.accuracy(integer),
        "rtl_top": None if verdict is None else simulated.accuracy(verdict.ranked),
        # Of a multi-label network each bit by itself.
        "integer_bits": metrics.bits(integer, tried.labels),
        "rtl_bits": None if verdict is None else metrics.bits(verdict.ranked, simulated.labels),
        "confusion": metrics.confusion(first(integer), tried.labels, classes),
    }


def digests(folder):
    """SHA-256, in hexadecimal, of each file in a folder, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def assemble(
    *,
    board,
    model,
    sha256,
    design,
    cycles,
    clock_mhz,
    estimate,
    implementation,
    images,
    ledger,
    verdict,
    why_not,
    tools,
    files,
):
    """The report as a dictionary of the form of schema 1.

    Parameters
    ----------
    board : BoardSpec
    model : Model
    sha256 : str
        The integer network's digest.
    design : Design
    cycles : Cycles
    clock_mhz : float
        The clock that the core runs at on the board.
    estimate : dict
        Resource to what was predicted of it.
    implementation : Implementation or None
        What place and route found; None when no bitstream was made.
    images : dict
        What the network was tried on, as `Trial.about` returns it.
    ledger : dict
        As `accuracy` returns it.
    verdict : Verdict or None
    why_not : str or None
        Why there is no verdict.
    tools : dict of str
        Version of each external tool that took part.
    files : dict of str
        As `digests` gives it.
    """
    network, device = design.network, board.device
    held = network.pixel_type
    return {
        "schema": SCHEMA,
        "sbgen": __version__,
        "board": board.reference,
        "device": device.name,
        "network": {
            "name": network.name,
            "sha256": sha256,
            "image_shape": list(network.image_shape),
            "pixels": {"type": held.name, "range": [held.low, held.high]},
            "labels": list(network.labels),
            "decision": network.decision,
            "weights": sum(weights(network)),
            "weight_bits": network.weight_bits,
        },
        "model": {
            "file": model.file.name,
            "sha256": model.sha256,
            "dataset": model.info.get("dataset"),
            "pixel_range": list(model.info.get("pixel_range", trial_images.PIXELS)),
            "layers": [
                _layer(*stage, *shapes, busy)
                for stage, shapes, busy in zip(
                    design.stages, pairwise(network.shapes), cycles.layers, strict=True
                )
            ],
        },
        "top": design.top_k,
        "timing": {
            "clock_mhz": clock_mhz,
            "fmax_mhz": None if implementation is None else implementation.fmax_mhz,
            "clock_margin": None if implementation is None else implementation.margin,
            "seed": None if implementation is None else implementation.seed,
            "trials": None if implementation is None else [asdict(trial) for trial in implementation.trials],
            "cycles_per_image": cycles.interval,
            "latency_cycles": cycles.latency,
            "images_per_second": clock_mhz * 1e6 / cycles.interval,
        },
        "bound": (
            bound(network, device, cycles.interval)
            | _whole(board, network, clock_mhz * 1e6 / cycles.interval)
        ),
        "link": _link(board, network),
        "resources": {
            name: (
                {"used": None, "available": getattr(device, name)}
                if implementation is None
                else implementation.resources[name]
            )
            for name in RESOURCES
        },
        "estimate": {name: estimate[name] for name in RESOURCES},
        "images": images,
        "accuracy": ledger,
        "verdict": (
            {"status": "not run", "reason": why_not}
            if verdict is None
            else {
                "status": "exact",
                "simulator": verdict.simulator,
                "images": verdict.images,
                "scores": verdict.scores,
                "cycles_per_image": verdict.cycles_per_image,
                "latency_cycles": verdict.latency_cycles,
            }
        ),
        "tools": {
            "python": platform.python_version(),
            "amaranth": version("amaranth"),
            **tools,
            **({} if verdict is None else {"simulator": verdict.simulator}),
        },
        "files": files,
    }


def bound(network, device, interval):
    """What the device allows, beside an interval between images, in cycles."""
    limits = bounds(network, device)
    name = max((name for name in limits if name != AS_BUILT), key=limits.get)
    return {"limits": limits, "by": name, "cycles": limits[name], "reached": limits[name] / interval}


def _whole(board, network, images_per_second):
    """What binds the board with everything on it: the host link or the core at its clock."""
    link = _link(board, network)["images_per_second"]
    return {
        "whole": "host link" if link < images_per_second else "core",
        "whole_images_per_second": min(link, images_per_second),
    }


def _link(board, network):
    """The most that the host link carries: by its baud rate, and by the latency timer of the USB converter
    too, in ms.
    """
    size = {
        "pixels": network.pixels,
        "outputs": network.outputs,
        "signs": network.decision == "sign",
        "baud": board.baud,
    }
    return {
        "kind": "UART",
        "baud": board.baud,
        "images_per_second": frames.images_per_second(**size),
        "usb_images_per_second": {
            f"{latency:g}": frames.images_per_second(**size, latency_ms=latency)
            for latency in (usb.LOW_LATENCY_MS, usb.LATENCY_MS)
        },
    }


def _layer(layer, folding, input_shape, output_shape, cycles):
    return {
        "name": layer.name,
        "kind": type(layer).__name__.lower(),
        "inputs": math.prod(input_shape),
        "outputs": math.prod(output_shape),
        "input_shape": list(input_shape),
        "output_shape": list(output_shape),
        "weight_bits": layer.weight_bits,
        "pe": folding.pe,
        "simd": folding.simd,
        "cycles": cycles,
        "store": folding.store if layer.weight_bits else "none",
    }


def dumps(report):
    """The text of report.json; equal reports give equal text."""
    return json.dumps(report, indent=1, ensure_ascii=True) + "\n"


def write(report, out_dir):
    """Write report.json and report.html into the output folder."""
    from . import report_html

    (out_dir / "report.html").write_text(report_html.page(report), encoding="utf-8")
    (out_dir / "report.json").write_text(dumps(report), encoding="ascii")
