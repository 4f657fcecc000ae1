"""Inputs and expected outputs of a component, passed from pytest to the simulation as JSON."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["Case", "load", "pack", "save"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Beats in, beats out.

    Parameters
    ----------
    name : str
    component : str
        The component of the bench.
    i, o : sequence of int
        The payloads that go in and that must come out.
    cycles : int
        Clock cycles in which that must be done when nothing stalls.
    image : sequence of sequence of int
        What fills the component's RAM beforehand, as in `Core.ram_contents`.
    """

    name: str
    component: str
    i: list
    o: list
    cycles: int
    image: tuple = ()


def pack(vector, *, lanes, width):
    """A vector as beats: `lanes` elements of `width` bits, the first lowest, unused lanes 0."""
    elements = [int(element) & ((1 << width) - 1) for element in vector]
    return [
        sum(element << (width * lane) for lane, element in enumerate(elements[at : at + lanes]))
        for at in range(0, len(elements), lanes)
    ]


def save(cases, path):
    Path(path).write_text(json.dumps([asdict(case) for case in cases]))


def load(path):
    return [Case(**case) for case in json.loads(Path(path).read_text())]
