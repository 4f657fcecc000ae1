"""Boards whose place and route is their vendor's alone: the project of a build, and what verify shows."""

import json
import re
import zipfile

import pytest
from test_netlists import network

from sbgen import boards, cli, tools
from sbgen.boards import vendor_project
from sbgen.compiler import exchange
from sbgen.errors import ToolError

#: For each board the constraint file, what that has for each pin, and the primitives that yosys knows of the
#: device (none where it does not).
PROJECTS = {
    "arty_a7": ("board.xdc", r"set_property LOC {site} ", "xilinx"),
    "de10_lite": ("board.qsf", r"-to \S+ PIN_{site}\b|PIN_{site} -to ", ""),
    "amaranth_boards.de10_nano:DE10NanoPlatform": ("board.qsf", r"-to \S+ PIN_{site}\b|PIN_{site} -to ", ""),
    "amaranth_boards.machxo3_sk:MachXO3LSKPlatform": ("board.lpf", r'LOCATE COMP "\w+" SITE "{site}";', ""),
}

#: What a top level of any board is, for a board that holds no network beside the host link.
SMALLEST = "module top(input clk, rx, output tx, led); assign tx = rx; assign led = 1'b1; endmodule\n"


def need_yosys():
    try:
        return tools.find("yosys")
    except ToolError as error:
        pytest.skip(str(error))


@pytest.fixture
def built(tmp_path):
    """Builds the small network for a board; returns the output folder."""
    need_yosys()
    exchange.save(network(), tmp_path / "small.json")

    def build(board, *options):
        out = tmp_path / "out"
        arguments = ["build", "--model", str(tmp_path / "small.json"), "--board", board, "--out", str(out)]
        assert cli.main([*arguments, "--images", "5", *options]) == 0
        return out

    return build


@pytest.mark.parametrize("name", PROJECTS)
def test_project_is_complete(built, name, tmp_path, capsys):
    out = built(name, "--no-sim")
    assert "no open tool places and routes" in capsys.readouterr().out
    files = unpacked(out / "vendor.zip")
    report = json.loads((out / "report.json").read_text())["project"]
    assert report["file"] == "vendor.zip" and report["script"] == "build_board.sh"
    assert sorted(files) == report["files"]
    # The design is the Verilog that is simulated.
    assert files["top.v"] == (out / "top.v").read_text()
    check(name, files, *PROJECTS[name], tmp_path)


def test_project_of_a_board_that_holds_no_network(tmp_path):
    """The host link fills the GW1N-1, but its pins and its project are those of any other board."""
    need_yosys()
    vendor_project.write(boards.get("tang_nano"), SMALLEST, tmp_path / "vendor.zip")
    check(
        "tang_nano",
        unpacked(tmp_path / "vendor.zip"),
        "board.cst",
        r'IO_LOC "\w+" {site};',
        "gowin",
        tmp_path,
    )


def unpacked(project):
    with zipfile.ZipFile(project) as archive:
        return {each: archive.read(each).decode() for each in archive.namelist()}


def check(name, files, constraints, line, library, tmp_path):
    """Each pin is constrained, each file is named by another, and yosys reads the design with its buffers."""
    board = boards.get(name)
    assert {"build_board.sh", constraints, "board.v"} <= set(files)
    for pin in board.pins:
        assert re.search(line.format(site=pin.site), files[constraints]), pin
    # A script or project file names the sources and the constraints.
    named = "".join(text for each, text in files.items() if not each.endswith(".v"))
    assert "top.v" in named and "board.v" in named and constraints in named + "board.qsf"
    for each, text in files.items():
        (tmp_path / each).write_text(text)
    if library:
        models = {"xilinx": ("cells_sim.v", "cells_xtra.v"), "gowin": ("cells_sim.v",)}[library]
        reads = "; ".join(f"read_verilog -lib +/{library}/{model}" for model in models)
        # yosys' model of this buffer lacks a parameter that is of no interest here.
        pads = re.sub(r"\.SIM_DEVICE\(.*?\)", "", files["board.v"])
        (tmp_path / "board.v").write_text(pads)
        tools.run(
            need_yosys(),
            ["-p", f"{reads}; read_verilog board.v top.v; hierarchy -check -top board; proc; check -assert"],
            cwd=tmp_path,
            log=tmp_path / "log",
        )


def test_levels_that_exist_are_checked(built):
    out = built("arty_a7")
    assert cli.main(["verify", str(out), "--images", "5"]) == 0
    levels = {entry["rung"]: entry for entry in json.loads((out / "ledger.json").read_text())["rungs"]}
    simulated = {
        "files of the build",
        "Amaranth simulator",
        "Verilog in Icarus",
        "Verilog in Verilator",
        "board's Verilog",
    }
    for name, entry in levels.items():
        print(entry)
        if "is not installed" in entry["note"]:
            pytest.skip(entry["note"])
        assert entry["status"] == ("PASS" if name in simulated else "not run"), entry
        if name not in simulated | {"model, hardened"}:
            assert "no open tool places and routes for xc7a35t" in entry["note"], entry


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--clock", "75"), "the clock must be the oscillator's 100 MHz, as sbgen has no PLL of xc7a35t"),
        (("--patchable",), "no open tool places and routes for xc7a35t"),
    ],
)
def test_what_a_project_cannot_have(tmp_path, options, what, capsys):
    exchange.save(network(), tmp_path / "small.json")
    out = tmp_path / "out"
    arguments = ["build", "--model", str(tmp_path / "small.json"), "--board", "arty_a7", "--out", str(out)]
    assert cli.main([*arguments, *options]) == 1
    assert what in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize("level", [0, 1])
def test_ports_of_top_are_levels_of_the_pins(tmp_path, level):
    """Amaranth's buffers invert where the board does, and so does our top level: only one of them counts."""
    board = boards.get("amaranth_boards.machxo3_sk:MachXO3LSKPlatform")
    assert board.pin("led").invert and not board.pin("tx").invert
    need_yosys()
    vendor_project.write(board, "", tmp_path / "vendor.zip")
    (tmp_path / "board.v").write_text(unpacked(tmp_path / "vendor.zip")["board.v"])
    (tmp_path / "top.v").write_text(SMALLEST.replace("1'b1", f"1'b{level}"))
    script = "read_verilog board.v top.v; hierarchy -top board; proc; flatten; opt; write_json board.json"
    tools.run(need_yosys(), ["-p", script], cwd=tmp_path, log=tmp_path / "log")
    cells = json.loads((tmp_path / "board.json").read_text())["modules"]["board"]["cells"]
    buffers = {name: cell["connections"] for name, cell in cells.items() if cell["type"] in ("OBZ", "IB")}
    (led,) = [pins for name, pins in buffers.items() if name.startswith("pad_led.")]
    (tx,) = [pins for name, pins in buffers.items() if name.startswith("pad_tx.")]
    (rx,) = [pins for name, pins in buffers.items() if name.startswith("pad_rx.")]
    assert led["I"] == [str(level)] and tx["I"] == rx["O"]
