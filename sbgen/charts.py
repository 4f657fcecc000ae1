"""Pictures of a report as inline SVG text: the pipeline, bars, gauges.

Colours are CSS variables of the page around them, so that light, dark and print need one picture only. Every
text that came from outside is escaped here, where it enters the markup.
"""

import html
import math
from dataclasses import dataclass

__all__ = ["Bar", "Stage", "bars", "pipeline"]


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage of the pipeline.

    Parameters
    ----------
    name, kind : str
    lanes : tuple of (int, int) or None
        Rows and columns of what works at once: PE and SIMD.
    lines : tuple of str
        What is written under it.
    share : float
        Part of the interval in which it works, 0 ... 1.
    slowest : bool
        Whether it sets the interval.
    gives : str
        What leaves it, written at its arrow.
    """

    name: str
    kind: str
    lanes: tuple | None
    lines: tuple
    share: float
    slowest: bool
    gives: str


@dataclass(frozen=True, kw_only=True)
class Bar:
    """One bar: a value on a track, with an optional capacity behind it and a tick on it."""

    label: str
    value: float | None
    text: str
    capacity: float | None = None
    tick: float | None = None
    strong: bool = False


def _text(x, y, content, *, css="", anchor="start"):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{html.escape(content)}</text>'


def _rect(x, y, width, height, css, *, radius=0.0):
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" height="{height:.1f}" '
        f'rx="{radius:g}" class="{css}"/>'
    )


def _svg(width, height, title, parts, *, least=0):
    """A picture that fills the page's width, but at least the part `least` of its own, so that text stays
    legible.
    """
    return (
        f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{html.escape(title)}" '
        f'style="min-width:{least * width:.0f}px">' + "".join(parts) + "</svg>"
    )


def _short(text, length):
    return text if len(text) <= length else text[: length - 1] + "…"


def _grid(x, y, width, height, rows, columns, css):
    """Rows x columns of cells in a box; past what an eye can tell apart, only the lines that it can."""
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


def pipeline(image_shape, stages, result):
    """The stages from left to right, with what flows between them.

    Parameters
    ----------
    image_shape : tuple of int
    stages : sequence of `Stage`
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
        x, flows = x + box, stage.gives
    parts += _arrow(x, middle, gap, flows)
    parts.append(_text(x + gap + 5, middle + 4, result, css="m bold"))
    return _svg(width, top + height + 2, "Pipeline of the network, stage by stage", parts, least=0.85)


_TIP = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto"><path d="M0 0 8 4 0 8z" class="ink-2"/></marker></defs>'
)


def _arrow(x, y, length, label):
    return [
        f'<path d="M{x + 5} {y}h{length - 10}" class="wire" marker-end="url(#tip)"/>',
        _text(x + length / 2 - 2, y - 8, label, css="xs dim", anchor="middle"),
    ]


def bars(title, rows, *, logarithmic=False):
    """Horizontal bars under each other.

    Parameters
    ----------
    title : str
        Said by a screen reader.
    rows : sequence of `Bar`
        A bar without a value is a dash. A capacity is drawn behind its bar as a track.
    logarithmic : bool
        Let the length stand for the logarithm of the value; for values that differ by powers of ten.
    """
    label, text, track, height = 104, 132, 300, 30
    values = [number for bar in rows for number in (bar.value, bar.capacity, bar.tick) if number]
    greatest = max(values, default=1)

    def length(value):
        if logarithmic:
            return track * math.log10(max(value, 1)) / max(math.log10(max(greatest, 10)), 1)
        return track * value / greatest

    parts = []
    for n, bar in enumerate(rows):
        y = n * height + 3
        parts.append(_text(0, y + 13, _short(bar.label, 15), css="m"))
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
