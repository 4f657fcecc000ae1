"""Look-up tables that add bits, each table once."""

from collections.abc import Callable, Collection, Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import count

from .contents import reduced

__all__ = ["GROUP", "Elements", "Pair", "Table", "Tables"]

#: Contents of a table and the places of its inputs.
Table = tuple[int, tuple[int, ...]]

#: Literals of a bit and of its difference to another one.
Pair = tuple[int, int]

#: Literals of the bits of each element, the lowest first.
Elements = Sequence[Sequence[int]]

#: Inputs that are added together for all neurons.
GROUP = 7

#: A depth that nothing has.
_NEVER = float("inf")


def _is_odd(*bits: int) -> int:
    return sum(bits) & 1


def _majority(a: int, b: int, c: int) -> int:
    return int(a + b + c >= 2)


def _choice(p: int, z: int, x: int) -> int:
    """The carry of a bit z and a pair (x, p)."""
    return z if p else x


def _odd_majority(z: int, p: int, x: int, y: int) -> int:
    return _majority(z ^ p, x, y)


def _odd_choice(z: int, p: int, q: int, x: int) -> int:
    return _choice(q, z ^ p, x)


def _odd_three(z: int, p: int, q: int, _: int) -> int:
    return z ^ p ^ q


def _differs(last: int, p: int, z: int, x: int) -> int:
    return last ^ _choice(p, z, x)


def _majority_differs(first: int, z: int, x: int, y: int) -> int:
    return first ^ _majority(z, x, y)


def _either(x: int, p: int) -> int:
    """Whether a pair has a bit that is on."""
    return x | p


def _is_any(*bits: int) -> int:
    return int(any(bits))


class Tables:
    """Tables so far, each once; places and literals are those of `sbgen.hw.unrolled.Parameters`.

    Parameters
    ----------
    inputs : int
        Bits of the inputs.
    paired : list of list of int
        For each level of groups those that leave a pair.
    hasty : bool
        Whether bits that come last are added at once, for more tables.
    size : int
        Maximum inputs of a table, at least 4.
    """

    def __init__(
        self, inputs: int, paired: Sequence[Collection[int]] = (), *, hasty: bool = False, size: int = 4
    ) -> None:
        self.paired, self.hasty, self.size = paired, hasty, size
        self.first = 1 + inputs
        self.made: list[Table] = []
        self.places: dict[Table, int] = {}
        self.depths = [0] * self.first
        self.normal: dict[tuple, tuple[int, tuple[int, ...], int]] = {}

    def depth(self, literal: int) -> int:
        """The maximum of tables that a literal passes."""
        return self.depths[literal >> 1]

    def table(self, function: Callable[..., int], *literals: int) -> int:
        """The literal of a function of at most `size` literals."""
        places = sorted({literal >> 1 for literal in literals if literal > 1})
        # Equal functions of literals in the same order and inverted alike have equal contents.
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
    def normalise(
        function: Callable[..., int], literals: Sequence[int], size: int
    ) -> tuple[int, tuple[int, ...], int]:
        """Contents that are 0 where all inputs are 0, the inputs they depend on, and whether they must be
        inverted.
        """
        contents = 0
        for at in range(1 << size):
            bits = [0] + [at >> n & 1 for n in range(size)]
            contents |= int(function(*(bits[each >> 1] ^ (each & 1) for each in literals))) << at
        contents, used = reduced(contents, count=size)
        inverted = contents & 1
        return contents ^ inverted * ((1 << (1 << len(used))) - 1), used, inverted

    def add(self, a: int, b: int, c: int) -> tuple[int, int]:
        """The sum bit and the carry of three bits."""
        return self.table(_is_odd, a, b, c), self.table(_majority, a, b, c)

    def shared(self, bits: list[int], column: int, columns: list[list[int]], pairs: list[list[Pair]]) -> None:
        """Add bits of a column in groups that are the same for all neurons, until at most two are left."""
        for level in count():
            if len(bits) <= 2:
                break
            paired: Collection[int] = self.paired[level] if level < len(self.paired) else ()
            left: list[int] = []
            while len(bits) >= GROUP:
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
                bits = bits[GROUP:]
            if len(bits) >= 3:
                one, carry = self.add(*bits[:3])
                left.append(one)
                columns[column + 1].append(carry)
                bits = bits[3:]
            bits = left + bits
        columns[column] += bits

    def ready(self, pair: Pair) -> int:
        """The depth of the later bit of a pair."""
        return max(map(self.depth, pair))

    def column(
        self, bits: Iterable[int], pairs: Iterable[Pair], constant: int
    ) -> tuple[int, list[int], list[Pair]]:
        """The sum bit of a column's bits, pairs and a constant, and the carries and pairs of carries into the
        next.

        A pair (x, p) is the bits x and x xor p. Two full adders in a row take a bit and two pairs, one of
        which may as well be two bits, and output a bit and a pair in three tables, where they would take four
        (Demenkov et al., 2010). What comes first is added first: a pair is split, by one more table, rather
        than wait for a bit. The difference of a pair comes one level later than a carry would; where the
        layer is `hasty`, the bits that come last meet full adders one at a time.
        """
        bits, pairs = list(bits), sorted(pairs, key=self.ready)
        carries: list[int] = []
        twos: list[Pair] = []
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
        a, b = (bits + [0, 0])[:2]
        one, carry = self.add(a, b, constant)
        return one, [each for each in (*carries, carry) if each], twos

    def any(self, bits: Iterable[int]) -> int:
        """Whether any of some bits is on."""
        queue = [(self.depth(bit), bit) for bit in bits]
        heapify(queue)
        while len(queue) > 1:
            some = self.table(_is_any, *(heappop(queue)[1] for _ in range(min(4, len(queue)))))
            heappush(queue, (self.depth(some), some))
        return queue[0][1] if queue else 0

    def columns(self, elements: Elements, width: int) -> tuple[list[list[int]], list[list[Pair]]]:
        """The bits of elements, lists of literals with the lowest first, added as far as is shared: for each
        column bits, and pairs.
        """
        planes = max(map(len, elements), default=0)
        columns: list[list[int]] = [[] for _ in range(width + planes + 3)]
        pairs: list[list[Pair]] = [[] for _ in range(width + planes + 3)]
        for plane in range(planes):
            self.shared([bits[plane] for bits in elements], plane, columns, pairs)
        return [[bit for bit in bits if bit] for bits in columns], [
            [pair for pair in column if any(pair)] for column in pairs
        ]

    def reaches(self, elements: Elements, reach: int, threshold: int) -> int:
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

    def cost(self, elements: Elements, reach: int, threshold: int) -> tuple[int, int]:
        """How many tables `reaches` would add, and their depth."""
        made = len(self.made)
        depth = self.depth(self.reaches(elements, reach, threshold))
        more = len(self.made) - made
        for key in self.made[made:]:
            del self.places[key]
        del self.made[made:], self.depths[self.first + made :]
        return more, depth

    def sum(self, elements: Elements, constant: int, width: int) -> tuple[int, ...]:
        """The bits of a sum and a constant, two's complement."""
        (columns, pairs), bits = self.columns(elements, width), []
        for n in range(width):
            one, carries, twos = self.column(columns[n], pairs[n], constant >> n & 1)
            bits.append(one)
            columns[n + 1] += carries
            pairs[n + 1] += twos
        return tuple(bits)
