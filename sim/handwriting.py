"""Digits as a hand draws them: strokes of a pad, for tests that draw on a page.

Each digit has some ways to write it, as corner points. A drawing bends them into curves, and varies size,
place, width, slant and every point.
"""

import numpy as np

__all__ = ["drawing"]

#: By digit, the ways to write it: strokes of points in a box of 60 x 100.
_WAYS = {
    0: (
        [[(30, 0), (8, 12), (0, 50), (10, 90), (32, 100), (52, 86), (60, 48), (50, 10), (30, 0)]],
        [[(38, 2), (10, 18), (4, 60), (20, 96), (46, 92), (58, 55), (50, 14), (34, 3)]],
    ),
    1: (
        [[(30, 0), (30, 50), (30, 100)]],
        [[(12, 24), (34, 0), (34, 50), (34, 100)]],
        [[(40, 0), (30, 50), (20, 100)]],
    ),
    2: (
        [[(4, 20), (20, 0), (48, 4), (54, 28), (30, 64), (2, 98), (2, 100), (30, 98), (60, 98)]],
        [[(6, 18), (30, 0), (52, 14), (46, 44), (14, 82), (6, 96), (20, 86), (40, 96), (60, 92)]],
    ),
    3: (
        [[(6, 8), (34, 0), (50, 18), (40, 42), (20, 48), (20, 48), (46, 54), (56, 78), (34, 100), (2, 92)]],
        [[(4, 2), (50, 2), (50, 2), (22, 40), (22, 40), (52, 56), (50, 88), (24, 100), (2, 90)]],
    ),
    4: (
        [[(34, 0), (20, 30), (2, 62), (2, 64), (30, 64), (60, 62)], [(46, 30), (44, 60), (42, 100)]],
        [[(10, 0), (6, 30), (8, 48), (30, 52), (52, 46)], [(54, 2), (52, 40), (48, 100)]],
    ),
    5: (
        [[(52, 0), (12, 2), (12, 2), (8, 42), (8, 42), (36, 38), (56, 62), (44, 94), (18, 100), (0, 90)]],
        [[(12, 4), (8, 44), (8, 44), (40, 42), (54, 68), (38, 98), (4, 94)], [(12, 4), (34, 4), (58, 0)]],
    ),
    6: (
        [[(44, 0), (16, 26), (2, 66), (14, 98), (42, 96), (54, 72), (36, 54), (12, 64), (6, 78)]],
        [[(36, 0), (14, 34), (6, 74), (24, 100), (50, 88), (46, 62), (24, 58), (8, 74)]],
    ),
    7: (
        [[(0, 4), (28, 4), (58, 2), (58, 2), (40, 40), (26, 100)]],
        [[(2, 8), (30, 4), (56, 4), (56, 4), (36, 46), (22, 100)], [(18, 52), (36, 50), (54, 48)]],
    ),
    8: (
        [
            [
                (46, 14),
                (28, 0),
                (10, 14),
                (22, 42),
                (48, 68),
                (46, 94),
                (24, 100),
                (8, 84),
                (20, 58),
                (46, 30),
                (46, 12),
            ]
        ],
        [[(30, 0), (8, 16), (24, 46), (54, 74), (32, 100), (4, 80), (26, 50), (52, 20), (32, 0)]],
    ),
    9: (
        [[(50, 16), (28, 0), (6, 20), (14, 46), (40, 44), (52, 14), (52, 14), (50, 50), (44, 100)]],
        [[(48, 22), (28, 2), (8, 24), (20, 48), (46, 34), (50, 16), (48, 60), (32, 90), (12, 98)]],
    ),
}


def _curve(points: np.ndarray) -> np.ndarray:
    """Corners cut three times (Chaikin, 1974); points that are there twice remain corners."""
    for _ in range(3):
        before, after = points[:-1], points[1:]
        cut = np.stack([0.75 * before + 0.25 * after, 0.25 * before + 0.75 * after], axis=1).reshape(-1, 2)
        points = np.concatenate([points[:1], cut, points[-1:]])
    return points


def drawing(digit: int, seed: int) -> list[list[tuple[float, float]]]:
    """Strokes on a pad of 1 x 1, each a list of points (x, y); a function of its arguments."""
    rng = np.random.default_rng([digit, seed])
    ways = _WAYS[digit]
    height, width, slant = rng.uniform(0.5, 0.8), rng.uniform(0.8, 1.15), rng.uniform(-0.05, 0.25)
    left, top = rng.uniform(0.15, 0.3), rng.uniform(0.08, 0.92 - height)
    strokes = []
    for way in ways[rng.integers(len(ways))]:
        points = _curve(np.array(way) + rng.normal(0, 2, (len(way), 2)))
        y = points[:, 1] / 100
        x = points[:, 0] / 100 * width + slant * (0.5 - y)
        strokes.append(
            [(left + height * float(a), top + height * float(b)) for a, b in zip(x, y, strict=True)]
        )
    return strokes
