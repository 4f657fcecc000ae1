"""The report as one page that needs nothing but a browser: all of it is inline, and no request leaves it."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from .. import play
from ..boards import power
from ..compiler import exchange
from . import formats, views

__all__ = ["environment", "page"]


def page(
    report: dict[str, Any],
    *,
    network: str | None = None,
    ledger: dict[str, Any] | None = None,
    proofs: dict[str, Any] | None = None,
) -> str:
    """The whole page.

    Parameters
    ----------
    report : dict
        As `sbgen.report.assemble` returns it and report.json holds it.
    network : str or None
        The text of network.json, for the pad that computes the network in the page; None leaves it out.
    ledger, proofs : dict or None
        What `sbgen verify` and `sbgen prove` found for the same build: their ledger.json and proofs.json.

    Returns
    -------
    str
        HTML with everything inline. Equal reports give equal text.
    """
    template = environment().get_template("page.html.j2")
    return template.render(
        report=report, ledger=ledger, proofs=proofs, **_pad(report, network), **views.views(report)
    )


def _pad(report: dict[str, Any], text: str | None) -> dict[str, Any]:
    """The variables of the pad: `pad` and `pad_network`, or None and why."""
    if text is None:
        return {"pad": None, "why_no_pad": None}
    embedded = play.embedded(text)
    if embedded is None:
        return {
            "pad": None,
            "why_no_pad": f"A network of more than {play.MAX_BYTES:,} bytes is not computed in a page.",
        }
    low, high = report["model"]["pixel_range"]
    pad = play.pad_data(
        exchange.loads(text),
        dataset=report["model"]["dataset"],
        pixel_range=(low, high),
        recipe=json.loads(text).get("recipe"),
    )
    if report["link"] is not None:
        pad["board"] = {"baud": report["link"]["baud"], "digest": report["network"]["sha256"]}
    return {"pad": pad, "pad_network": embedded, "why_no_pad": None}


@cache
def environment() -> Environment:
    """The templates of the report and the pad."""
    environment = Environment(
        loader=FileSystemLoader([Path(__file__).parent, play.FOLDER]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(formats.FILTERS)
    environment.globals.update(pad_scripts=play.scripts, pad_style=play.style, power_words=power.words)
    return environment
