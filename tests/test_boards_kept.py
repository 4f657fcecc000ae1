import gzip
import os
from types import SimpleNamespace

import pytest

from sbgen.boards import kept


@pytest.fixture
def folder(tmp_path):
    """A place for entries, and a file to keep."""
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "top.v").write_text("module top;")
    (tmp_path / "work" / "top.json").write_text("{}" * 1000)
    return tmp_path


def step(**changes):
    tool = SimpleNamespace(name="yosys", version=changes.pop("version", "0.70"), origin="PATH")
    return SimpleNamespace(**{"tool": tool, "args": ("-p", "synth"), "reads": ("top.v",), "writes": ("top.json",)} | changes)


def test_gives_back_what_was_stored(folder):
    finished = kept.Kept(folder / "kept")
    assert not finished.fetch("ab", folder / "work")
    finished.store("ab", [folder / "work" / "top.json"])
    before = (folder / "work" / "top.json").read_bytes()
    (folder / "work" / "top.json").unlink()
    assert finished.fetch("ab", folder / "work")
    assert (folder / "work" / "top.json").read_bytes() == before


def test_key_tells_whatever_the_output_depends_on(folder):
    keys = [kept.Kept.key(each, folder / "work") for each in (step(), step(args=("-p",)), step(version="0.71"))]
    (folder / "work" / "top.v").write_text("module  top;")
    keys.append(kept.Kept.key(step(), folder / "work"))
    assert len(set(keys)) == 4
    assert kept.Kept.key(step(version=""), folder / "work") is None


@pytest.mark.parametrize("damage", [b"", b"no gzip", gzip.compress(b"{} but other", mtime=0)])
def test_damaged_entry_is_not_taken_and_is_replaced(folder, damage):
    finished = kept.Kept(folder / "kept")
    finished.store("ab", [folder / "work" / "top.json"])
    (folder / "kept" / "ab" / "top.json").write_bytes(damage)
    assert not finished.fetch("ab", folder / "work")
    finished.store("ab", [folder / "work" / "top.json"])
    assert finished.fetch("ab", folder / "work")


def test_least_recently_used_goes_first(folder, monkeypatch):
    finished = kept.Kept(folder / "kept")
    for n, key in enumerate(("old", "older")):
        finished.store(key, [folder / "work" / "top.json"])
        os.utime(folder / "kept" / key, (1e9 - n, 1e9 - n))
    sizes = [sum(file.stat().st_size for file in entry.iterdir()) for entry in (folder / "kept").iterdir()]
    monkeypatch.setattr(kept, "_MAX_BYTES", sum(sizes))
    assert finished.fetch("older", folder / "work")
    finished.store("new", [folder / "work" / "top.json"])
    assert sorted(entry.name for entry in (folder / "kept").iterdir()) == ["new", "older"]


def test_no_room_costs_only_the_keeping(folder):
    (folder / "kept").write_text("a file, not a folder")
    finished = kept.Kept(folder / "kept")
    finished.store("ab", [folder / "work" / "top.json"])
    assert not finished.fetch("ab", folder / "work")
