"""`sbgen.verdict`: equality that is really looked at."""

from types import SimpleNamespace

import numpy as np
import pytest

from sbgen.verdict import MismatchError, compare

SCORES = np.array([[3, 5, 5], [9, 0, 1]])
CLASSES = np.array([1, 0])


def simulation(**changes):
    return SimpleNamespace(
        **{
            "scores": SCORES.copy(),
            "ranked": CLASSES[:, None].copy(),
            "labels": CLASSES.copy(),
            "simulator": "a simulator",
            "latency_cycles": 9,
            "interval_cycles": 4,
        }
        | changes
    )


def test_equal():
    verdict = compare(simulation(), SCORES, CLASSES)
    assert (verdict.images, verdict.scores, verdict.simulator) == (2, 6, "a simulator")
    assert (verdict.latency_cycles, verdict.cycles_per_image) == (9, 4)


def test_one_image_has_no_interval():
    verdict = compare(
        simulation(scores=SCORES[:1], ranked=CLASSES[:1, None], labels=CLASSES[:1]), SCORES[:1], CLASSES[:1]
    )
    assert verdict.cycles_per_image is None


@pytest.mark.parametrize(("off", "found"), [(1, 2), (-1, 0)])
def test_one_score_off_by_one_names_image_class_and_both_values(off, found):
    wrong = SCORES.copy()
    wrong[1, 2] += off
    with pytest.raises(
        MismatchError, match=f"image 1, output 2 has {found} instead of 1 .1 of 6 scores differ"
    ):
        compare(simulation(scores=wrong), SCORES, CLASSES)


def test_scores_equal_but_the_class_is_the_second_maximum():
    with pytest.raises(MismatchError, match="image 0 has 2 instead of 1 although its scores are equal"):
        compare(simulation(ranked=np.array([[2], [0]])), SCORES, CLASSES)


def test_the_best_is_right_but_not_what_is_behind_it():
    compare(simulation(ranked=np.array([[1, 2], [0, 2]])), SCORES, CLASSES)
    with pytest.raises(MismatchError, match="image 1 has 0, 1 instead of 0, 2 although its scores are equal"):
        compare(simulation(ranked=np.array([[1, 2], [0, 1]])), SCORES, CLASSES)
