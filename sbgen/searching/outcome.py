"""What a search found: a table, the commands that train it, a plot and JSON."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import atomic
from ..console import Console
from ..errors import ToolError
from .evolution import Evaluated

if TYPE_CHECKING:
    from ..target import Target

__all__ = ["json_of", "plot", "require_plots", "show", "write_json"]


def json_of(
    best: Sequence[Evaluated],
    done: Sequence[Evaluated],
    *,
    clock_mhz: float,
    commands: Sequence[str],
    **about: Any,
) -> dict[str, Any]:
    """The outcome as JSON has it: the front with its commands, every candidate, and what it is of."""

    def row(each: Evaluated) -> dict[str, Any]:
        return {
            "options": each.candidate.options(),
            "accuracy": each.accuracy,
            "samples_per_second": clock_mhz * 1e6 / each.cost["cycles"],
            **each.cost,
        }

    return {
        "format": "sbgen-search",
        **about,
        "clock_mhz": clock_mhz,
        "front": [{**row(each), "command": command} for each, command in zip(best, commands, strict=True)],
        "candidates": [row(each) for each in done],
    }


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write the outcome, as a whole or not at all."""
    atomic.write(path, json.dumps(content, indent=1) + "\n")


def show(
    console: Console,
    best: Sequence[Evaluated],
    *,
    target: "Target",
    commands: Sequence[str],
    trained: Mapping[str, Mapping[str, Any]],
) -> None:
    """Print the front, the most accurate first, and the command that trains each in full.

    Parameters
    ----------
    trained : dict
        Accuracies of the full trainings by the options of the candidate.
    """

    def percent(each: Evaluated, part: str) -> str | None:
        accuracy = trained.get(each.candidate.options(), {}).get(part)
        return None if accuracy is None else f"{100 * accuracy['hardened']:.1f}"

    parts = [part for part in ("validation", "test") if any(percent(each, part) is not None for each in best)]
    console.line()
    console.table(
        [
            "",
            "short, %",
            *(f"full, {part}, %" for part in parts),
            "samples/s",
            "cycles",
            f"LUT of {target.device.lut:,}",
            f"block RAM of {target.device.bram}",
            "weights",
        ],
        [
            [
                str(n),
                f"{100 * each.accuracy:.1f}",
                *(percent(each, part) for part in parts),
                f"{target.clock_mhz * 1e6 / each.cost['cycles']:,.0f}",
                each.cost["cycles"],
                each.cost["lut"],
                each.cost["bram"],
                each.cost["weights"],
            ]
            for n, each in enumerate(best, 1)
        ],
    )
    console.line()
    for n, command in enumerate(commands, 1):
        console.line(f"  {n:<3} {command}")
    console.line()


def require_plots() -> None:
    """Raise a `ToolError` unless matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ToolError(
            "the plot of a search needs matplotlib, which is not installed; try `pip install 'sbgen[search]'`"
        ) from error


def plot(
    path: Path, best: Sequence[Evaluated], done: Sequence[Evaluated], *, clock_mhz: float, title: str
) -> None:
    """Draw accuracy against rate, LUTs and block RAMs as an SVG: the front, and all others in grey."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    def places(some: Sequence[Evaluated], name: str) -> list[float]:
        costs = [each.cost[name] for each in some]
        return [clock_mhz * 1e6 / cost if name == "cycles" else float(cost) for cost in costs]

    labels = {"cycles": f"samples/s at {clock_mhz:g} MHz", "lut": "LUTs", "bram": "block RAMs"}
    with mpl.rc_context({"svg.hashsalt": "sbgen"}):
        figure = Figure(figsize=(12, 4), layout="constrained")
        panels = figure.subplots(1, len(labels), sharey=True)
        for axes, (name, label) in zip(panels, labels.items(), strict=True):
            for some, color, size in ((done, "lightgray", 14), (best, "tab:blue", 28)):
                accuracies = [100 * each.accuracy for each in some]
                axes.scatter(places(some, name), accuracies, s=size, color=color)
            for n, place in enumerate(zip(places(best, name), accuracies, strict=True), 1):
                axes.annotate(str(n), place, fontsize=7, xytext=(3, 3), textcoords="offset points")
            axes.set_xlabel(label)
            axes.spines[["top", "right"]].set_visible(False)
        panels[0].set_xscale("log")
        panels[0].set_ylabel("validation accuracy in %, short training")
        figure.suptitle(title)
        with atomic.replaced(path) as part:
            figure.savefig(part, format="svg", metadata={"Date": None})
