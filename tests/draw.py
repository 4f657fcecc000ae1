"""Draws mutations for `tests/mutate.py` by a seed, so that nobody chooses what the tests already notice.

    python tests/draw.py --seed 1 --count 48 proofs/*.py boards/readback.py ...

Prints an entry of tests/mutations.toml for each: one changed operator, comparison, number or condition in the
body of a function. Changes in a message, a docstring or a default are never drawn. Changes that do not alter
what the program computes are left out of the list by hand.
"""

import argparse
import ast
import random
from pathlib import Path

ROOT = Path(__file__).parent.parent

_COMPARED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMPUTED = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.BitXor: ast.BitOr,
}


def changes(node):
    """Other nodes that may replace one."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            yield ast.Compare(left=node.left, ops=[_COMPARED[type(op)]()], comparators=node.comparators)
        case ast.BinOp(op=op) if type(op) in _COMPUTED and not any(_is_text(each) for each in ast.walk(node)):
            yield ast.BinOp(left=node.left, op=_COMPUTED[type(op)](), right=node.right)
        case ast.BoolOp(op=op):
            yield ast.BoolOp(op=ast.Or() if isinstance(op, ast.And) else ast.And(), values=node.values)
        case ast.UnaryOp(op=ast.Not() | ast.Invert()):
            yield node.operand
        case ast.Constant(value=int() as value) if not isinstance(value, bool):
            yield ast.Constant(value=value + 1)
        case ast.IfExp():
            yield ast.IfExp(test=node.test, body=node.orelse, orelse=node.body)


def _is_text(node):
    return isinstance(node, ast.JoinedStr) or isinstance(node, ast.Constant) and isinstance(node.value, str)


def candidates(file):
    """(old, new, line) of every change in the functions of a file whose text occurs once in it."""
    text = (ROOT / file).read_text(encoding="utf-8")
    lines = text.splitlines(keepends=True)
    silent = set()
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Raise | ast.JoinedStr | ast.Assert)
            or isinstance(node, ast.keyword)
            and node.arg == "name"
        ):
            silent.update(map(id, ast.walk(node)))
        if isinstance(node, ast.arguments):
            silent.update(
                id(inner)
                for default in (*node.defaults, *filter(None, node.kw_defaults))
                for inner in ast.walk(default)
            )
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            if id(node) in silent or getattr(node, "lineno", 0) != getattr(node, "end_lineno", 1):
                continue
            for changed in changes(node):
                line = lines[node.lineno - 1]
                data = line.encode()
                before, after = data[: node.col_offset].decode(), data[node.end_col_offset :].decode()
                new = ast.unparse(ast.fix_missing_locations(changed))
                if isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp | ast.IfExp) and before.rstrip()[
                    -1:
                ] not in ("(", "=", ",", "["):
                    new = f"({new})"
                old_line, new_line = line.strip(), f"{before}{new}{after}".strip()
                if text.count(old_line) == 1 and new_line != old_line:
                    yield old_line, new_line, node.lineno


def _toml(text):
    """A literal string of TOML; a line break right after its quotes does not count."""
    return f"'''\n{text}'''" if "\n" in text else f"'''{text}'''" if "'" in text else f"'{text}'"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=48)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    found = {file: sorted(set(candidates(file))) for file in sorted(options.files)}
    found = {file: changes for file, changes in found.items() if changes}
    for each in found.values():
        rng.shuffle(each)
    drawn = set()
    while len(drawn) < options.count and any(found.values()):
        # In turns, so that long files do not take everything.
        drawn.update((file, *each.pop()) for file, each in found.items() if each)
    for file, old, new, line in sorted(drawn, key=lambda each: (each[0], each[3])):
        print(
            f"\n[[mutation]]\nwhat = 'line {line}'\nfile = '{file}'\nold = {_toml(old)}\nnew = {_toml(new)}"
        )


if __name__ == "__main__":
    main()
