"""When beats cross the streams of a core, as equations.

A beat of a stream is *offered* from some cycle on, its taker is *ready* for it from some cycle on, and it is
*taken* in the first cycle that both allow and that is after the beat before it: ``takes[k] = max(offers[k],
ready[k], takes[k - 1] + 1)``. From when beats are taken on both of its sides, a part determines when it
offers those that it outputs and when it is ready for those that it takes (`sbgen.compiler.handshakes`). Both
depend on the past only, so the equations of all parts have one solution, which `settle` finds.

Times are arrays by beat, and beats come in rounds: an image, or where layers take batches, a batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

__all__ = ["NEVER", "Handshake", "Stream", "in_turn", "settle"]

#: Earlier than all cycles: when a beat is taken that does not exist.
NEVER = -(1 << 40)


def _at(times: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Some of the times; `NEVER` where the index is negative."""
    if not len(times):
        return np.full(len(index), NEVER)
    return np.where(index >= 0, times[np.maximum(index, 0)], NEVER)


def in_turn(earliest: np.ndarray) -> np.ndarray:
    """When each of some beats is taken that can be from a cycle on, one per cycle and in order."""
    at = np.arange(len(earliest))
    return np.maximum.accumulate(earliest - at) + at


class Stream:
    """The beats between two parts. Where an index is an argument, it counts from the first beat of the round.

    Attributes
    ----------
    giver, taker : Handshake or None
        The parts on both sides; None at the ends of the core.
    start : int
        The first beat of the round.
    back : int
        How many beats before the round were asked for at most.
    """

    def __init__(self) -> None:
        self._offers, self._ready, self._takes = (np.zeros(0, np.int64) for _ in range(3))
        self.giver: Handshake | None = None
        self.taker: Handshake | None = None
        self.start, self.back = 0, 1

    def begin(self, beats: int) -> None:
        """A further round of so many beats. Its times are only known to be no earlier than these."""
        self.start = len(self._takes)
        self._resize(self.start + beats)
        self._takes[self.start :] = self._solution()

    def drop(self) -> None:
        """Leave the round out again."""
        self._resize(self.start)

    def _resize(self, beats: int) -> None:
        rest = np.zeros(max(0, beats - len(self._takes)), np.int64)
        self._offers, self._ready, self._takes = (
            np.concatenate([times[:beats], rest]) for times in (self._offers, self._ready, self._takes)
        )

    @property
    def beats(self) -> int:
        """Those of the round."""
        return len(self._takes) - self.start

    @property
    def takes(self) -> np.ndarray:
        """When each beat of the round is taken."""
        return self._takes[self.start :]

    @property
    def ready(self) -> np.ndarray:
        """From when on the taker is ready for each beat of the round."""
        return self._ready[self.start :]

    @property
    def offers(self) -> np.ndarray:
        """From when on each beat of the round is offered."""
        return self.offered(np.arange(self.beats))

    def taken(self, index: np.ndarray) -> np.ndarray:
        """When these beats are taken."""
        self._look_back(index)
        return _at(self._takes, index + self.start)

    def offered(self, index: np.ndarray) -> np.ndarray:
        """From when on these beats are offered: the one before it is taken then."""
        self._look_back(index)
        return self._offered(index + self.start)

    def _offered(self, index: np.ndarray) -> np.ndarray:
        return np.maximum(_at(self._offers, index), _at(self._takes, index - 1) + 1)

    def _look_back(self, index: np.ndarray) -> None:
        self.back = max(self.back, -int(index.min(initial=0)) + 1)

    def offer(self, times: np.ndarray) -> None:
        """Set from when on the giver of the beats of the round offers them."""
        if self._set(self._offers, times):
            _wake(self.taker)
            if self._settle():
                _wake(self.giver)

    def be_ready(self, times: np.ndarray) -> None:
        """Set from when on the taker is ready for the beats of the round."""
        if self._set(self._ready, times):
            _wake(self.giver)
            if self._settle():
                _wake(self.taker)

    def _set(self, known: np.ndarray, times: np.ndarray) -> bool:
        if np.array_equal(known[self.start :], times):
            return False
        known[self.start :] = times
        return True

    def _settle(self) -> bool:
        return self._set(self._takes, self._solution())

    def _solution(self) -> np.ndarray:
        found = np.maximum(self._offers[self.start :], self._ready[self.start :])
        if self.start and len(found):
            found[0] = max(found[0], self._takes[self.start - 1] + 1)
        return in_turn(found)

    def repeats(self, period: int) -> bool:
        """Whether the round is the one before it, `period` cycles later."""
        now = np.arange(self.start, len(self._takes))
        before = now - self.beats
        return (
            self.start >= self.beats
            and np.array_equal(self._takes[now], self._takes[before] + period)
            and np.array_equal(self._offered(now), self._offered(before) + period)
        )


class Handshake(ABC):
    """A part with a stream on each side.

    Attributes
    ----------
    i, o : Stream
    stale : bool
        Whether times changed that it depends on.
    """

    i: Stream
    o: Stream
    stale = True

    def connect(self, i: Stream) -> Stream:
        """Take the beats of a stream; the stream of those that it outputs."""
        self.i, self.o = i, Stream()
        i.taker = self.o.giver = self
        return self.o

    def o_beats(self, i_beats: int) -> int:
        """Beats that it outputs, where another model of the same part follows."""
        raise NotImplementedError

    @abstractmethod
    def times(self) -> tuple[np.ndarray, np.ndarray]:
        """From when on it is ready for each beat of the round, and offers each beat."""

    def update(self) -> None:
        """Set the times that it determines."""
        ready, offers = self.times()
        self.i.be_ready(ready)
        self.o.offer(offers)


def _wake(part: Handshake | None) -> None:
    if part is not None:
        part.stale = True


def settle(parts: Sequence[Handshake], *, latest: float) -> bool:
    """Solve the equations of all parts for the round; False if they have no solution up to cycle `latest`.

    All times begin with the earliest possible and only become later. Parts are visited in the order of the
    streams and back, as times depend on those before and, where beats wait, after. The earliest beat that is
    not right yet becomes so in each turn, so there are at most as many turns as beats.
    """
    order, turns = list(parts), sum(part.i.beats for part in parts)
    while any(part.stale for part in parts):
        turns -= 1
        for part in order:
            while part.stale:
                part.stale = False
                part.update()
                if turns < 0 or part.i.takes[-1] > latest:
                    return False
        order.reverse()
    return True
