"""Devices and packages of all accepted platforms: place and route knows them, and the bitstream is theirs."""

import shutil
from pathlib import Path

import pytest

from sbgen import boards, tools
from sbgen.boards import flow
from sbgen.errors import ToolError

#: Every device of the ECP5 that a board may name, and the IDCODE that it must find in a bitstream (Lattice
#: FPGA-TN-02039, table 8.2).
IDCODES = {
    "LFE5U-12F": 0x21111043,
    "LFE5U-25F": 0x41111043,
    "LFE5U-45F": 0x41112043,
    "LFE5U-85F": 0x41113043,
    "LFE5UM-25F": 0x01111043,
    "LFE5UM-45F": 0x01112043,
    "LFE5UM-85F": 0x01113043,
    "LFE5UM5G-25F": 0x81111043,
    "LFE5UM5G-45F": 0x81112043,
    "LFE5UM5G-85F": 0x81113043,
}

#: A platform of amaranth-boards for each pair of device and package, with pins of an adapter where it has no
#: UART.
PLATFORMS = [
    "blackice:BlackIcePlatform",
    "butterstick:ButterStickPlatform,rx=B10,tx=A9",
    "colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform",
    "ecpix5:ECPIX545Platform",
    "ecpix5:ECPIX585Platform",
    "fomu_pvt:FomuPVTPlatform,rx=A1,tx=A2",
    "icestick:ICEStickPlatform",
    "icesugar_nano:ICESugarNanoPlatform",
    "logicbone:LogicbonePlatform,rx=G20,tx=G19",
    "nandland_go:NandlandGoPlatform",
    "orangecrab_r0_2:OrangeCrabR0_2_25FPlatform,rx=N17,tx=M18",
    "orangecrab_r0_2:OrangeCrabR0_2_85FPlatform,rx=N17,tx=M18",
    "supercon19badge:Supercon19BadgePlatform",
    "tinyfpga_bx:TinyFPGABXPlatform,rx=A2,tx=G2",
    "ulx3s:ULX3S_12F_Platform",
    "upduino_v3:UpduinoV3Platform,rx=27,tx=32",
    "versa_ecp5:VersaECP5Platform",
    "versa_ecp5_5g:VersaECP55GPlatform",
]

#: A counter on the pins of a board.
DESIGN = """\
module top({clock_port}input rx, output tx{led_port});
  {oscillator}
  reg [19:0] count = 0;
  always @(posedge clk) count <= count + rx;
  assign tx = count[19];
  {led}
endmodule
"""
OSCILLATOR = "wire clk; SB_HFOSC #(.CLKHF_DIV(\"0b00\")) osc (.CLKHFPU(1'b1), .CLKHFEN(1'b1), .CLKHF(clk));"


def find(name):
    try:
        return tools.find(name)
    except ToolError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("part", IDCODES)
def test_bitstream_has_the_idcode_of_its_device(part, tmp_path):
    (tmp_path / "top.config").write_text(f".device {part}\n\n")
    arguments = ["--input", "top.config", "--bit", "top.bit"]
    tools.run(find("ecppack"), arguments, cwd=tmp_path, log=tmp_path / "log")
    packed = (tmp_path / "top.bit").read_bytes()
    verify = packed.index(bytes.fromhex("e2000000"))  # the command VERIFY_ID
    assert int.from_bytes(packed[verify + 4 : verify + 8]) == IDCODES[part]


@pytest.mark.slow
@pytest.mark.parametrize("path", PLATFORMS)
def test_device_and_package_are_known_to_the_tools(path, tmp_path):
    board = boards.get(f"amaranth_boards.{path}")
    inside = board.oscillator is not None
    text = DESIGN.format(
        clock_port="" if inside else "input clk, ",
        oscillator=OSCILLATOR if inside else "",
        led_port=", output led" if board.pin("led") else "",
        led="assign led = count[18];" if board.pin("led") else "",
    )
    for tool in "yosys", f"nextpnr-{board.device.family}":
        find(tool)
    plan = flow.plan(verilog=text, board=board, clock_mhz=board.oscillator_mhz, seeds=[1])
    for name, content in plan.files.items():
        (tmp_path / name).write_text(content)
    (placement,) = plan.placements
    for step in (plan.synthesis, placement):
        tools.run(step.tool, step.args, cwd=tmp_path, log=tmp_path / "log")
    (packed_from,) = plan.packing.reads
    (layout,) = [name for name in placement.writes if Path(name).suffix == Path(packed_from).suffix]
    shutil.copy(tmp_path / layout, tmp_path / packed_from)
    tools.run(plan.packing.tool, plan.packing.args, cwd=tmp_path, log=tmp_path / "log")
    assert (tmp_path / plan.bitstream).stat().st_size > 1000
    if board.device.part in IDCODES:
        packed = (tmp_path / plan.bitstream).read_bytes()
        assert IDCODES[board.device.part].to_bytes(4) in packed
