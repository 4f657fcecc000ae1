import os
import re
import subprocess
import sys
from pathlib import Path

from sbgen.compiler.frontends import model

PAGE = Path(__file__).parents[1] / "docs" / "training.md"


def run(program, tmp_path):
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_examples_of_the_page_run(tmp_path):
    estimator, program = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert float(run(estimator, tmp_path)) > 0.9
    network = model.load(tmp_path / "net.pt").network
    assert [layer.outputs for layer in network.layers] == [32, 128, 64, 3]
    shown = run(program, tmp_path)
    assert float(shown) > 0.85
    network = model.load(tmp_path / "net.pt").network
    assert [layer.outputs for layer in network.layers] == [256, 32, 10]
