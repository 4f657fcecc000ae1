"""`sbgen.system`: what the system refuses is one line that names the place, whatever the command."""

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from sbgen import cli, errors, output_folder, system, tools

MODEL = Path(__file__).parents[1] / "models" / "digits.pt"


def full(monkeypatch, *folders):
    """Let the file systems of these folders be full, and no other."""

    def statvfs(path):
        room = 0 if str(path).startswith(tuple(map(str, folders))) else 1 << 40
        return SimpleNamespace(f_bavail=room // 4096, f_frsize=4096, f_files=10, f_favail=5)

    monkeypatch.setattr(os, "statvfs", statvfs)


def no_room(number=errno.ENOSPC):
    """What writing to an open file raises: an error without a name."""
    return OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", sorted(system._ENVIRONMENT))
def test_what_the_system_refuses_is_one_line(number, tmp_path):
    told = system.of_system(OSError(number, os.strerror(number), str(tmp_path / "a file")))
    assert isinstance(told, errors.SbgenError)
    assert (
        str(tmp_path / "a file") in str(told) and os.strerror(number) in str(told) and "\n" not in str(told)
    )


@pytest.mark.parametrize(
    "path", [system.__file__, os.path.join(tempfile.gettempdir(), "sbgen-x", "core.v"), None]
)
def test_file_of_our_own_that_is_missing_is_a_defect(path):
    assert system.of_system(FileNotFoundError(errno.ENOENT, "No such file or directory", path)) is None
    assert (
        system.of_system(FileNotFoundError(errno.ENOENT, "No such file or directory", "/elsewhere/x"))
        is not None
    )
    assert system.of_system(OSError("no number")) is None


def test_full_disk_is_the_one_that_is_full(monkeypatch, tmp_path):
    here, other = tmp_path / "here", tmp_path / "other"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    full(monkeypatch, tmp_path / "temporary")
    error = no_room()
    system.blame(error, here, other)
    assert error.filename == str(tmp_path / "temporary")
    full(monkeypatch, other, tmp_path / "temporary")
    error = no_room(errno.EDQUOT)
    system.blame(error, here, other)
    assert error.filename == str(other)
    system.blame(error, tmp_path / "temporary")
    assert error.filename == str(other)
    error = no_room(errno.EACCES)
    system.blame(error, other)
    assert error.filename is None


def test_full_folder_of_temporary_files_is_blamed_and_not_the_output_folder(monkeypatch, tmp_path):
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    full(monkeypatch, tmp_path / "temporary")
    with (
        pytest.raises(
            output_folder.FolderError,
            match=f"cannot write {tmp_path}/temporary/sbgen-.*: No space left.*set TMPDIR to another folder",
        ),
        output_folder.staged(tmp_path / "out", names=("report.json",)),
        tools.temporary(),
    ):
        raise no_room()


def test_full_output_folder_is_blamed(monkeypatch, tmp_path):
    full(monkeypatch, tmp_path / ".out")
    with (
        pytest.raises(
            output_folder.FolderError,
            match=rf"cannot write {tmp_path}/\.out\..*: No space left.*give another --out",
        ),
        output_folder.staged(tmp_path / "out", names=("report.json",)),
        tools.temporary(),
    ):
        raise no_room()


#: Paths at which nothing can be written, by anybody; FILE is a file, LOOP a link to itself.
NOWHERE = ["/proc/none/x", "FILE/x", "FILE/x/y", "LOOP/x", "/dev/null/x", "n" * 300 + "/x", "/proc/x"]


@pytest.fixture
def nowhere(tmp_path):
    (tmp_path / "FILE").write_text("")
    (tmp_path / "LOOP").symlink_to("LOOP")
    return tmp_path


@pytest.mark.parametrize("path", NOWHERE, ids=lambda path: path[:12])
@pytest.mark.parametrize(
    "command",
    [
        ["build", "--model", str(MODEL), "--board", "icebreaker", "--no-sim", "--no-bitstream", "--out"],
        ["export", "--model", str(MODEL), "--out"],
        ["train", "--preset", "digits", "--epochs", "1", "--deform", "1", "--out"],
    ],
    ids=lambda command: command[0],
)
def test_output_that_cannot_be_written_is_one_line(nowhere, monkeypatch, capsys, command, path):
    if command[0] in ("build", "export", "train"):
        pytest.importorskip("torch")
    path += ".json" if command[0] == "export" else ""
    monkeypatch.chdir(nowhere)
    assert cli.main([*command, path]) == 1
    told = capsys.readouterr().err
    assert told.startswith("error: ") and told.count("\n") == 1, told


@pytest.mark.parametrize(
    "command",
    [
        ["estimate", "--model", str(MODEL), "--board", "icebreaker"],
        ["boards"],
        ["version"],
        ["build", "--model", str(MODEL), "--board", "icebreaker", "--no-sim", "--no-bitstream"],
    ],
    ids=lambda command: command[0],
)
def test_removed_current_folder_is_one_line(tmp_path, command):
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        f"cd {tmp_path}/gone && rmdir {tmp_path}/gone && exec {sys.executable} -m sbgen {' '.join(command)}",
        shell=True,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(MODEL.parents[1])},
    )
    assert (done.returncode, done.stderr) == (
        1,
        "error: the current folder must be there, but it was removed; change into another one\n",
    )


def failing(text):
    return tools.Tool(name="vvp", argv=(sys.executable, "-c", text), version="", origin="test")


def test_tool_that_fails_on_a_full_disk_says_so_whatever_its_own_words(monkeypatch, tmp_path):
    def run():
        tools.run(failing("raise SystemExit('line 9: syntax error')"), [], cwd=tmp_path, log=tmp_path / "log")

    with pytest.raises(errors.ToolError, match="vvp failed with code 1: line 9: syntax error; the whole log"):
        run()
    full(monkeypatch, tmp_path)
    with pytest.raises(
        errors.ToolError,
        match=f"line 9: syntax error; there is no room left in {tmp_path}, make some; the whole log",
    ):
        run()


def test_log_that_goes_with_its_folder_is_not_named(tmp_path):
    with pytest.raises(errors.ToolError) as caught, tools.temporary(parent=tmp_path) as work:
        tools.run(failing("raise SystemExit('syntax error')"), [], cwd=work, log=work / "log")
    assert str(caught.value) == caught.value.what == "vvp failed with code 1: syntax error"
    with (
        pytest.raises(errors.ToolError, match="the whole log is .*log"),
        tools.temporary(parent=tmp_path) as work,
    ):
        tools.run(failing("raise SystemExit('syntax error')"), [], cwd=work, log=tmp_path / "log")
