"""The designs and images that are checked: random ones, or foldings of one network."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import samples
from ..boards.board_spec import BoardSpec
from ..compiler import design_file, random_network
from ..compiler.design import Design
from ..compiler.frontends import model
from ..compiler.ir import Network
from ..errors import DataError
from ..handover.shell import SHELLS
from ..hw.protocol import LIMITS

__all__ = ["ANY_SHELL", "BOARD_PIXELS", "PIXELS", "Case", "Setting", "cases", "random_design"]

#: Maximum pixels of an image of a random network, and under a board's top level, where each takes 160 clock
#: cycles.
PIXELS, BOARD_PIXELS = 128 * 128, 784

#: In place of a shell: each seed takes the next one.
ANY_SHELL = "any"

#: Maximum cycles of a layer for one image.
_CYCLES = 2000

#: Neurons of a layer from which on there are images with more pixels than that.
_LARGER_IMAGES = 24

#: Number of networks, or foldings, without ``--count``.
_COUNT = 20


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is drawn at random, and what is given.

    Parameters
    ----------
    seed, count : int
        The first seed and the number of seeds; None is as many as are worth it.
    largest, images : int
        As ``--largest`` and ``--images``.
    patchable : bool
        Whether only patchable designs are drawn.
    board, level, shell : BoardSpec or None, str, str or None
        As in `check`; the shell may be `ANY_SHELL`.
    network, design, images_from : Path or None
        Files to take instead of random networks, foldings and images.
    """

    seed: int
    count: int | None
    largest: int
    images: int
    patchable: bool
    board: BoardSpec | None
    level: str
    shell: str | None
    network: Path | None
    design: Path | None
    images_from: Path | None

    def seeds(self, count: int) -> range:
        """The seeds, if there are `count` of them by default."""
        return range(self.seed, self.seed + (self.count or count))

    def shell_of(self, seed: int) -> str | None:
        """The shell of a case."""
        return tuple(SHELLS)[seed % len(SHELLS)] if self.shell == ANY_SHELL else self.shell


class Case(NamedTuple):
    """One check: its seed, a function that returns the design and the images, and the shell of the core."""

    seed: int
    design_and_images: Callable[[], tuple[Design, np.ndarray]]
    shell: str | None = None


def cases(setting: Setting) -> list[Case]:
    """Every check that a setting requests, in order."""
    if setting.network is None:
        if setting.design or setting.images_from:
            raise DataError("--design and --images-from are of one network; give it with --network FILE")
        return [
            Case(seed, partial(_random_case, setting, seed), setting.shell_of(seed))
            for seed in setting.seeds(_COUNT)
        ]
    network = model.load(setting.network).network
    design = None if setting.design is None else design_file.load(setting.design, network)
    images = None if setting.images_from is None else _read_images(setting.images_from, network)
    # With everything given there is nothing left that another seed would change, but for the stalls.
    return [
        Case(seed, partial(_folded_case, setting, network, design, images, seed), setting.shell_of(seed))
        for seed in setting.seeds(1 if design else _COUNT)
    ]


def _random_case(setting: Setting, seed: int) -> tuple[Design, np.ndarray]:
    design = random_design(
        seed,
        largest=setting.largest,
        patchable=setting.patchable or None,
        board=setting.board,
        level=setting.level,
        shell=setting.shell,
    )
    count = random_network.image_count(design, setting.images)
    return design, random_network.random_images(seed, design.network, count)


def _folded_case(
    setting: Setting, network: Network, design: Design | None, images: np.ndarray | None, seed: int
) -> tuple[Design, np.ndarray]:
    if design is None:
        options = _folding(setting.patchable or None, setting.board, setting.level, setting.shell)
        design = random_network.fold_at_random(seed, network, **options)
    if images is None:
        images = random_network.random_images(seed, network, setting.images)
    return design, images


def _read_images(path: Path, network: Network) -> np.ndarray:
    return samples.read(
        path,
        image_shape=network.image_shape,
        classes=network.labels,
        signed=network.pixel_type.signed,
        multi_label=network.multi_label,
    ).images


def random_design(
    seed: int,
    *,
    largest: int = 48,
    patchable: bool | None = None,
    board: BoardSpec | None = None,
    level: str = "placed",
    shell: str | None = None,
) -> Design:
    """The random design of a seed that is checked, for a board's top level if there is one.

    Parameters
    ----------
    seed : int
    largest : int
        As in `random_network.random_network`; from 24 on there are also larger images.
    patchable : bool or None
        As in `random_network.fold_at_random`.
    board : BoardSpec, optional
    level, shell : str, str or None
        As in `check`. A placed design has small images: its netlist is slow to simulate.
    """
    pixels = PIXELS if board is None else BOARD_PIXELS if level == "emitted" else 0
    return random_network.random_design(
        seed,
        largest=largest,
        pixels=pixels if largest >= _LARGER_IMAGES else 0,
        **_folding(patchable, board, level, shell),
    )


def _folding(
    patchable: bool | None, board: BoardSpec | None, level: str, shell: str | None
) -> dict[str, Any]:
    """Options of `random_network.fold_at_random` for a board's top level, or for the core alone."""
    if board is None:
        alone = shell is None
        return {
            # Nothing fills SPRAM in a core that is handed over, and there is no bitstream to patch.
            "patchable": patchable if alone else False,
            "spram": alone,
            "cycles": _CYCLES,
            "label_only": True,
            "batches": True,
        }
    # SPRAM is loaded from a flash, for which a netlist has no time.
    return {
        "patchable": patchable,
        "spram": bool(board.device.spram) and level == "emitted",
        "family": board.device.family,
        "lanes": LIMITS["lanes"],
        "cycles": _CYCLES,
        "batches": True,
    }
