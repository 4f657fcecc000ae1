"""Every iCE40 and ECP5 platform of amaranth-boards is a board, and the others are refused with a reason."""

import importlib
import inspect
import pkgutil
import re
from collections import Counter

import amaranth_boards
import pytest
from amaranth.build import Platform
from amaranth.hdl import Elaboratable, Module, Signal
from amaranth.lib import io
from amaranth.vendor import LatticeECP5Platform, LatticeICE40Platform

from sbgen import boards
from sbgen.boards import platform_programmer
from sbgen.boards.board_spec import BoardSpec, Programmer
from sbgen.commands import flash
from sbgen.errors import BoardError, VendorError

#: For each platform its device, what it needs in `--uart` (nothing where it has a UART), what is left out,
#: and the program that its own programmer starts.
PLATFORMS = {
    "blackice:BlackIcePlatform": ("hx4k", "", "", "cp"),
    "blackice_ii:BlackIceIIPlatform": ("hx4k", "", "", "cp"),
    "butterstick:ButterStickPlatform": ("ecp5-um5g-85f", "rx=B10,tx=A9", "no led", ""),
    "colorlight_5a75b_r7_0:Colorlight_5A75B_R70Platform": ("ecp5-25f", "", "led", "openFPGALoader"),
    "ecp5_5g_evn:ECP55GEVNPlatform": ("ecp5-um5g-85f", "", "", "svf"),
    "ecpix5:ECPIX545Platform": ("ecp5-um5g-45f", "", "", "openFPGALoader"),
    "ecpix5:ECPIX585Platform": ("ecp5-um5g-85f", "", "", "openFPGALoader"),
    "fomu_hacker:FomuHackerPlatform": ("up5k", "rx=F4,tx=E5", "", "dfu-util"),
    "fomu_pvt:FomuPVTPlatform": ("up5k", "rx=A1,tx=A2", "", "dfu-util"),
    "ice40_hx1k_blink_evn:ICE40HX1KBlinkEVNPlatform": ("hx1k", "rx=10,tx=1", "", "iCEburn"),
    "ice40_hx8k_b_evn:ICE40HX8KBEVNPlatform": ("hx8k", "", "", "iceprog"),
    "ice40_up5k_b_evn:ICE40UP5KBEVNPlatform": ("up5k", "rx=42,tx=32", "", "iceprog"),
    "icebreaker:ICEBreakerPlatform": ("up5k", "", "", "iceprog"),
    "icebreaker_bitsy:ICEBreakerBitsyPlatform": ("up5k", "rx=47,tx=44", "", "dfu-util"),
    "icepi_zero:IcepiZero1_3Platform": ("ecp5-25f", "", "", "openFPGALoader"),
    "icestick:ICEStickPlatform": ("hx1k", "", "", "iceprog"),
    "icesugar:ICESugarPlatform": ("up5k", "", "", "icesprog"),
    "icesugar_nano:ICESugarNanoPlatform": ("lp1k", "", "", "icesprog"),
    "icesugar_pro:ICESugarProPlatform": ("ecp5-25f", "", "", "icesprog"),
    "logicbone:Logicbone85FPlatform": ("ecp5-um5g-85f", "rx=G20,tx=G19", "", "dfu-util"),
    "logicbone:LogicbonePlatform": ("ecp5-um5g-45f", "rx=G20,tx=G19", "", "dfu-util"),
    "nandland_go:NandlandGoPlatform": ("hx1k", "", "", "iceprog"),
    "orangecrab_r0_1:OrangeCrabR0_1Platform": ("ecp5-25f", "rx=N17,tx=M18", "", "dfu-util"),
    "orangecrab_r0_2:OrangeCrabR0_2Platform": ("ecp5-25f", "rx=N17,tx=M18", "", "dfu-util"),
    "orangecrab_r0_2:OrangeCrabR0_2_25FPlatform": ("ecp5-25f", "rx=N17,tx=M18", "", "dfu-util"),
    "orangecrab_r0_2:OrangeCrabR0_2_85FPlatform": ("ecp5-85f", "rx=N17,tx=M18", "", "dfu-util"),
    "supercon19badge:Supercon19BadgePlatform": ("ecp5-45f", "", "", "dfu-util"),
    "tinyfpga_bx:TinyFPGABXPlatform": ("lp8k", "rx=gpio_0:1,tx=gpio_0:2", "", "tinyprog"),
    "ulx3s:ULX3S_12F_Platform": ("ecp5-12f", "", "", "openFPGALoader"),
    "ulx3s:ULX3S_25F_Platform": ("ecp5-25f", "", "", "openFPGALoader"),
    "ulx3s:ULX3S_45F_Platform": ("ecp5-45f", "", "", "openFPGALoader"),
    "ulx3s:ULX3S_85F_Platform": ("ecp5-85f", "", "", "openFPGALoader"),
    "upduino_v1:UpduinoV1Platform": ("up5k", "rx=j_0:3,tx=j_0:4", "", ""),
    "upduino_v2:UpduinoV2Platform": ("up5k", "rx=j_0:3,tx=j_0:4", "", "iceprog"),
    "upduino_v3:UpduinoV3Platform": ("up5k", "rx=j_0:7,tx=j_0:8", "", "iceprog"),
    "versa_ecp5:VersaECP5Platform": ("ecp5-um-45f", "", "", "svf"),
    "versa_ecp5_5g:VersaECP55GPlatform": ("ecp5-um5g-45f", "", "", "svf"),
}


