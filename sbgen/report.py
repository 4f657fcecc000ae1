"""report.json: the results of a build, as numbers and digests (``docs/report.md``)."""

import hashlib
import json
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import __version__, metrics, trial_images
from .boards import BoardSpec, board_line, power
from .boards.harness import HOLD_BITS
from .boards.link_rate import LinkRate
from .compiler.bound import DEVICE
from .compiler.bound import bound as least_cycles
from .compiler.cycles import Cycles, stage_cycles
from .compiler.design import Design
from .compiler.device import Device
from .compiler.folding import Folding
from .compiler.ir import Network
from .compiler.layers import Rule, rules
from .compiler.linked import link_parameters
from .compiler.weight_count import weights
from .trial_images import TrialImages
from .verdict import Verdict

if TYPE_CHECKING:
    from .boards.flow import Implementation
    from .compiler.frontends.model import Model
    from .hw.link_parameters import Parameters

__all__ = ["RESOURCES", "SCHEMA", "accuracy", "assemble", "bound", "digests", "dumps", "layers", "write"]

#: Version of the format; a reader must refuse an unknown one.
SCHEMA = 2

#: The resources of a device, in the order in which they are shown.
RESOURCES = ("lut", "ff", "bram", "spram", "dsp")


def accuracy(
    *, tried: TrialImages, info: Mapping[str, Any], integer: np.ndarray, classes: int, verdict: Verdict | None
) -> dict[str, Any]:
    """The accuracy at every level.

    Parameters
    ----------
    tried : TrialImages
        N images.
    info : dict
        What the model file says about itself, as in `sbgen.compiler.frontends.model.Model`.
    integer : int array, shape (N,), (N, top_k) or (N, outputs)
        The result of the reference for each image: its class; its best classes, the best first; or, of a
        multi-label network, its bits.
    classes : int
        Of the network.
    verdict : Verdict or None
        Of a simulation of the first images.
    """
    trained = info.get("accuracy", {}).get("test", {})
    multi_label = tried.labels is not None and tried.labels.ndim > 1

    def first(results: np.ndarray) -> np.ndarray:
        """The best class of each image; bits as they are."""
        return results if multi_label else results.reshape(len(results), -1)[:, 0]

    result = {
        "dataset": tried.name if tried.source == trial_images.TEST_SET else None,
        "images": None if tried.labels is None else len(tried.labels),
        # On the test set of the model's own data set, whatever images were run here.
        "soft": trained.get("soft"),
        "hardened": trained.get("hardened"),
        "integer": tried.accuracy(first(integer)),
        "rtl": None,
        "rtl_images": None,
        # The reference on the images that were simulated, which the accuracy of the RTL must equal.
        "integer_rtl_images": None,
        # Whether the true class is among the best few that the core reports.
        "integer_top": tried.accuracy(integer),
        "rtl_top": None,
        # Of a multi-label network, each bit by itself.
        "integer_bits": metrics.bits(integer, tried.labels),
        "rtl_bits": None,
        "confusion": metrics.confusion(first(integer), tried.labels, classes),
    }
    if verdict is not None:
        simulated = tried.first(verdict.images)
        result |= {
            "rtl": simulated.accuracy(first(verdict.ranked)),
            "rtl_images": verdict.images,
            "integer_rtl_images": simulated.accuracy(first(integer[: verdict.images])),
            "rtl_top": simulated.accuracy(verdict.ranked),
            "rtl_bits": metrics.bits(verdict.ranked, simulated.labels),
        }
    return result


