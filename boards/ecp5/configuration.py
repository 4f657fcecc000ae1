"""The settings of an ECP5's layout as ecpunpack writes them; ``unknown:`` are bits without a name."""

import re
from collections import Counter

from ..configuration import Difference, presence

__all__ = ["differences"]


def differences(
    header: str, expected: list[str] | None, found: list[str] | None
) -> tuple[list[Difference], int]:
    """The settings of a section that differ, and how many it has; each word of a block RAM is one."""
    if header.startswith("bram_init"):
        return _contents(header, expected, found)
    if not (expected or found):
        return presence(header, expected, found, kind="global setting"), 1
    before, after = Counter(expected), Counter(found)
    missing = [
        Difference(kind=_kind(header, line), where=header, expected=line, found="nothing")
        for line in before - after
    ]
    added = [
        Difference(kind=_kind(header, line), where=header, expected="nothing", found=line)
        for line in after - before
    ]
    return missing + added, max(before.total(), after.total())


def _contents(
    header: str, expected: list[str] | None, found: list[str] | None
) -> tuple[list[Difference], int]:
    """The words of a block RAM that differ, and how many there are; those that are left out are 0."""
    words = [" ".join(lines or ()).split() for lines in (expected, found)]
    size = max(map(len, words))
    before, after = (each + ["000"] * (size - len(each)) for each in words)
    return [
        Difference(kind="RAM contents", where=f"{header}, byte {n}", expected=a, found=b)
        for n, (a, b) in enumerate(zip(before, after, strict=True))
        if a != b
    ], size


def _kind(header: str, line: str) -> str:
    name = line.split(maxsplit=2)[1] if " " in line else ""
    if line.startswith("unknown:"):
        return "unnamed bit"
    if line.startswith("arc:") or re.search(r"\bJ?[A-D]\dMUX$", name):
        return "routing"
    if re.search(r"\.K\d\.INIT$", name):
        return "truth table"
    if re.search(r"\.REG\d\.|\.(CEMUX|LSRMUX|SRMODE|GSR)$|^(CLK|LSR|CE)\d", name):
        return "flip-flop"
    if "CCU2" in line or ".INJECT" in name:
        return "carry chain"
    if name.startswith("PIO") or re.search(r":(PIO|PIC|MIB_CIB_LR)", header):
        return "IO"
    return "block RAM" if name.startswith("EBR") else "setting"
