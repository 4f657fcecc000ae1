"""Signs of the design, counted over the package folders of the checkout or of any git revision.

``python benchmarks/structure.py`` prints the counts of the working tree, ``--revision COMMIT`` those of a
commit, ``--list SIGN`` the places of one sign. ``--write`` measures the revisions of `RECORDED` and the
checkout and writes ``results/structure.json``.

All counts come from the syntax trees of the packages (`PACKAGES`), so comments and layout do not matter,
except for lines and their width.

``kind``, ``kind_files``
    Places that ask for a layer's kind, and the files that they are in. A kind is a member of the union
    ``Layer`` in ``compiler/ir.py``, a base class of one, or a union, tuple or table of them. One place each:

    * a call of `isinstance` or `issubclass` with a kind;
    * a `match` with the pattern of a kind;
    * a comparison with a kind, ``type(layer) is Dense`` for one, and a look-up of ``type(layer)`` in a table;
    * a comparison or a `match` with the string that files have for a kind, as "conv2d";
    * `hasattr`, and `getattr` with a default, of an attribute that only some kinds have.
``kind_cases``
    The same with each `case` counted instead of its `match`.
``family``
    Files that know a device family: code with a name or string that contains the family's. A family's own
    folder, boards as data, ``compiler/device.py`` and docstrings do not count.
``long_files``, ``long_functions``
    Files over 400 lines, and functions over 80 lines from `def` to their last.
``annotated``
    Share of arguments and returns with a type, in per cent. Hardware inside `elaborate`, lambdas, `self` and
    `cls` are left out, ``__init__`` has no return to annotate. `object` and `Any` do not count as types.
``fields``
    The share of fields of frozen dataclasses whose type is neither `object` nor `Any`.
``wide_lines``
    Lines over 110 columns in all tracked Python files, tests and benchmarks among them.
"""

import argparse
import ast
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

__all__ = ["PACKAGES", "RECORDED", "SIGNS", "Place", "measure"]

ROOT = Path(__file__).resolve().parent.parent

#: The package folders.
PACKAGES = ("hw", "compiler", "proofs", "train", "boards", "sbgen")

#: Revisions in the record: before the redesign, and the same code formatted.
RECORDED = {"before": "fe0a2d8", "before, formatted": "32b6882"}

#: Signs whose places can be listed.
SIGNS = ("kind", "kind_cases", "family", "long_files", "long_functions", "wide_lines", "annotated", "fields")

_FILE_LINES, _FUNCTION_LINES, _WIDTH = 400, 80, 110

_FAMILIES = re.compile("ice40|ecp5|gowin|nexus|machxo2", re.IGNORECASE)
#: A family's own folder, and boards and devices as data; other files of boards are left out by `_is_board`.
_FAMILY_OWN = re.compile(
    r"boards/(catalog|platforms|ice40|ecp5|gowin)/|boards/vendor_tools\.py"
    r"|compiler/(device|vendor_devices)\.py"
)


@dataclass(frozen=True, kw_only=True, order=True)
class Place:
    """A place in the code: path from the root, line, and what is there."""

    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


