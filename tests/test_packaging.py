"""What is installed: the packages, what they may import, and what the metadata promises."""

import ast
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from sbgen import __version__

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
FOLDERS = PROJECT["tool"]["setuptools"]["package-dir"]


def folder_of(package):
    """The folder of a package; a sub-package is in its parent's."""
    name = package
    while name not in FOLDERS:
        name = name.rpartition(".")[0]
    return ROOT / FOLDERS[name] / package[len(name) :].replace(".", "/").strip("/")


def imports(path):
    """Absolute names of the modules that a file imports when it is imported: not those inside its functions,
    nor those for types only.
    """
    package = next(
        name
        for name, folder in FOLDERS.items()
        if path.is_relative_to(ROOT / folder) and not (folder == "sbgen" and path.parent.is_symlink())
    )
    inside = path.relative_to(ROOT / FOLDERS[package]).parent.parts
    here = [*package.split("."), *inside]
    waiting, found = [ast.parse(path.read_text())], set()
    while waiting:
        for node in ast.iter_child_nodes(waiting.pop()):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                    continue
                case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                    continue
                case ast.Import():
                    found |= {alias.name for alias in node.names}
                case ast.ImportFrom(level=0):
                    found.add(node.module)
                case ast.ImportFrom():
                    base = ".".join(here[: len(here) - node.level + 1])
                    found |= (
                        {f"{base}.{node.module}"}
                        if node.module
                        else {f"{base}.{alias.name}" for alias in node.names}
                    )
            waiting.append(node)
    return found


def sources(folder):
    return sorted(path for path in (ROOT / folder).rglob("*.py") if not path.parent.is_symlink())


def test_packages_in_the_metadata_are_those_in_the_folders():
    found = {
        ".".join(path.parent.relative_to(ROOT).parts)
        for path in sources("sbgen")
        if path.name == "__init__.py"
    }
    for package in ("hw", "compiler", "proofs", "train", "boards"):
        for init in (ROOT / package).rglob("__init__.py"):
            found.add(".".join(["sbgen", package, *init.parent.relative_to(ROOT / package).parts]))
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == found


def test_every_module_lies_in_a_package():
    for package in ("hw", "compiler", "proofs", "train", "boards"):
        for path in sources(package):
            assert (path.parent / "__init__.py").exists(), path


def test_every_package_is_in_the_table_of_folders():
    table = (ROOT / "docs/architecture.md").read_text().partition("\n| folder |")[2].partition("\n\n")[0]
    for package in PROJECT["tool"]["setuptools"]["packages"]:
        folder = folder_of(package).relative_to(ROOT)
        assert f"`{folder}/`" in table, package


def test_all_has_every_extra_of_a_user():
    extras = PROJECT["project"]["optional-dependencies"]
    (everything,) = extras["all"]
    named = everything.removeprefix("sbgen[").removesuffix("]").split(",")
    assert set(extras) - {"all", "benchmark", "dev", "docs", "examples", "soc", "yosys"} == set(named)


def test_links_of_the_bare_checkout_lead_to_the_packages():
    for package in ("hw", "compiler", "proofs", "train", "boards"):
        assert (ROOT / "sbgen" / package).resolve() == ROOT / package


def test_version_is_told_once():
    assert PROJECT["project"]["version"] == __version__
    assert f"\n## {__version__} " in (ROOT / "CHANGELOG.md").read_text()
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text()


# What each folder may import at import time, beside the standard library and itself.
ALLOWED = {
    "hw": {"amaranth"},
    "compiler": {"amaranth", "numpy", "sbgen.hw", "sbgen.atomic", "sbgen.errors", "sbgen.tools", "sbgen"},
    "proofs": {"amaranth", "numpy", "sbgen.hw", "sbgen.compiler", "sbgen.errors", "sbgen.tools"},
    "train": {
        "torch",
        "numpy",
        "sbgen.arguments",
        "sbgen.atomic",
        "sbgen.cache",
        "sbgen.errors",
        "sbgen.console",
        "sbgen.samples",
    },
    "boards": {
        "amaranth",
        "amaranth_boards",
        "numpy",
        "sbgen.hw",
        "sbgen.compiler",
        "sbgen.atomic",
        "sbgen.errors",
        "sbgen.tools",
        "sbgen.arguments",
        "sbgen.cache",
        "sbgen.console",
        "sbgen.samples",
        "sbgen",
    },
}
# The folder that speaks the languages of other tools as well. Only `model.load` imports their readers, when
# the file needs it.
FRONTENDS = "compiler/frontends"
ALLOWED_IN_FRONTENDS = {"torch", "sbgen.train", "onnx", "google", "h5py"}


