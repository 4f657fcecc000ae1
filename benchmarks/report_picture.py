"""The picture of README and docs: the report of a build of digits, with a 3 drawn on its pad.

    python benchmarks/report_picture.py build/digits

The folder is that of `make demo`. Writes docs/report.png.
"""

import argparse
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "sim"))

from browser import opened
from handwriting import drawing
from test_pad import draw, settled

#: Down to the end of the pad, so that text is still read where the picture is small.
SIZE = {"width": 1140, "height": 985}

DIGIT, HAND = 3, 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    with opened(viewport=SIZE, device_scale_factor=1.5) as page:
        page.goto((folder / "report.html").resolve().as_uri())
        draw(page, drawing(DIGIT, HAND))
        settled(page)
        labels = json.loads((folder / "report.json").read_text())["network"]["labels"]
        found = page.locator(".said b").inner_text()
        assert found == labels[DIGIT], f"the drawn {DIGIT} must be found, but it is taken for {found}"
        page.evaluate("scrollTo(0, 0)")
        page.screenshot(path=ROOT / "docs" / "report.png")


if __name__ == "__main__":
    main()
