"""The report as one page that needs nothing but a browser: no script, no font, no request leaves it."""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from . import formats, views

__all__ = ["page"]


def page(
    report: dict[str, Any], *, ledger: dict[str, Any] | None = None, proofs: dict[str, Any] | None = None
) -> str:
    """The whole page.

    Parameters
    ----------
    report : dict
        As `sbgen.report.assemble` returns it and report.json holds it.
    ledger, proofs : dict or None
        What `sbgen verify` and `sbgen prove` found for the same build: their ledger.json and proofs.json.

    Returns
    -------
    str
        HTML with everything inline. Equal reports give equal text.
    """
    template = _environment().get_template("page.html.j2")
    return template.render(report=report, ledger=ledger, proofs=proofs, **views.views(report))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(formats.FILTERS)
    return environment
