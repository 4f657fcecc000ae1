"""RTLIL whose operators have operands of equal width, so that a linter has nothing to say of their Verilog.

RTLIL extends a narrow operand by itself, and yosys writes it into Verilog as it is. The language extends it
in the same way, but a linter cannot know that this was meant.
"""

import re
from collections.abc import Callable

__all__ = ["equalize"]

#: Operators whose result depends on no bits of their operands above its width; these become as wide as it.
_AS_RESULT = frozenset(("$add", "$sub", "$mul", "$and", "$or", "$xor", "$xnor", "$not", "$neg", "$pos"))

#: Operators that compare: the narrower operand becomes as wide as the other.
_AS_OTHER = frozenset(("$eq", "$ne", "$lt", "$le", "$gt", "$ge"))

#: Shifts, whose first operand becomes as wide as the result. To the left it may be cut; to the right the
#: result is the lowest bits of a wider one.
_SHIFTS = frozenset(("$shl", "$sshl", "$shr", "$sshr", "$shift"))
_TO_THE_LEFT = frozenset(("$shl", "$sshl"))

#: Comparisons of a number with a constant.
_COMPARED: dict[str, Callable[[int, int], bool]] = {
    "$lt": lambda number, constant: number < constant,
    "$le": lambda number, constant: number <= constant,
    "$ge": lambda number, constant: number >= constant,
    "$gt": lambda number, constant: number > constant,
}

_KINDS = _AS_RESULT | _AS_OTHER | _SHIFTS | {"$logic_not"}

_A, _B, _Y, _WIDTH, _SIGNED = "\\A", "\\B", "\\Y", "_WIDTH", "_SIGNED"
_PORTS = frozenset((_A, _B, _Y))

_WIRE = re.compile(r"  wire (?:(?:width (\d+)|offset -?\d+|upto|signed|(?:input|output|inout) \d+) )*(\S+)$")
_CELL = re.compile(r"  cell (\$\w+) \S+$")
_TOKEN = re.compile(r"\{|\}|\[[\d:]+\]|[^\s{}]+")


def _parsed(signal: str, widths: dict[str, int]) -> list[tuple[str, int]]:
    """A signal as parts with their widths, the most significant first."""
    parts: list[tuple[str, int]] = []
    for token in _TOKEN.findall(signal):
        if token in "{}":
            continue
        if token.startswith("["):
            high, _, low = token[1:-1].partition(":")
            parts[-1] = f"{parts[-1][0]} {token}", int(high) - int(low or high) + 1
        elif "'" in token:
            parts.append((token, int(token.partition("'")[0])))
        else:
            parts.append((token, widths[token]))
    return parts


def _top_bit(part: str, width: int) -> str:
    """The most significant bit of a part of a signal."""
    if "'" in part:
        return "1'" + part.partition("'")[2].lstrip("s")[0]
    name, _, bits = part.partition(" ")
    high = int(bits[1:-1].partition(":")[0]) if bits else width - 1
    return f"{name} [{high}]" if bits or width > 1 else name


def _lowest(parts: list[tuple[str, int]], width: int) -> list[tuple[str, int]]:
    """The lowest bits of a signal."""
    kept: list[tuple[str, int]] = []
    for part, bits in reversed(parts):
        if not width:
            break
        if bits > width:
            if "'" in part:
                part = f"{width}'{part.partition(chr(39))[2].lstrip('s')[-width:]}"
            else:
                name, _, slice_ = part.partition(" ")
                low = int(slice_[1:-1].partition(":")[2] or slice_[1:-1]) if slice_ else 0
                part = f"{name} [{low + width - 1}:{low}]"
            bits = width
        kept.insert(0, (part, bits))
        width -= bits
    return kept


def _resized(signal: str, width: int, *, signed: bool, widths: dict[str, int]) -> str:
    """A signal of another width with the same value, or its lowest bits."""
    parts = _parsed(signal, widths)
    more = width - sum(bits for _, bits in parts)
    if more < 0:
        parts = _lowest(parts, width)
    elif more > 0:
        fill = [(_top_bit(*parts[0]), 1)] * more if signed and parts else [(f"{more}'{'0' * more}", more)]
        parts = [*fill, *parts]
    return parts[0][0] if len(parts) == 1 else "{ " + " ".join(part for part, _ in parts) + " }"


