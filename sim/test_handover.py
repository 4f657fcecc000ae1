"""Cores as folders: their own benches, a linter, FuseSoC, and models of the buses around their shells."""

import importlib.util
import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from bench import run

from sbgen import fuzzing
from sbgen.compiler import cycles, reference
from sbgen.compiler.design import Design
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.layers import rules
from sbgen.compiler.random_network import random_images
from sbgen.compiler.simulate import require
from sbgen.errors import ToolError
from sbgen.handover import check, folder
from sbgen.handover.shell import SHELLS
from sbgen.handover.vectors import image_words, result_words
from sbgen.hw.shells.register_map import Register
from sbgen.verdict import MismatchError


def small(*, decision="argmax", top_k=1, label_only=False):
    """A design of some dozen cycles per image."""
    rng = np.random.default_rng(3)
    network = Network(
        name="small",
        image_shape=(3, 3, 1),
        labels=tuple("abc"),
        decision=decision,
        layers=(
            Binarize(name="pixels", thresholds=np.full((9, 1), 100)),
            Dense(name="hidden", weights=rng.integers(0, 2, (8, 9)), thresholds=rng.integers(3, 6, 8)),
            Scores(name="scores", weights=rng.integers(0, 2, (3, 8)), offsets=np.array([-5, -4, -4])),
        ),
    )
    return Design(
        network=network,
        top_k=top_k,
        label_only=label_only,
        foldings=tuple(
            rule.folding(pe=pe, simd=simd)
            for rule, (pe, simd) in zip(rules(network), ((1, 1), (4, 3), (1, 8)), strict=True)
        ),
    )


def prepared(design, shell, *, images=8, **settings):
    return folder.prepare(
        design, random_images(1, design.network, images), name="tiny", shell=shell,
        cycles=cycles.predict(design), clock_mhz=50, **settings,
    )  # fmt: skip


def installed(package):
    """Skip by name where a package is missing."""
    try:
        found = importlib.util.find_spec(package)
    except ModuleNotFoundError:  # the package around it
        found = None
    if found is None:
        pytest.skip(f"{package} is not installed; try: pip install 'sbgen[sim]'")


def needed(simulator):
    try:
        require(simulator)
    except ToolError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize(
    ("shell", "settings"),
    [
        *((shell, {}) for shell in SHELLS),
        ("none", {"top_k": 3, "roms": "readmemh"}),
        ("stream", {"decision": "sign", "packed": True}),
        ("axi", {"decision": "sign", "roms": "readmemh"}),
        ("wishbone", {"top_k": 2, "packed": True}),
        *((shell, {"label_only": True}) for shell in SHELLS),
    ],
)
def test_bench_and_linter_of_a_folder(shell, settings, tmp_path):
    needed("icarus")
    made = {name: settings[name] for name in ("decision", "top_k", "label_only") if name in settings}
    context = prepared(
        small(**made), shell, **{name: value for name, value in settings.items() if name not in made}
    )
    files = folder.files(context)
    (tmp_path / "bench").mkdir()
    checked = check.bench(context, files, tmp_path / "bench", simulator="icarus")
    assert checked.latency >= context.cycles.latency
    if shell == "none":
        assert checked.latency == context.cycles.latency
    assert all(module == "tiny" or module.startswith("tiny_") for module in context.verilog.modules)
    assert all("__" not in port.name and port.name[-1] != "_" for port in context.ports)
    needed("verilator")
    assert check.lint(context, files, tmp_path) == ""


@pytest.mark.parametrize("shell", ["stream", "axi", "wishbone"])
def test_bench_of_a_folder_in_verilator(shell, tmp_path):
    needed("verilator")
    context = prepared(small(), shell)
    checked = check.bench(context, folder.files(context), tmp_path, simulator="verilator")
    assert checked.latency >= context.cycles.latency and checked.simulator.startswith("Verilator")


@pytest.mark.parametrize("shell", ["none", "wishbone"])
def test_a_bench_notices_a_wrong_core(shell, tmp_path):
    needed("icarus")
    context = prepared(small(), shell)
    files = folder.files(context)
    words = files["tiny_expected.hex"].split()
    words[4] = f"{int(words[4], 16) ^ 1:x}"
    with pytest.raises(MismatchError, match="result 4 is"):
        check.bench(context, files | {"tiny_expected.hex": "\n".join(words)}, tmp_path, simulator="icarus")


@pytest.mark.parametrize("seed", [7, 8, 9, 11, 14, 18])
def test_random_networks_in_their_shells(seed):
    needed("icarus")
    needed("verilator")
    design = fuzzing.random_design(seed, largest=16, shell=fuzzing.ANY_SHELL)
    images = random_images(seed, design.network, 3)
    shell = tuple(SHELLS)[seed % len(SHELLS)]
    print(f"seed {seed}, {shell}")
    assert fuzzing.check(design, images, simulator="icarus", seed=seed, shell=shell) is None


