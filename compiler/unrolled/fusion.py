"""Fewer tables that compute the same."""

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from .contents import composed, reduced, variables
from .tables import Table

__all__ = ["merged", "pruned"]


@lru_cache(maxsize=1 << 16)  # tables of all neurons are much alike
def _fused(
    contents: int, ins: tuple[int | None, ...], inner: int, inner_ins: tuple[int, ...], count: int
) -> tuple[int, tuple[int, ...]]:
    """The contents of a table that takes in another one, `inner`, and which of its `count` inputs it needs.

    Inputs are numbered from 1; 0 is a zero, and None the output of the other table.
    """
    known: dict[int | None, int] = dict(enumerate((0, *variables(count))))
    known[None] = composed(inner, [known[n] for n in inner_ins], count=count)
    return reduced(composed(contents, [known[n] for n in ins], count=count), count=count)


def merged(
    first: int, tables: Sequence[Table], outputs: Sequence[Sequence[int]], size: int = 4
) -> tuple[list[Table], list[list[int]]]:
    """As many tables or fewer: one takes the inputs of another instead of its output, if nothing else reads
    that output, or if its own bit then comes sooner.
    """
    readers = Counter(place for _, ins in tables for place in ins) + Counter(
        literal >> 1 for bits in outputs for literal in bits
    )
    depths, moved = [0] * first, list(range(first))
    made: list[Table] = []
    places: dict[Table, int] = {}

    def depth(ins: Iterable[int]) -> int:
        return max((depths[place] for place in ins), default=0)

    def put(contents: int, ins: tuple[int, ...], at: int | None = None) -> Table | None:
        """A table that takes the inputs of its input number `at` instead of that, or None if those are too
        many.
        """
        inner, inner_ins = (0, ()) if at is None else made[ins[at] - first]
        given = sorted({*ins, *inner_ins} - {0, *(() if at is None else ins[at : at + 1])})
        if len(given) > size:
            return None

        number = {0: 0, **{place: n for n, place in enumerate(given, start=1)}}
        contents, used = _fused(
            contents,
            tuple(number.get(place) for place in ins),
            inner,
            tuple(number[place] for place in inner_ins),
            len(given),
        )
        return contents, tuple(given[n] for n in used)

    for contents, ins in tables:
        alone = {moved[each] for each in ins if each >= first and readers[each] == 1}
        own = put(contents, tuple(moved[each] for each in ins))
        assert own is not None  # no table has more than `size` inputs
        best = own
        now: Table | None = own
        while now is not None and len(now[1]) > 1:
            # What nothing else reads first, then what comes last.
            read = now[1]
            at = max(range(len(read)), key=lambda n: (read[n] in alone, depths[read[n]]))
            saves = read[at] in alone
            now = put(*now, at) if read[at] >= first else None
            if now is not None and (saves or depth(now[1]) < depth(best[1])):
                best = now
        if len(best[1]) < 2:  # 0, or a bit that is there
            places[best] = (0, *best[1])[-1]
        elif best not in places:
            places[best] = first + len(made)
            made.append(best)
            depths.append(1 + depth(best[1]))
        moved.append(places[best])
    return made, [[2 * moved[literal >> 1] + (literal & 1) for literal in bits] for bits in outputs]


def pruned(
    first: int, tables: Sequence[Table], outputs: Sequence[Sequence[int]]
) -> tuple[tuple[Table, ...], tuple[tuple[int, ...], ...]]:
    """Tables and outputs without what no output needs."""
    needed = {literal >> 1 for bits in outputs for literal in bits}
    for place in reversed(range(first, first + len(tables))):
        if place in needed:
            needed.update(tables[place - first][1])
    moved = {place: place for place in range(first)}
    kept: list[Table] = []
    for place, (contents, ins) in enumerate(tables, start=first):
        if place in needed:
            moved[place] = first + len(kept)
            kept.append((contents, tuple(moved[each] for each in ins)))
    outputs = tuple(tuple(2 * moved[literal >> 1] + (literal & 1) for literal in bits) for bits in outputs)
    # A table that is read only by an inverted output outputs that bit itself.
    read = {place for _, ins in kept for place in ins} | {
        literal >> 1 for bits in outputs for literal in bits if not literal & 1
    }
    inverted = {literal >> 1 for bits in outputs for literal in bits if literal >> 1 >= first} - read
    for place in inverted:
        contents, ins = kept[place - first]
        kept[place - first] = contents ^ (1 << (1 << len(ins))) - 1, ins
    return tuple(kept), tuple(
        tuple(literal - (literal >> 1 in inverted) for literal in bits) for bits in outputs
    )
