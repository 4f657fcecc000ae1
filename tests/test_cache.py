"""`sbgen.cache`: an entry is whole or absent, and the cache is in a folder of the user's own."""

import gzip
import json
import os
import random
import shutil
import tempfile
from pathlib import Path

import pytest

from sbgen import cache
from sbgen.cache import Cache

FILES = {"top.json": b"{}" * 1000}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache"


def test_returns_what_was_stored(path):
    entries = Cache(path)
    assert entries.fetch("ab", FILES) is None
    entries.store("ab", FILES | {"top.v": b""})
    assert entries.fetch("ab", ["top.json", "top.v"]) == FILES | {"top.v": b""}
    assert entries.fetch("ab", FILES) is None and entries.fetch("cd", FILES) is None


@pytest.mark.parametrize("damage", [b"", b"no gzip", gzip.compress(b"{} but other", mtime=0)])
def test_damaged_entry_is_ignored_and_replaced(path, damage):
    entries = Cache(path)
    entries.store("ab", FILES)
    (path / "ab" / "top.json").write_bytes(damage)
    assert entries.fetch("ab", FILES) is None
    entries.store("ab", FILES)
    assert entries.fetch("ab", FILES) == FILES


def test_least_recently_used_entry_is_removed_first(path, monkeypatch):
    entries = Cache(path)
    for n, key in enumerate(("old", "older")):
        entries.store(key, FILES)
        os.utime(path / key, (1e9 - n, 1e9 - n))
    sizes = [sum(file.stat().st_size for file in entry.iterdir()) for entry in path.iterdir()]
    monkeypatch.setattr(cache, "_MAX_BYTES", sum(sizes))
    assert entries.fetch("older", FILES)
    entries.store("new", FILES)
    assert sorted(entry.name for entry in path.iterdir()) == ["new", "older"]


def test_no_room_costs_only_the_entry(path):
    path.write_text("a file, not a folder")
    entries = Cache(path)
    entries.store("ab", FILES)
    assert entries.fetch("ab", FILES) is None


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
        file = entry / random.choice(["sha256.json", "top.json"])
        file.write_bytes(file.read_bytes()[: random.randrange(file.stat().st_size)])

    def noise(random, entry):
        (entry / random.choice(["sha256.json", "top.json"])).write_bytes(
            random.randbytes(random.randrange(40))
        )

    def nested(random, entry):
        (entry / "sha256.json").write_text("[" * 100_000)

    def folder_for_file(random, entry):
        file = entry / random.choice(["sha256.json", "top.json"])
        file.unlink()
        file.mkdir()

    def file_for_entry(random, entry):
        shutil.rmtree(entry)
        entry.write_bytes(random.randbytes(8))

    return [digests, cut, noise, nested, folder_for_file, file_for_entry]


@pytest.mark.parametrize("content", ["{}", "[]"])
def test_entry_without_files_is_ignored_and_replaced(path, content):
    entries = Cache(path)
    entries.store("ab", FILES)
    (path / "ab" / "sha256.json").write_text(content)
    assert entries.fetch("ab", FILES) is None
    entries.store("ab", FILES)
    assert entries.fetch("ab", FILES) == FILES


@pytest.mark.parametrize("damage", damages(), ids=lambda damage: damage.__name__)
def test_whatever_an_entry_holds_it_is_whole_or_ignored_and_replaced(path, damage):
    entries = Cache(path)
    for seed in range(30):
        print("seed", seed)
        entries.store("ab", FILES)
        damage(random.Random(seed), path / "ab")
        assert entries.fetch("ab", FILES) is None
        entries.store("ab", FILES)
        assert entries.fetch("ab", FILES) == FILES


def test_strange_file_in_the_folder_does_not_stop_the_pruning(path, monkeypatch):
    entries = Cache(path)
    entries.store("old", FILES)
    (path / "stray").write_text("x")
    os.utime(path / "old", (1, 1))
    monkeypatch.setattr(cache, "_MAX_BYTES", 200)
    entries.store("new", FILES)
    assert not (path / "old").exists()


class TestFolder:
    @pytest.fixture
    def homeless(self, monkeypatch, tmp_path):
        """A user without HOME and without an entry in the user database; returns the folder of temporary
        files.
        """

        def nobody(uid):
            raise KeyError(f"getpwuid(): uid not found: {uid}")

        monkeypatch.delenv("HOME", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr("pwd.getpwuid", nobody)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        cache._own_temporary.cache_clear()
        yield tmp_path
        cache._own_temporary.cache_clear()

    def test_is_where_the_user_says(self, monkeypatch):
        monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
        assert cache.folder("steps") == Path("/somewhere/sbgen/steps")
        monkeypatch.setenv("HOME", "/users/me")
        for ignored in ("", "relative"):
            monkeypatch.setenv("XDG_CACHE_HOME", ignored)
            assert cache.folder("steps") == Path("/users/me/.cache/sbgen/steps")

    def test_without_a_home_is_the_users_own_temporary_folder(self, homeless):
        folder = cache.folder("steps")
        assert folder == homeless / f"sbgen-cache-{os.getuid()}" / "sbgen" / "steps"
        assert folder.parents[1].stat().st_mode & 0o077 == 0

    @pytest.mark.parametrize(
        "trap",
        [
            lambda path: path.mkdir(mode=0o777),
            lambda path: path.write_text(""),
            lambda path: path.symlink_to(path.parent),
            lambda path: path.symlink_to("/nowhere"),
        ],
    )
    def test_without_a_home_is_never_a_folder_that_others_can_write(self, homeless, trap):
        taken = homeless / f"sbgen-cache-{os.getuid()}"
        trap(taken)
        if taken.is_dir() and not taken.is_symlink():
            taken.chmod(0o777)
        folder = cache.folder("steps").parents[1]
        assert folder != taken and folder.stat().st_mode & 0o077 == 0
        assert cache.folder("steps").parents[1] == folder