@pytest.mark.parametrize("folder", ALLOWED)
def test_imports_go_one_way(folder):
    wrong = []
    for path in sources(folder):
        where = str(path.relative_to(ROOT))
        allowed = ALLOWED[folder] | {f"sbgen.{folder}"}
        if path.is_relative_to(ROOT / FRONTENDS):
            allowed |= ALLOWED_IN_FRONTENDS
        for name in imports(path):
            parts = name.split(".")
            if (
                parts[0] not in sys.stdlib_module_names
                and not any(".".join(parts[:n]) in allowed - {"sbgen"} for n in range(1, len(parts) + 1))
                and not (name == "sbgen" or name == "sbgen.__version__" and "sbgen" in allowed)
            ):
                wrong.append(f"{where} imports {name}")
    assert wrong == []


def all_imports(path):
    """What a file imports, also inside its functions: (level, module, names)."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.level, node.module or "", [alias.name for alias in node.names]


def test_no_command_imports_another():
    commands = {path.stem for path in (ROOT / "sbgen" / "commands").glob("*.py")}
    wrong = []
    for path in sorted((ROOT / "sbgen" / "commands").glob("*.py")):
        for level, module, names in all_imports(path):
            if level == 1 or level == 2 and (module.startswith("commands") or "commands" in names):
                wrong.append(f"{path.name}: from {'.' * level}{module} import {', '.join(names)}")
    assert len(commands) > 10 and wrong == []


def test_only_the_command_line_imports_commands():
    wrong = []
    for folder in ("hw", "compiler", "proofs", "train", "boards", "sbgen"):
        for path in sources(folder):
            for _, module, names in all_imports(path):
                if "commands" in [*module.split("."), *names]:
                    wrong.append(str(path))
    assert wrong == []  # sbgen/cli.py imports them by name


def test_shipped_code_imports_no_tests():
    for folder in ("hw", "compiler", "proofs", "train", "boards", "sbgen"):
        for path in sources(folder):
            assert not any(name.split(".")[0] in {"tests", "sim", "pytest"} for name in imports(path)), path


@pytest.mark.parametrize(
    "module",
    ["compiler.frontends.model", "compiler.exchange", "boards", "commands.build", "network_cache", "report"],
)
def test_no_torch_unless_it_is_needed(module):
    subprocess.run(
        [sys.executable, "-c", f"import sys, sbgen.{module}; assert 'torch' not in sys.modules"], check=True
    )


def test_wheel_holds_every_source(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import sys; from setuptools import build_meta; build_meta.build_wheel(sys.argv[1])",
            str(tmp_path / "wheel"),
        ],
        check=False,
        capture_output=True,
        text=True,
        cwd=copy_of_the_sources(tmp_path / "sources"),
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (tmp_path / "wheel").glob("*.whl")
    shipped = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info" not in name}
    wanted = {
        "sbgen/py.typed",
        *(
            f"sbgen/{path.relative_to(ROOT)}"
            for end in ("v", "txt")
            for path in (ROOT / "boards").rglob(f"*.{end}")
        ),
        "sbgen/compiler/calibration.json",
        "sbgen/compiler/simulate/main.cpp",
        "sbgen/compiler/simulate/testbench.v",
        "sbgen/clients/c/sbgen_link.c",
        "sbgen/clients/c/sbgen_link.h",
        "sbgen/emulator/board.v",
        "sbgen/emulator/main.cpp",
        "sbgen/report_html/style.css",
        *(
            f"sbgen/play/{path.name}"
            for path in (ROOT / "sbgen/play").iterdir()
            if path.suffix in {".js", ".css", ".j2"}
        ),
        *(f"sbgen/report_html/{path.name}" for path in (ROOT / "sbgen/report_html").glob("*.html.j2")),
        *(f"sbgen/handover/templates/{path.name}" for path in (ROOT / "sbgen/handover/templates").iterdir()),
        *(f"sbgen/compiler/networks/{path.name}" for path in (ROOT / "compiler" / "networks").iterdir()),
    }
    for folder in ("hw", "compiler", "proofs", "train", "boards", "sbgen"):
        for path in sources(folder):
            wanted.add(
                str(path.relative_to(ROOT)) if folder == "sbgen" else f"sbgen/{path.relative_to(ROOT)}"
            )
    assert shipped == wanted


def copy_of_the_sources(to):
    """The tracked files alone, so that a build leaves nothing in the checkout."""
    import shutil

    for folder in ("hw", "compiler", "proofs", "train", "boards", "sbgen"):
        shutil.copytree(
            ROOT / folder, to / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, to / name)
    return to


def test_modules_are_imported_without_the_modules_of_posix():
    # As on Windows: what needs them imports them where it uses them.
    program = """
import importlib, pkgutil, sys
sys.modules.update(dict.fromkeys(("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty")))
import sbgen
for module in pkgutil.walk_packages(sbgen.__path__, "sbgen."):
    if not module.name.endswith("__main__"):
        try:
            importlib.import_module(module.name)
        except ImportError as error:  # of an extra that is not installed
            assert "None in sys.modules" not in str(error), f"{module.name}: {error}"
"""
    subprocess.run([sys.executable, "-c", program], check=True)
