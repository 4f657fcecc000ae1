"""`sbgen.atomic`: a file is replaced as a whole or not at all."""

import os

import pytest

from sbgen import atomic


@pytest.mark.parametrize("content", ["text é\n", b"bytes\r\n", memoryview(b"view")])
def test_write_replaces_the_file(tmp_path, content):
    path = tmp_path / "out.txt"
    path.write_text("old")
    atomic.write(path, content)
    assert path.read_bytes() == (content.encode() if isinstance(content, str) else bytes(content))
    assert os.listdir(tmp_path) == ["out.txt"]


def test_failure_leaves_the_old_file_alone(tmp_path):
    (tmp_path / "out.txt").write_text("old")
    with pytest.raises(RuntimeError), atomic.replaced(tmp_path / "out.txt") as part:
        part.write_text("half")
        raise RuntimeError
    assert (tmp_path / "out.txt").read_text() == "old" and os.listdir(tmp_path) == ["out.txt"]


def test_error_names_the_file_and_not_the_temporary_one(tmp_path):
    with pytest.raises(OSError) as refused:
        atomic.write(tmp_path / "missing" / "out.txt", "text")
    assert refused.value.filename == str(tmp_path / "missing" / "out.txt")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as refused:
        atomic.write(tmp_path / "folder", "text")
    assert (refused.value.filename, refused.value.filename2) == (str(tmp_path / "folder"), None)
    assert os.listdir(tmp_path) == ["folder"]
