import gzip
import json
import os
import random
import shutil
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
    return SimpleNamespace(
        **{"tool": tool, "args": ("-p", "synth"), "reads": ("top.v",), "writes": ("top.json",)} | changes
    )


def test_gives_back_what_was_stored(folder):
    finished = kept.Kept(folder / "kept")
    assert not finished.fetch("ab", folder / "work", ["top.json"])
    finished.store("ab", [folder / "work" / "top.json"])
    before = (folder / "work" / "top.json").read_bytes()
    (folder / "work" / "top.json").unlink()
    assert finished.fetch("ab", folder / "work", ["top.json"])
    assert (folder / "work" / "top.json").read_bytes() == before


def test_key_tells_whatever_the_output_depends_on(folder):
    keys = [
        kept.Kept.key(each, folder / "work") for each in (step(), step(args=("-p",)), step(version="0.71"))
    ]
    (folder / "work" / "top.v").write_text("module  top;")
    keys.append(kept.Kept.key(step(), folder / "work"))
    assert len(set(keys)) == 4
    assert kept.Kept.key(step(version=""), folder / "work") is None


@pytest.mark.parametrize("damage", [b"", b"no gzip", gzip.compress(b"{} but other", mtime=0)])
def test_damaged_entry_is_not_taken_and_is_replaced(folder, damage):
    finished = kept.Kept(folder / "kept")
    finished.store("ab", [folder / "work" / "top.json"])
    (folder / "kept" / "ab" / "top.json").write_bytes(damage)
    assert not finished.fetch("ab", folder / "work", ["top.json"])
    finished.store("ab", [folder / "work" / "top.json"])
    assert finished.fetch("ab", folder / "work", ["top.json"])


def test_least_recently_used_goes_first(folder, monkeypatch):
    finished = kept.Kept(folder / "kept")
    for n, key in enumerate(("old", "older")):
        finished.store(key, [folder / "work" / "top.json"])
        os.utime(folder / "kept" / key, (1e9 - n, 1e9 - n))
    sizes = [sum(file.stat().st_size for file in entry.iterdir()) for entry in (folder / "kept").iterdir()]
    monkeypatch.setattr(kept, "_MAX_BYTES", sum(sizes))
    assert finished.fetch("older", folder / "work", ["top.json"])
    finished.store("new", [folder / "work" / "top.json"])
    assert sorted(entry.name for entry in (folder / "kept").iterdir()) == ["new", "older"]


def test_no_room_costs_only_the_keeping(folder):
    (folder / "kept").write_text("a file, not a folder")
    finished = kept.Kept(folder / "kept")
    finished.store("ab", [folder / "work" / "top.json"])
    assert not finished.fetch("ab", folder / "work", ["top.json"])


def value(random, depth=3):
    """A random JSON value."""
    kind = random.randrange(8 if depth else 6)
    if kind >= 6:
        items = [value(random, depth - 1) for _ in range(random.randrange(3))]
        return (
            items if kind == 6 else {random.choice(["top.json", "top.v", "../x", ""]): item for item in items}
        )
    return [None, True, random.randrange(-9, 9), 0.5, random.choice(["", "top.json", "0" * 64]), "\x00"][kind]


def damages():
    """Ways to damage an entry, of which each takes a random source and the entry."""

    def digests(random, entry):
        (entry / "sha256.json").write_text(json.dumps(value(random)))

    def cut(random, entry):
        path = entry / random.choice(["sha256.json", "top.json"])
        path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])

    def noise(random, entry):
        (entry / random.choice(["sha256.json", "top.json"])).write_bytes(
            random.randbytes(random.randrange(40))
        )

    def nested(random, entry):
        (entry / "sha256.json").write_text("[" * 100_000)

    def folder_for_file(random, entry):
        path = entry / random.choice(["sha256.json", "top.json"])
        path.unlink()
        path.mkdir()

    def file_for_entry(random, entry):
        shutil.rmtree(entry)
        entry.write_bytes(random.randbytes(8))

    return [digests, cut, noise, nested, folder_for_file, file_for_entry]


@pytest.mark.parametrize("content", ["{}", "[]"])
def test_entry_without_files_is_not_taken_and_is_replaced(folder, content):
    finished = kept.Kept(folder / "kept")
    finished.store("ab", [folder / "work" / "top.json"])
    (folder / "kept" / "ab" / "sha256.json").write_text(content)
    assert not finished.fetch("ab", folder / "work", ["top.json"])
    finished.store("ab", [folder / "work" / "top.json"])
    assert finished.fetch("ab", folder / "work", ["top.json"])


@pytest.mark.parametrize("damage", damages(), ids=lambda damage: damage.__name__)
def test_whatever_an_entry_holds_it_is_whole_or_not_taken_and_replaced(folder, damage):
    before = (folder / "work" / "top.json").read_bytes()
    finished = kept.Kept(folder / "kept")
    for seed in range(30):
        print("seed", seed)
        finished.store("ab", [folder / "work" / "top.json"])
        damage(random.Random(seed), folder / "kept" / "ab")
        assert not finished.fetch("ab", folder / "work", ["top.json"])
        assert (folder / "work" / "top.json").read_bytes() == before
        assert not (folder / "x").exists()
        finished.store("ab", [folder / "work" / "top.json"])
        assert finished.fetch("ab", folder / "work", ["top.json"])


def test_strange_file_in_the_folder_does_not_stop_the_pruning(folder, monkeypatch):
    finished = kept.Kept(folder / "kept")
    finished.store("old", [folder / "work" / "top.json"])
    (folder / "kept" / "stray").write_text("x")
    os.utime(folder / "kept" / "old", (1, 1))
    monkeypatch.setattr(kept, "_MAX_BYTES", 200)
    finished.store("new", [folder / "work" / "top.json"])
    assert not (folder / "kept" / "old").exists()