class Source:
    """The Python files of a folder that is laid out like the repository."""

    def __init__(self, root: Path, tracked: list[str]) -> None:
        self.trees: dict[str, ast.Module] = {}
        self.lines: dict[str, list[str]] = {}
        for path in sorted(name for name in tracked if name.endswith(".py") and (root / name).is_file()):
            text = (root / path).read_text(encoding="utf-8")
            self.lines[path] = text.splitlines()
            if path.split("/")[0] in PACKAGES:
                self.trees[path] = ast.parse(text)
        self._read_kinds(self.trees["compiler/ir.py"])
        tables = {
            path: frozenset(_tables(tree, self._named(path, tree, {}))) for path, tree in self.trees.items()
        }
        self.names = {path: self._named(path, tree, tables) for path, tree in self.trees.items()}

    def _read_kinds(self, tree: ast.Module) -> None:
        classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}

        def line(name: str) -> set[str]:
            """A class of ir.py and those it derives from."""
            bases = [each.id for each in classes[name].bases if isinstance(each, ast.Name)]
            return {name}.union(*(line(base) for base in bases if base in classes))

        def own(node: ast.ClassDef) -> set[str]:
            """Fields and properties of a class."""
            found = set()
            for each in node.body:
                match each:
                    case ast.AnnAssign(target=ast.Name(id=name)):
                        found.add(name)
                    case ast.Assign(targets=[ast.Name(id=name)]):
                        found.add(name)
                    case ast.FunctionDef(name=name, decorator_list=[_, *_]):
                        found.add(name)
            return found

        (union,) = (
            node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "Layer"
        )
        concrete = [node.id for node in ast.walk(union) if isinstance(node, ast.Name)]
        lines = [line(name) for name in concrete]
        having = [set().union(*(own(classes[each]) for each in names)) for names in lines]
        self.concrete = frozenset(concrete)
        self.kinds = frozenset(set().union(*lines) | {"Layer"})
        self.attributes = frozenset(set().union(*having) - set.intersection(*having))

    def place(self, path: str, line: int) -> Place:
        """A line of a file."""
        return Place(path=path, line=line, what=self.lines[path][line - 1].strip())

    def _named(self, path: str, tree: ast.Module, tables: dict[str, frozenset[str]]) -> frozenset[str]:
        """How a file spells the kinds, and its tables of kinds: ``Dense``, ``ir.Dense``, ``_WEIGHTED``."""
        if path == "compiler/ir.py":
            names = set(self.kinds)
        else:
            names = set()
            for node in ast.walk(tree):
                if not isinstance(node, ast.ImportFrom):
                    continue
                module = (node.module or "").split(".")[-1]
                for each in node.names:
                    local = each.asname or each.name
                    if module == "ir" and each.name in self.kinds:
                        names.add(local)
                    elif each.name == "ir":
                        names |= {f"{local}.{kind}" for kind in self.kinds}
                    else:
                        for other, found in tables.items():
                            if Path(other).stem == module and each.name in found:
                                names.add(local)
                            elif Path(other).stem == each.name:
                                names |= {f"{local}.{table}" for table in found}
        return frozenset(names | _tables(tree, frozenset(names)))


def _tables(tree: ast.Module, names: frozenset[str]) -> set[str]:
    """Names that a file assigns a tuple, set, union or table of kinds to."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        value = node.value
        if isinstance(value, ast.Call) and ast.unparse(value.func) in ("frozenset", "set", "tuple", "dict"):
            value = value.args[0] if value.args else value
        if isinstance(value, ast.Dict):
            parts = [key for key in value.keys if key is not None]
        elif isinstance(value, ast.Tuple | ast.List | ast.Set):
            parts = value.elts
        elif isinstance(value, ast.BinOp):
            parts = [value.left, value.right]
        else:
            continue
        if any(_names_kind(part, names) for part in parts):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found |= {each.id for each in targets if isinstance(each, ast.Name)}
    return found


def _names_kind(node: ast.AST, names: frozenset[str]) -> bool:
    """Whether an expression is a kind, a table of kinds or a display with one."""
    match node:
        case ast.Name() | ast.Attribute():
            return ast.unparse(node) in names
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return any(_names_kind(part, names) for part in parts)
        case ast.Dict(keys=keys):
            return any(key is not None and _names_kind(key, names) for key in keys)
        case ast.BinOp(left=left, right=right):
            return _names_kind(left, names) or _names_kind(right, names)
    return False


def _is_type(node: ast.AST) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="type"), args=[_]):
            return True
    return False


def kind(source: Source) -> Iterator[Place]:
    """Places that ask for a layer's kind; a `match` is one of them."""
    for path, tree in source.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Match):
                if any(_is_case(each, source.names[path], source) for each in node.cases):
                    yield source.place(path, node.lineno)
            elif _asks(node, source.names[path], source):
                yield source.place(path, node.lineno)


def kind_cases(source: Source) -> Iterator[Place]:
    """As `kind`, but each `case` counts and not its `match`."""
    for path, tree in source.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.match_case):
                if _is_case(node, source.names[path], source):
                    yield source.place(path, node.pattern.lineno)
            elif _asks(node, source.names[path], source):
                yield source.place(path, node.lineno)


