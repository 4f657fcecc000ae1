"""The core in Amaranth's own simulator, as a shipped function: scores, classes, cycles, and what a broken
core is told.
"""

import numpy as np
import pytest

from sbgen.compiler import amaranth_simulator, cycles, reference
from sbgen.compiler.lower import lower
from sbgen.compiler.random_network import random_design, random_images
from sbgen.compiler.simulate import HardwareError
from sbgen.hw.argmax import Argmax


@pytest.mark.parametrize("seed", range(200, 206))
@pytest.mark.parametrize("stall", [None, 1])
def test_scores_classes_and_predicted_cycles(seed, stall):
    print(f"seed {seed}")
    design = random_design(seed, largest=12)
    images = random_images(seed, design.network, 3)
    result = amaranth_simulator.simulate(lower(design), design.network, images, stall=stall)
    scores, labels = reference.evaluate(design.network, images)
    assert np.array_equal(result.scores, scores) and np.array_equal(result.labels, labels)
    finishes = tuple((result.last_scores - result.first_beats[0]).tolist())
    predicted = cycles.predict(design, images=3).finishes
    assert finishes == predicted if stall is None else finishes[-1] >= predicted[-1]
    assert result.simulator.startswith("Amaranth 0.")


def broken(monkeypatch, component, change):
    """Let `component` elaborate with one thing changed by ``change(component, module)``."""
    elaborate = component.elaborate

    def changed(self, platform):
        m = elaborate(self, platform)
        change(self, m)
        return m

    monkeypatch.setattr(component, "elaborate", changed)


def run():
    design = random_design(3, largest=12)
    return amaranth_simulator.simulate(
        lower(design), design.network, random_images(3, design.network, 2), stall=1
    )


def test_a_core_that_hangs(monkeypatch):
    broken(monkeypatch, Argmax, lambda self, m: m.d.comb.__iadd__(self.o.valid.eq(0)))
    with pytest.raises(HardwareError, match="accept and return all of its 2 images.*nothing moved for"):
        run()


def test_a_core_that_changes_what_it_offers(monkeypatch):
    def change(self, m):
        from amaranth.hdl import Signal

        toggle = Signal()
        m.d.sync += toggle.eq(~toggle)
        m.d.comb += self.o.payload.score.eq(toggle)

    broken(monkeypatch, Argmax, change)
    with pytest.raises(HardwareError, match="the stream o withdraw beat"):
        run()


def test_a_core_that_marks_no_last_score(monkeypatch):
    broken(monkeypatch, Argmax, lambda self, m: m.d.comb.__iadd__(self.o.payload.last.eq(0)))
    with pytest.raises(HardwareError, match="must be marked"):
        run()
