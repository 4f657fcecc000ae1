"""What crossed the streams between a core's stages, out of a waveform (VCD, IEEE 1364-2005 section 18)."""

import re
from dataclasses import dataclass

import numpy as np
from amaranth.hdl import Shape

from . import reference

__all__ = ["Fault", "first_fault"]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The first number of a layer that is not the reference's.

    Parameters
    ----------
    layer : str
    image : int
        Among those of the waveform.
    index : tuple of int
        In the layer's output.
    expected, found : int
        What the reference computes; what crossed the stream, None where nothing defined did.
    """

    layer: str
    image: int
    index: tuple
    expected: int
    found: int | None


_PORTS = ("o__valid", "o__ready", "o__payload")


def first_fault(path, core, network, images):
    """The first fault of the first layer that has one, in a run of images through a core; None when every
    layer seen is right.

    Parameters
    ----------
    path : Path
        A waveform in which the stages' ports are named as Amaranth names them.
    core : hw.core.Core
    network : Network
    images : uint8 array, shape (N, *image_shape)
    """
    outputs = reference.run(network, images)
    parts = {
        f"{type(stage.parts[-1]).__name__.lower()}_{n}": (n, stage) for n, stage in enumerate(core.stages)
    }
    beats = _beats(path, set(parts))
    for instance, (n, stage) in parts.items():
        layer = network.layers[n]
        if instance not in beats or n == len(network.layers) - 1 and layer.scales is not None:
            continue
        layout = stage.parts[-1].o.payload.shape()
        element, lanes = Shape.cast(layout.elem_shape), layout.length
        expected = np.asarray(outputs[n]).reshape(len(images), -1, stage.o_length)
        vector = -(-stage.o_length // lanes)
        for at, word in enumerate(beats[instance]):
            image, rest = divmod(at, expected.shape[1] * vector)
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


def _number(word, lane, element):
    """A lane of a beat given as binary digits, the highest first; None where it is not defined."""
    digits = word[len(word) - (lane + 1) * element.width : len(word) - lane * element.width]
    if set(digits) - {"0", "1"}:
        return None
    number = int(digits, 2)
    return number - (1 << element.width) if element.signed and digits[0] == "1" else number


def _beats(path, instances):
    """For each instance, the words that its `o` gave away, one a rising edge of its clock at which both sides
    agreed.
    """
    scopes, signals, widths, clock = [], {}, {}, None
    values, beats = {}, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.split()
            if not words:
                continue
            if words[0] == "$scope":
                scopes.append(words[2].lstrip("\\"))
            elif words[0] == "$upscope":
                scopes.pop()
            elif words[0] == "$var":
                port = re.sub(r"\$\d+$", "", words[4].lstrip("\\"))
                if scopes[-1] in instances and port in _PORTS:
                    signals.setdefault((scopes[-1], port), words[3])
                    widths[words[3]] = int(words[2])
                elif words[4] == "clk" and clock is None:
                    clock = words[3]
            elif words[0] == "$enddefinitions":
                break
        taps = [
            (instance, *(signals[instance, port] for port in _PORTS))
            for instance in instances
            if all((instance, port) in signals for port in _PORTS)
        ]
        beats = {instance: [] for instance, *_ in taps}
        # What is there before a rising edge is what crosses at it: changes count from the next time on.
        changes, rises = {}, False

        def settle():
            nonlocal rises
            if rises:
                for instance, valid, ready, payload in taps:
                    if values.get(valid) == "1" and values.get(ready) == "1":
                        beats[instance].append(values.get(payload, "x").rjust(widths[payload], "0"))
            values.update(changes)
            changes.clear()
            rises = False

        for line in file:
            kind = line[0]
            if kind == "#":
                settle()
            elif kind in "bB":
                digits, code = line[1:].split()
                changes[code] = digits.rjust(widths.get(code, 1), digits[0] if digits[0] in "xz" else "0")
            elif kind in "01xzXZ":
                code = line[1:].strip()
                if code == clock and kind == "1" and values.get(clock) != "1":
                    rises = True
                changes[code] = kind.lower()
        settle()
    return beats
