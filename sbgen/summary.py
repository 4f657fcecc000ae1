"""The summary of a build on the terminal: its report, in a table and a few lines."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import metrics, trial_images
from .boards import power
from .console import Console

__all__ = ["show"]

_RESOURCES = {"lut": "LUT", "ff": "FF", "bram": "block RAM", "spram": "SPRAM"}


def show(console: Console, report: Mapping[str, Any], out_dir: Path) -> None:
    """Print the summary.

    Parameters
    ----------
    report : dict
        As `report.assemble` returns it.
    out_dir : Path
        The output folder.
    """
    console.line()
    console.table(
        ["layer", "shape", "PE", "SIMD", "cycles", "store", "bits"],
        [
            [
                layer["name"],
                f"{_shape(layer['input_shape'])} -> {_shape(layer['output_shape'])}",
                layer["pe"],
                layer["simd"],
                layer["cycles"],
                layer["store"],
                layer["weight_bits"],
            ]
            for layer in report["model"]["layers"]
        ],
    )
    console.line()
    for rows in _resources(report), _speed(report), _power(report), _accuracy(report):
        for label, text in rows:
            console.line(f"  {label:12}{text}")
    console.line()
    if project := report.get("project"):
        console.line(
            f"  no open tool places and routes for {report['device']}: {out_dir / project['file']} is the"
            f" project of {project['tool']} ({project['script']} runs it).",
            style="bold yellow",
        )
        console.line(
            "  Clock, netlists and bitstream are not shown here, and LUTs were measured on another family.",
            style="bold yellow",
        )
    verdict = report["verdict"]
    if verdict["status"] == "exact":
        kind = trial_images.kind(report["images"]["source"])
        console.line(
            f"  exact: {verdict['images']:,} {kind} in {verdict['simulator']}, all {verdict['scores']:,}"
            " scores equal the reference",
            style="bold green",
        )
    else:
        console.line(f"  not simulated: {verdict['reason']}", style="bold yellow")
    console.line(f"  see {out_dir / 'report.html'}")


def _shape(shape: list[int]) -> str:
    return "x".join(map(str, shape))


def _resources(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, label in _RESOURCES.items():
        used, available = report["resources"][name]["used"], report["resources"][name]["available"]
        if available:
            count, note = (report["estimate"][name], " (estimate)") if used is None else (used, "")
            yield label, f"{count:>9,} of {available:,}, {count / available:.0%}{note}"


def _speed(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    timing, bound, link = report["timing"], report["bound"], report["link"]
    clock = f"{timing['clock_mhz']:>9g} MHz"
    if timing["fmax_mhz"] is not None:
        faster = 100 * (timing["fmax_mhz"] / timing["clock_mhz"] - 1)
        clock += (
            f", Fmax {timing['fmax_mhz']:.1f} MHz, {faster:.1f} % faster"
            f" ({100 * timing['clock_margin']:g} % required)"
        )
    yield "clock", clock
    yield (
        "core",
        f"{timing['images_per_second']:>9,.0f} images/s, {timing['cycles_per_image']:,} cycles per image",
    )
    if pace := report.get("pace"):
        yield "pace", pace["why"]
    yield (
        "bound",
        (
            f"{bound['cycles']:>9,} cycles per image by {bound['by']}, of which"
            f" {bound['reached']:.0%} is reached"
        ),
    )
    yield "slowest", f"{bound['stage_cycles']:>9,} cycles in {bound['stage']}; freed by {bound['freed_by']}"
    yield (
        "latency",
        f"{timing['latency_cycles'] / timing['clock_mhz']:>9,.1f} us, {timing['latency_cycles']:,} cycles"
        + (f", in batches of {report['batch']}" if "batch" in report else ""),
    )
    if tested := report.get("self_test"):
        share = "" if tested["right"] is None else f", {tested['right']:,} that it gets right"
        yield (
            "self-test",
            f"{tested['images']:>9,} images{share}; the LED lights for pass and blinks for fail",
        )
    if link is None:
        return
    yield (
        link["kind"],
        f"{link['images_per_second']:>9,.0f} images/s at {link['baud']:,.0f} baud, {link['pixel_bits']}"
        f" {'bit' if link['pixel_bits'] == 1 else 'bits'} per pixel"
        + (", which limits the board as a whole" if bound["whole"] == "host link" else ""),
    )


def _power(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if report["power"] is not None:
        yield "power", power.words(report["power"])


def _accuracy(report: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    accuracy, images = report["accuracy"], report["images"]
    # The accuracies of training are those of its own test set.
    keys = ("integer", "rtl")
    if images["source"] != trial_images.SAMPLES:
        keys = ("soft", "hardened", *keys)
    values = ", ".join(f"{key} {accuracy[key]:.2%}" for key in keys if accuracy[key] is not None)
    if values:
        some = accuracy["rtl"] is not None and accuracy["rtl_images"] != accuracy["images"]
        yield (
            "accuracy",
            values
            + (
                f" ({accuracy['rtl_images']:,} images, where integer is {accuracy['integer_rtl_images']:.2%})"
                if some
                else ""
            ),
        )
    yield "images", f"{images['count']:>9,} {trial_images.words(images)}"
    if accuracy["integer_bits"] is not None:
        yield "bits", _both(accuracy, "bits")
    if wrong := metrics.mistakes(accuracy["confusion"], report["network"]["labels"]):
        yield "mistakes", ", ".join(wrong)
    if report["top"] > 1 and accuracy["integer_top"] is not None:
        yield f"best {report['top']}", f"true class among them: {_both(accuracy, 'top')}"


def _both(accuracy: Mapping[str, Any], what: str) -> str:
    rtl = accuracy[f"rtl_{what}"]
    return f"integer {accuracy[f'integer_{what}']:.2%}" + ("" if rtl is None else f", rtl {rtl:.2%}")
