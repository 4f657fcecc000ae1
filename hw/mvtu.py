"""The folded matrix-vector-threshold unit (MVTU), which computes one layer."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib.wiring import In, connect, flipped

from .fan_out import FanOut
from .mvtu_parameters import WEIGHT_STORES, Parameters
from .part import PartComponent
from .popcount import XnorPopcount
from .queue import Queue
from .rom import Rom
from .spram import LoadSignature, Spram

__all__ = ["LANES_TOGETHER", "MERGED_GROUPS", "WEIGHT_STORES", "Mvtu", "Parameters"]

#: Groups up to which one LUT can both select among the presets and choose between preset and running sum.
MERGED_GROUPS = 4

#: Lanes of a registered unit that share one fan-out register of the inputs.
LANES_TOGETHER = 8


class Mvtu(PartComponent[Parameters]):
    """Computes one layer, `pe` outputs and `simd` inputs at a time.

    Several vectors may come side by side: each has processing elements of its own, which share weights and
    presets.

    The unit takes each input vector `groups` times (see :class:`.ReplayBuffer`), as `slices` beats of `simd`
    bits per plane (twice if the weights are ternary), and outputs `groups` beats of `pe` values. For each
    beat it reads one word of weights, counts the agreeing bits for every processing element, and adds the
    counts to the accumulators. An accumulator starts from the preset, so the sign of the final sum is the
    output and no comparator is needed. Between two planes it is doubled (Horner's rule); the preset enters
    with that many fractional bits, so that it is whole at the end.

    Throughput is one beat per cycle. The outputs of a group are valid `latency` cycles after its last beat.
    The pipeline itself never stalls: the last beat of a group is accepted only when the output queue will
    have room for the result. Unused lanes of the last output beat are 0; unused lanes of the last slice must
    be 0.

    Parameters
    ----------
    parameters : :class:`Parameters`

    Members
    -------
    i : :py:`In(stream.Signature(bits(simd * vectors)))`
    o : :py:`Out(stream.Signature(ArrayLayout(element, pe * vectors)))`
    load : :py:`In(LoadSignature(parameters.weight_blocks))`
        Fills the weights; only if they are in SPRAM.
    """

    def __init__(self, parameters: Parameters) -> None:
        blocks = parameters.weight_blocks
        super().__init__(parameters, **({"load": In(LoadSignature(blocks))} if blocks else {}))

    def elaborate(self, platform):
        m = Module()
        p = self._parameters

        m.submodules.queue = queue = Queue(shape=self.o.payload.shape(), depth=p.queue_depth)
        take, take_last, ends = self._accept(m)
        connect(m, queue.o, flipped(self.o))

        # `valid`, `last` and whether a plane begins travel along with the data.
        stages = p.latency - 2
        valid, last, begins = Signal(stages), Signal(stages), Signal(stages)
        started, weights, plane_begins = self._operands(m, take, valid[0], ends)
        m.d.sync += [
            valid.eq(Cat(take, valid)),
            last.eq(Cat(take_last, last)),
            begins.eq(Cat(plane_begins, begins)),
        ]
        add, add_last, double = valid[-1], last[-1], begins[-1]
        add_next = valid[-2]

        # The slice after a last one is the first of the next group, and starts from that group's presets.
        first, first_next = Signal(init=1), Signal()
        group, following = Signal(range(p.groups)), Signal(range(p.groups), init=min(1, p.groups - 1))
        second = Mux(following == p.groups - 1, 0, following + 1)
        m.d.comb += first_next.eq(Mux(add, add_last, first))
        m.d.sync += first.eq(first_next)
        with m.If(add_last):
            m.d.sync += [group.eq(following), following.eq(second)]
        if p.registered and not p.patchable:  # the register begins with the first word
            presets = self._presets(m, group, Mux(add_last, second, following), add_next, move=add_last)
        else:
            presets = self._presets(m, group, Mux(add_last, following, group), add_next)

        # All lanes share these. A registered unit is for a family where the lanes are spread far apart: every
        # few lanes have a fan-out register of their own.
        x_next = [Cat(XnorPopcount.code_rest(list(each))) for each in started]
        control_next = add_next, first_next, Cat(plane_begins, begins)[stages - 1]
        if not p.registered:
            x = [Signal(p.simd, name="_".join(("x", *map(str, n))), reset_less=True) for n in self._numbers]
            m.d.sync += [held.eq(following) for held, following in zip(x, x_next, strict=True)]

        # The finished sums leave from the accumulators one cycle after their last addition. `group` has moved
        # on by then: from the last group to the first.
        m.d.sync += queue.i.valid.eq(add_last)
        for at in range(p.pe * p.vectors):
            vector, lane = divmod(at, p.pe)
            if not p.registered:
                shared = Cat(add, first, double, x[vector])
            elif lane % LANES_TOGETHER == 0:
                shared_next = Cat(*control_next, x_next[vector])
                m.submodules[f"copy_{at}"] = copy = FanOut(len(shared_next))
                m.d.comb += copy.i.eq(shared_next)
                shared = copy.o
            output = self._lane(m, at, shared, weights, presets)
            if lane >= p.outputs - (p.groups - 1) * p.pe:
                output = Mux(group == 0, 0, output)
            place = lane * p.vectors + vector if p.interleaved else at
            m.d.comb += queue.i.payload[place].eq(output)

        return m

    @property
    def _numbers(self) -> list[tuple[int, ...]]:
        """The number of each vector in names; none where there is one vector."""
        count = self._parameters.vectors
        return [()] if count == 1 else [(n,) for n in range(count)]

    def _accept(self, m: Module) -> tuple[Value, Value, Value]:
        """Accept beats while their results have room in the queue.

        Returns whether a beat is taken, whether the last beat of a group is taken, and whether the next beat
        is the last of its group.
        """
        p = self._parameters
        beat = Signal(range(p.beats))
        # Groups accepted and not yet taken from the queue.
        promised, promises = (Signal(range(p.queue_depth + 1)) for _ in range(2))
        # Whether the next beat is a group's last, and whether that one may be accepted: from flip-flops.
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
        return take, take_last, ends

    def _operands(
        self, m: Module, take: Value, taken: Value, ends: Value
    ) -> tuple[list[Value], Value, Value]:
        """Read the weights of each beat that is taken, in the cycle after, which `taken` says.

        Returns the half-encoded inputs of each vector (see :meth:`.XnorPopcount.code_start`), their weights,
        and whether the next beat is the first of a plane.
        """
        p = self._parameters
        # Weights are read in the order of their addresses, which is that of the beats. Each plane of a group
        # reads the same words again.
        address, address_later = (
            Signal(range(len(p.weight_words)), name=name) for name in ("address", "address_later")
        )
        m.d.sync += address_later.eq(address)
        given, weights = self.i.payload.as_value(), self._weights(m, address_later, taken)
        if p.weights_registered:
            given_before, given = given, Signal(len(given), reset_less=True)
            weights_before, weights = weights, Signal(p.pe * p.simd, reset_less=True)
            m.d.sync += [given.eq(given_before), weights.eq(weights_before)]
        # The inputs are encoded in two steps of one LUT each; the weights' address is delayed to match.
        started: list[Value] = []
        for n, number in enumerate(self._numbers):
            half = Signal(p.simd, name="_".join(("started", *map(str, number))), reset_less=True)
            m.d.sync += half.eq(Cat(XnorPopcount.code_start(list(given)[n :: p.vectors])))
            started.append(half)
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
        return started, weights, plane_begins

    def _lane(self, m: Module, at: int, shared: Value, weights: Value, presets: Value) -> Value:
        """The popcount and accumulator of the processing element at a place of the output; returns its
        output.
        """
        p = self._parameters
        lane = at % p.pe
        add, first, double, x = shared[0], shared[1], shared[2], shared[3:]
        m.submodules[f"popcount_{at}"] = popcount = XnorPopcount(width=p.simd)
        m.d.comb += [popcount.a.eq(x), popcount.b.eq(weights.word_select(lane, p.simd))]

        accumulator = Signal(signed(p.accumulator_width), name=f"accumulator_{at}", reset_less=True)
        total = Signal(signed(p.accumulator_width), name=f"total_{at}")
        start = presets.word_select(lane, p.total_width).as_signed()
        so_far = Mux(double, accumulator << 1, accumulator) if p.planes > 1 else accumulator
        point = p.planes - 1  # fractional bits, for the doublings to come
        base = Mux(first if p.beats > 1 else 1, start, so_far)
        m.d.comb += total.eq(Cat(base[:point], base[point:].as_signed() + popcount.o + popcount.carry))
        with m.If(add):
            m.d.sync += accumulator.eq(total)
        return ~accumulator[-1] if p.signs else accumulator >> point + p.halves - 1

    def _weights(self, m: Module, address: Value, read: Value) -> Value:
        """The weight word at `address`, in the next cycle; memories are read only if `read`."""
        p = self._parameters
        weight_rom: Rom | Spram
        if p.weight_blocks:
            rest = Rom(width=p.rest_width, words=p.rest_words, store="bram") if p.rest_width else None
            weight_rom = Spram(width=p.pe * p.simd - p.rest_width, depth=p.weight_depth, rest=rest)
            connect(m, flipped(self.load), weight_rom.load)
        else:
            weight_rom = Rom(
                width=p.pe * p.simd, words=p.weight_words, store=p.weight_store, patchable=p.patchable
            )
        m.submodules.weight_rom = weight_rom
        # Words in LUTs are there all the time: to hold them would only take enables of flip-flops.
        m.d.comb += [weight_rom.addr.eq(address), weight_rom.en.eq(1 if p.weight_store == "lut" else read)]
        return weight_rom.data

    def _presets(
        self, m: Module, group: Value, address: Value, read: Value, *, move: Value | None = None
    ) -> Value:
        """The presets of the group that is being added, all lanes in one word.

        `address` is the group of the next cycle, and `read` whether that adds. With a register after the ROM,
        which takes the ROM's word at `move`, it is the group after that.
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
            m.d.comb += [
                preset_rom.addr.eq(address),
                preset_rom.en.eq(1 if p.preset_store == "lut" else read),
            ]
            if move is None:
                return preset_rom.data
            presets = Signal(width, init=words[0])
            with m.If(move):
                m.d.sync += presets.eq(preset_rom.data)
            return presets
        # Without an output register, a small ROM shares LUTs with the multiplexer in front of the adder.
        presets = Signal(width)
        with m.Switch(group):
            for n, word in enumerate(words):
                with m.Case(n):
                    m.d.comb += presets.eq(word)
        return presets
