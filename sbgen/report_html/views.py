"""What the templates show of a report: its charts, and whatever takes more than a filter to compute."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from .. import metrics, trial_images
from ..compiler.layers import BY_NAME
from . import formats
from .charts import Bar, Box, bars, pipeline

__all__ = ["pipeline_chart", "views"]

_RESOURCES = {"lut": "LUT", "ff": "flip-flops", "bram": "block RAM", "spram": "SPRAM", "dsp": "DSP"}

#: With more classes a confusion matrix is not readable; the most frequent mistakes are listed instead.
_MAX_CLASSES = 24

_Report = dict[str, Any]


def views(report: _Report) -> dict[str, Any]:
    """The variables of the templates, by name."""
    images = _images(report)
    layers = report["model"]["layers"]
    shapes = [layer["output_shape"] for layer in layers if layer["kind"] != "binarize"]
    kind = trial_images.kind(images["source"])
    return {
        "RANDOM": trial_images.RANDOM,
        "TEST_SET": trial_images.TEST_SET,
        "board": report["board"].rpartition(":")[2],
        "chain": [report["network"]["image_shape"], *shapes],
        "images": images,
        "images_kind": kind,
        "tried_noun": kind.removesuffix("s") if report["verdict"].get("images") == 1 else kind,
        "tiles": _tiles(report, images),
        "pipeline_chart": pipeline_chart(
            report["network"]["image_shape"], layers, report["timing"]["cycles_per_image"]
        ),
        "cycles_chart": _cycles_chart(layers),
        "memory_chart": _memory_chart(layers),
        "resources": _resources(report),
        "resources_chart": _resources_chart(_resources(report)),
        "confusion": _confusion(report),
        "clock_chart": _clock_chart(report["timing"]),
        "rates_chart": _rates_chart(report),
        "bound_chart": _bound_chart(report),
    }


def _images(report: _Report) -> dict[str, Any]:
    """What the network was tried on; reports of before this was in them had test sets or random images."""
    accuracy = report["accuracy"]
    return report.get("images") or {
        "source": trial_images.TEST_SET if accuracy["dataset"] else trial_images.RANDOM,
        "name": accuracy["dataset"],
        "sha256": None,
        "count": accuracy["images"] or 0,
        "note": "",
    }


@dataclass(frozen=True, kw_only=True)
class Tile:
    """One main figure."""

    title: str
    value: str
    unit: str = ""
    note: str


def _tiles(report: _Report, images: dict[str, Any]) -> list[Tile]:
    timing, accuracy = report["timing"], report["accuracy"]
    latency, unit = formats.time(timing["latency_cycles"] / timing["clock_mhz"] / 1e6)
    part = accuracy["integer"] if accuracy["integer"] is not None else accuracy["rtl"]
    if part is not None:
        note = images["name"]
    else:
        note = trial_images.RANDOM if images["source"] == trial_images.RANDOM else "no labels"
    fmax = timing["fmax_mhz"]
    tiles = [
        _rate_tile(report),
        Tile(
            title="Latency", value=latency, unit=unit, note=formats.count(timing["latency_cycles"], "cycle")
        ),
        Tile(
            title="Accuracy, integer",
            value=formats.percent(part).removesuffix(" %"),
            unit="" if part is None else "%",
            note=note,
        ),
        Tile(
            title="Clock",
            value=f"{timing['clock_mhz']:g}",
            unit="MHz",
            note="not placed" if fmax is None else f"Fmax {fmax:.1f} MHz",
        ),
    ]
    for key in ("lut", "bram"):
        used, available = report["resources"][key]["used"], report["resources"][key]["available"]
        value = report["estimate"][key] if used is None else used
        tiles.append(
            Tile(
                title=_RESOURCES[key],
                value=f"{value:,}",
                unit=f"of {available:,}",
                note=("estimated, " if used is None else "") + f"{100 * value / available:.0f} %",
            )
        )
    return tiles


def _rate_tile(report: _Report) -> Tile:
    """What the board does as a whole; next to it, what its core does if the host link is slower."""
    timing, link = report["timing"], report["link"]
    core, rate = timing["images_per_second"], (link or timing)["images_per_second"]
    if link is not None and rate < core:
        note = f"by {link['kind']} · core {formats.rate(core)}"
    else:
        note = f"core · {formats.count(timing['cycles_per_image'], 'cycle')}"
    return Tile(title="Images per second", value=formats.rate(min(rate, core)), note=note)


def pipeline_chart(
    image_shape: Sequence[int], layers: Sequence[dict[str, Any]], cycles_per_image: int
) -> Markup:
    """The pipeline of the layers that a report has, as a picture."""
    interval = max(cycles_per_image, 1)
    slowest = max(layer["cycles"] for layer in layers)
    boxes = []
    for layer in layers:
        rule = BY_NAME[layer["kind"]]
        if layer["weight_bits"]:
            lanes, folding = (layer["pe"], layer["simd"]), f"{layer['pe']:,} PE × {layer['simd']:,} SIMD"
        else:
            # Thermometer bits are drawn below their pixel, a pooled channel alone.
            lanes = layer["pe"] // layer["simd"], layer["simd"]
            folding = formats.count(layer["simd"], rule.takes) + " per cycle"
        boxes.append(
            Box(
                name=layer["name"],
                kind=layer.get("description", rule.title),  # reports of 0.1 have none
                lanes=lanes,
                lines=(
                    folding,
                    f"{formats.shape(layer['input_shape'])} → {formats.shape(layer['output_shape'])}",
                    formats.count(layer["cycles"], "cycle"),
                ),
                share=layer["cycles"] / interval,
                slowest=layer["cycles"] == slowest,
                output=f"{layer['outputs']:,} " + rule.outputs,
            )
        )
    return pipeline(image_shape, boxes, "class")


def _cycles_chart(layers: Sequence[dict[str, Any]]) -> Markup:
    slowest = max(layer["cycles"] for layer in layers)
    rows = [
        Bar(
            label=layer["name"],
            value=layer["cycles"],
            text=f"{layer['cycles']:,}",
            strong=layer["cycles"] == slowest,
        )
        for layer in layers
    ]
    return bars("Cycles per image, by layer", rows)


def _memory_chart(layers: Sequence[dict[str, Any]]) -> Markup:
    rows = [
        Bar(
            label=layer["name"],
            value=layer["weight_bits"],
            text=f"{layer['weight_bits']:,} · {layer['store']}" if layer["weight_bits"] else "none",
        )
        for layer in layers
    ]
    return bars("Weight bits, by layer", rows)


@dataclass(frozen=True, kw_only=True)
class Resource:
    """One kind of resource that the device has."""

    label: str
    estimate: int
    used: int | None
    available: int

    @property
    def best_known(self) -> int:
        """What is used, else the estimate of it."""
        return self.estimate if self.used is None else self.used


def _resources(report: _Report) -> list[Resource]:
    return [
        Resource(label=label, estimate=report["estimate"][key], **report["resources"][key])
        for key, label in _RESOURCES.items()
        if report["resources"][key]["available"]
    ]


def _resources_chart(resources: Sequence[Resource]) -> Markup:
    # Each bar is a share of its own resource, so that blocks and LUTs are on one axis.
    rows = [
        Bar(
            label=resource.label,
            value=None if resource.used is None else resource.used / resource.available,
            capacity=1.0,
            tick=resource.estimate / resource.available,
            strong=resource.used is not None and resource.used > 0.9 * resource.available,
            text=f"{100 * resource.best_known / resource.available:.0f} %",
        )
        for resource in resources
    ]
    return bars("Used share of the device", rows)


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One count of a confusion matrix; the larger its share of the row, the stronger its colour."""

    count: int
    title: str
    colour: str
    part: int


