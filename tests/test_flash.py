import json
import sys
from types import SimpleNamespace

import pytest

from sbgen import tools
from sbgen.boards import usb
from sbgen.commands import flash
from sbgen.errors import BoardError, ToolError

_LOADER = """
import pathlib, sys
print("loading."); pathlib.Path({seen!r}).write_text(" ".join(sys.argv[1:]))
raise SystemExit({code})
"""


@pytest.fixture
def sysfs(monkeypatch, tmp_path):
    """A /sys with the given devices; gives a function that plugs one in."""
    root = tmp_path / "sys"
    root.mkdir()
    monkeypatch.setattr(usb, "can_probe", lambda: True)
    find = usb.find
    monkeypatch.setattr(usb, "find", lambda ids: find(ids, sysfs=root))

    def plug(vendor, product, *, accessible=True, name="A board", number=1, serial=""):
        folder = root / f"{number}-{vendor:x}"
        folder.mkdir()
        for file, text in (
            ("idVendor", f"{vendor:04x}"),
            ("idProduct", f"{product:04x}"),
            ("busnum", "1"),
            ("devnum", "7"),
            ("product", name),
            ("serial", serial),
        ):
            (folder / file).write_text(text + "\n")
        (root / "1-0:1.0").mkdir(exist_ok=True)
        monkeypatch.setattr(usb.UsbDevice, "accessible", accessible)

    return plug


@pytest.fixture
def loader(monkeypatch, tmp_path):
    """iceprog that writes down its arguments and ends as told."""

    def install(code=0):
        seen = tmp_path / "seen"
        monkeypatch.setattr(
            tools,
            "find",
            lambda name: tools.Tool(
                name=name,
                argv=(sys.executable, "-c", _LOADER.format(seen=str(seen), code=code)),
                version="",
                origin="test",
            ),
        )
        return seen

    return install


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "built"
    folder.mkdir()
    (folder / "top.bin").write_bytes(b"bits")
    (folder / "report.json").write_text(json.dumps({"board": "icebreaker", "files": {}}))
    return folder


def run(file, *, board=None, dry_run=False, memory=None, serial=None):
    flash.run(SimpleNamespace(file=file, board=board, dry_run=dry_run, memory=memory, serial=serial))


class TestUsb:
    def test_finds_by_vendor_and_product(self, sysfs):
        sysfs(0x0403, 0x6010, name="Dual RS232")
        (found,) = usb.find(((0x1D50, 1), (0x0403, 0x6010)))
        assert (found.name, str(found.node)) == ("Dual RS232", "/dev/bus/usb/001/007")
        assert usb.find(((0x0403, 0x6015),)) == []

    def test_rule_names_both_ids(self):
        assert (
            usb.udev_rule(((0x0403, 0x6010),))
            == 'SUBSYSTEM=="usb", ATTR{idVendor}=="0403", ATTR{idProduct}=="6010", MODE="0660",'
            ' TAG+="uaccess"'
        )


