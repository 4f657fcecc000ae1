"""`sbgen.parallel`: results in order, and an end to all when one fails."""

import io
import time

import pytest

from sbgen import parallel
from sbgen.console import Console


def console():
    return Console(file=io.StringIO())


def test_results_are_in_the_order_of_the_functions():
    def after(seconds):
        time.sleep(seconds)
        return seconds

    assert parallel.run(console(), [lambda: after(0.05), lambda: after(0.0), lambda: 3]) == [0.05, 0.0, 3]
    assert parallel.both(console(), lambda: "a", lambda: 1) == ("a", 1)


def test_no_more_than_so_many_at_a_time():
    running, most = [], []

    def work():
        running.append(None)
        most.append(len(running))
        time.sleep(0.01)
        running.pop()

    parallel.run(console(), [work] * 6, jobs=2)
    assert max(most) <= 2 and len(most) == 6


@pytest.mark.timeout(60)
def test_the_first_failure_stops_the_others():
    shown, ended, begun = console(), [], []

    def endless():
        with shown.step("endless") as step:
            try:
                while True:
                    step.progress(0, 1)
                    time.sleep(0.001)
            finally:
                ended.append("endless")

    def fails():
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        parallel.run(shown, [endless, fails, lambda: begun.append(1)], jobs=2)
    assert ended == ["endless"]


def test_what_has_not_begun_does_not_begin():
    begun = []

    def fails():
        time.sleep(0.01)
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        parallel.run(console(), [fails, *[lambda: (begun.append(1), time.sleep(0.2))] * 9], jobs=2)
    assert len(begun) < 9