@dataclass(frozen=True, kw_only=True)
class Row:
    """One true class, or one label of a multi-label network."""

    name: str
    cells: tuple[Cell, ...]
    seen: int
    share: float | None


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Which classes are taken for which by the integer network.

    Parameters
    ----------
    kind : str
        ``"matrix"``, ``"labels"`` (of a multi-label network), or ``"list"``: the mistakes alone.
    mistakes : list of str
        The most frequent ones in words.
    rows : tuple of Row
    found : tuple of int
        Images for each class that was found.
    right, total : int
        Images.
    """

    kind: str
    mistakes: list[str]
    rows: tuple[Row, ...] = ()
    found: tuple[int, ...] = ()
    right: int = 0
    total: int = 0
    share: float | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", _share(self.right, self.total))


def _confusion(report: _Report) -> Confusion | None:
    counts, names = report["accuracy"].get("confusion"), report["network"]["labels"]
    if counts is None:
        return None
    if isinstance(counts[0][0], list):
        rows = tuple(_label_row(name, count) for name, count in zip(names, counts, strict=True))
        return Confusion(kind="labels", mistakes=metrics.mistakes(counts, names, 3), rows=rows)
    matrix = len(names) <= _MAX_CLASSES
    return Confusion(
        kind="matrix" if matrix else "list",
        mistakes=metrics.mistakes(counts, names, 3 if matrix else 30),
        rows=tuple(_class_row(names, true, row) for true, row in enumerate(counts)) if matrix else (),
        found=tuple(map(sum, zip(*counts, strict=True))),
        right=sum(row[n] for n, row in enumerate(counts)),
        total=sum(map(sum, counts)),
    )


def _class_row(names: Sequence[str], true: int, row: Sequence[int]) -> Row:
    seen = sum(row)
    cells = tuple(
        _cell(count, seen, true == found, f"{names[true]} taken for {names[found]}")
        for found, count in enumerate(row)
    )
    return Row(name=names[true], cells=cells, seen=seen, share=_share(row[true], seen))


def _label_row(name: str, counts: Sequence[Sequence[int]]) -> Row:
    """How often a label is found, missed, wrongly found and rightly not found."""
    (neither, wrongly), (missed, both) = counts
    seen = both + neither + missed + wrongly
    cells = (
        _cell(both, both + missed, True, name),
        _cell(missed, both + missed, False, name),
        _cell(wrongly, neither + wrongly, False, name),
        _cell(neither, neither + wrongly, True, name),
    )
    return Row(name=name, cells=cells, seen=seen, share=_share(both + neither, seen))


def _cell(count: int, of: int, right: bool, title: str) -> Cell:
    return Cell(
        count=count,
        title=f"{title}: {count:,} of {of:,}",
        colour="fill" if right else "slow",
        part=round(100 * (0.12 + 0.58 * count / of)) if of else 0,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _clock_chart(timing: dict[str, Any]) -> Markup:
    clock, fmax = timing["clock_mhz"], timing["fmax_mhz"]
    rows = [Bar(label="clock", value=clock, text=f"{clock:g} MHz")]
    if fmax is not None:
        rows.append(Bar(label="Fmax", value=fmax, text=f"{fmax:.1f} MHz", tick=clock))
    return bars("Clock and Fmax in MHz", rows)


def _rates_chart(report: _Report) -> Markup:
    core, link = report["timing"]["images_per_second"], report["link"]
    rows = [Bar(label="core", value=core, text=f"{formats.rate(core)} /s")]
    if link is not None:
        rate = link["images_per_second"]
        rows.append(Bar(label=link["kind"], value=rate, strong=True, text=f"{formats.rate(rate)} /s"))
    return bars("Images per second", rows, logarithmic=True)


def _bound_chart(report: _Report) -> Markup:
    bound, cycles = report["bound"], report["timing"]["cycles_per_image"]
    rows = [Bar(label="this design", value=cycles, text=f"{cycles:,}")] + [
        Bar(label=name, value=limit, text=f"{limit:,}", strong=name == bound["by"])
        for name, limit in bound["limits"].items()
    ]
    return bars("Cycles per image and limits", rows, logarithmic=True)
