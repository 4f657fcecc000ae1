"""What crossed the streams between a core's stages, read from a waveform (VCD, IEEE 1364-2005 section 18).

pyvcd, which Amaranth installs, is not used: 0.4.2 refuses names that begin with ``$``, as Verilator writes
them, and takes eight times as long.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from amaranth.hdl import Shape

from ..hw import discard
from . import reference
from .design import Design
from .pipeline import stages

__all__ = ["Fault", "first_fault"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The first number of a layer that differs from the reference.

    Parameters
    ----------
    layer : str
    image : int
        Its place among those of the waveform.
    index : tuple of int
        In the layer's output.
    expected, found : int
        What the reference computes, and what crossed the stream; None where that was undefined.
    """

    layer: str
    image: int
    index: tuple[int, ...]
    expected: int
    found: int | None


_PORTS = ("o__valid", "o__ready", "o__payload")


def first_fault(path: Path, design: Design, images: np.ndarray) -> Fault | None:
    """The first fault of the first layer that has one, in a run of images through a core; None when every
    layer that the waveform shows is right.

    Parameters
    ----------
    path : Path
        A waveform in which the stages' ports are named as Amaranth names them.
    design : Design
    images : uint8 array, shape (N, *image_shape)
    """
    network = design.network
    outputs = reference.run(network, images)
    # Within a batch images are side by side, and not all are there: its last layer has them one by one.
    parts = {
        f"{stage.parts[-1].rtl_name}_{n}": (n, stage)
        for n, stage in enumerate(stages(design))
        if stage.parts and (stage.images == 1 or stage.part(discard.Parameters))
    }
    beats = _beats(path, set(parts))
    for instance, (n, stage) in parts.items():
        layer = stage.layer
        if instance not in beats or n == len(network.layers) - 1 and network.scores.scales is not None:
            continue
        layout = stage.parts[-1].o_shape
        element, lanes = Shape.cast(layout.elem_shape), layout.length
        expected = np.asarray(outputs[n]).reshape(len(images), -1, stage.o_length)
        vector = -(-stage.o_length // lanes)
        for n_beat, word in enumerate(beats[instance]):
            image, rest = divmod(n_beat, expected.shape[1] * vector)
            if image >= len(images):
                break
            position, beat = divmod(rest, vector)
            for lane in range(min(lanes, stage.o_length - beat * lanes)):
                index = beat * lanes + lane
                found = _number(word, lane, element)
                if found != expected[image, position, index]:
                    shape = np.asarray(outputs[n]).shape[1:]
                    return Fault(
                        layer=layer.name,
                        image=image,
                        found=found,
                        expected=int(expected[image, position, index]),
                        index=tuple(map(int, np.unravel_index(position * stage.o_length + index, shape))),
                    )
    return None


def _number(word: str, lane: int, element: Shape) -> int | None:
    """A lane of a beat that is given as binary digits, most significant first; None where it is undefined."""
    digits = word[len(word) - (lane + 1) * element.width : len(word) - lane * element.width]
    if set(digits) - {"0", "1"}:
        return None
    number = int(digits, 2)
    return number - (1 << element.width) if element.signed and digits[0] == "1" else number


def _beats(path: Path, instances: Collection[str]) -> dict[str, list[str]]:
    """For each instance, the words that left its `o`: one at each rising edge of the clock at which both
    sides agreed.
    """
    with open(path, encoding="utf-8") as file:
        signals = _Signals.read(file, instances)
        taps = signals.taps(instances)
        beats: dict[str, list[str]] = {instance: [] for instance in taps}
        # What crosses at a rising edge is the state before it: changes take effect at the next time.
        values: dict[str, str] = {}
        changes: dict[str, str] = {}
        rises = False
        for line in chain(file, ["#"]):
            match line[0]:
                case "#":
                    if rises:
                        for instance, (valid, ready, payload) in taps.items():
                            if values.get(valid) == "1" and values.get(ready) == "1":
                                word = values.get(payload, "x")
                                beats[instance].append(word.rjust(signals.widths[payload], "0"))
                    values.update(changes)
                    changes, rises = {}, False
                case "b" | "B":
                    digits, code = line[1:].split()
                    fill = digits[0] if digits[0] in "xz" else "0"
                    changes[code] = digits.rjust(signals.widths.get(code, 1), fill)
                case "0" | "1" | "x" | "z" | "X" | "Z":
                    code = line[1:].strip()
                    if code == signals.clock and line[0] == "1" and values.get(code) != "1":
                        rises = True
                    changes[code] = line[0].lower()
    return beats


@dataclass(frozen=True, kw_only=True)
class _Signals:
    """The signals of a waveform's header, by the codes that stand for them.

    Parameters
    ----------
    codes : dict of (str, str) to str
        The code of an instance's port.
    widths : dict of str to int
        The width in bits of the signal of a code.
    clock : str or None
    """

    codes: dict[tuple[str, str], str]
    widths: dict[str, int]
    clock: str | None

    @staticmethod
    def read(file: Iterable[str], instances: Collection[str]) -> "_Signals":
        """Read the header, and of `file` no more."""
        scopes: list[str] = []
        codes: dict[tuple[str, str], str] = {}
        widths, clock = {}, None
        for line in file:
            match line.split():
                case ["$scope", _, name, *_]:
                    scopes.append(name.lstrip("\\"))
                case ["$upscope", *_]:
                    scopes.pop()
                case ["$var", _, width, code, name, *_]:
                    port = re.sub(r"\$\d+$", "", name.lstrip("\\"))
                    if scopes[-1] in instances and port in _PORTS:
                        codes.setdefault((scopes[-1], port), code)
                        widths[code] = int(width)
                    elif name == "clk" and clock is None:
                        clock = code
                case ["$enddefinitions", *_]:
                    break
        return _Signals(codes=codes, widths=widths, clock=clock)

    def taps(self, instances: Iterable[str]) -> dict[str, tuple[str, str, str]]:
        """The codes of valid, ready and payload of each instance that has all of them."""
        valid, ready, payload = _PORTS
        return {
            instance: (
                self.codes[instance, valid],
                self.codes[instance, ready],
                self.codes[instance, payload],
            )
            for instance in instances
            if all((instance, port) in self.codes for port in _PORTS)
        }