class TestFlash:
    def test_loads_what_a_build_made(self, sysfs, loader, built):
        sysfs(0x0403, 0x6010)
        seen = loader()
        run(built)
        assert seen.read_text() == str((built / "top.bin").resolve())

    def test_tells_what_the_led_of_a_self_test_says(self, sysfs, loader, built, capsys):
        loader()
        sysfs(0x0403, 0x6010)
        run(built)
        assert "LED" not in capsys.readouterr().out
        report = {"board": "icebreaker", "files": {}, "self_test": {"images": 16}}
        (built / "report.json").write_text(json.dumps(report))
        run(built)
        assert "its LED lights when 16 stored images were right, and blinks" in capsys.readouterr().out

    def test_bitstream_needs_its_board(self, loader, built):
        loader()
        with pytest.raises(BoardError, match="give --board NAME"):
            run(built / "top.bin")

    @pytest.mark.parametrize("board", ["ulx3s_85f", "ulx3s-85f"])
    @pytest.mark.parametrize(("memory", "option"), [(None, ""), ("sram", ""), ("flash", "--write-flash ")])
    def test_arguments_are_the_boards(self, sysfs, loader, built, board, memory, option):
        sysfs(0x0403, 0x6015)
        seen = loader()
        (built / "top.bit").write_bytes(b"bits")
        run(built / "top.bit", board=board, memory=memory)
        assert seen.read_text() == f"--board ulx3s {option}{built / 'top.bit'}"

    def test_bitstream_of_another_family(self, loader, built):
        loader()
        with pytest.raises(BoardError, match=r"\(ecp5-85f\) must be a .bit file, but it is top.bin"):
            run(built / "top.bin", board="ulx3s_85f")
        with pytest.raises(BoardError, match=r"for hx1k, which is on icestick, but .* for up5k \(iceb"):
            run(built, board="icestick")

    def test_board_of_its_vendors_tools(self, built):
        with pytest.raises(BoardError, match="no open tool places and routes for xc7a35t"):
            run(built / "top.bin", board="arty_a7")

    def test_what_no_programmer_can_do(self, loader, built):
        loader()
        with pytest.raises(BoardError, match="able to do --volatile, but none of iceprog, openFPGALoader is"):
            run(built, memory="sram")
        with pytest.raises(BoardError, match="its platform's own programmer loads it, which has no --serial"):
            run(built / "top.bin", board="amaranth_boards.icestick:ICEStickPlatform", serial="A1")

    def test_one_of_several_boards(self, sysfs, loader, built):
        seen = loader()
        sysfs(0x0403, 0x6010, number=1, serial="FT1")
        sysfs(0x0403, 0x6010, number=2, serial="FT2")
        with pytest.raises(BoardError, match="2 USB devices .* give --serial FT1 or --serial FT2"):
            run(built)
        with pytest.raises(BoardError, match="serial number FT3 must be plugged in, but .* have FT1, FT2"):
            run(built, serial="FT3")
        assert not seen.exists()
        run(built, serial="FT2")
        assert seen.read_text() == f"-d s:0x0403:0x6010:FT2 {(built / 'top.bin').resolve()}"

    def test_board_with_an_adapter(self, built, capsys, monkeypatch):
        (built / "report.json").write_text(
            json.dumps({"board": "amaranth_boards.fomu_pvt:FomuPVTPlatform,rx=A1,tx=A2", "files": {}})
        )
        monkeypatch.setenv("PATH", "/nowhere")
        run(built, dry_run=True)
        assert capsys.readouterr().out.startswith(
            f"dfu-util -D {built / 'top.bin'}   # dfu-util is not installed"
        )

    def test_programmer_of_the_platform(self, built, monkeypatch, tmp_path):
        program = tmp_path / "icesprog"
        program.write_text(f'#!/bin/sh\necho loaded; echo "$@" > {tmp_path / "seen"}\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
        (built / "report.json").write_text(
            json.dumps({"board": "amaranth_boards.icesugar:ICESugarPlatform", "files": {}})
        )
        run(built)
        assert (tmp_path / "seen").read_text() == f"{built / 'top.bin'}\n"

    def test_dry_run_needs_nothing(self, monkeypatch, built, capsys):
        def find(name):
            raise ToolError(f"{name} is not installed; try: apt")

        monkeypatch.setattr(tools, "find", find)
        run(built, dry_run=True)
        printed = capsys.readouterr().out
        assert printed.startswith(f"iceprog {built / 'top.bin'}   # ")
        assert "iceprog is not installed; try: apt, or openFPGALoader is not installed" in printed

    def test_dry_run_prints_the_command(self, monkeypatch, built, capsys):
        monkeypatch.setattr(
            tools,
            "find",
            lambda name: tools.Tool(name=name, argv=(f"/opt/{name}",), version="", origin="PATH"),
        )
        run(built, dry_run=True)
        assert capsys.readouterr().out == f"/opt/iceprog {built / 'top.bin'}\n"

    def test_board_that_is_not_plugged_in(self, sysfs, loader, built):
        seen = loader()
        sysfs(0x1234, 0x5678)
        with pytest.raises(
            BoardError, match="icebreaker must be plugged in, but no USB device 0403:6010 .*lsusb"
        ):
            run(built)
        assert not seen.exists()

    def test_board_that_may_not_be_opened(self, sysfs, loader, built):
        loader()
        sysfs(0x0403, 0x6010, accessible=False)
        with pytest.raises(
            BoardError, match=r'may not open /dev/bus/usb/001/007 .*rules\.d.*idVendor}=="0403"'
        ):
            run(built)

    def test_failure_quotes_the_programmer(self, sysfs, loader, built):
        sysfs(0x0403, 0x6010)
        loader(code=2)
        with pytest.raises(ToolError, match="iceprog failed with code 2: loading; check the cable"):
            run(built)

    @pytest.mark.parametrize(
        "file,what", [("nothing.bin", "nothing.bin is not there"), (".", r"must hold top\.bin")]
    )
    def test_no_bitstream(self, tmp_path, file, what):
        with pytest.raises(BoardError, match=what):
            run(tmp_path / file, board="icebreaker")

    def test_board_without_programmer(self, built):
        with pytest.raises(BoardError, match="no programmer is known for it"):
            (built / "top.bit").write_bytes(b"bits")
            run(built / "top.bit", board="amaranth_boards.butterstick:ButterStickPlatform,rx=B10,tx=A9")
