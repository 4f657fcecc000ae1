"""A board whose link goes over its own USB, through the pins: a host of the bus enumerates and asks it.

The host (``boards/usb_host.v``) damages and loses packets in both directions, comes late, and begins a second
time after an odd number of packets. It checks each packet of the board: stuffed bits, CRC, toggles, answers.
"""

import numpy as np
import pytest

from sbgen import boards
from sbgen.boards import placed
from sbgen.compiler import reference
from sbgen.compiler.random_network import image_count, random_design, random_images


def ask(name, seed, folder, **settings):
    """Images of a random design through the pins of a board."""
    print(f"seed {seed}")
    board = boards.get(name)
    design = random_design(seed, largest=16)
    images = random_images(seed, design.network, image_count(design, 12))
    answers, _ = placed.ask(design, images, board=board, simulator="verilator", folder=folder, **settings)
    scores, labels = reference.evaluate(design.network, images)
    assert np.array_equal(answers.scores, scores) and np.array_equal(answers.labels, labels)
    assert answers.identity.flow_control


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_each_score_comes_through_a_bad_bus(seed, tmp_path):
    ask("orangecrab_r0_2,usb", seed, tmp_path, level="emitted", faults=True)


@pytest.mark.longest
@pytest.mark.parametrize("name", ["orangecrab_r0_2,usb", "ulx3s_25f,usb", "tinyfpga_bx,usb"])
@pytest.mark.parametrize("level", ["synthesised", "placed"])
def test_netlists_have_the_same_device(name, level, tmp_path):
    ask(name, 2, tmp_path, level=level, faults=True)