def platforms():
    """Every platform class of amaranth-boards that is not abstract, by `module:Class`."""
    found = {}
    for module in pkgutil.iter_modules(amaranth_boards.__path__):
        loaded = importlib.import_module(f"amaranth_boards.{module.name}")
        for name, value in vars(loaded).items():
            if (
                isinstance(value, type)
                and issubclass(value, Platform)
                and value.__module__ == loaded.__name__
                and not inspect.isabstract(value)
            ):
                found[f"{module.name}:{name}"] = value
    return found


def test_the_table_has_every_ice40_and_ecp5_platform():
    families = LatticeICE40Platform, LatticeECP5Platform
    # The class for ECP5 is also that of MachXO.
    ours = {
        path
        for path, platform in platforms().items()
        if issubclass(platform, families) and not platform.device.startswith("LCMXO")
    }
    assert ours == set(PLATFORMS)
    assert len(ours) == 37


@pytest.mark.parametrize("path", PLATFORMS)
def test_platform_is_accepted(path):
    device, uart, led, _ = PLATFORMS[path]
    name = f"amaranth_boards.{path}"
    if uart:
        with pytest.raises(
            BoardError, match="its platform has none; connect a USB serial adapter .* --uart rx="
        ):
            boards.get(name)
        name += f",{uart}"
    board = boards.get(name)
    assert board.device.name == device and board.oscillator_mhz > 0
    ports = [pin.port for pin in board.pins]
    assert ports == ["clk"] * (board.oscillator is None) + ["rx", "tx"] + ["led"] * (not led)
    assert (board.left_out is not None) == (led == "led")
    assert len({pin.site for pin in board.pins}) == len(board.pins)
    assert boards.get(board.reference) == board
    text = board.family.constraints(board)
    assert all(pin.site in text for pin in board.pins)
    cycles = board.default_clock_mhz * 1e6 / board.baud
    assert cycles >= 3.9 and abs(round(cycles) / cycles - 1) < 0.02


@pytest.mark.parametrize("path", PLATFORMS)
def test_its_own_programmer_loads_it(path, tmp_path):
    _, uart, _, program = PLATFORMS[path]
    board = boards.get(f"amaranth_boards.{path}" + f",{uart}" * bool(uart))
    bitstream = tmp_path / f"top{board.family.bitstream_suffix}"
    if program == "svf":
        with pytest.raises(BoardError, match=r"must take a \.bit, but it takes \.cfg, \.svf"):
            flash.ways(board, bitstream)
    elif not program:
        with pytest.raises(BoardError, match="no programmer is known"):
            flash.ways(board, bitstream)
    else:
        (way,) = flash.ways(board, bitstream)
        assert way.program == program
        assert any(str(bitstream) in command for command in way.commands)


#: Platforms that cannot be used, and why.
REFUSED = {
    "microzed_z010:MicroZedZ010Platform": "must have an oscillator that the FPGA can use by itself",
    "microzed_z020:MicroZedZ020Platform": "must have an oscillator that the FPGA can use by itself",
    "tang_mega_138k_pro_dock:TangMega138kProDockPlatform": "Supplied part name is invalid",
    "tinyfpga_ax1:TinyFPGAAX1Platform": "must have an oscillator that the FPGA can use by itself",
    "tinyfpga_ax2:TinyFPGAAX2Platform": "must have an oscillator that the FPGA can use by itself",
    "zturn_lite_z007s:ZTurnLiteZ007SPlatform": "must have an oscillator that the FPGA can use by itself",
    "zturn_lite_z010:ZTurnLiteZ010Platform": "must have an oscillator that the FPGA can use by itself",
}


def test_every_other_platform_has_a_project_of_its_vendors_tools_or_is_refused():
    ends = Counter()
    for path in sorted(set(platforms()) - set(PLATFORMS)):
        print(path)
        name = f"amaranth_boards.{path}"
        if path in REFUSED:
            with pytest.raises(BoardError, match=REFUSED[path]):
                boards.get(name)
            ends["refused"] += 1
            continue
        try:
            board = boards.get(name)
        except BoardError as error:
            assert "--uart rx=PIN,tx=PIN" in str(error)
            sites = re.findall(r" is (\w+)", str(error).partition("(free are")[2]) or re.findall(
                r"\w+", str(error).partition("(it has")[2]
            )
            board = boards.get(f"{name},rx={sites[0]},tx={sites[1]}")
            ends["adapter"] += 1
        assert len({pin.site for pin in board.pins}) == len(board.pins) >= 2
        assert board.oscillator_mhz > 0
        ends["open" if board.is_open else "vendor"] += 1
        if not board.is_open:
            with pytest.raises(VendorError, match="no open tool places and routes"):
                board.family  # noqa: B018
    print(ends)
    assert ends["refused"] == len(REFUSED) and ends["vendor"] > 40 and ends["adapter"] > 10


