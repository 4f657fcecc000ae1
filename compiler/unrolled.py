"""From a layer with weights to the network of look-up tables that computes it, with all that neurons share
computed once.

A sum over bits is a tree of full adders, 3 bits of a column giving one there and a carry in the next. In the
lowest column the sum bits, being exclusive ors, are the same for every neuron but for an inversion, so only
the carries differ. So inputs are added in groups of seven, in the same places for all neurons::

    a b c   d e f   g        each group: 3 full adders, whose sum bits all neurons share and whose carries
    have 4 variants,
     FA      FA     |        and one that adds the carries, which has at most 64 variants; it leaves a bit,
     which goes on
     |s \\    |s \\    |        to groups of such bits, and two for the columns above
     | carry | carry|
      --FA----------
        |s \\
        |   carry, carry, carry -> FA -> twos, fours

Which inputs make a group is chosen so that few variants occur, which helps most where trained neurons are
alike, and which groups' bits make a group likewise. What remains is for each neuron alone, two full adders at
a time: where that is cheapest they take a bit and two *pairs*, a bit and its difference to another one. So
the groups with the most variants stop before their last adder and leave a carry and a pair of carries, which
are shared by more. A threshold t is a constant: where the sum and ``2**k - t`` are at least ``2**k`` is told
by the carries into column ``k``, and no sum bit of the columns below is needed. Complementing all inputs of a
neuron complements its output, whatever takes fewer tables. Tables are made once for equal contents and
inputs, so equal neurons are made once too. Last, a table with room for it takes the inputs of another one in
its place.
"""

from collections import Counter
from heapq import heapify, heappop, heappush
from itertools import count

import numpy as np
from amaranth.hdl import Shape

from ..hw.unrolled import Parameters

__all__ = ["unroll"]

_GROUP = 7

#: A depth that nothing has.
_NEVER = float("inf")

#: Parts of the groups that leave a pair: the one with the least product of tables and depth is taken.
_PAIRED = (0.1, 0.2)

#: Exchanges of two inputs that are tried for each input, and at most: a second or three.
_EXCHANGES = 600
_MOST_EXCHANGES = 60_000


def _is_odd(*bits):
    return sum(bits) & 1


def _majority(a, b, c):
    return int(a + b + c >= 2)


def _choice(p, z, x):
    """The carry of a bit z and a pair (x, p)."""
    return z if p else x


def _odd_majority(z, p, x, y):
    return _majority(z ^ p, x, y)


def _odd_choice(z, p, q, x):
    return _choice(q, z ^ p, x)


def _odd_three(z, p, q, _):
    return z ^ p ^ q


def _differs(last, p, z, x):
    return last ^ _choice(p, z, x)


def _majority_differs(first, z, x, y):
    return first ^ _majority(z, x, y)


def _either(x, p):
    """Whether a pair has a bit that is on."""
    return x | p


def _is_any(*bits):
    return int(any(bits))