def digests(folder: Path) -> dict[str, str]:
    """The SHA-256, in hexadecimal, of each file in a folder, by name."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
        if path.is_file()
    }


def assemble(
    *,
    board: BoardSpec,
    model: "Model",
    sha256: str,
    design: Design,
    cycles: Cycles,
    clock_mhz: float,
    estimate: Mapping[str, int],
    implementation: "Implementation | None",
    images: Mapping[str, Any],
    ledger: Mapping[str, Any],
    verdict: Verdict | None,
    why_not: str | None,
    tools: Mapping[str, str],
    files: Mapping[str, str],
    project: Mapping[str, Any] | None = None,
    baud: float | None = None,
    self_test: Mapping[str, Any] | None = None,
    sleeps: bool = False,
    rate: float | None = None,
    pace: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The report as a dictionary of schema 1.

    Parameters
    ----------
    sha256 : str
        Digest of the integer network.
    clock_mhz : float
        Actual clock of the core on the board.
    estimate : dict
        Predicted number of each resource.
    implementation : Implementation or None
        Result of place and route; None if no bitstream was built.
    project : dict or None
        As `Project.about` of `boards.vendor_project` returns it, where no open tool places and routes.
    images : dict
        The images that were run, as `TrialImages.about` returns them.
    ledger : dict
        As `accuracy` returns it.
    why_not : str or None
        Why there is no verdict.
    tools : dict of str
        Version of each external tool that was used.
    files : dict of str
        As `digests` returns it.
    self_test : dict or None
        As `sbgen.self_test.SelfTest.about`, of a build without a host link.
    baud : float, optional
        The rate of the serial line that was requested.
    sleeps : bool
        Whether the clock stops between requests.
    rate : float, optional
        The images per second that were requested; the most that the board can do when left out.
    pace : dict, optional
        ``images_per_second`` that the design was folded for, or None for the most, and ``why``.
    """
    network, device = design.network, board.device
    images_per_second = clock_mhz * 1e6 / cycles.interval
    link = line = None
    if self_test is None:
        parameters = link_parameters(design, device, flow_control=board.usb_link)
        chosen = board_line.choose(board, clock_mhz=clock_mhz, baud=baud)
        line = chosen.rate(parameters)
        link = _link(chosen.title, line, parameters)
    whole = _whole(link, images_per_second)
    resources = _resources(implementation, device)
    used = {
        name: estimate[name] if resources[name]["used"] is None else resources[name]["used"]
        for name in RESOURCES
    }
    return {
        "schema": SCHEMA,
        "sbgen": __version__,
        "board": board.reference,
        "device": device.name,
        "network": _network(network, sha256),
        "model": _model(model, design, cycles),
        "top": design.top_k,
        **({"batch": design.batch} if design.batch > 1 else {}),
        "timing": _timing(implementation, cycles, clock_mhz)
        | ({"alone_cycles": cycles.alone} if design.batch > 1 else {})
        | {"sleeps": sleeps},
        "pace": pace,
        "bound": bound(design, device, cycles.interval) | whole,
        "link": link,
        "power": _power(
            board,
            clock_mhz,
            used,
            rate=min(rate or math.inf, whole["whole_images_per_second"]),
            awake_cycles=line.alone_cycles + HOLD_BITS * line.byte_cycles / 10 + cycles.alone
            if sleeps and line is not None
            else None,
        ),
        **({} if self_test is None else {"self_test": self_test}),
        "resources": resources,
        "estimate": {name: estimate[name] for name in RESOURCES},
        "project": project,
        "images": images,
        "accuracy": ledger,
        "verdict": _verdict(verdict, why_not),
        "tools": _tools(tools, verdict),
        "files": files,
    }


def _tools(tools: Mapping[str, str], verdict: Verdict | None) -> dict[str, str]:
    own = {"python": platform.python_version(), "amaranth": version("amaranth")}
    return own | dict(tools) | ({} if verdict is None else {"simulator": verdict.simulator})


def _resources(implementation: "Implementation | None", device: Device) -> dict[str, Any]:
    if implementation is not None:
        return {name: implementation.resources[name] for name in RESOURCES}
    return {name: {"used": None, "available": getattr(device, name)} for name in RESOURCES}


def _network(network: Network, sha256: str) -> dict[str, Any]:
    pixels = network.pixel_type
    return {
        "name": network.name,
        "sha256": sha256,
        "image_shape": list(network.image_shape),
        "pixels": {"type": pixels.name, "range": [pixels.low, pixels.high]},
        "labels": list(network.labels),
        "decision": network.decision,
        "weights": sum(weights(network)),
        "weight_bits": network.weight_bits,
    }


def _model(model: "Model", design: Design, cycles: Cycles) -> dict[str, Any]:
    return {
        "file": model.file.name,
        "sha256": model.sha256,
        "dataset": model.info.get("dataset"),
        "pixel_range": list(model.info.get("pixel_range", trial_images.PIXELS)),
        "layers": layers(design, cycles.layers),
    }


def layers(design: Design, cycles: Sequence[int]) -> list[dict[str, Any]]:
    """What the report has of each layer, with the cycles that each is busy per image."""
    return [_layer(*each) for each in zip(rules(design.network), design.foldings, cycles, strict=True)]


