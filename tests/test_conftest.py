"""What is skipped for want of a tool: skipped for a user, a failure where all tools must be there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

MARKED = "import pytest\n@pytest.mark.skipif(True, reason={reason!r})\ndef test_it(): pass\n"
CALLED = "import pytest\ndef test_it(): pytest.skip({reason!r})\n"
MODULE = "import pytest\npytest.skip({reason!r}, allow_module_level=True)\n"


@pytest.mark.parametrize("text", [MARKED, CALLED, MODULE], ids=["marked", "called", "module"])
@pytest.mark.parametrize(
    ("reason", "required", "code"),
    [
        ("iverilog is not installed; try: apt install iverilog", "1", {1, 2}),
        ("iverilog is not installed; try: apt install iverilog", "", {0, 5}),
        ("QONNX files need onnx; pip install 'sbgen[qonnx]'", "1", {1, 2}),
        ("mnist is not here: give its folder", "1", {0, 5}),
    ],
)
def test_skip_for_want_of_a_tool(tmp_path, text, reason, required, code):
    (tmp_path / "test_it.py").write_text(text.format(reason=reason))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "conftest",
            "-p",
            "no:cacheprovider",
            "--rootdir",
            tmp_path,
            "-c",
            os.devnull,
            tmp_path,
        ],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "SBGEN_ALL_TOOLS": required, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode in code, done.stdout
    if code == {1, 2}:
        assert "every tool must be there where SBGEN_ALL_TOOLS is 1" in done.stdout and reason in done.stdout
