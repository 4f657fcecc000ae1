"""`sbgen.output_folder`: an output folder is whole, whatever happens to a build."""

import errno
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from sbgen.output_folder import FolderError, staged

NAMES = ("a", "b", "report.json")


def write(folder, content, names=NAMES, **settings):
    with staged(folder, names=NAMES, **settings) as staging:
        for name in names:
            (staging / name).write_text(content)


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != ".sbgen.lock"}


def beside(folder):
    return [path.name for path in folder.parent.iterdir() if path != folder]


def test_new_folder(tmp_path):
    write(tmp_path / "deep" / "out", "new")
    assert contents(tmp_path / "deep" / "out") == dict.fromkeys(NAMES, "new")
    assert beside(tmp_path / "deep" / "out") == []


def test_earlier_outputs_are_replaced_and_what_is_not_written_again_goes(tmp_path):
    write(tmp_path / "out", "old")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    write(tmp_path / "out", "new", names=("a", "report.json"))
    assert contents(tmp_path / "out") == {"a": "new", "report.json": "new", "notes.txt": "mine"}


@pytest.mark.parametrize("error", [RuntimeError("defect"), KeyboardInterrupt()])
def test_failure_in_the_middle_leaves_the_old_outputs(tmp_path, error):
    write(tmp_path / "out", "old")
    with pytest.raises(type(error)), staged(tmp_path / "out", names=NAMES) as staging:
        (staging / "a").write_text("half")
        raise error
    assert contents(tmp_path / "out") == dict.fromkeys(NAMES, "old")
    assert beside(tmp_path / "out") == []


def test_failure_of_a_first_build_leaves_no_folder(tmp_path):
    with pytest.raises(RuntimeError), staged(tmp_path / "out", names=NAMES):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_one_line_and_leaves_the_old_outputs(tmp_path):
    write(tmp_path / "out", "old")
    with (
        pytest.raises(FolderError, match="No space left on device.*make room"),
        staged(tmp_path / "out", names=NAMES) as staging,
    ):
        (staging / "a").write_text("half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(staging / "b"))
    assert contents(tmp_path / "out") == dict.fromkeys(NAMES, "old")
    assert beside(tmp_path / "out") == []


def test_kill_in_the_middle_leaves_the_old_outputs_and_the_next_build_cleans_up(tmp_path):
    write(tmp_path / "out", "old")
    killed = subprocess.run(
        [
            sys.executable,
            "-c",
            textwrap.dedent("""
        import os, signal, sys
        from sbgen.output_folder import staged
        with staged(sys.argv[1], names=("a", "b", "report.json")) as staging:
            (staging / "a").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        """),
            str(tmp_path / "out"),
        ],
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    assert contents(tmp_path / "out") == dict.fromkeys(NAMES, "old")
    assert len(beside(tmp_path / "out")) == 1
    write(tmp_path / "out", "new")
    assert contents(tmp_path / "out") == dict.fromkeys(NAMES, "new")
    assert beside(tmp_path / "out") == []


#: Writes a folder's second contents, and is killed at the file system's n-th event, by a signal.
KILLED = textwrap.dedent("""
    import os, signal, sys
    from sbgen.output_folder import staged
    folder, n, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    # Ctrl-C works also where the tests run in a shell's background, which ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    events = 0
    def count(event, arguments):
        global events
        if event in ("open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.scandir",
                     "os.listdir", "tempfile.mkdtemp"):
            events += 1
            if events == n:
                os.kill(os.getpid(), number)
    sys.addaudithook(count)
    with staged(folder, names=("a", "b", "c", "report.json")) as staging:
        for name in ("a", "c", "report.json"):
            (staging / name).write_text("new")
    """)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_kill_at_any_moment(tmp_path, number):
    names = ("a", "b", "c", "report.json")
    old, new = dict.fromkeys(names[:2] + names[3:], "old"), dict.fromkeys(("a", "c", "report.json"), "new")
    seen = []
    for n in range(1, 100):
        folder = tmp_path / str(n) / "out"
        with staged(folder, names=names) as staging:
            for name in old:
                (staging / name).write_text("old")
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, folder, str(n), str(int(number))],
            check=False,
            stderr=subprocess.DEVNULL,
        )
        found = contents(folder)
        if found not in (old, new):
            # Between the first move and the last, where only what cannot wait ends a build.
            assert (
                number == signal.SIGKILL
                and found["report.json"] == "old"
                and set(found.values()) == {"old", "new"}
            )
        seen.append("old" if found == old else "new" if found == new else "both")
        with staged(folder, names=names) as staging:
            (staging / "report.json").write_text("next")
        assert contents(folder) == {"report.json": "next"} and beside(folder) == []
        if ended.returncode == 0:
            break
    assert ended.returncode == 0 and n > 10
    assert seen == sorted(seen, key=["old", "both", "new"].index), "what is new stays"
    assert seen.count("both") <= len(names)


def test_two_builds_into_one_folder(tmp_path):
    with staged(tmp_path / "out", names=NAMES) as staging:
        with pytest.raises(FolderError, match="in use by another build"):
            write(tmp_path / "out", "second")
        for name in NAMES:
            (staging / name).write_text("first")
    assert contents(tmp_path / "out") == dict.fromkeys(NAMES, "first")


def test_cleaning_up_spares_a_folder_whose_name_continues_ours(tmp_path):
    with staged(tmp_path / "out.v2", names=NAMES) as staging:
        write(tmp_path / "out", "new")
        for name in NAMES:
            (staging / name).write_text("v2")
    assert contents(tmp_path / "out.v2") == dict.fromkeys(NAMES, "v2")


def test_foreign_files_are_refused_unless_forced(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(FolderError, match="--force"):
        write(tmp_path, "new")
    write(tmp_path, "new", force=True)
    assert contents(tmp_path) == dict.fromkeys(NAMES, "new") | {"thesis.tex": "mine"}


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(
        FolderError, match="must be one that can be made and written.*out: File exists; give another --out"
    ):
        write(tmp_path / "out", "new")
    assert (tmp_path / "out").read_text() == "a file"
