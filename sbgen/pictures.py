"""What a notebook shows of an object: HTML with everything inline, in the report's style."""

import html
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .compiler.design import Design
    from .compiler.ir import Network
    from .sizing import Estimate
    from .verification.level import Outcome

__all__ = ["design_picture", "estimate_table", "frame", "ledger_table", "network_table"]

_LABELS = {"lut": "LUT", "ff": "flip-flops", "bram": "block RAM", "spram": "SPRAM"}


@cache
def _style() -> str:
    """The report's style, for what is inside an element of the class ``sbgen`` only."""
    css = (Path(__file__).parent / "report_html" / "style.css").read_text(encoding="utf-8")
    return f"<style>.sbgen {{ {css.replace(':root', '&')} }}</style>"


def _inside(content: str) -> str:
    return f'<div class="sbgen">{_style()}{content}</div>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, int):
            return f'<td class="r">{value:,}</td>'
        return f"<td>{html.escape('–' if value is None else str(value))}</td>"

    rows = list(rows)
    numeric = [bool(rows) and all(isinstance(row[n], int) for row in rows) for n in range(len(columns))]
    kinds = [' class="r"' if right else "" for right in numeric]
    head = "".join(f"<th{kind}>{html.escape(name)}</th>" for name, kind in zip(columns, kinds, strict=True))
    body = "".join(f"<tr>{''.join(map(cell, row))}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def network_table(network: "Network") -> str:
    """The layers of a network, with their shapes and bits of weights."""
    from .compiler.layers import rules
    from .report_html.formats import shape

    rows = [
        (
            rule.layer.name,
            rule.description,
            f"{shape(rule.input_shape)} → {shape(rule.output_shape)}",
            rule.layer.weight_bits,
        )
        for rule in rules(network)
    ]
    return _inside(
        f"<h3>{html.escape(network.name)}</h3>" + _table(["layer", "kind", "shape", "bits of weights"], rows)
    )


def estimate_table(estimate: "Estimate") -> str:
    """The resources and the rate of an estimate."""
    low, high = estimate.lut_range
    rows: list[tuple[Any, ...]] = [
        (_LABELS[name], count["used"], count["available"], f"{low:,} … {high:,}" if name == "lut" else "")
        for name, count in estimate.resources.items()
    ]
    title = f"{estimate.network} on {estimate.target}: {estimate.cycles:,} cycles per image,"
    title += f" {estimate.images_per_second:,.0f} images/s at {estimate.clock_mhz:g} MHz"
    return _inside(f"<h3>{html.escape(title)}</h3>" + _table(["", "used", "available", "range"], rows))


def design_picture(design: "Design", estimate: "Estimate") -> str:
    """The pipeline of a design as a picture, and its estimate."""
    from .compiler.cycles import stage_cycles
    from .report import layers
    from .report_html.views import pipeline_chart

    chart = pipeline_chart(design.network.image_shape, layers(design, stage_cycles(design)), estimate.cycles)
    return _inside(f'<div class="scroll">{chart}</div>') + estimate_table(estimate)


def ledger_table(outcomes: Iterable["Outcome"]) -> str:
    """What each level of a verification found."""
    rows = [(outcome.level, outcome.status, outcome.note) for outcome in outcomes]
    return _inside(_table(["level", "status", "what was shown"], rows))


def frame(page: str, *, height: int) -> str:
    """A whole page in a frame of its own, `height` pixels high."""
    style = f"width:100%;height:{height}px;border:0"
    return f'<iframe srcdoc="{html.escape(page, quote=True)}" style="{style}"></iframe>'
