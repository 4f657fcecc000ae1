"""A build that tests itself: which images it stores, and what the report has of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import BoardError, ModelError

if TYPE_CHECKING:
    from .boards import BoardSpec
    from .compiler.design import Design
    from .hw.self_test import Parameters
    from .trial_images import TrialImages

__all__ = ["SelfTest", "plan", "require_board"]


@dataclass(frozen=True, kw_only=True)
class SelfTest:
    """A self-test for one design.

    Parameters
    ----------
    parameters : Parameters
        Of the hardware.
    about : dict
        What the report has of it (``docs/report.md``).
    estimate : dict
        The resources of core and test, as `sbgen.compiler.estimate.estimate`.
    """

    parameters: "Parameters"
    about: dict[str, Any]
    estimate: dict[str, int]


def require_board(board: "BoardSpec", *, patchable: bool) -> None:
    """Refuse what no self-test can be built for, before anything takes time.

    Raises
    ------
    BoardError
        The board has no LED, or no open tools.
    ModelError
        The build is to be patchable.
    """
    if not board.is_open:
        raise BoardError(
            f"a self-test must be placed and routed by open tools, but {board.name} has none; leave out"
            " --selftest"
        )
    if board.pin("led") is None:
        raise BoardError(
            "a self-test must have a LED to show its result, but"
            f" {board.left_out or f'{board.name} has none'}; choose another board, or leave out --selftest"
        )
    if patchable:
        raise ModelError(
            "a self-test must know its weights: the results that it expects are in the bitstream, and would"
            " stay those of the old weights; leave out --patchable or --selftest"
        )


def plan(design: "Design", board: "BoardSpec", tried: "TrialImages", found: np.ndarray) -> SelfTest:
    """Choose the images.

    Parameters
    ----------
    design : Design
    board : BoardSpec
    tried : TrialImages
        Those to choose from.
    found : int array, shape (N,) or (N, outputs)
        What the reference decides of them.

    Raises
    ------
    FitError
        There is no room for an image.
    """
    from .compiler import self_test

    most, store = self_test.most_images(design, board.device)
    places = self_test.choose(found, tried.labels, most=most)
    parameters = self_test.parameters(design, tried.images[places], store=store)
    right = None
    if tried.labels is not None:
        right = sum(bool(np.all(found[n] == tried.labels[n])) for n in places)
    return SelfTest(
        parameters=parameters,
        about={
            "images": len(places),
            "right": right,
            "places": places.tolist(),
            "bytes": len(parameters.words),
            "store": store,
            "signature": f"{parameters.signature:08x}",
        },
        estimate=self_test.estimated(design, board.device, parameters),
    )
