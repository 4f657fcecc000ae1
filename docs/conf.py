"""Sphinx: the site of `make docs`.

Pages are the Markdown files of this folder, which are also read as they are; notebooks are Markdown that
MyST-NB runs. The page of each command is written from its parser.
"""

import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(Path(__file__).parent))

from command_pages import write

from sbgen import __version__

project = "sbgen"
author = "The sbgen authors"
copyright = author
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"sbgen {__version__}"
html_static_path: list[str] = []

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4  # as links on the pages have it: page.md#heading

nb_execution_mode = "force"  # whatever has changed in sbgen
nb_execution_in_temp = True
nb_execution_timeout = 300
nb_execution_raise_on_error = True
nb_merge_streams = True

autodoc_typehints = "none"  # the docstrings have the types, with shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False


def _outside(app: Sphinx, page: str, text: list[str]) -> None:
    """Links to pages that are not of the site, such as the README, become their text and name."""
    text[0] = re.sub(r"\[([^]]*)\]\((?:\.\./)+([\w./-]+\.md)(?:#[\w-]+)?\)", _named, text[0])


def _named(match: re.Match[str]) -> str:
    inside = (ROOT / match[2]).resolve().is_relative_to(ROOT / "docs") or not (ROOT / match[2]).exists()
    return match[0] if inside else f"{match[1]} (`{match[2]}`)"


def setup(app: Sphinx) -> None:
    """Write the pages that come from the code before Sphinx reads the folder."""
    write(Path(app.srcdir) / "generated")
    app.connect("source-read", _outside)
