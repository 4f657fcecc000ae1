"""What `sbgen fuzz` does: random designs are checked, and those that fail are shrunk and written to files."""

from .cases import ANY_SHELL, BOARD_PIXELS, PIXELS, Case, Setting, cases, random_design
from .comparison import Failure, check
from .failures import OUTPUTS, shrink, write

__all__ = [
    "ANY_SHELL",
    "BOARD_PIXELS",
    "OUTPUTS",
    "PIXELS",
    "Case",
    "Failure",
    "Setting",
    "cases",
    "check",
    "random_design",
    "shrink",
    "write",
]