class _Tables:
    """Tables made so far, each once; places and literals are those of `sbgen.hw.unrolled.Parameters`."""

    def __init__(self, inputs, paired=(), *, hasty=False):
        self.paired, self.hasty = paired, hasty
        self.first = 1 + inputs
        self.made = []
        self.places = {}
        self.depths = [0] * self.first
        self.normal = {}

    def depth(self, literal):
        return self.depths[literal >> 1]

    def table(self, function, *literals):
        """The literal of a function of at most four literals."""
        places = sorted({literal >> 1 for literal in literals if literal > 1})
        # Equal functions of literals that stand and are inverted alike have equal contents.
        pattern = (
            function,
            tuple((places.index(each >> 1) + 1) * 2 + (each & 1) if each > 1 else each for each in literals),
        )
        if pattern not in self.normal:
            self.normal[pattern] = self.normalise(function, pattern[1], len(places))
        contents, used, inverted = self.normal[pattern]
        if not contents:
            return inverted
        places = tuple(places[n] for n in used)
        if len(places) == 1:
            return 2 * places[0] + inverted
        key = contents, places
        if key not in self.places:
            self.places[key] = self.first + len(self.made)
            self.made.append(key)
            self.depths.append(1 + max(self.depths[place] for place in places))
        return 2 * self.places[key] + inverted

    @staticmethod
    def normalise(function, literals, size):
        """Contents that give 0 where all inputs are 0, the inputs they depend on, and whether they are to be
        inverted.
        """
        values = []
        for at in range(1 << size):
            bits = [0] + [at >> n & 1 for n in range(size)]
            values.append(int(function(*(bits[each >> 1] ^ (each & 1) for each in literals))))
        used = [n for n in range(size) if any(values[at] != values[at ^ 1 << n] for at in range(1 << size))]
        kept = [values[sum((at >> m & 1) << n for m, n in enumerate(used))] for at in range(1 << len(used))]
        inverted = kept[0]
        return sum((value ^ inverted) << at for at, value in enumerate(kept)), tuple(used), inverted

    def add(self, a, b, c):
        """The sum bit and the carry of three bits."""
        return self.table(_is_odd, a, b, c), self.table(_majority, a, b, c)

    def shared(self, bits, column, columns, pairs):
        """Add bits of a column in groups that are the same for all neurons, until at most two are left."""
        for level in count():
            if len(bits) <= 2:
                break
            paired, left = self.paired[level] if level < len(self.paired) else (), []
            while len(bits) >= _GROUP:
                first, carry = self.add(*bits[:3])
                second, other = self.add(*bits[3:6])
                third, last = self.add(first, second, bits[6])
                if len(left) in paired:
                    columns[column + 1].append(last)
                    pairs[column + 1].append((carry, self.table(_is_odd, carry, other)))
                else:
                    two, four = self.add(carry, other, last)
                    columns[column + 1].append(two)
                    columns[column + 2].append(four)
                left.append(third)
                bits = bits[_GROUP:]
            if len(bits) >= 3:
                one, carry = self.add(*bits[:3])
                left.append(one)
                columns[column + 1].append(carry)
                bits = bits[3:]
            bits = left + bits
        columns[column] += bits

    def ready(self, pair):
        """The depth of the later bit of a pair."""
        return max(map(self.depth, pair))

    def column(self, bits, pairs, constant):
        """The sum bit of a column's bits, pairs and a constant, and the carries and pairs of carries into the
        next.

        A pair (x, p) stands for the bits x and x xor p. Two full adders in a row take a bit and two pairs,
        one of which may as well be two bits, and give a bit and a pair in three tables, where they would take
        four (Demenkov et al., 2010). What comes first is added first: a pair is parted, by one more table,
        rather than wait for a bit. The difference of a pair comes one level later than a carry would; where
        the layer is `hasty`, the bits that come last meet full adders one at a time.
        """
        bits, pairs, carries, twos = list(bits), sorted(pairs, key=self.ready), [], []
        latest = max([*map(self.depth, bits), *map(self.ready, pairs)], default=0) if self.hasty else _NEVER
        while len(bits) + 2 * len(pairs) > 2:
            bits.sort(key=self.depth)  # the soonest first
            # When the first and the third bit come, and the first two pairs.
            bit, third = [*map(self.depth, bits[:3:2]), _NEVER, _NEVER][:2]
            pair, other = [*map(self.ready, pairs[:2]), _NEVER, _NEVER][:2]
            if other < _NEVER and pair < bit:
                x, p = pairs.pop(0)
                bits += [x, self.table(_is_odd, x, p)]
            elif max(bit, pair, min(other, third)) < latest:
                z, (x, p) = bits.pop(0), pairs.pop(0)
                if third <= max(bit, pair, other):
                    others, kinds = (bits.pop(0), bits.pop(0)), (_is_odd, _odd_majority)
                else:
                    others, kinds = pairs.pop(0)[::-1], (_odd_three, _odd_choice)
                one, last = (self.table(kind, z, p, *others) for kind in kinds)
                bits.append(one)
                twos.append((last, self.table(_differs, last, p, z, x)))
            elif pairs and pair <= third:
                z, (x, p) = bits.pop(0), pairs.pop(0)
                bits.append(self.table(_is_odd, z, p))
                carries.append(self.table(_choice, p, z, x))
            elif len(bits) >= 5 and self.depth(bits[4]) + 1 < latest:
                one, first = self.add(*bits[:3])
                twos.append((first, self.table(_majority_differs, first, one, *bits[3:5])))
                bits = [*bits[5:], self.table(_is_odd, one, *bits[3:5])]
            else:
                one, carry = self.add(*bits[:3])
                bits = [*bits[3:], one]
                carries.append(carry)
        if pairs:
            ((x, p),) = pairs
            bits = [x, self.table(_is_odd, x, p)]
        one, carry = self.add(*(bits + [0, 0])[:2], constant)
        return one, [each for each in (*carries, carry) if each], twos

    def any(self, bits):
        """Whether any of some bits is on."""
        queue = [(self.depth(bit), bit) for bit in bits]
        heapify(queue)
        while len(queue) > 1:
            some = self.table(_is_any, *(heappop(queue)[1] for _ in range(min(4, len(queue)))))
            heappush(queue, (self.depth(some), some))
        return queue[0][1] if queue else 0

    def columns(self, elements, width):
        """The bits of elements, lists of literals with the lowest first, added as far as is shared: for each
        column bits, and pairs.
        """
        planes = max(map(len, elements), default=0)
        columns, pairs = ([[] for _ in range(width + planes + 3)] for _ in range(2))
        for plane in range(planes):
            self.shared([bits[plane] for bits in elements], plane, columns, pairs)
        return [[bit for bit in bits if bit] for bits in columns], [
            [pair for pair in column if any(pair)] for column in pairs
        ]

    def reaches(self, elements, reach, threshold):
        """Whether a sum that is at most `reach` is at least the threshold."""
        if not 0 < threshold <= reach:
            return int(threshold <= 0)
        end = (threshold - 1).bit_length()
        (columns, pairs), constant = self.columns(elements, end), (1 << end) - threshold
        for n in range(end):
            _, carries, twos = self.column(columns[n], pairs[n], constant >> n & 1)
            columns[n + 1] += carries
            pairs[n + 1] += twos
        return self.any(
            [bit for bits in columns[end:] for bit in bits]
            + [self.table(_either, *pair) for column in pairs[end:] for pair in column]
        )

    def cost(self, *threshold):
        """How many tables `reaches` would make, and their depth."""
        made = len(self.made)
        depth = self.depth(self.reaches(*threshold))
        more = len(self.made) - made
        for key in self.made[made:]:
            del self.places[key]
        del self.made[made:], self.depths[self.first + made :]
        return more, depth

    def sum(self, elements, constant, width):
        """The bits of a sum and a constant, two's complement."""
        (columns, pairs), bits = self.columns(elements, width), []
        for n in range(width):
            one, carries, twos = self.column(columns[n], pairs[n], constant >> n & 1)
            bits.append(one)
            columns[n + 1] += carries
            pairs[n + 1] += twos
        return tuple(bits)


