"""Signals of RTLIL of which some bit is read by nothing: what a linter reports."""

import re

__all__ = ["unused_signals"]

_WIRE = re.compile(r"  wire (?P<options>.*?)(?P<name>[\\$]\S+)$")
_REFERENCE = re.compile(r"([\\$][^\s{}]+)(?: \[(\d+)(?::(\d+))?\])?")

#: Outputs of the cells of yosys.
_OUTPUTS = frozenset(("\\Y", "\\Q", "\\RD_DATA"))


def unused_signals(rtlil: str) -> dict[str, tuple[str, ...]]:
    """For each module that has such the names of these signals.

    Parameters
    ----------
    rtlil : str
        Without processes.
    """
    modules = re.split(r"(?m)^module ", rtlil)[1:]
    outputs = {}  # of each module
    for module in modules:
        name = module.partition("\n")[0].strip()
        outputs[name] = {
            wire["name"]
            for line in module.splitlines()
            if (wire := _WIRE.match(line)) and " output " in f" {wire['options']}"
        }
    found = {}
    for module in modules:
        name = module.partition("\n")[0].strip()
        if unused := _unused(module, outputs):
            found[name.lstrip("\\")] = tuple(unused)
    return found


def _unused(module: str, outputs: dict[str, set[str]]) -> list[str]:
    widths: dict[str, int] = {}
    read: dict[str, set[int]] = {}
    driven: frozenset[str] | set[str] = frozenset()

    def reads(signal: str) -> None:
        for wire, high, low in _REFERENCE.findall(signal):
            first, last = (int(low or high), int(high)) if high else (0, widths[wire] - 1)
            read[wire].update(range(first, last + 1))

    connections = []
    for line in module.splitlines():
        words = line.split(None, 2)
        if wire := _WIRE.match(line):
            width = re.search(r"width (\d+)", wire["options"])
            widths[wire["name"]] = int(width.group(1)) if width else 1
            is_output = " output " in f" {wire['options']}"
            read[wire["name"]] = set(range(widths[wire["name"]])) if is_output else set()
        elif line.startswith("  cell "):
            driven = outputs.get(words[1], _OUTPUTS)
        elif line.startswith("    connect ") and words[1] not in driven:
            connections.append(words[2])
        elif line.startswith("  connect "):
            connections.append(_assigned(line))
    for signal in connections:
        reads(signal)
    return [
        wire.lstrip("\\") if wire.startswith("\\") else ""
        for wire in widths
        if len(read[wire]) < widths[wire]
    ]


def _assigned(line: str) -> str:
    """The right side of a connection between wires."""
    rest = line.removeprefix("  connect ")
    if rest.startswith("{"):
        return rest[rest.index("}") + 1 :]
    return re.sub(r"^\S+(?: \[[\d:]+\])?", "", rest, count=1)
