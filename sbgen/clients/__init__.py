"""Hosts for microcontrollers that own the sensor: the other end of the host link in C and in MicroPython.

Each is one file (C also has a header) that is copied into a project; `docs/clients.md` describes both.
"""

from pathlib import Path

__all__ = ["FOLDER", "LANGUAGES"]

#: Where the sources are, a folder for each of ...
FOLDER = Path(__file__).parent

#: ... these languages.
LANGUAGES = ("c", "micropython")