def _timing(implementation: "Implementation | None", cycles: Cycles, clock_mhz: float) -> dict[str, Any]:
    return {
        "clock_mhz": clock_mhz,
        "fmax_mhz": None if implementation is None else implementation.fmax_mhz,
        "clock_margin": None if implementation is None else implementation.margin,
        "seed": None if implementation is None else implementation.seed,
        "trials": None if implementation is None else [asdict(trial) for trial in implementation.trials],
        "cycles_per_image": cycles.interval,
        "latency_cycles": cycles.latency,
        "images_per_second": clock_mhz * 1e6 / cycles.interval,
    }


def _layer(rule: Rule, folding: Folding, cycles: int) -> dict[str, Any]:
    layer, (pe, simd) = rule.layer, rule.shape(folding)
    return {
        "name": layer.name,
        "kind": type(layer).__name__.lower(),
        "description": rule.description,
        "inputs": math.prod(rule.input_shape),
        "outputs": math.prod(rule.output_shape),
        "input_shape": list(rule.input_shape),
        "output_shape": list(rule.output_shape),
        "weight_bits": layer.weight_bits,
        "pe": pe,
        "simd": simd,
        "cycles": cycles,
        "store": folding.store or "none",
    }


def bound(design: Design, device: Device, interval: int) -> dict[str, Any]:
    """What no design of the network on the device can beat, in cycles per image, compared with the interval
    between images; the stage that binds in this design, and what would free it.
    """
    least = least_cycles(design.network, device, label_only=design.label_only, batch=design.batch)
    busy = stage_cycles(design)
    names = [layer.name for layer in design.network.layers]
    slowest = max(range(len(busy)), key=lambda n: busy[n])
    if busy[slowest] <= least.layers[names[slowest]]:
        frees = "nothing: it is built as wide as it can be"
    elif interval <= least.cycles or least.by != DEVICE:
        frees = "a wider folding of it, for more LUTs and block RAMs"
    else:
        frees = "a wider folding of it, or a device with more LUTs and block RAMs"
    return {
        "limits": least.limits,
        "layers": least.layers,
        "by": least.by,
        "cycles": least.cycles,
        "reached": least.cycles / interval,
        "stage": names[slowest],
        "stage_cycles": busy[slowest],
        "freed_by": frees,
    }


def _whole(link: Mapping[str, Any] | None, images_per_second: float) -> dict[str, Any]:
    """What limits the board as a whole: the host link, or the core at its clock."""
    if link is None:
        return {"whole": "core", "whole_images_per_second": images_per_second}
    return {
        "whole": "host link" if link["images_per_second"] < images_per_second else "core",
        "whole_images_per_second": min(link["images_per_second"], images_per_second),
    }


def _link(title: str, line: LinkRate, link: "Parameters") -> dict[str, Any]:
    """The host link: its baud rate, and the images per second that it carries for their classes alone."""
    return {
        "kind": title,
        "baud": line.baud,
        "pixel_bits": link.pixel_bits,
        "image_bytes": link.image_bytes,
        "images_per_request": line.images,
        "store": link.store,
        "bound_by": line.binds,
        "images_per_second": line.images_per_second,
    }


def _power(
    board: BoardSpec, clock_mhz: float, used: Mapping[str, int], *, rate: float, awake_cycles: float | None
) -> dict[str, Any] | None:
    """The estimate of the core's power; None where no currents of the device were published."""
    currents = board.family.currents.get(board.device.name) if board.is_open else None
    if currents is None:
        return None
    estimated = power.power(
        currents,
        clock_mhz=clock_mhz,
        used=used,
        pll=clock_mhz != board.oscillator_mhz,
        images_per_second=rate,
        awake_cycles=awake_cycles,
    )
    return asdict(estimated) | {"source": currents.source}


def _verdict(verdict: Verdict | None, why_not: str | None) -> dict[str, Any]:
    if verdict is None:
        return {"status": "not run", "reason": why_not}
    return {
        "status": "exact",
        "simulator": verdict.simulator,
        "images": verdict.images,
        "scores": verdict.scores,
        "cycles_per_image": verdict.cycles_per_image,
        "latency_cycles": verdict.latency_cycles,
    }


def dumps(report: Mapping[str, Any]) -> str:
    """The text of report.json; equal reports have equal texts."""
    return json.dumps(report, indent=1, ensure_ascii=True) + "\n"


def write(report: dict[str, Any], out_dir: Path) -> None:
    """Write report.json and report.html into the output folder, which already has network.json."""
    from . import report_html

    network = (out_dir / "network.json").read_text(encoding="ascii")
    (out_dir / "report.html").write_text(report_html.page(report, network=network), encoding="utf-8")
    (out_dir / "report.json").write_text(dumps(report), encoding="ascii")
