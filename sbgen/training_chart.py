"""A picture of a training: soft and hardened validation accuracy by epoch, and the gap between them."""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from . import atomic
from .train.errors import SettingsError

if TYPE_CHECKING:  # it needs torch
    from .train.loop import Epoch

__all__ = ["chart", "write"]

#: Width and height of the picture, and of the margins: left, top, right, bottom.
_SIZE, _MARGINS = (640, 360), (56, 40, 16, 44)

_SOFT, _HARD = "#d97706", "#1d4ed8"

#: Gridlines of an axis, about.
_LINES = 6


def write(path: Path, title: str, seeds: Mapping[int, Sequence["Epoch"]]) -> None:
    """Write `chart` as an SVG file."""
    try:
        atomic.write(path, chart(title, seeds), encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"--plot {path}: cannot be written: {error.strerror or error}") from error


def chart(title: str, seeds: Mapping[int, Sequence["Epoch"]]) -> str:
    """An SVG picture that stands alone.

    Parameters
    ----------
    title : str
    seeds : mapping of int to sequence of Epoch
        The epochs of each seed, at least one in all.
    """
    every = [epoch for epochs in seeds.values() for epoch in epochs]
    accuracies = [each for epoch in every for each in (epoch.soft, epoch.hard) if each is not None]
    low, high = min(accuracies), max(accuracies)
    step = next(
        step for step in (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2) if high - low <= _LINES * step
    )
    bottom, top = step * int(low / step), step * (int(high / step - 1e-9) + 1)
    last = max(2, max(epoch.epoch for epoch in every) + 1)
    left, above, right, below = _MARGINS
    width, height = _SIZE[0] - left - right, _SIZE[1] - above - below

    def at(epoch: int, accuracy: float) -> tuple[float, float]:
        return (left + width * (epoch - 1) / (last - 1), above + height * (top - accuracy) / (top - bottom))

    parts = [_text(left, above - 20, title, size=14)]
    for n in range(round((top - bottom) / step) + 1):
        accuracy = bottom + n * step
        x, y = at(1, accuracy)
        parts.append(f'<path d="M{x:.1f} {y:.1f}h{width}" stroke="#ddd"/>')
        parts.append(_text(x - 6, y + 4, f"{100 * accuracy:.1f}", anchor="end"))
    for epoch in sorted({1, *range(-(-last // _LINES), last, -(-last // _LINES)), last}):
        x, y = at(epoch, bottom)
        parts.append(_text(x, y + 16, str(epoch), anchor="middle"))
    parts.append(_text(left + width / 2, _SIZE[1] - 8, "epoch", anchor="middle"))
    for epochs in seeds.values():
        soft = [at(epoch.epoch + 1, epoch.soft) for epoch in epochs if epoch.soft is not None]
        hard = [at(epoch.epoch + 1, epoch.hard) for epoch in epochs]
        if soft:
            between = _points([*soft, *reversed(hard[: len(soft)])])
            parts.append(f'<polygon points="{between}" fill="{_SOFT}" opacity="0.15"/>')
            parts.append(
                f'<polyline points="{_points(soft)}" fill="none" stroke="{_SOFT}" stroke-width="2"/>'
            )
        parts.append(f'<polyline points="{_points(hard)}" fill="none" stroke="{_HARD}" stroke-width="2"/>')
    parts += _legend(every, left + width)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE[0]} {_SIZE[1]}"'
        ' font-family="sans-serif"'
        f' font-size="12">\n<rect width="100%" height="100%" fill="white"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _points(places: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def _text(x: float, y: float, content: str, *, size: int = 12, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}">{escape(content)}</text>'


def _legend(epochs: Sequence["Epoch"], right: float) -> list[str]:
    """What the lines are, with the gap in the last epochs."""
    last = max(epoch.epoch for epoch in epochs)
    gaps = [epoch.soft - epoch.hard for epoch in epochs if epoch.epoch == last and epoch.soft is not None]
    words = [(_HARD, "validation accuracy in %, hardened")]
    if gaps:
        words.insert(0, (_SOFT, f"soft; gap at the end {100 * sum(gaps) / len(gaps):.2f}"))
    return [
        _text(right, 16 + 16 * n, content, anchor="end").replace("<text", f'<text fill="{color}"')
        for n, (color, content) in enumerate(words)
    ]