def test_two_cores_in_one_design():
    design = small()
    one, two = (
        folder.prepare(
            design,
            random_images(1, design.network, 1),
            name=name,
            shell="none",
            cycles=cycles.predict(design),
            clock_mhz=50,
        )
        for name in ("alpha", "omega")
    )
    assert not set(one.verilog.modules) & set(two.verilog.modules)
    assert one.verilog.text.replace("alpha", "omega") == two.verilog.text


@pytest.mark.parametrize("target", ["lint", "sim"])
@pytest.mark.parametrize("shell", ["stream", "wishbone"])
def test_fusesoc(target, shell, tmp_path):
    installed("fusesoc")
    needed("icarus" if target == "sim" else "verilator")
    from sbgen import tools

    folder_ = tmp_path / "core"
    folder_.mkdir()
    for name, text in folder.files(prepared(small(), shell, roms="readmemh")).items():
        (folder_ / name).write_text(text)
    tool = tools.find("iverilog" if target == "sim" else "verilator")
    path = str(shutil.which(tool.argv[0]))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "fusesoc.main",
            "--cores-root",
            "core",
            "run",
            f"--target={target}",
            "sbgen::tiny",
        ],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**dict(tool.env), "PATH": f"{path.rpartition('/')[0]}:/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    if target == "sim":
        assert "PASS: tiny: 8 images" in done.stdout + done.stderr


#: The commands of Vivado, each of which is printed with its arguments in place of being run.
_VIVADO = """\
set calls {{}}
proc unknown {{args}} {{ lappend ::calls $args; return "<[lindex $args 0]>" }}
foreach script {{{scripts}}} {{ source $script }}
puts [join $calls \\n]
"""
_COMMANDS = {
    *("create_project", "read_verilog", "add_files", "read_xdc", "set_property", "current_fileset"),
    *("ipx::package_project", "ipx::current_core", "ipx::infer_bus_interfaces", "ipx::infer_bus_interface"),
    *("ipx::associate_bus_interfaces", "ipx::create_xgui_files", "ipx::update_checksums", "ipx::save_core"),
    *("create_clock", "get_ports"),
}


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_of_vivado_as_tcl_reads_them(shell, tmp_path):
    program = shutil.which("tclsh")
    if program is None:
        pytest.skip("tclsh is not installed (apt: tcl)")
    design = small()
    design = replace(design, network=replace(design.network, name='[exit 1] "$gr\u00f6\u00dfe" \n{'))
    context = prepared(design, shell, roms="readmemh")
    for name, text in folder.files(context).items():
        (tmp_path / name).write_text(text, encoding="ascii")
    scripts = "tiny_package.tcl tiny.xdc tiny.sdc"
    (tmp_path / "vivado.tcl").write_text(_VIVADO.format(scripts=scripts))
    done = subprocess.run(
        [program, "vivado.tcl"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    calls = [line.split() for line in done.stdout.splitlines()]
    assert {call[0] for call in calls} <= _COMMANDS
    read = {call[-1] for call in calls if call[0] in ("read_verilog", "add_files", "read_xdc")}
    assert read == {str(tmp_path / name) for name in ("tiny.v", "tiny.xdc", *context.contents)}
    assert ["set_property", "top", "tiny", "<current_fileset>"] in calls
    ports = [port.name for port in context.ports]
    for call in calls:
        if call[0] == "ipx::associate_bus_interfaces":
            assert call[4] == context.shell.clock and any(port.startswith(f"{call[2]}_") for port in ports)
    clock = ["create_clock", "-name", context.shell.clock, "-period", "20.000", "<get_ports>"]
    assert calls[-1] == clock and calls[-2] == ["get_ports", context.shell.clock]


def drive(design, shell, tmp_path, *, simulator="icarus", images=12, wrong=0.4, **settings):
    """Run `shell_tests` over a core in its shell."""
    installed("cocotbext.axi")
    installed("cocotbext.wishbone")
    context = prepared(design, shell, **settings)
    pictures = random_images(2, design.network, 8)
    scores, _ = reference.evaluate(design.network, pictures)
    case = {
        "shell": shell,
        "clock": context.shell.clock,
        "reset": context.shell.reset,
        "inputs": [
            port.name for port in context.ports if port.direction == "input" and not port.is_clock_or_reset
        ],
        "width": context.width,
        "words": context.words,
        "in_flight": context.in_flight,
        "wrong": wrong,
        "settle": context.settle,
        "images": [image_words(image.reshape(-1), context.parameters) for image in pictures],
        "results": [result_words(row, context.core, context.width) for row in scores],
        "registers": {register.name: 4 * register for register in Register}
        | {"SCORES": 4 * context.map.results},
    }
    (tmp_path / "case.json").write_text(json.dumps(case))
    return run(
        {"tiny.v": context.verilog.text},
        simulator=simulator,
        module="shell_tests",
        folder=tmp_path / "run",
        top="tiny",
        settings={"SBGEN_SHELL": str(tmp_path / "case.json"), "SBGEN_IMAGES": str(images)},
    )


@pytest.mark.parametrize("shell", ["stream", "axi", "wishbone"])
def test_models_of_the_bus(shell, tmp_path):
    drive(small(), shell, tmp_path, packed=shell == "axi")
