"""Boards that are plugged in, as `sbgen doctor boards` shows them."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from sbgen import plugged_in
from sbgen.boards import usb
from sbgen.commands import doctor

list_ports = pytest.importorskip("serial.tools.list_ports")


@pytest.fixture
def desk(monkeypatch):
    """Lets devices and ports be there; returns two lists to fill."""
    devices, ports = [], []
    monkeypatch.setattr(usb, "can_probe", lambda: True)
    monkeypatch.setattr(
        usb, "find", lambda ids: [each for each in devices if (each.vendor, each.product) in ids]
    )
    monkeypatch.setattr(list_ports, "comports", lambda: ports)
    return devices, ports


def device(tmp_path, *, product=0x6015, serial="", mode=0o600):
    node = tmp_path / f"node{product:x}{serial}"
    node.touch()
    node.chmod(mode)
    return usb.UsbDevice(vendor=0x0403, product=product, name="A board", node=node, serial=serial)


def test_nothing_is_there(desk):
    assert [(each.outcome, each.text[:8]) for each in plugged_in.findings()] == [("missing", "no board")]


def test_boards_and_ports(desk, tmp_path):
    devices, ports = desk
    devices += [device(tmp_path, serial="D1"), device(tmp_path, serial="D2")]
    ports += [
        SimpleNamespace(device="/dev/other", vid=0x1234, pid=1),
        SimpleNamespace(device=str(tmp_path / "node6015D1"), vid=0x0403, pid=0x6015),
    ]
    first, second, port = plugged_in.findings()
    assert {each.outcome for each in (first, second, port)} == {"PASS"}
    assert first.text == (
        "A board (0403:6015), by its ids ulx3s_12f, ulx3s_25f, ulx3s_45f or ulx3s_85f; --serial D1"
    )
    assert second.text.endswith("--serial D2") and port.text.startswith(
        f"serial port {ports[1].device}, of ulx3s"
    )


@pytest.mark.parametrize("group", ["dialout", None])
def test_permissions_that_are_missing(desk, tmp_path, monkeypatch, group):
    devices, ports = desk
    devices.append(device(tmp_path, product=0x6010))
    ports.append(SimpleNamespace(device=str(devices[0].node), vid=0x0403, pid=0x6010))
    monkeypatch.setattr(os, "access", lambda *_: False)

    def owner(self):
        if group is None:
            raise KeyError("no such group")
        return group

    monkeypatch.setattr(Path, "group", owner)
    first, second = plugged_in.findings()
    assert first.outcome == second.outcome == "FAIL"
    assert "70-sbgen.rules" in first.text and 'ATTR{idProduct}=="6010"' in first.text
    assert "usermod --append --groups dialout $USER" in second.text


@pytest.mark.parametrize(("system", "word"), [("darwin", "/dev/cu.usbserial-"), ("win32", "WinUSB")])
def test_other_systems_are_explained(desk, monkeypatch, system, word):
    monkeypatch.setattr(usb, "can_probe", lambda: False)
    monkeypatch.setattr(sys, "platform", system)
    note, nothing = plugged_in.findings()
    assert word in note.text and nothing.outcome == "missing"


def test_doctor_shows_them(desk, tmp_path, capsys):
    assert doctor.run(SimpleNamespace(features=["boards"], json=False)) == 1  # asked for, and none is there
    assert "missing no board of `sbgen boards`" in capsys.readouterr().out
    desk[0].append(device(tmp_path))
    assert doctor.run(SimpleNamespace(features=["boards"], json=False)) == 0
    assert "PASS    A board (0403:6015)" in capsys.readouterr().out