def _operator(lines: list[str], kind: str, widths: dict[str, int]) -> list[str]:
    """The lines of a cell of that kind, with operands of equal width."""
    fields = {name: value for _, name, value in (line.split(None, 2) for line in lines[1:-1])}
    if kind == "$shift" and int(fields[_B + _SIGNED]):
        return lines  # to either side
    if kind == "$logic_not":  # "!" of several bits is a comparison with 0
        zero = f"{fields[_A + _WIDTH]}'{'0' * int(fields[_A + _WIDTH])}"
        fields |= {_B: zero, _B + _WIDTH: fields[_A + _WIDTH], _B + _SIGNED: fields[_A + _SIGNED]}
        lines, kind = [lines[0].replace("$logic_not", "$eq", 1), *lines[1:]], "$eq"
    operands = [_A] if kind in _SHIFTS or _B not in fields else [_A, _B]
    signed = all(int(fields[name + _SIGNED]) for name in operands)
    if kind in _COMPARED and not signed and (always := _always(kind, fields[_A], fields[_B], widths)):
        value = _resized(always, int(fields[_Y + _WIDTH]), signed=False, widths=widths)
        return [f"  connect {fields[_Y]} {value}"]
    width = int(fields[_Y + _WIDTH])
    if kind in _AS_OTHER or (kind in _SHIFTS and kind not in _TO_THE_LEFT):
        width = max(width, *(int(fields[name + _WIDTH]) for name in operands))
    wire, connection = _narrowed(fields, lines[0], width) if kind in _SHIFTS else ([], [])
    for name in operands:
        fields[name] = _resized(fields[name], width, signed=signed, widths=widths)
        fields[name + _WIDTH] = str(width)
    return [
        *wire,
        lines[0],
        *(
            f"    {'connect' if name in _PORTS else 'parameter'} {name} {value}"
            for name, value in fields.items()
        ),
        lines[-1],
        *connection,
    ]


def _always(kind: str, left: str, right: str, widths: dict[str, int]) -> str | None:
    """What the comparison of an unsigned signal with a constant is for all of its values, if that is one."""
    parts = _parsed(right, widths)
    bits = "".join(part.partition("'")[2] for part, _ in parts)
    if not all("'" in part for part, _ in parts) or not set(bits) <= {"0", "1"}:
        return None
    compare, constant = _COMPARED[kind], int(bits or "0", 2)
    found = {compare(number, constant) for number in (0, (1 << sum(n for _, n in _parsed(left, widths))) - 1)}
    return f"1'{int(*found)}" if len(found) == 1 else None


def _narrowed(fields: dict[str, str], cell: str, width: int) -> tuple[list[str], list[str]]:
    """Give a cell a result of `width` bits; returns its wire, and what connects the lowest bits."""
    narrow = int(fields[_Y + _WIDTH])
    if narrow == width:
        return [], []
    name = f"\\shifted{re.sub(r'[^0-9]+', '_', cell)}"
    connection = f"  connect {fields[_Y]} {name} [{narrow - 1}:0]"
    fields |= {_Y: name, _Y + _WIDTH: str(width)}
    return [f"  wire width {width} {name}"], [connection]


def equalize(rtlil: str) -> str:
    """The same RTLIL, with the operands of its operators extended or cut to one width.

    Parameters
    ----------
    rtlil : str
        As `write_rtlil` of yosys writes it.
    """
    out: list[str] = []
    widths: dict[str, int] = {}  # of the wires of the module
    cell: list[str] = []
    kind = ""
    for line in rtlil.splitlines():
        if cell:
            cell.append(line)
            if line == "  end":
                out += _operator(cell, kind, widths)
                cell = []
            continue
        if line.startswith("module "):
            widths = {}
        elif wire := _WIRE.match(line):
            widths[wire.group(2)] = int(wire.group(1) or 1)
        found = _CELL.match(line)
        if found and found.group(1) in _KINDS:
            cell, kind = [line], found.group(1)
        else:
            out.append(line)
    return "\n".join([*out, ""])
