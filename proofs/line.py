"""The path of a host's bytes: both ends of the serial line, the frames on it, and their checksum."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out, connect, flipped

from ..hw.slip import END, ESC, ESC_END, ESC_ESC, Decoder, Encoder, frame_layout
from .circuit import Circuit
from .moves import CONTRACT
from .statement import Make, Statement
from .vectors import Count, Vectors

__all__ = ["checksum", "decoder", "encoder", "receiver", "round_trip", "transmitter"]

#: Maximum cycles per bit for which the ends of a line are proved: the states of their counters are
#: enumerated.
_MOST_CYCLES = 8

#: Cycles of latency of the receiver's synchroniser.
_SYNCHRONISER = 3

#: IEEE 802.3, bit-reversed, since the bits of a byte arrive least significant first.
_POLYNOMIAL = 0xEDB88320


def encoder(make: Make) -> Statement:
    """Statement about an `Encoder`."""

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m = bench.component, bench.m
        push, pop = bench.offer(dut.i), bench.take(dut.o)
        byte, end, second = dut.i.payload.data, dut.i.payload.end, Signal(name="second_of_two")
        two = ~end & ((byte == END) | (byte == ESC))
        with m.If(pop):
            m.d.sync += second.eq(two & ~second)
        wanted = Mux(end, END, Mux(two, Mux(second, Mux(byte == END, ESC_END, ESC_ESC), ESC), byte))
        bench.never("a byte is not offered when there is one", dut.o.valid != dut.i.valid)
        bench.never("another byte is offered", dut.o.valid & (dut.o.payload != wanted))
        bench.never("a beat is taken before its last byte, or not with it", push != (pop & (second | ~two)))
        return bench

    return Statement(
        subject="SLIP encoder",
        claim=(
            "each end of a frame is encoded as END, each END and ESC in it as ESC and the byte that stands"
            " for it, any other byte as itself, in order, none lost or duplicated; an offered byte stays"
            " until it is taken"
        ),
        circuit=circuit,
    )


def decoder(make: Make) -> Statement:
    """Statement about a `Decoder`."""

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m = bench.component, bench.m
        push, pop = bench.offer(dut.i), bench.take(dut.o)
        byte, escaped = dut.i.payload, Signal(name="behind_an_escape")
        swallowed = ~escaped & (byte == ESC)
        with m.If(push):
            m.d.sync += escaped.eq(swallowed)
        wanted = Mux(escaped & (byte == ESC_END), END, Mux(escaped & (byte == ESC_ESC), ESC, byte))
        bench.never(
            "a beat is not offered when there is one, or an escape is",
            dut.o.valid != (dut.i.valid & ~swallowed),
        )
        bench.never(
            "an END does not end a frame, or something else does",
            dut.o.valid & (dut.o.payload.end != (byte == END)),
        )
        bench.never(
            "another byte is offered", dut.o.valid & ~dut.o.payload.end & (dut.o.payload.data != wanted)
        )
        bench.never(
            "a byte is not taken with its beat, or an escape not at once",
            push != (pop | dut.i.valid & swallowed),
        )
        return bench

    return Statement(
        subject="SLIP decoder",
        claim=(
            "each END ends a frame, wherever it comes; the byte after an ESC is decoded to the one that it"
            " stands for, or to itself if it stands for none; any other byte is itself: in order, none lost"
            " or duplicated, for any bytes at all; an offered beat stays until it is taken"
        ),
        circuit=circuit,
    )


class _RoundTrip(wiring.Component):
    """Frames through an `Encoder` and a `Decoder`."""

    i: stream.Interface
    o: stream.Interface

    def __init__(self) -> None:
        layout = stream.Signature(frame_layout)
        super().__init__({"i": In(layout), "o": Out(layout)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.encoder, m.submodules.decoder = encoder, decoder = Encoder(), Decoder()
        connect(m, flipped(self.i), encoder.i)
        connect(m, encoder.o, decoder.i)
        connect(m, decoder.o, flipped(self.o))
        return m


def round_trip() -> Statement:
    """Statement that a `Decoder` decodes what an `Encoder` encodes."""

    def circuit() -> Circuit:
        bench = Circuit(_RoundTrip())
        vectors = Vectors(bench, i_loops={"beat": 1}, o_loops={"beat": 1}, capacity=1, patience=4)
        known, value = vectors.captured(9, place={}, value=vectors.i.payload.as_value())
        given, sent = vectors.o.payload, frame_layout(value)
        bench.never(
            "a beat is not the one that came in at its place",
            vectors.leaving & (~known | (given.end != sent.end) | ~sent.end & (given.data != sent.data)),
        )
        return bench

    return Statement(
        subject="SLIP encoder and decoder",
        claim=(
            "what one end encodes the other decodes: the n-th byte or end of a frame in is the n-th out, for"
            f" every n and all frames; {CONTRACT}"
        ),
        circuit=circuit,
    )


def checksum(make: Make) -> Statement:
    """Statement about the CRC-32 of the frames, one bit per cycle."""

    def circuit() -> Circuit:
        bench = Circuit(make())
        dut, m = bench.component, bench.m
        m.d.comb += [
            dut.start.eq(bench.free(name="start")),
            dut.valid.eq(bench.free(name="valid")),
            dut.data.eq(bench.free(name="data")),
        ]
        rest, before = Signal(32, init=0xFFFFFFFF, name="rest"), Signal(32, name="before")
        m.d.comb += before.eq(Mux(dut.start, 0xFFFFFFFF, rest))
        m.d.sync += rest.eq(Mux(dut.valid, before >> 1 ^ Mux(before[0] ^ dut.data, _POLYNOMIAL, 0), before))
        bench.never("the checksum is not that of the bits that came", dut.crc != ~rest)
        return bench

    return Statement(
        subject="CRC-32",
        claim=(
            "the remainder starts with ones; each bit divides it by the polynomial of IEEE 802.3"
            " (0x04C11DB7), the lowest bit of a byte first; the checksum is the complement of the remainder:"
            " the CRC-32 of all bits since the start, for any number of them"
        ),
        circuit=circuit,
    )


def _smaller(divisor: int) -> tuple[int, str]:
    used = min(divisor, _MOST_CYCLES)
    return used, "" if used == divisor else f"a bit of {used} cycles stands for one of {divisor}"


def transmitter(make: Make, *, divisor: int) -> Statement:
    """Statement about a `uart.Tx`; `make` builds one for a number of cycles per bit."""
    used, scope = _smaller(divisor)

    def circuit() -> Circuit:
        bench = Circuit(make(used))
        dut, m = bench.component, bench.m
        push, busy = bench.offer(dut.i), Signal(name="sending")
        at, byte = Count(m, loops={"cycle": used, "bit": 10}, step=busy, name="at"), Signal(8, name="byte")
        with m.If(push):
            m.d.sync += [busy.eq(1), byte.eq(dut.i.payload)]
        with m.Elif(at.last):
            m.d.sync += busy.eq(0)
        rested = Signal(name="rested")
        m.d.sync += rested.eq(~busy)
        bench.never(
            "the line is not what the byte makes it",
            dut.tx != Mux(busy, Cat(0, byte, 1).bit_select(at.at["bit"], 1), 1),
        )
        bench.never("a byte is taken while another is sent", push & busy)
        bench.never("a byte is refused although the line rests", ~busy & rested & ~dut.i.ready)
        return bench

    return Statement(
        subject=f"UART transmitter, {divisor} cycles per bit",
        claim=(
            "a byte that is taken is on the line from the next cycle on: a 0, its eight bits with the lowest"
            f" first, a 1, each for {used} cycles; otherwise the line is 1; the next byte is taken at the"
            " latest in the second cycle after it, for all bytes and any pauses"
        ),
        scope=scope,
        circuit=circuit,
    )


def receiver(make: Make, *, divisor: int) -> Statement:
    """Statement about a `uart.Rx`; `make` builds one for a number of cycles per bit."""
    used, scope = _smaller(divisor)
    early = max(0, used // 2 - 2)  # cycles that an edge may be early or late
    rests = used // 2 + _SYNCHRONISER

    def circuit() -> Circuit:
        bench = Circuit(make(used))
        dut, m = bench.component, bench.m
        pop = bench.take(dut.o)
        # A line with bytes. Each edge except the first of a byte may deviate from its time by `early` cycles.
        sending, byte = Signal(name="sending"), Signal(8, name="byte")
        at = Count(m, loops={"cycle": used, "bit": 10}, step=sending, name="at")
        cycle, bit = at.at["cycle"], at.at["bit"]
        begins, offered = Signal(name="begins"), bench.free(8, name="byte")
        # A reset does not clear the synchroniser, and its contents may look like a start bit.
        m.d.comb += begins.eq(
            ~sending & bench.free(name="begins") & bench.delayed(Const(1, 1), rests, name="rested")
        )
        with m.If(begins):
            m.d.sync += [sending.eq(1), byte.eq(offered)]
        with m.Elif(at.last):
            m.d.sync += sending.eq(0)
        levels = Cat(1, 0, byte, 1, 1)  # before the byte, of its ten bits, and after them
        before, now, behind = (levels.bit_select(place, 1) for place in (bit, bit + 1, bit + 2))
        either = bench.free(name="edge")
        moved = Mux(
            (cycle < early) & (bit != 0) & either, before, Mux((cycle >= used - early) & either, behind, now)
        )
        m.d.comb += dut.rx.eq(Mux(sending, moved, 1))

        # A byte that was sent completely is output, unless the previous one still waits.
        was_valid = Signal(name="was_valid")
        m.d.sync += was_valid.eq(dut.o.valid & ~pop)
        comes = dut.o.valid & ~was_valid
        late = Const(used // 2 + 4)
        owed, since, sent = Signal(name="owed"), Signal(range(used + 8), name="since"), Signal(8, name="sent")
        samples = sending & (bit == 9) & (cycle == 0)
        with m.If(samples):
            m.d.sync += [owed.eq(1), since.eq(0), sent.eq(byte)]
        with m.Elif(comes):
            m.d.sync += owed.eq(0)
        with m.Elif(owed):
            m.d.sync += since.eq(since + 1)
        bench.never("a byte is given that was not sent", comes & (~owed | (dut.o.payload != sent)))
        waits = Signal(name="waits")  # at any time since the stop bit began
        m.d.sync += waits.eq(was_valid | waits & owed & ~samples)
        bench.never("a byte that was sent is not given", owed & (since == late) & ~waits)
        return bench

    return Statement(
        subject=f"UART receiver, {divisor} cycles per bit",
        claim=(
            f"every byte on the line comes out, once and unchanged, at the latest {used // 2 + 4} cycles"
            " after the beginning of its stop bit, if the previous byte has been taken; nothing else comes"
            f" out; each edge within a byte may be up to {early} of {used} cycles early or late, and change"
            " any number of times meanwhile; an offered byte stays until it is taken"
        ),
        scope="; ".join(filter(None, (scope, f"the line is idle for {rests} cycles after a reset"))),
        circuit=circuit,
    )
