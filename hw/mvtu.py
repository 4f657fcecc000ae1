"""The folded matrix-vector-threshold unit (MVTU), which computes one layer."""

from dataclasses import dataclass
from functools import cached_property

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped
from amaranth.utils import bits_for

from .bits import bits
from .copy import Copy
from .popcount import XnorPopcount
from .queue import Queue
from .rom import STORES, Rom
from .spram import BLOCK_DEPTH, BLOCK_WIDTH, LoadSignature, Spram, blocks, columns

__all__ = ["LANES_TOGETHER", "MERGED_GROUPS", "SHALLOW", "WEIGHT_STORES", "Mvtu", "Parameters"]

#: Where weights can live: in a ROM, or in RAM that is filled at run time.
WEIGHT_STORES = (*STORES, "spram")

#: Groups whose choice of presets fits one LUT with the choice between preset and running sum.
MERGED_GROUPS = 4

#: Lanes of a registered unit that share a copy of the inputs.
LANES_TOGETHER = 8

#: Words that are in one block RAM at the full width of every family (an iCE40's has 256 of 16 bits).
SHALLOW = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Parameters:
    """Everything that a matrix-vector-threshold unit is made from, and what it computes in software.

    Parameters
    ----------
    inputs : :class:`int`
        Bits of an input vector.
    weights : tuple of :class:`int`
        For each output its weights as one number: bit ``n`` is the weight of input ``n``.
    presets : tuple of :class:`int`
        For each output the value that its accumulator starts from: minus the threshold, or the offset of a
        score.
    pe : :class:`int`
        Outputs computed at once (processing elements); need not divide the outputs.
    simd : :class:`int`
        Inputs counted at once; need not divide the inputs.
    weight_store, preset_store : :class:`str`
        Where the weights and the presets live, ``"bram"`` or ``"lut"``; weights also ``"spram"``, filled at
        run time (see :class:`.Spram`).
    registered : :class:`bool`
        Whether weights, inputs and presets pass a register more behind their memories, which slow ones need.
        Weights from a ROM of more than `SHALLOW` words, which is of several block RAMs with a multiplexer
        behind, do anyway.
    sprams : :class:`int` or None
        Blocks of RAM that the weights live in, where their store is ``"spram"``: what a word has beyond them
        is in block RAM. None is as many as a word takes.
    planes : :class:`int`
        Bits of an input. A vector comes bit plane by bit plane, the highest first, against the same weights
        each time, and a plane counts by its place.
    signs : :class:`bool`
        Whether an output is the sign of its sum (1 where the sum is not negative) or the sum itself.
    greatest_count : :class:`int` or None
        Where the sums start from 0 and so are never negative, the greatest that is reached: they leave as
        unsigned numbers.
    patchable : :class:`bool`
        Whether weights and presets can be replaced in a bitstream: nothing around their ROMs depends on what
        is in them, but only on the greatest presets that such a unit can have.
    masks : tuple of :class:`int`, optional
        Ternary weights: for each output the inputs that count, as one number; the others' weights are 0. A
        ternary weight is half the sum of two binary ones, 1 and 1 or 0 and 0 or, where it is 0, 1 and 0. So
        each plane of a vector comes twice, everything counts twice, and what the zeros add is known
        beforehand.
    """

    inputs: int
    weights: tuple
    presets: tuple
    pe: int
    simd: int
    weight_store: str = "bram"
    preset_store: str = "lut"
    registered: bool = False
    sprams: int | None = None
    planes: int = 1
    signs: bool = True
    greatest_count: int | None = None
    masks: tuple | None = None
    patchable: bool = False

    def __post_init__(self):
        for name, rows in ("weights", self.weights), ("masks", self.masks or ()):
            if not all(0 <= row < 1 << self.inputs for row in rows):
                raise ValueError(f"each row of {name} must have {self.inputs} bits")
        if self.masks is not None and len(self.masks) != self.outputs:
            raise ValueError(f"{self.outputs} outputs need as many masks, not {len(self.masks)}")
        if len(self.presets) != self.outputs:
            raise ValueError(f"{self.outputs} outputs need as many presets, not {len(self.presets)}")
        if self.greatest_count is not None and (self.signs or any(self.presets)):
            raise ValueError("counts must be sums that start from 0")
        if self.planes < 1:
            raise ValueError(f"planes must be at least 1, not {self.planes!r}")
        for name, value, limit in ("pe", self.pe, self.outputs), ("simd", self.simd, self.inputs):
            if not 1 <= value <= limit:
                raise ValueError(f"{name} must be in 1 ... {limit}, not {value!r}")
        for name, value, stores in (
            ("weight_store", self.weight_store, WEIGHT_STORES),
            ("preset_store", self.preset_store, STORES),
        ):
            if value not in stores:
                raise ValueError(f"{name} must be one of {', '.join(stores)}, not {value!r}")
        if self.sprams is not None and not 1 <= self.sprams <= blocks(self.pe * self.simd):
            raise ValueError(f"sprams must be in 1 ... {blocks(self.pe * self.simd)}, not {self.sprams!r}")
        if self.weight_store == "spram" and self.weight_depth > BLOCK_DEPTH:
            raise ValueError(f"a weight RAM has at most {BLOCK_DEPTH:,} words, not {self.weight_depth:,}")

    @property
    def outputs(self):
        return len(self.weights)

    @property
    def slices(self):
        """Beats in which the inputs arrive (synapse fold)."""
        return -(-self.inputs // self.simd)

    @property
    def groups(self):
        """Beats in which the outputs leave (neuron fold)."""
        return -(-self.outputs // self.pe)

    @property
    def passes(self):
        """How often each plane of a vector comes: twice where weights are ternary."""
        return 1 if self.masks is None else 2

    @property
    def plane_beats(self):
        """Beats that a plane takes: its slices, in each pass."""
        return self.slices * self.passes

    @property
    def beats(self):
        """Beats that a group takes: those of each plane."""
        return self.plane_beats * self.planes

    @property
    def cycles(self):
        """Cycles a vector: one for each group, plane, pass and slice."""
        return self.groups * self.beats

    @property
    def weight_depth(self):
        """Words of the weight ROM."""
        return self.groups * self.plane_beats

    @property
    def weight_blocks(self):
        """Blocks of RAM that the weights live in; 0 where they live elsewhere."""
        return (self.sprams or blocks(self.pe * self.simd)) if self.weight_store == "spram" else 0

    @property
    def rest_width(self):
        """Bits of a word of weights that have no room in the `weight_blocks`, and are in block RAM."""
        return max(0, self.pe * self.simd - self.weight_blocks * BLOCK_WIDTH) if self.weight_blocks else 0

    @property
    def rest_words(self):
        """The highest `rest_width` bits of each word of weights."""
        return tuple(word >> self.pe * self.simd - self.rest_width for word in self.weight_words)

    @property
    def top(self):
        """The greatest input."""
        return (1 << self.planes) - 1

    @cached_property
    def starts(self):
        """What each accumulator starts from: its preset; in two passes twice that, less what its weights of 0
        add.
        """
        if self.masks is None:
            return self.presets
        return tuple(
            2 * preset - self.top * (self.inputs - mask.bit_count())
            for preset, mask in zip(self.presets, self.masks, strict=True)
        )

    @cached_property
    def preset_range(self):
        """The least and the greatest preset that there can be: a threshold is at most one beyond what is
        reached.
        """
        least, greatest = min(self.presets), max(self.presets)
        if self.patchable and self.greatest_count is None:
            reach = self.inputs * self.top + 1
            return min(least, -reach), max(greatest, 0 if self.signs else reach)
        return least, greatest

    @property
    def sum_width(self):
        """Bits, two's complement, that hold every sum of a preset and what the inputs can reach."""
        least, greatest = self.preset_range
        return max(
            bits_for(least, require_sign_bit=True),
            bits_for(greatest + self.inputs * self.top, require_sign_bit=True),
        )

    @cached_property
    def total_width(self):
        """Bits, two's complement, that hold what is accumulated at every moment: it only grows, from its
        start.
        """
        if self.masks is None:
            return self.sum_width
        if self.patchable:
            least, greatest = self.preset_range
            return max(
                bits_for(2 * least - self.top * self.inputs, require_sign_bit=True),
                bits_for(2 * (greatest + self.top * self.inputs), require_sign_bit=True),
            )
        ends = (
            2 * (preset + self.top * mask.bit_count())
            for preset, mask in zip(self.presets, self.masks, strict=True)
        )
        return max(
            bits_for(min(self.starts), require_sign_bit=True), bits_for(max(ends), require_sign_bit=True)
        )

    @property
    def accumulator_width(self):
        """Bits of an accumulator: those of the total, and one below its point for each time that it will be
        doubled.
        """
        return self.total_width + self.planes - 1

    @property
    def weights_registered(self):
        """Whether there is a register behind the weight ROM: where asked for, and behind a deep ROM, since on
        iCE40 that register is in the cells of the multiplexer."""
        return (
            self.registered
            or (self.weight_store == "bram" or self.rest_width > 0)
            and self.weight_depth > SHALLOW
        )

    @property
    def latency(self):
        """Cycles from the last slice of a group being accepted to its outputs being valid."""
        return 4 + self.weights_registered + XnorPopcount.latency(self.simd)

    @property
    def queue_depth(self):
        """Finished groups to hold, so that a sink that is always ready never stalls the unit.

        A place is taken when the last slice of a group is accepted and is free again the cycle after the
        group has left.
        """
        return -(-(self.latency + 1) // self.beats)

    @cached_property
    def weight_words(self):
        """The weight ROM: a word for each (group, pass, slice), read once a plane; `simd` bits for each
        processing element, the first lowest, coded as :class:`.XnorPopcount` takes them.

        Places past the last input stand for 1, which never agrees with the padding 0 of the input; rows past
        the last output for 0.
        """
        padding = (1 << self.slices * self.simd) - (1 << self.inputs)
        inputs, unused = (1 << self.inputs) - 1, [0] * (self.groups * self.pe - self.outputs)
        halves = [self.weights]
        if self.masks is not None:
            pairs = list(zip(self.weights, self.masks, strict=True))
            halves = [[row | inputs & ~mask for row, mask in pairs], [row & mask for row, mask in pairs]]
        passes = [[row | padding for row in half] + unused for half in halves]
        word = (1 << self.simd) - 1
        return tuple(
            XnorPopcount.code_complements(
                sum(
                    (rows[group * self.pe + lane] >> (at * self.simd) & word) << (lane * self.simd)
                    for lane in range(self.pe)
                ),
                width=self.simd,
                lanes=self.pe,
            )
            for group in range(self.groups)
            for rows in passes
            for at in range(self.slices)
        )

    @property
    def image(self):
        """What each of the `weight_blocks` must be filled with: tuples of 16-bit words."""
        return columns(self.weight_words, self.pe * self.simd)[: self.weight_blocks]

    @cached_property
    def preset_words(self):
        """The preset ROM: a word for each group, `total_width` bits for each processing element, the first
        lowest.
        """
        mask = (1 << self.total_width) - 1
        starts = list(self.starts) + [0] * (self.groups * self.pe - self.outputs)
        return tuple(
            sum(
                (starts[group * self.pe + lane] & mask) << (lane * self.total_width)
                for lane in range(self.pe)
            )
            for group in range(self.groups)
        )

    @property
    def presets_constant(self):
        """Whether every group starts from the same presets, so that there is no ROM of them; where patchable,
        whatever they are.
        """
        if (
            self.patchable
        ):  # counts start from 0, but where weights are ternary from what the zeros among them add
            return self.greatest_count is not None and self.masks is None
        return len(set(self.preset_words)) == 1

    @property
    def element(self):
        """Shape of one output."""
        if self.greatest_count is not None:
            return unsigned(bits_for(self.greatest_count))
        return 1 if self.signs else signed(self.sum_width)

    def compute(self, vector):
        """The outputs for one input vector, a sequence of `inputs` numbers of `planes` bits."""
        masks = self.masks or [(1 << self.inputs) - 1] * self.outputs
        sums = [
            preset
            + sum(
                value if row >> n & 1 else self.top - value for n, value in enumerate(vector) if mask >> n & 1
            )
            for row, preset, mask in zip(self.weights, self.presets, masks, strict=True)
        ]
        return [int(value >= 0) for value in sums] if self.signs else sums

    def create(self):
        """The hardware with these parameters."""
        return Mvtu(self)


class Mvtu(wiring.Component):
    """Computes one layer, `pe` outputs and `simd` inputs at once.

    It takes each input vector `groups` times over (see :class:`.ReplayBuffer`), as `slices` beats of `simd`
    bits for each plane (twice where weights are ternary), and gives `groups` beats of `pe` outputs. For each
    beat it reads one word of weights, counts the agreeing bits of every processing element and adds them to
    its accumulator. The accumulator starts from the preset, so that the sign of the final sum is the output
    and nothing is compared. Between two planes it is doubled (Horner's rule); the preset begins that many
    places below the point, so that it is whole at the end.

    One beat is taken each cycle; the outputs of a group are valid `latency` cycles after its last beat was.
    The pipeline itself never stalls: the last beat of a group waits at the door until the queue is sure to
    have room for its result. Unused lanes of the last output beat are 0; unused lanes of the last slice must
    be.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(bits(simd)))`
    o : :py:`Out(stream.Signature(ArrayLayout(element, pe)))`
    load : :py:`In(LoadSignature(parameters.weight_blocks))`
        Fills the weights; only where they live in RAM.
    """

    i: stream.Interface
    o: stream.Interface

    def __init__(self, parameters):
        self._parameters = parameters
        super().__init__(
            {
                "i": In(stream.Signature(bits(parameters.simd))),
                "o": Out(stream.Signature(data.ArrayLayout(parameters.element, parameters.pe))),
                **({"load": In(LoadSignature(parameters.weight_blocks))} if parameters.weight_blocks else {}),
            }
        )

    @property
    def parameters(self):
        return self._parameters

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        # The door: which slice comes next, and whether its result will have room.
        m.submodules.queue = queue = Queue(
            shape=self.o.payload.shape(), depth=p.queue_depth, reset_less=p.registered
        )
        beat = Signal(range(p.beats))
        promised, promises = (
            Signal(range(p.queue_depth + 1)) for _ in range(2)
        )  # groups let in and not yet taken from the queue
        # Whether the next beat is a group's last, and whether that may come in: from flip-flops of their own.
        ends, room = Signal(init=p.beats == 1), Signal(init=1)
        take, take_last, gave = Signal(), Signal(), Signal()
        m.d.comb += [
            self.i.ready.eq(~ends | room),
            take.eq(self.i.valid & self.i.ready),
            take_last.eq(take & ends),
            gave.eq(self.o.valid & self.o.ready),
        ]
        with m.If(take):
            m.d.sync += beat.eq(Mux(ends, 0, beat + 1))
            if p.beats > 1:
                m.d.sync += ends.eq(beat == p.beats - 2)
        m.d.comb += promises.eq(promised + take_last - gave)
        m.d.sync += [promised.eq(promises), room.eq(promises != p.queue_depth)]
        connect(m, queue.o, flipped(self.o))

        # Weights are read in the order of their addresses, which is that of the beats; a group's anew for
        # each plane.
        address, address_later = (
            Signal(range(len(p.weight_words)), name=name) for name in ("address", "address_later")
        )
        m.d.sync += address_later.eq(address)
        given, weights = self.i.payload.as_value(), self._weights(m, address_later)
        if p.weights_registered:
            given_before, given = given, Signal(p.simd, reset_less=True)
            weights_before, weights = weights, Signal(p.pe * p.simd, reset_less=True)
            m.d.sync += [given.eq(given_before), weights.eq(weights_before)]
        # In two steps of one LUT each, for which the weights wait at their address.
        started = Signal(p.simd, reset_less=True)
        m.d.sync += started.eq(Cat(XnorPopcount.code_start(list(given))))
        plane_begins = Signal()
        with m.If(take):
            m.d.sync += address.eq(Mux(address == len(p.weight_words) - 1, 0, address + 1))
        if p.planes > 1:
            slice_index = Signal(range(p.plane_beats))
            plane_ends = slice_index == p.plane_beats - 1
            m.d.comb += plane_begins.eq(slice_index == 0)
            with m.If(take):
                m.d.sync += slice_index.eq(Mux(plane_ends, 0, slice_index + 1))
            with m.If(take & plane_ends & ~ends):
                m.d.sync += address.eq(address - (p.plane_beats - 1))

        # `valid` and `last` travel beside the data, and whether a plane begins.
        stages = p.latency - 2
        valid, last, begins = Signal(stages), Signal(stages), Signal(stages)
        m.d.sync += [
            valid.eq(Cat(take, valid)),
            last.eq(Cat(take_last, last)),
            begins.eq(Cat(plane_begins, begins)),
        ]
        add, add_last, double = valid[-1], last[-1], begins[-1]

        # The slice after a last one is the first of the next group, and starts from that group's presets.
        first, first_next = Signal(init=1), Signal()
        group, following = Signal(range(p.groups)), Signal(range(p.groups), init=min(1, p.groups - 1))
        second = Mux(following == p.groups - 1, 0, following + 1)
        m.d.comb += first_next.eq(Mux(add, add_last, first))
        m.d.sync += first.eq(first_next)
        with m.If(add_last):
            m.d.sync += [group.eq(following), following.eq(second)]
        if p.registered and not p.patchable:  # the register begins with the first word
            presets = self._presets(m, group, Mux(add_last, second, following), add_last)
        else:
            presets = self._presets(m, group, Mux(add_last, following, group))

        # What all lanes share. A registered unit is for a family where it is far from one end of them to the
        # other: some lanes each have a copy in registers of their own.
        x_next = Cat(XnorPopcount.code_rest(list(started)))
        shared_next = Cat(
            Cat(take, valid)[stages - 1], first_next, Cat(plane_begins, begins)[stages - 1], x_next
        )
        if not p.registered:
            x = Signal(p.simd, reset_less=True)
            m.d.sync += x.eq(x_next)
            shared = Cat(add, first, double, x)

        # The finished sums leave from the accumulators, one cycle after their last addition; `group` has
        # moved on by then, from the last group to the first.
        rows_in_last_group = p.outputs - (p.groups - 1) * p.pe
        m.d.sync += queue.i.valid.eq(add_last)
        for lane in range(p.pe):
            if p.registered and lane % LANES_TOGETHER == 0:
                m.submodules[f"copy_{lane}"] = copy = Copy(len(shared_next))
                m.d.comb += copy.i.eq(shared_next)
                shared = copy.o
            add, first, double, x = shared[0], shared[1], shared[2], shared[3:]
            m.submodules[f"popcount_{lane}"] = popcount = XnorPopcount(width=p.simd)
            m.d.comb += [popcount.a.eq(x), popcount.b.eq(weights.word_select(lane, p.simd))]

            accumulator = Signal(signed(p.accumulator_width), name=f"accumulator_{lane}", reset_less=True)
            total = Signal(signed(p.accumulator_width), name=f"total_{lane}")
            start = presets.word_select(lane, p.total_width).as_signed()
            so_far = Mux(double, accumulator << 1, accumulator) if p.planes > 1 else accumulator
            point = p.planes - 1  # what is below waits to be doubled
            base = Mux(first if p.beats > 1 else 1, start, so_far)
            m.d.comb += total.eq(Cat(base[:point], base[point:].as_signed() + popcount.o + popcount.carry))
            with m.If(add):
                m.d.sync += accumulator.eq(total)

            output = ~accumulator[-1] if p.signs else accumulator >> point + p.passes - 1
            if lane >= rows_in_last_group:
                output = Mux(group == 0, 0, output)
            m.d.comb += queue.i.payload[lane].eq(output)

        return m

    def _weights(self, m, address):
        """The ROM's word at `address`, in the next cycle."""
        p = self._parameters
        if p.weight_blocks:
            rest = Rom(width=p.rest_width, words=p.rest_words, store="bram") if p.rest_width else None
            weight_rom = Spram(width=p.pe * p.simd - p.rest_width, depth=p.weight_depth, rest=rest)
            connect(m, flipped(self.load), weight_rom.load)
        else:
            weight_rom = Rom(
                width=p.pe * p.simd, words=p.weight_words, store=p.weight_store, patchable=p.patchable
            )
        m.submodules.weight_rom = weight_rom
        m.d.comb += [weight_rom.addr.eq(address), weight_rom.en.eq(1)]
        return weight_rom.data

    def _presets(self, m, group, address, move=None):
        """The presets of the group that is being added, all lanes side by side.

        `address` is the group that will be added in the next cycle; with a register behind the ROM, which
        takes the ROM's word at `move`, the group after it.
        """
        p = self._parameters
        words = p.preset_words
        width = p.pe * p.total_width
        if p.presets_constant:
            return Const(words[0], width)
        if p.preset_store == "bram" or p.groups > MERGED_GROUPS or p.patchable:
            m.submodules.preset_rom = preset_rom = Rom(
                width=width, words=words, store=p.preset_store, patchable=p.patchable
            )
            m.d.comb += [preset_rom.addr.eq(address), preset_rom.en.eq(1)]
            if move is None:
                return preset_rom.data
            presets = Signal(width, init=words[0])
            with m.If(move):
                m.d.sync += presets.eq(preset_rom.data)
            return presets
        # Without a register of its own a small ROM shares LUTs with the multiplexer before the adder.
        presets = Signal(width)
        with m.Switch(group):
            for n, word in enumerate(words):
                with m.Case(n):
                    m.d.comb += presets.eq(word)
        return presets
