"""The page of `sbgen play`, whose pad is that of the report."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import __version__, report_html, trial_images
from . import pad_data

if TYPE_CHECKING:
    from ..built import Built

__all__ = ["render"]


def render(built: "Built", *, answerers: Sequence[str], token: str) -> str:
    """The whole page.

    Parameters
    ----------
    built : Built
    answerers : sequence of str
        What they are called; the last is asked first.
    token : str
        What every request must have.
    """
    model = built.report.get("model", {})
    low, high = model.get("pixel_range", trial_images.PIXELS)
    return (
        report_html.environment()
        .get_template("play.html.j2")
        .render(
            version=__version__,
            name=built.network.name,
            board=str(built.report["board"]).rpartition(":")[2],
            answerers=answerers,
            token=token,
            pad=pad_data(
                built.network, dataset=model.get("dataset"), pixel_range=(low, high), recipe=built.recipe
            ),
        )
    )
