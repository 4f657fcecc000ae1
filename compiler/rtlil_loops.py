"""Wires of RTLIL whose bits are copies of other bits of the same wire.

That is no loop, but whoever looks at whole wires sees one: Verilator reports it as UNOPTFLAT, and simulates
it slower.
"""

import re

__all__ = ["MARK", "mark_copies_of_itself"]

#: The attribute of these wires.
MARK = "copies_of_itself"

_WIRE = re.compile(r"  wire .*?([\\$]\S+)$")
_NAME = re.compile(r"[\\$][^\s{}]+")


def mark_copies_of_itself(rtlil: str) -> tuple[str, int]:
    """The RTLIL with an attribute at each such wire, and the number of these.

    Parameters
    ----------
    rtlil : str
        As `write_rtlil` of yosys writes it.
    """
    out, count = [], 0
    for module in re.split(r"(?m)^(?=module )", rtlil):
        lines = module.splitlines(keepends=True)
        found: set[str] = set()
        for line in lines:
            if line.startswith("  connect "):
                left, right = _sides(line.removeprefix("  connect "))
                found |= set(_NAME.findall(left)) & set(_NAME.findall(right))
        for line in lines:
            wire = _WIRE.match(line)
            if wire and wire.group(1) in found:
                out.append(f"  attribute \\{MARK} 1\n")
                count += 1
            out.append(line)
    return "".join(out), count


def _sides(connection: str) -> tuple[str, str]:
    """Both sides of a connection between signals."""
    if connection.startswith("{"):
        left, _, right = connection.partition("}")
        return left, right
    left, right = re.fullmatch(r"(\S+(?: \[[\d:]+\])?) (.*)", connection.strip()).groups()  # type: ignore[union-attr]
    return left, right