class TestPins:
    @pytest.mark.parametrize(
        ("uart", "what"),
        [
            ("rx=4", "must be given as rx=PIN,tx=PIN, not 'rx=4'"),
            ("rx=4,rx=2", "must be given as rx=PIN,tx=PIN"),
            ("rx=,tx=2", "must be given as rx=PIN,tx=PIN"),
            ("rx=4,tx=99", "'99' is not; choose another .free are pmod_0:1 is 4"),
            ("rx=4,tx=pmod_9:1", "'pmod_9:1' is not"),
            ("rx=4,tx=pmod_0:1", "different pins, but rx is 4, tx 4 and the clock 35"),
            ("rx=35,tx=4", "different pins, but rx is 35, tx 4 and the clock 35"),
            ("rx=15,tx=4", "must be free, but 15 is that of spi_flash_1x 0"),
        ],
    )
    def test_pins_that_cannot_be_taken(self, uart, what):
        with pytest.raises(BoardError, match=what):
            boards.get(f"icebreaker,{uart}")

    def test_an_adapter_takes_the_place_of_the_uart(self):
        board = boards.get("icebreaker,rx=PMOD_0:1,tx=11")
        assert {pin.port: pin.site for pin in board.pins} == {"clk": "35", "rx": "4", "tx": "11"}
        assert "without its LED" in board.left_out  # its pin is tx
        assert (board.serial_interface, board.usb_chip, board.reference) == (
            None,
            None,
            "icebreaker,rx=PMOD_0:1,tx=11",
        )
        assert board.family.constraints(board).splitlines()[1] == "set_io -pullup yes rx 4"

    def test_a_pin_that_must_stay_high(self):
        with pytest.raises(BoardError, match="must be free, but L2 is that of esp32 0"):
            boards.get("ulx3s_85f,rx=L2,tx=B11")


def test_recorder_runs_nothing_and_sees_every_call(tmp_path):
    class Loader(boards.get("icestick").new_platform().__class__):
        def toolchain_program(self, products, name):
            import subprocess

            with products.extract(f"{name}.bin") as path:
                subprocess.run(["first", path], check=True)
                subprocess.check_call(["second", "-x", path])

    path = tmp_path / "other.bin"
    assert platform_programmer.commands(Loader(), path) == [["first", str(path)], ["second", "-x", str(path)]]


def test_arguments_of_a_programmer():
    loader = Programmer(
        tool="openFPGALoader", sram=("-m",), flash=("-f",), first="sram", serial=("--ftdi-serial", "{serial}")
    )
    assert loader.arguments() == ("-m",)
    assert loader.arguments(memory="flash", serial="A1") == ("-f", "--ftdi-serial", "A1")
    assert Programmer(tool="iceprog", flash=()).arguments(memory="sram") is None
    assert Programmer(tool="iceprog", flash=()).arguments(serial="A1") is None


@pytest.mark.parametrize("board", boards.BOARDS.values(), ids=boards.BOARDS)
def test_pins_are_those_that_amaranth_itself_constrains(board):
    """The constraint file of Amaranth's own build, of a design with the same resources, has the same pins."""
    platform = board.new_platform()
    wanted = {}
    if board.oscillator is None:
        wanted["clk"] = platform.request(board.clock_name, 0, dir="-")
    if board.uart is None:
        uart = platform.request("uart", 0, dir="-")
        wanted |= {"rx": uart.rx, "tx": uart.tx}
    if board.pin("led"):
        led = platform.request("led" if ("led", 0) in platform.resources else "rgb_led", 0, dir="-")
        wanted["led"] = getattr(led, "g", led)

    class Design(Elaboratable):
        def elaborate(self, _):
            m = Module()
            for name, port in wanted.items():
                direction = "o" if name in ("tx", "led") else "i"
                m.submodules[name] = buffer = io.Buffer(direction, port)
                m.d.comb += (buffer.o if direction == "o" else Signal(name=name)).eq(1)
            return m

    files = platform.build(Design(), do_build=False).files
    text = "".join(str(files[name]) for name in files if name.endswith((".pcf", ".lpf", ".cst")))
    sites = re.findall(r'^(?:set_io \S+|LOCATE COMP \S+ SITE|IO_LOC \S+) "?(\w+)"?;?$', text, re.MULTILINE)
    assert sorted(sites) == sorted(board.pin(name).site for name in wanted)


def test_a_part_of_another_family():
    """A class of the iCE40's platforms with an ECP5 has a package that no ECP5 has."""
    board = boards.get("icebreaker")
    foreign = type("Foreign", (type(board.new_platform()),), {"device": "LFE5U-25F"})
    mixed = BoardSpec(name="mixed", description="", platform="x:Foreign")
    mixed.__dict__["_platform"] = foreign()
    assert mixed.family.name == "ecp5"
    with pytest.raises(BoardError, match="must be one of BG256, .* but it is SG48; is its platform one"):
        mixed.family.plan("", mixed, clock_mhz=12, margin=0.03, seeds=(1,), pins=board.pins, patchable=False)