def _is_case(case: ast.match_case, names: frozenset[str], source: Source) -> bool:
    return any(
        isinstance(part, ast.MatchClass)
        and _names_kind(part.cls, names)
        or isinstance(part, ast.MatchValue)
        and _is_text(part.value, source)
        for part in ast.walk(case.pattern)
    )


def _is_text(node: ast.AST, source: Source) -> bool:
    """Whether an expression is the string by which files name a kind."""
    return isinstance(node, ast.Constant) and node.value in {name.lower() for name in source.concrete}


def _asks(node: ast.AST, names: frozenset[str], source: Source) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="isinstance" | "issubclass"), args=[_, asked]):
            return _names_kind(asked, names)
        case ast.Compare(left=left, comparators=others):
            sides = [left, *others]
            return any(_names_kind(side, names) or _is_text(side, source) for side in sides)
        case ast.Subscript(value=table, slice=key):
            return _is_type(key) and _names_kind(table, names)
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[key, *_]):
            return _is_type(key) and _names_kind(table, names)
        case (
            ast.Call(func=ast.Name(id="hasattr"), args=[_, ast.Constant(value=name)])
            | ast.Call(func=ast.Name(id="getattr"), args=[_, ast.Constant(value=name), _])
        ):
            return name in source.attributes
    return False


def family(source: Source) -> Iterator[Place]:
    """Files that know a device family outside its own folder and data, each at its first line that does."""
    for path, tree in source.trees.items():
        if _FAMILY_OWN.match(path) or _is_board(tree):
            continue
        for node in sorted(_without_docstrings(tree), key=lambda node: getattr(node, "lineno", 0)):
            if any(_FAMILIES.search(text) for text in _texts(node)):
                yield source.place(path, node.lineno)
                break


def _is_board(tree: ast.Module) -> bool:
    """Whether a file is nothing but a board as data."""
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func) in ("Board", "BoardSpec")
        for node in tree.body
    )


def _without_docstrings(tree: ast.Module) -> Iterator[ast.AST]:
    strings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return (node for node in ast.walk(tree) if id(node) not in strings)


def _texts(node: ast.AST) -> list[str]:
    """Names and strings of a node itself."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Name(id=text) | ast.Attribute(attr=text) | ast.keyword(arg=str(text)) | ast.arg(arg=text):
            return [text]
        case ast.FunctionDef(name=text) | ast.ClassDef(name=text):
            return [text]
        case ast.ImportFrom(module=module, names=names):
            return [module or "", *(each.name for each in names)]
    return []


def long_files(source: Source) -> Iterator[Place]:
    """Files of the packages over 400 lines."""
    for path in source.trees:
        if (lines := len(source.lines[path])) > _FILE_LINES:
            yield Place(path=path, line=1, what=f"{lines} lines")


def long_functions(source: Source) -> Iterator[Place]:
    """Functions of the packages over 80 lines."""
    for path, tree in source.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if lines > _FUNCTION_LINES:
                    yield Place(path=path, line=node.lineno, what=f"{node.name}: {lines} lines")


def wide_lines(source: Source) -> Iterator[Place]:
    """Lines over 110 columns in all tracked Python files."""
    for path, lines in source.lines.items():
        for n, line in enumerate(lines, 1):
            if len(line) > _WIDTH:
                yield Place(path=path, line=n, what=f"{len(line)} columns")


@dataclass(frozen=True, kw_only=True)
class Slot:
    """An argument, return or field that should have a type."""

    place: Place
    typed: bool


def annotated(source: Source) -> Iterator[Slot]:
    """Arguments and returns of the packages' functions."""
    for path, tree in source.trees.items():
        for node, method in _functions(tree, in_class=False):
            arguments = [
                *node.args.posonlyargs,
                *node.args.args,
                *node.args.kwonlyargs,
                *(each for each in (node.args.vararg, node.args.kwarg) if each is not None),
            ]
            static = any(ast.unparse(each) == "staticmethod" for each in node.decorator_list)
            if method and not static:
                arguments = arguments[1:] if node.args.posonlyargs or node.args.args else arguments
            for each in arguments:
                place = Place(path=path, line=each.lineno, what=f"{node.name}: {each.arg}")
                yield Slot(place=place, typed=_is_typed(each.annotation))
            if node.name != "__init__":
                place = Place(path=path, line=node.lineno, what=f"{node.name}: return")
                yield Slot(place=place, typed=_is_typed(node.returns))


