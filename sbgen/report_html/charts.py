"""Pictures of a report as inline SVG: the pipeline, and bars.

Colours are CSS variables of the page around them, so that light, dark and print need one picture only. Every
text from outside is escaped here, where it enters the markup.
"""

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

__all__ = ["Bar", "Box", "bars", "pipeline"]


@dataclass(frozen=True, kw_only=True)
class Box:
    """One stage of the pipeline, as it is drawn.

    Parameters
    ----------
    name, kind : str
    lanes : tuple of (int, int) or None
        Rows and columns of what works in parallel: PE and SIMD.
    lines : tuple of str
        Written below it.
    share : float
        Share of the interval in which it is busy, 0 ... 1.
    slowest : bool
        Whether it sets the interval.
    output : str
        What leaves it, written at its arrow.
    """

    name: str
    kind: str
    lanes: tuple[int, int] | None
    lines: tuple[str, ...]
    share: float
    slowest: bool
    output: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: a value, with an optional track as long as its capacity and a tick on it."""

    label: str
    value: float | None
    text: str
    capacity: float | None = None
    tick: float | None = None
    strong: bool = False


def _text(x: float, y: float, content: str, *, css: str = "", anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{html.escape(content)}</text>'


def _rect(x: float, y: float, width: float, height: float, css: str, *, radius: float = 0.0) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" '
        f'rx="{radius:g}" class="{css}"/>'
    )


def _svg(width: float, height: float, title: str, parts: Iterable[str], *, minimum: float = 0) -> Markup:
    """A picture as wide as the page, but at least `minimum` of its own width, so that text is legible."""
    return Markup(
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{html.escape(title)}" '
        f'style="min-width:{minimum * width:.0f}px">' + "".join(parts) + "</svg>"
    )


def _short(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def _grid(x: float, y: float, width: float, height: float, rows: int, columns: int, css: str) -> list[str]:
    """Rows x columns of cells, centred in a box; at most 16 x 32 of them."""
    shown_rows, shown_columns = min(rows, 16), min(columns, 32)
    cell = min(width / shown_columns, height / shown_rows, 9)
    gap = 1 if cell > 3 else 0.5
    left = x + (width - cell * shown_columns) / 2
    top = y + (height - cell * shown_rows) / 2
    return [
        _rect(left + column * cell, top + row * cell, cell - gap, cell - gap, css, radius=min(1.2, cell / 6))
        for row in range(shown_rows)
        for column in range(shown_columns)
    ]


def pipeline(image_shape: Sequence[int], stages: Sequence[Box], result: str) -> Markup:
    """The stages from left to right, with what flows between them.

    Parameters
    ----------
    image_shape : tuple of int
    stages : sequence of `Box`
    result : str
        What leaves the last stage, e.g. ``"class"``.
    """
    box, gap, top, height = 142, 58, 2, 178
    image = 64
    width = image + len(stages) * (box + gap) + gap + 38
    parts = [_TIP]
    middle = top + 68

    rows, columns = image_shape[-2:] if len(image_shape) > 1 else (1, image_shape[-1])
    parts += _grid(0, middle - image / 2, image, image, rows, columns, "cell-dim")
    parts.append(
        _text(
            image / 2,
            middle + image / 2 + 16,
            " × ".join(map(str, image_shape)),
            css="s mid",
            anchor="middle",
        )
    )
    parts.append(_text(image / 2, middle + image / 2 + 30, "uint8", css="s mid dim", anchor="middle"))

    x, flows = image, f"{math.prod(image_shape):,} px"
    for stage in stages:
        parts += _arrow(x, middle, gap, flows)
        x += gap
        parts.append(_rect(x, top, box, height, "box slow" if stage.slowest else "box", radius=9))
        parts.append(_text(x + 12, top + 21, _short(stage.name, 16), css="m bold"))
        parts.append(_text(x + 12, top + 35, stage.kind, css="s dim"))
        if stage.lanes is not None:
            parts += _grid(
                x + 12, top + 44, box - 24, 56, *stage.lanes, "cell-slow" if stage.slowest else "cell"
            )
        for n, line in enumerate(stage.lines):
            parts.append(_text(x + 12, top + 118 + 15 * n, line, css="s" if n else "s bold"))
        parts.append(_rect(x + 12, top + height - 15, box - 24, 4, "track", radius=2))
        parts.append(
            _rect(
                x + 12,
                top + height - 15,
                (box - 24) * min(stage.share, 1),
                4,
                "fill-slow" if stage.slowest else "fill",
                radius=2,
            )
        )
        x, flows = x + box, stage.output
    parts += _arrow(x, middle, gap, flows)
    parts.append(_text(x + gap + 5, middle + 4, result, css="m bold"))
    return _svg(width, top + height + 2, "Pipeline of the network, stage by stage", parts, minimum=0.85)


_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto"><path d="M0 0 8 4 0 8z" class="ink-2"/></marker></defs>'
)


def _arrow(x: float, y: float, length: float, label: str) -> list[str]:
    return [
        f'<path d="M{x + 5} {y}h{length - 10}" class="wire" marker-end="url(#tip)"/>',
        _text(x + length / 2 - 2, y - 8, label, css="xs dim", anchor="middle"),
    ]


def bars(title: str, rows: Sequence[Bar], *, logarithmic: bool = False) -> Markup:
    """Horizontal bars, one below the other.

    Parameters
    ----------
    title : str
        Read out by a screen reader.
    rows : sequence of `Bar`
        A bar without a value is a dash.
    logarithmic : bool
        Whether lengths are logarithms of the values, for values that differ by powers of ten.
    """
    label, text, track, height = 134, 132, 300, 30
    values = [number for bar in rows for number in (bar.value, bar.capacity, bar.tick) if number]
    maximum = max(values, default=1)

    def length(value: float) -> float:
        if logarithmic:
            return track * math.log10(max(value, 1)) / max(math.log10(max(maximum, 10)), 1)
        return track * value / maximum

    parts = []
    for n, bar in enumerate(rows):
        y = n * height + 3
        parts.append(_text(0, y + 13, _short(bar.label, 18), css="m"))
        if bar.capacity is not None:
            parts.append(_rect(label, y + 2, length(bar.capacity), 14, "track", radius=3))
        if bar.value is None:
            parts.append(_text(label, y + 13, "–", css="m dim"))
        else:
            over = bar.capacity is not None and bar.value > bar.capacity
            css = "fill-bad" if over else "fill-slow" if bar.strong else "fill"
            parts.append(
                _rect(label, y + 2, max(length(bar.value), 1.5 if bar.value else 0), 14, css, radius=3)
            )
        if bar.tick is not None:
            parts.append(_rect(label + length(bar.tick) - 1, y - 2, 2, 22, "tick"))
        parts.append(_text(label + track + 12, y + 13, bar.text, css="m num"))
    return _svg(label + track + text, len(rows) * height - 4, title, parts)
