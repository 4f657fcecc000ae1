import os
import re
import subprocess
import sys
from pathlib import Path

from sbgen.compiler.frontends import model

PAGE = Path(__file__).parents[1] / "docs" / "training.md"


def test_example_of_the_page_runs(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    shown = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert float(shown) > 0.85
    network = model.load(tmp_path / "net.pt").network
    assert [layer.outputs for layer in network.layers] == [256, 32, 10]