def _functions(node: ast.AST, *, in_class: bool) -> Iterator[tuple[ast.FunctionDef, bool]]:
    """Functions outside `elaborate`, and whether each is a method."""
    for each in ast.iter_child_nodes(node):
        if isinstance(each, ast.FunctionDef):
            if each.name != "elaborate":
                yield each, in_class
                yield from _functions(each, in_class=False)
        else:
            yield from _functions(each, in_class=isinstance(each, ast.ClassDef))


def fields(source: Source) -> Iterator[Slot]:
    """Fields of the packages' frozen dataclasses."""
    for path, tree in source.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and any(
                "frozen=True" in ast.unparse(each) for each in node.decorator_list
            ):
                for each in node.body:
                    if isinstance(each, ast.AnnAssign):
                        place = Place(path=path, line=each.lineno, what=f"{node.name}: {ast.unparse(each)}")
                        yield Slot(place=place, typed=_is_typed(each.annotation))


def _is_typed(annotation: ast.expr | None) -> bool:
    """Whether there is a type that says something."""
    if annotation is None:
        return False
    text = annotation.value if isinstance(annotation, ast.Constant) else ast.unparse(annotation)
    return str(text) not in ("object", "Any", "typing.Any", "object | None", "Any | None")


_COUNTED = (kind, kind_cases, family, long_files, long_functions, wide_lines)
_SHARED = (annotated, fields)


def places(source: Source, sign: str) -> list[Place]:
    """Places of a sign, in order; of a share, what has no type."""
    for each in _COUNTED:
        if each.__name__ == sign:
            return sorted(each(source))
    (share,) = (each for each in _SHARED if each.__name__ == sign)
    return sorted(slot.place for slot in share(source) if not slot.typed)


def measure(source: Source) -> dict[str, int | float]:
    """Each sign by its name, and the files that ask for a kind."""
    found = [place.path for place in kind(source)]
    counts: dict[str, int | float] = {"kind": len(found), "kind_files": len(set(found))}
    for each in _COUNTED[1:]:
        counts[each.__name__] = sum(1 for _ in each(source))
    for share in _SHARED:
        slots = [slot.typed for slot in share(source)]
        counts[share.__name__] = round(100 * sum(slots) / max(1, len(slots)), 1)
    return counts


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True).stdout


def checkout() -> Source:
    """The tracked files as they are now."""
    return Source(ROOT, _git("ls-files", "-z").decode().split("\0"))


def revision(commit: str) -> Source:
    """The files of a commit."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=BytesIO(_git("archive", commit))) as archive:
            archive.extractall(folder, filter="data")
            names = archive.getnames()
        return Source(Path(folder), names)


def main() -> None:
    """Print counts or places, or write the record."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--revision", metavar="COMMIT", help="a commit instead of the working tree")
    parser.add_argument("--list", metavar="SIGN", choices=SIGNS, help=f"places of a sign: {', '.join(SIGNS)}")
    parser.add_argument("--write", action="store_true", help="write results/structure.json")
    arguments = parser.parse_args()
    if arguments.write:
        import record

        rows = [
            {"state": state, "revision": commit, **measure(revision(commit))}
            for state, commit in RECORDED.items()
        ]
        print(
            record.write(
                "structure", {"counts": [*rows, {"state": "now", "revision": None, **measure(checkout())}]}
            )
        )
        return
    source = revision(arguments.revision) if arguments.revision else checkout()
    if arguments.list:
        print("\n".join(map(str, places(source, arguments.list))))
        return
    for sign, count in measure(source).items():
        print(f"{sign:15} {count:6}" + (" %" if isinstance(count, float) else ""))


if __name__ == "__main__":
    main()
