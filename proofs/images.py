"""Components that process images: the sliding window, and reductions over its output."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product

from amaranth.hdl import Const, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib.data import ArrayLayout
from amaranth.lib.wiring import Component

from ..hw.patches import Parameters
from ..hw.window import Geometry
from .circuit import Circuit
from .moves import CONTRACT, ONE_BIT, TRACKED
from .statement import Make, Statement
from .tracked_memory import TrackedMemory
from .vectors import Vectors

__all__ = ["maximum", "or_reduce", "patches", "smaller", "sums", "window"]


def smaller(geometry: Geometry, *, rows: int = 3, columns: int = 2) -> Geometry:
    """The same window over an image with at most that many rows and columns of positions, two words per pixel
    in each group, and two repeats.
    """

    def size(length: int, kernel: int, stride: int, padding: tuple[int, int], positions: int) -> int:
        minimum = kernel - sum(padding)
        return min(length, max(1, minimum + (positions - 1) * stride))

    g = geometry
    height, width = (
        size(*each)
        for each in zip((g.height, g.width), g.kernel, g.stride, g.padding, (rows, columns), strict=True)
    )
    groups = min(g.groups, 2)
    minimum, maximum = Geometry.rows_range(height=height, kernel=g.kernel, stride=g.stride)
    return Geometry(
        height=height,
        width=width,
        slices=groups * min(g.slices // g.groups, 2),
        kernel=g.kernel,
        stride=g.stride,
        padding=g.padding,
        groups=groups,
        repeats=min(g.repeats, 2),
        at_once=min(g.at_once, columns, g.out_width),
        rows=min(max(g.rows, minimum), maximum),
    )


def _sizes(g: Geometry) -> str:
    return (
        f"{g.height} x {g.width} pixels of {g.slices} word(s), kernel {g.kernel[0]} x {g.kernel[1]}, stride"
        f" {g.stride[0]} x {g.stride[1]}"
        + (f", padding {g.padding}" if any(map(any, g.padding)) else "")
        + (f", {g.groups} groups" if g.groups > 1 else "")
        + (f", {g.repeats} times" if g.repeats > 1 else "")
        + (f", {g.at_once} at once" if g.at_once > 1 else "")
        + f", {g.rows} rows held"
    )


def window(make: Make, *, width: int, geometry: Geometry, padding_bit: int) -> Statement:
    """Statement about a `SlidingWindow`; `make` builds one for a shape, a geometry and its padding words."""
    g = smaller(geometry)
    words = g.slices // g.groups

    def circuit() -> Circuit:
        bench = Circuit(make(1, g, (padding_bit,) * g.slices))
        memory, m = TrackedMemory(bench), bench.m
        vectors = Vectors(
            bench,
            i_loops={"word": g.slices, "column": g.width, "row": g.height},
            o_loops={
                "word": words,
                "kernel_column": g.kernel[1],
                "kernel_row": g.kernel[0],
                "repeat": g.repeats,
                "group": g.groups,
                "out_step": g.out_steps,
                "out_row": g.out_height,
            },
            capacity=g.rows // g.height + 2,
            patience=6,
        )
        # An arbitrary word of the image: it must be output wherever the window covers it.
        place = {
            "word": bench.constant(g.slices, name="word"),
            "column": bench.constant(g.width, name="column"),
            "row": bench.constant(g.height, name="row"),
        }
        known, value = vectors.captured(1, place=place, value=Value.cast(vectors.i.payload))
        m.d.comb += memory.follow.eq(vectors.entering & vectors.push & vectors.taken.is_at(place))
        at = vectors.given.at
        row, column = (Signal(signed(16), name=name) for name in ("row_under", "column_under"))
        m.d.comb += [
            row.eq(at["out_row"] * g.stride[0] - g.padding[0][0] + at["kernel_row"]),
            column.eq(at["out_step"] * g.at_once * g.stride[1] - g.padding[1][0] + at["kernel_column"]),
        ]
        for n, given in enumerate(Value.cast(vectors.o.payload)):  # a bit of each position at once
            under = column + n * g.stride[1]
            there = vectors.leaving & (at["out_step"] * g.at_once + n < g.out_width)
            outside = (row < 0) | (row >= g.height) | (under < 0) | (under >= g.width)
            here = (
                (row == place["row"])
                & (under == place["column"])
                & (at["group"] * words + at["word"] == place["word"])
            )
            which = f" (position {n} at once)" if g.at_once > 1 else ""
            bench.never(
                f"a word given is not the one that the window is over{which}",
                there & here & (~known | (value != given)),
            )
            bench.never(
                f"what is outside the image is not padding{which}", there & outside & (given != padding_bit)
            )
        return bench

    scope = (
        [
            f"an image of {g.height} x {g.width} pixels of {g.slices} word(s) stands for {geometry.height} x"
            f" {geometry.width} of {geometry.slices}"
            + (f", {g.groups} groups for {geometry.groups}" if g.groups != geometry.groups else "")
            + (f", {g.repeats} repeats for {geometry.repeats}" if g.repeats != geometry.repeats else "")
        ]
        if _sizes(g) != _sizes(geometry)
        else []
    )
    return Statement(
        subject=f"window over {_sizes(geometry)}, words of {width} bits, padding of {padding_bit}",
        claim=(
            "for each position, row by row, and each group and repeat, the words under the kernel are output"
            f" in the order kernel row, kernel column, word; positions outside the image are {padding_bit};"
            f" consecutive images do not mix; {CONTRACT}"
        ),
        scope="; ".join([*scope, ONE_BIT.format(width=width), TRACKED]),
        circuit=circuit,
    )


def patches(make: Callable[[Parameters], Component], *, parameters: Parameters) -> Statement:
    """Statement about `Patches`; `make` builds one from its parameters."""
    p = parameters
    steps = min(p.steps, 2)
    positions = min(p.out_width, steps * p.at_once)
    width = max(1, (positions - 1) * p.stride + p.kernel[1] - sum(p.padding))
    few = replace(p, pixel=ArrayLayout(unsigned(1), 1), width=width, padding_word=p.padding_word & 1)

    def circuit() -> Circuit:
        bench = Circuit(make(few))
        rows, columns = few.kernel
        vectors = Vectors(
            bench,
            i_loops={"row": rows, "column": few.width},
            o_loops={"step": few.steps},
            capacity=1,
            patience=few.fed + 2,
        )
        # An arbitrary pixel of the row: it must be output wherever a position covers it.
        place = {"row": bench.constant(rows, name="row"), "column": bench.constant(few.width, name="column")}
        known, value = vectors.captured(1, place=place, value=Value.cast(vectors.i.payload))
        step, given = vectors.given.at["step"], Value.cast(vectors.o.payload)
        wrong: Value = Const(0)
        beyond: Value = Const(0)
        for at, (row, column, n) in enumerate(product(range(rows), range(columns), range(few.at_once))):
            under = Signal(signed(16), name=f"under_{at}")
            bench.m.d.comb += under.eq(step * few.moves + n * few.stride + column - few.padding[0])
            there = step * few.at_once + n < few.out_width
            here = there & (place["row"] == row) & (under == place["column"])
            outside = there & ((under < 0) | (under >= few.width))
            wrong |= here & (~known | (value != given[at]))
            beyond |= outside & (given[at] != few.padding_word)
        bench.never("a pixel given is not the one under its place of the kernel", vectors.leaving & wrong)
        bench.never("what is outside the image is not padding", vectors.leaving & beyond)
        return bench

    scope = (
        [f"a row of {few.width} pixels, with none after the last position, stands for {p.width}"]
        if few.width != p.width
        else []
    )
    bits = Shape.cast(p.pixel).width
    return Statement(
        subject=(
            f"patches of {p.kernel[0]} x {p.kernel[1]} over rows of {p.width} pixels of {bits} bits, stride"
            f" {p.stride}, padding {p.padding}, {p.at_once} at once"
        ),
        claim=(
            "for each position of a row, or for several side by side, the pixels under the kernel are output"
            " in the order kernel row, kernel column; positions outside the image are padding; consecutive"
            f" rows do not mix; {CONTRACT}"
        ),
        scope="; ".join([*scope, ONE_BIT.format(width=bits)]),
        circuit=circuit,
    )


def or_reduce(make: Make, *, lanes: int, beats: int) -> Statement:
    """Statement about an `OrReduce`; `make` builds one for a number of lanes."""

    def circuit() -> Circuit:
        bench = Circuit(make(1))
        vectors = Vectors(bench, i_loops={"beat": beats}, o_loops={"beat": 1}, capacity=1, patience=3)
        m, now, so_far = bench.m, Signal(name="or_now"), Signal(name="or_so_far")
        m.d.comb += now.eq(Mux(vectors.entering, so_far | Value.cast(vectors.i.payload), so_far))
        with m.If(vectors.entering & vectors.push):
            m.d.sync += so_far.eq(now)
        bench.never(
            "a result is not the OR of its words", vectors.leaving & (Value.cast(vectors.o.payload) != so_far)
        )
        return bench

    return Statement(
        subject=f"OR of {beats} words of {lanes} bits",
        claim=f"each bit of a result is 1 exactly where that bit of any of its {beats} words is; {CONTRACT}",
        scope=ONE_BIT.format(width=lanes),
        circuit=circuit,
    )


def maximum(make: Make, *, lanes: int, width: int, beats: int) -> Statement:
    """Statement about a `Maximum`; `make` builds one for a number of lanes."""

    def circuit() -> Circuit:
        bench = Circuit(make(1))
        vectors = Vectors(bench, i_loops={"beat": beats}, o_loops={"beat": 1}, capacity=1, patience=3)
        m, number = bench.m, Value.cast(vectors.i.payload)
        now, so_far = Signal(width, name="highest_now"), Signal(width, name="highest_so_far")
        m.d.comb += now.eq(Mux(vectors.entering & (number > so_far), number, so_far))
        with m.If(vectors.entering & vectors.push):
            m.d.sync += so_far.eq(now)
        bench.never(
            "a result is not the maximum of its words",
            vectors.leaving & (Value.cast(vectors.o.payload) != so_far),
        )
        return bench

    return Statement(
        subject=f"maximum of {beats} words of {lanes} numbers of {width} bits",
        claim=f"each number of a result is the highest at its place in any of its {beats} words; {CONTRACT}",
        scope=f"one number is looked at, which stands for each of {lanes}: they share only the control",
        circuit=circuit,
    )


def _fewer(geometry: Geometry) -> Geometry:
    """The same sums over at most two rows and columns of windows of at most 2 x 2 pixels, without pixels
    after the last window, and with at most two words per pixel.
    """
    g = geometry
    kernel = min(g.kernel[0], 2), min(g.kernel[1], 2)
    stride = g.stride[0] - g.kernel[0] + kernel[0], g.stride[1] - g.kernel[1] + kernel[1]
    height, width = (
        (min(count, 2) - 1) * step + size
        for count, step, size in zip((g.out_height, g.out_width), stride, kernel, strict=True)
    )
    return Geometry(height=height, width=width, slices=min(g.slices, 2), kernel=kernel, stride=stride)


def sums(make: Make, *, lanes: int, geometry: Geometry, maximum: int = 1) -> Statement:
    """Statement about `WindowSums` of elements of 0 ... `maximum`; `make` builds one of a lane for a
    geometry and a maximum element.
    """
    g, most = _fewer(geometry), min(maximum, 3)

    def circuit() -> Circuit:
        bench = Circuit(make(g, most))
        vectors = Vectors(
            bench,
            i_loops={"word": g.slices, "column": g.width, "row": g.height},
            o_loops={"word": g.slices, "out_column": g.out_width, "out_row": g.out_height},
            capacity=2,
            patience=4,
        )
        m, at = bench.m, vectors.taken.at
        # An arbitrary sum of the image, and its input so far.
        place = {
            "word": bench.constant(g.slices, name="word"),
            "out_column": bench.constant(g.out_width, name="column"),
            "out_row": bench.constant(g.out_height, name="row"),
        }
        under = at["word"] == place["word"]
        for axis, out, size, kernel, stride in (
            ("column", "out_column", g.width, g.kernel[1], g.stride[1]),
            ("row", "out_row", g.height, g.kernel[0], g.stride[0]),
        ):
            inside = bench.table(
                at[axis], [int(n % stride < kernel) for n in range(size)], name=f"{axis}_inside"
            )
            under = (
                under
                & inside
                & (
                    bench.table(at[axis], [n // stride for n in range(size)], name=f"{axis}_window")
                    == place[out]
                )
            )
        total, now = (
            Signal(len(Value.cast(vectors.o.payload)), name=name) for name in ("total", "total_now")
        )
        m.d.comb += now.eq(
            total + Mux(vectors.entering & vectors.push & under, Value.cast(vectors.i.payload), 0)
        )
        m.d.sync += total.eq(now)
        given = vectors.leaving & vectors.given.is_at(place)
        bench.never(
            "a sum is not that of what is under its window", given & (Value.cast(vectors.o.payload) != total)
        )
        return bench

    said = (
        f"{geometry.height} x {geometry.width} pixels of {geometry.slices} word(s), windows"
        f" {geometry.kernel[0]} x {geometry.kernel[1]}, stride {geometry.stride[0]} x {geometry.stride[1]}"
    )
    small = (
        f"an image of {g.height} x {g.width} pixels of {g.slices} word(s) and windows of {g.kernel[0]} x"
        f" {g.kernel[1]}, with nothing behind the last, stand for these"
    )
    return Statement(
        subject=f"sums of {lanes} {'bits' if maximum == 1 else f'integers of 0 ... {maximum}'} over {said}",
        claim=(
            f"each sum is {'the number of bits that are on' if maximum == 1 else 'that of the integers'}"
            " under its window, the windows row by row, and each comes once; consecutive images"
            f" do not mix; {CONTRACT}"
        ),
        scope=f"{small}; a word of one {'bit' if maximum == 1 else 'integer'} stands for each of {lanes}"
        + (f", integers of 0 ... {most} for those of 0 ... {maximum}" if most < maximum else ""),
        circuit=circuit,
    )
