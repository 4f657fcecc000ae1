"""`sbgen play` in a browser: drawn on, answered by the reference and by the emulated board."""

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
from browser import opened, until

from sbgen import tools
from sbgen.cli import main
from sbgen.compiler import exchange, reference
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.errors import ToolError

pytest.importorskip("uvicorn", reason="uvicorn is not installed; try: pip install 'sbgen[play]'")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A network and the folder of its build."""
    try:
        for name in "verilator", "yosys":
            tools.find(name)
    except ToolError as error:
        pytest.skip(str(error))
    folder, rng = tmp_path_factory.mktemp("play"), np.random.default_rng(0)
    network = Network(
        name="small",
        image_shape=(8, 8),
        labels=tuple("abcd"),
        layers=(
            Binarize(name="pixels", thresholds=rng.integers(1, 256, (64, 1))),
            Dense(name="hidden", weights=rng.integers(0, 2, (24, 64)), thresholds=rng.integers(26, 38, 24)),
            Scores(name="scores", weights=rng.integers(0, 2, (4, 24)), offsets=rng.integers(-9, 9, 4)),
        ),
    )
    exchange.save(network, folder / "net.json")
    options = ["--board", "icebreaker", "--no-bitstream", "--no-sim", "--out", str(folder / "build")]
    assert main(["build", "--model", str(folder / "net.json"), *options]) == 0
    return network, folder / "build"


@contextmanager
def played(folder, *options):
    """The address of the page while it is served."""
    command = [sys.executable, "-m", "sbgen", "play", str(folder), "--no-browser", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            lines = []
            while not (lines and lines[-1].startswith("page ")):
                lines.append(process.stdout.readline())
                assert lines[-1], lines
            yield lines[-1].split()[1]
        finally:
            process.terminate()
            process.wait()


def test_reference_and_emulated_board_answer(built):
    network, folder = built
    with played(folder, "--emulate") as address, opened() as page:
        page.goto(address)
        paper = page.locator(".paper")
        for by in ("the emulated board", "the reference"):
            page.locator("#by").select_option(label=by)
            for end in (0.2, 0.7):
                paper.drag_to(
                    paper, source_position={"x": 60, "y": 60}, target_position={"x": 250, "y": 300 * end}
                )
                until(page, "started.idle()")
                asked, scores, layers = page.evaluate(
                    """(({ pixels, answer }) => [Array.from(pixels), answer.scores,
                       answer.layers.map(({ data }) => Array.from(data))])(started.last())"""
                )
                pixels = np.array(asked, np.uint8)
                assert pixels.any()
                outputs = reference.run(network, pixels[None])
                assert scores == outputs[-1][0].tolist()
                assert layers == [output[0].reshape(-1).tolist() for output in outputs]
                shown = page.locator(".by").inner_text()
                assert shown.startswith(f"{by}, ") and shown.endswith("every score is the reference's")
                assert page.locator(".said b").inner_text() == network.labels[int(np.argmax(scores))]
        page.get_by_role("button", name="Measure the rate").click()
        until(page, "document.querySelector('#rate').textContent.endsWith('images per second')")
        page.get_by_role("button", name="Measure the rate").click()


def test_an_address_without_its_token_is_refused(built):
    _, folder = built
    with played(folder) as address, opened() as page:
        response = page.goto(address.partition("?")[0])
        assert response.status == 403 and page.locator(".pad").count() == 0