def _order(weights):
    """An order of the inputs in which groups of seven have few variants: each neuron sees one, and its
    complement is the same. Groups follow each other so that groups of their sums have few, and so on.

    Groups are begun by the first input left and filled by those that add the fewest variants; then inputs of
    different groups change places, from a fixed seed, where that makes no more.

    Parameters
    ----------
    weights : integer array, shape (outputs, inputs), values 0 and 1

    Returns
    -------
    order : list of int
    variants : list of list of int
        Those of each group of inputs, then those of each group of their sums, and so on.
    """
    left, order = list(range(weights.shape[1])), []
    while len(left) >= _GROUP:
        group, variants = [left.pop(0)], np.zeros(len(weights), int)
        while len(group) < _GROUP:
            choices = np.sort(2 * variants + (weights[:, left] ^ weights[:, group[:1]]).T)
            best = int((choices[:, 1:] != choices[:, :-1]).sum(1).argmin())
            variants = 2 * variants + (weights[:, left[best]] ^ weights[:, group[0]])
            group.append(left.pop(best))
        order += group
    order = np.array(order + left)
    groups = len(order) // _GROUP

    def variants_of(group):
        of = weights[:, order[group * _GROUP : (group + 1) * _GROUP]]
        return np.count_nonzero(np.bincount((of ^ of[:, :1]) @ (1 << np.arange(_GROUP))))

    counts, rng = [variants_of(group) for group in range(groups)], np.random.default_rng(0)
    for places in rng.integers(
        0, len(order), (min(_EXCHANGES * len(order), _MOST_EXCHANGES) if groups > 1 else 0, 2)
    ):
        changed = [group for group in places // _GROUP if group < groups]
        if not changed or places[0] // _GROUP == places[1] // _GROUP:
            continue
        order[places] = order[places[::-1]]
        now = [variants_of(group) for group in changed]
        if sum(now) <= sum(counts[group] for group in changed):
            for group, count in zip(changed, now, strict=True):
                counts[group] = count
        else:
            order[places] = order[places[::-1]]
    if groups < _GROUP:
        return order.tolist(), [counts]
    grouped = order[: groups * _GROUP].reshape(groups, _GROUP)
    above, variants = _order(weights[:, grouped].sum(2) & 1)
    order[: groups * _GROUP] = grouped[above].reshape(-1)
    return order.tolist(), [[counts[group] for group in above], *variants]


def _merged(first, tables, outputs):
    """As many tables or fewer, where one takes another's inputs in place of the other: if nothing else reads
    that, or where that makes its bit come sooner.
    """
    readers = Counter(place for _, ins in tables for place in ins) + Counter(
        literal >> 1 for bits in outputs for literal in bits
    )
    depths, made, places, moved = [0] * first, [], {}, list(range(first))

    def depth(ins):
        return max((depths[place] for place in ins), default=0)

    def put(contents, ins, at=None):
        """A table that takes the inputs of its input number `at` in place of that, or None where those are
        too many.
        """
        inner, inner_ins = (0, ()) if at is None else made[ins[at] - first]
        given = sorted({*ins, *inner_ins} - {0, *(() if at is None else ins[at : at + 1])})
        if len(given) > 4:
            return None

        def value(*bits):
            known = {0: 0, **dict(zip(given, bits, strict=True))}
            if at is not None:
                known[ins[at]] = inner >> sum(known[place] << n for n, place in enumerate(inner_ins)) & 1
            return contents >> sum(known[place] << n for n, place in enumerate(ins)) & 1

        contents_now, used, _ = _Tables.normalise(value, range(2, 2 * len(given) + 2, 2), len(given))
        return contents_now, tuple(given[n] for n in used)

    for contents, ins in tables:
        alone = {moved[each] for each in ins if each >= first and readers[each] == 1}
        best = now = put(contents, tuple(moved[each] for each in ins))
        while now is not None and len(now[1]) > 1:
            # What nothing else reads first, then what comes last.
            at = max(range(len(now[1])), key=lambda n: (now[1][n] in alone, depths[now[1][n]]))
            saves = now[1][at] in alone
            now = put(*now, at) if now[1][at] >= first else None
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


def _pruned(first, tables, outputs):
    """Tables and outputs without what no output needs."""
    needed = {literal >> 1 for bits in outputs for literal in bits}
    for place in reversed(range(first, first + len(tables))):
        if place in needed:
            needed.update(tables[place - first][1])
    moved, kept = {place: place for place in range(first)}, []
    for place, (contents, ins) in enumerate(tables, start=first):
        if place in needed:
            moved[place] = first + len(kept)
            kept.append((contents, tuple(moved[each] for each in ins)))
    outputs = tuple(tuple(2 * moved[literal >> 1] + (literal & 1) for literal in bits) for bits in outputs)
    # A table that gives nothing but an inverted output gives it as it is.
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


def unroll(unit, *, levels):
    """The network of tables that computes in one cycle what a matrix-vector-threshold unit does.

    Parameters
    ----------
    unit : sbgen.hw.mvtu.Parameters
        Weights, presets and the shape of the outputs; its folding does not matter.
    levels : int
        Most tables that a bit passes between two registers.

    Returns
    -------
    sbgen.hw.unrolled.Parameters
        With the same `compute`.
    """
    order, variants = _order(np.array([[row >> n & 1 for n in range(unit.inputs)] for row in unit.weights]))
    choices = []
    for part in _PAIRED:
        most = [
            sorted(range(len(counts)), key=counts.__getitem__, reverse=True)[: round(part * len(counts))]
            for counts in variants
        ]
        if most not in choices:
            choices.append(most)
    made = [
        Parameters(
            inputs=unit.inputs,
            planes=unit.planes,
            tables=tables,
            outputs=outputs,
            element=unit.element,
            levels=levels,
        )
        for most in choices
        for hasty in (False, True)
        for tables, outputs in [_tables(unit, order, most, hasty)]
    ]
    return min(made, key=lambda each: (len(each.tables) * each.depth, len(each.tables)))


def _tables(unit, order, paired, hasty):
    """The tables of a unit and the literals of its outputs.

    Parameters
    ----------
    order : list of int
        As `_order` gives it.
    paired : list of list of int
        For each level of groups those that leave a pair.
    hasty : bool
        Whether what comes last is added at once, for more tables.
    """
    tables, width = _Tables(unit.inputs * unit.planes, paired, hasty=hasty), Shape.cast(unit.element).width
    masks = unit.masks or [(1 << unit.inputs) - 1] * unit.outputs

    def elements(weights, mask, complement):
        """The inputs that agree with the weights, or do not; 0 where a weight is 0, so that groups stay as
        they are.
        """
        return [
            [
                2 * (1 + n * unit.planes + plane) + (~weights >> n & 1 ^ complement) if mask >> n & 1 else 0
                for plane in range(unit.planes)
            ]
            for n in order
        ]

    outputs = []
    for weights, mask, preset in zip(unit.weights, masks, unit.presets, strict=True):
        agree, differ = (elements(weights, mask, complement) for complement in (0, 1))
        if not unit.signs:
            outputs.append(tables.sum(agree, preset & (1 << width) - 1, width))
            continue
        reach = mask.bit_count() * unit.max_input
        agrees, differs = (agree, reach, -preset), (differ, reach, reach + preset + 1)
        inverted = tables.cost(*differs) < tables.cost(*agrees)
        outputs.append((tables.reaches(*(differs if inverted else agrees)) ^ inverted,))
    return _pruned(tables.first, *_merged(tables.first, tables.made, outputs))
