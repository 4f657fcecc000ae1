"""Numbers as the page shows them; each is a filter of the templates."""

from collections.abc import Sequence

__all__ = ["FILTERS", "count", "percent", "rate", "shape", "thousands", "time"]


def thousands(value: int) -> str:
    """A whole number with commas between its thousands."""
    return f"{value:,}"


def count(value: int, noun: str) -> str:
    """So many things: ``1 image``, ``2 images``."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


def shape(sizes: Sequence[int]) -> str:
    """Sizes with × between them."""
    return "×".join(map(thousands, sizes))


def percent(part: float | None) -> str:
    """A part of 1 in per cent, with two decimals; a dash for None."""
    return "–" if part is None else f"{100 * part:.2f} %"


def rate(value: float | None) -> str:
    """Images per second, with about four significant digits; a dash for None."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def time(seconds: float) -> tuple[str, str]:
    """A time with three significant digits, and its unit."""
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g}", unit
    return f"{seconds * 1e9:.3g}", "ns"


FILTERS = {filter_.__name__: filter_ for filter_ in (count, percent, rate, shape, thousands)}
