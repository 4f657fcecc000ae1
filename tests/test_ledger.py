import subprocess
import sys

import pytest

from sbgen import ledger
from sbgen.errors import DataError

WORK = {"samples": "abc", "epochs": 3, "subset": None}


def test_results_are_there_again(tmp_path):
    path = tmp_path / "new" / "results.jsonl"
    with ledger.opened(path, WORK) as results:
        assert len(results) == 0 and results.get("a") is None
        results.record("a", {"is": [1, 2.5, None]})
        results.record("b", {"is": None})
        results.record("a", {"is": 2})
    with ledger.opened(path, WORK) as results:
        assert (
            list(results) == ["a", "b"] and results.get("a") == {"is": 2} and results.get("b") == {"is": None}
        )
    assert [file.name for file in path.parent.iterdir()] == ["results.jsonl"]


def test_a_result_survives_a_kill_at_once(tmp_path):
    code = (
        "import os, pathlib; from sbgen import ledger\n"
        f"with ledger.opened(pathlib.Path({str(tmp_path / 'x')!r}), {WORK!r}) as results:\n"
        "    results.record('a', 1); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 9
    with ledger.opened(tmp_path / "x", WORK) as results:
        assert results.get("a") == 1


def test_an_unfinished_line_is_dropped(tmp_path):
    path = tmp_path / "x"
    with ledger.opened(path, WORK) as results:
        results.record("a", 1)
        results.record("b", 2)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with ledger.opened(path, WORK) as results:
            found = list(results)
            results.record("c", 3)
        assert found == (["a"] if whole[:cut].count(b"\n") > 1 else [])
        with ledger.opened(path, WORK) as results:
            assert list(results) == [*found, "c"]


def test_other_work_is_refused_by_name(tmp_path):
    with ledger.opened(tmp_path / "x", WORK):
        pass
    with (
        pytest.raises(DataError, match="has other epochs, budget; give another --out"),
        ledger.opened(tmp_path / "x", {**WORK, "epochs": 4, "budget": "lut=3"}),
    ):
        pass
    with ledger.opened(tmp_path / "x", WORK):
        pass


@pytest.mark.parametrize("content", [b"\n", b"{}\n", b"[]\n", b"\x80\x81\n", b'{"work": 1}\n{"key": 1}\n'])
def test_another_file_is_refused_and_kept(tmp_path, content):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DataError, match="damaged or another file"), ledger.opened(tmp_path / "x", WORK):
        pass
    assert (tmp_path / "x").read_bytes() == content


def test_one_process_at_a_time(tmp_path):
    with (
        ledger.opened(tmp_path / "x", WORK),
        pytest.raises(DataError, match="another one has it"),
        ledger.opened(tmp_path / "x", WORK),
    ):
        pass


def test_a_folder_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="give another --out"), ledger.opened(tmp_path / "file" / "x", WORK):
        pass
