"""Folding a network to a device: PE, SIMD and memories for each layer.

The slowest stage sets the pace, so the search is over the number of cycles that an image may take. For a
given number, the cheapest folding of each layer that keeps to it is found by dynamic programming along the
chain, since a layer's width converter depends on how wide the beats of the layer before are. The least number
of cycles whose result fits the device is found by bisection.

Layers go into single-port RAM, which is filled at start-up, only where block RAM does not suffice. Its blocks
are counted along the way, since they are few and whole.
"""

import math
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product

from ..errors import FitError
from ..hw.spram import BLOCK_DEPTH, BLOCK_WIDTH, blocks
from ..hw.width import conversions
from .bound import bounds
from .cycles import predict, stage_cycles
from .design import Design, unrolls
from .device import DEVICES, Device
from .estimate import Cost, binarize_cost, converter_cost, estimate, lookup_cost, queue_cost, stage_cost
from .folding import UNROLLED, Folding
from .ir import Add, Binarize, Conv2d, Fork, Lookup, MaxPool, Network, SumPool, Threshold
from .linked import check_design, check_network, may_enter
from .narrow import narrow, widths
from .shortcut_queue import depth
from .stage import first_lanes, forks, mvtu_parameters, passes, results_cycles, stage
from .weight_count import weights

__all__ = ["EASY_LUTS", "FILL", "check_fit", "easy_fill", "fold", "trade_off"]

#: Share of a device that place and route can fill and still meet a clock.
FILL = {"lut": 0.85, "ff": 0.85, "bram": 1.0, "spram": 1.0}

#: Share of the LUTs, and number of them, that synthesis, place and route take within a quarter of an hour:
#: what is filled unasked. So many also keep every block RAM of the largest device busy (36 bits each of 208,
#: 2.6 LUTs a bit).
EASY_FILL = 0.6
EASY_LUTS = 25_000

#: Widest weight word, in bits, that a layer reads in one cycle.
_MAX_WORD = 8192

#: Deepest ROM, in words, that is tried in LUTs: beyond it a block RAM is cheaper on every device.
_MAX_LUT_DEPTH = 64

#: Most bits of a replay buffer that are tried in flip-flops.
_MAX_LUT_REPLAY = 128

#: Most cycles an image at which a layer is also tried unrolled: a unit that takes five cycles is about as
#: large, and one that takes more is smaller. And the most weights of one, since its tables are made to know
#: their number.
_UNROLLED_CYCLES = 6
_MAX_UNROLLED = 1 << 14

#: What a block RAM may cost, in shares of the device, relative to a LUT: tried in this order.
_BRAM_PRICES = (0.03, 0.3, 1.0, 3.0)


def _steps(length, least=1):
    """The least width for each number of beats that `length` elements can take, and the powers of two."""
    widths = {-(-length // beats) for beats in range(1, length + 1)}
    widths |= {1 << n for n in range(length.bit_length()) if 1 << n <= length}
    return sorted(width for width in widths if width >= least)


def _shapes(layer, input_shape, cycles, shallow):
    """(pe, simd) of a layer that take at most `cycles`: for each SIMD the fewest processing elements, and the
    fewest that make a weight ROM of a width and depth that is `shallow`."""
    if isinstance(layer, Add | Fork | MaxPool | SumPool | Threshold):
        *sides, channels = input_shape
        yield from (
            (simd, simd) for simd in _steps(channels) if math.prod(sides) * -(-channels // simd) <= cycles
        )
        return
    inputs, outputs, positions = layer.inputs, layer.outputs, 1
    if isinstance(layer, Conv2d):
        # Of a group: its channels, its outputs; all groups and positions one after the other.
        rows, columns, _ = layer.output_shape(input_shape)
        inputs, outputs, positions = (
            layer.weights.shape[3],
            outputs // layer.groups,
            rows * columns * layer.groups,
        )
    widths = _steps(inputs)
    if isinstance(layer, Conv2d):
        widths += [inputs * pixels for pixels in _steps(math.prod(layer.kernel), least=2)]
    for simd in widths:
        # Of one pixel's channels a slice never reaches into the next pixel.
        beats = -(-layer.inputs // simd) if simd > inputs else -(-inputs // simd) * (layer.inputs // inputs)
        slices = beats * positions * layer.planes * passes(layer)
        if slices > cycles:
            continue
        least = -(-outputs // (cycles // slices))
        # A power of two or a divisor meets the next layer's beats more easily.
        divisor = next(pe for pe in range(least, outputs + 1) if outputs % pe == 0)
        choices = {least, min(1 << (least - 1).bit_length(), outputs), divisor}
        words = beats * passes(layer) * (layer.outputs // outputs)
        choices |= {
            next(
                (
                    pe
                    for pe in (min(divisor << n, outputs) for n in range(outputs.bit_length() + 1))
                    if shallow(width=pe * simd, depth=words * -(-outputs // pe))
                ),
                divisor,
            )
        }
        if isinstance(layer, Conv2d) and layer.groups > 1:
            choices = {divisor}  # a beat of outputs must not reach from one group into the next
        yield from ((pe, simd) for pe in choices if pe * simd <= _MAX_WORD)
    if cycles <= _UNROLLED_CYCLES and _may_unroll(layer):
        yield layer.outputs, layer.inputs


def _may_unroll(layer):
    """Whether a layer is tried unrolled: one that a unit computes in a single pass, of no more weights than
    are done in seconds.
    """
    return unrolls(layer) and layer.planes == passes(layer) == 1 and layer.weight_bits <= _MAX_UNROLLED


def _stores(layer, pe, simd, registered, patchable_store):
    """Every sensible choice of memories for a shape; of patchable ones those in `patchable_store` and block
    RAM alone.
    """
    if isinstance(layer, MaxPool | SumPool):
        for store in ("bram",) if isinstance(layer, MaxPool) else ("bram", "lut"):
            yield Folding(pe=pe, simd=simd, replay_store=store)
        return
    if isinstance(layer, Add | Fork | Threshold):
        for store in (
            ("bram", "lut") if isinstance(layer, Threshold) and len(layer.thresholds) > pe else ("lut",)
        ):
            yield Folding(pe=pe, simd=simd, preset_store=store)
        return
    slices, groups = -(-layer.inputs // simd), -(-layer.outputs // pe) * passes(layer)
    small = groups > 1 and simd * slices <= _MAX_LUT_REPLAY and not isinstance(layer, Conv2d)
    stores = ("bram", "lut") if slices * groups <= _MAX_LUT_DEPTH else ("bram",)
    presets = ("bram", "lut") if groups > 16 else ("lut",)
    replays = ("bram", "lut") if small else ("bram",)
    if patchable_store == "bram":
        stores = presets = ("bram",)
    for store, preset_store, replay_store in product(stores, presets, replays):
        yield Folding(
            pe=pe,
            simd=simd,
            store=store,
            preset_store=preset_store,
            replay_store=replay_store,
            registered=registered,
        )
    if slices == groups == 1 and _may_unroll(layer) and patchable_store is None:
        yield Folding(pe=pe, simd=simd, store=UNROLLED)


@cache
def _keeps_pace(i_length, i_lanes, o_length, o_lanes, elements, cycles):
    """Whether the width converters between two stages take at most `cycles` for an image of so many elements."""
    for length, *lanes in conversions(i_length=i_length, i_lanes=i_lanes, o_length=o_length, o_lanes=o_lanes):
        narrow = math.gcd(*lanes)
        if narrow != min(lanes) and elements // length * -(-length // narrow) > cycles:
            return False
    return True


@dataclass(frozen=True, kw_only=True)
class _Way:
    """The cheapest way so far to a width of beats."""

    price: float
    length: int
    lanes: int
    stages: tuple

    @property
    def foldings(self):
        return tuple(stage.folding for stage in self.stages)


class _Search:
    """The costs of one network on one device, kept between the steps of the bisection."""

    def __init__(self, network, device, *, spram=0, patchable=False):
        self.network, self.device, self.patchable = network, device, patchable
        self.units = {}
        self.forks = forks(network)
        self.costs, self.choices, self.shapes = {}, {}, {}
        self.banks = device.fabric.max_banks, math.inf  # tried in this order
        self.max_banks = self.banks[0]
        self.spram = spram  # that may be used
        self.binarize_cost = cache(partial(binarize_cost, network.layers[0]))  # of so many lanes

    def _cheapest(self, n, pe, simd, bram_price):
        """The memories that are cheapest for a shape of layer `n`, for each number of SPRAMs: (SPRAMs, price,
        stage).
        """
        key = n, pe, simd, bram_price, self.max_banks, self.spram
        if key not in self.costs:
            priced = [
                (cost.spram, self._price(cost, bram_price), choice)
                for cost, choice in self._choices(n, pe, simd)
                if self._is_shallow(choice)
            ]
            self.costs[key] = [
                min((each for each in priced if each[0] == sprams), key=lambda each: each[1])
                for sprams in sorted({sprams for sprams, *_ in priced})
            ]
        return self.costs[key]

    def _choices(self, n, pe, simd):
        """Every stage of a shape of layer `n`, with its cost."""
        key = n, pe, simd, self.spram
        if key not in self.choices:
            registered = self.device.fabric.registered
            patchable_store = self.device.fabric.patchable_store if self.patchable else None
            choices = [
                self._stage(n, folding)
                for folding in _stores(self.network.layers[n], pe, simd, registered, patchable_store)
            ]
            if self.spram and self.network.layers[n].weight_bits:
                choices += [
                    self._stage(n, folding) for choice in choices for folding in self._in_spram(choice)
                ]
            self.choices[key] = [
                (stage_cost(choice, device=self.device, exact=False), choice) for choice in choices
            ]
        return self.choices[key]

    def _in_spram(self, choice):
        """The foldings of a stage whose weights are in block RAM with some of each word in SPRAM instead, or
        all of it.
        """
        unit = choice.unit
        if choice.folding.store == "bram" and unit.weight_depth <= BLOCK_DEPTH:
            for count in range(1, min(self.spram, blocks(unit.pe * unit.simd)) + 1):
                rest = max(0, unit.pe * unit.simd - count * BLOCK_WIDTH)
                if not rest or self.device.brams(width=rest, depth=unit.weight_depth) <= self.device.bram:
                    yield replace(choice.folding, store="spram", sprams=count)

    def _shapes(self, n, cycles):
        key = n, cycles, self.max_banks
        if key not in self.shapes:
            self.shapes[key] = tuple(
                _shapes(self.network.layers[n], self.network.shapes[n], cycles, self._shallow)
            )
        return self.shapes[key]

    def _shallow(self, *, width, depth):
        return self.device.banks(width=width, depth=depth) <= self.max_banks

    def _is_shallow(self, choice):
        if choice.unit is None or choice.folding.store not in ("bram", "spram"):
            return True
        width = (
            choice.unit.rest_width if choice.folding.store == "spram" else choice.unit.pe * choice.unit.simd
        )
        return not width or self._shallow(width=width, depth=choice.unit.weight_depth)

    def _stage(self, n, folding):
        layer, unit = self.network.layers[n], None
        if layer.weight_bits and not folding.unrolled:
            key = (
                n,
                folding.simd if isinstance(layer, Conv2d) else None,
            )  # a convolution's rows depend on SIMD
            if key not in self.units:
                self.units[key] = mvtu_parameters(
                    layer, Folding(pe=1, simd=folding.simd), patchable=self.patchable
                )
            unit = replace(
                self.units[key],
                pe=folding.pe,
                simd=folding.simd,
                weight_store=folding.store,
                sprams=folding.sprams,
                preset_store=folding.preset_store,
                registered=folding.registered,
            )
        about = {
            "i_greatest": self.network.greatest[n],
            "o_greatest": self.network.greatest[n + 1],
            "unit": unit,
        }
        chosen = stage(layer, folding, self.network.shapes[n], **about)
        if chosen.window is None or folding.replay_store != "bram":
            return chosen
        rows = self._rows_for_nothing(chosen.window, width=chosen.i_lanes * chosen.planes)
        return stage(layer, replace(folding, rows=rows), self.network.shapes[n], **about)

    def _rows_for_nothing(self, window, *, width):
        """The most rows that line buffers of `width` bits can hold in the block RAMs that they take anyway."""
        least, most = window.rows_range(height=window.height, kernel=window.kernel, stride=window.stride)

        def brams(rows):
            return self.device.brams(width=width, depth=rows * window.width * window.slices)

        return max(rows for rows in range(least, most + 1) if brams(rows) == brams(least))

    def _price(self, cost, bram_price):
        return cost.lut / self.device.lut + bram_price * cost.bram / max(1, self.device.bram)

    def design(self, cycles, bram_price):
        """The cheapest design that takes at most `cycles` an image, or None."""
        # Best way to reach each width of beats with each number of SPRAMs.
        best = self._beginnings(cycles, bram_price)
        for n in range(1, len(self.network.layers)):
            elements = math.prod(self.network.shapes[n])
            found = {}
            for pe, own, sprams, chosen in self._foldings(n, cycles, bram_price):
                for (_, used), way in best.items():
                    price, reached = way.price + own, (pe, used + sprams)
                    if used + sprams > self.spram or reached in found and price >= found[reached].price:
                        continue
                    if not _keeps_pace(
                        way.length, way.lanes, chosen.i_length, chosen.i_lanes, elements, cycles
                    ):
                        continue
                    price += self._price(
                        converter_cost(
                            i_length=way.length,
                            i_lanes=way.lanes,
                            o_length=chosen.i_length,
                            o_lanes=chosen.i_lanes,
                            element_bits=chosen.i_greatest.bit_length(),
                        ),
                        bram_price,
                    )
                    passed = way.stages
                    if n in self.forks:
                        passed, shortcut = self._shortcut(way, n, chosen, cycles, bram_price)
                        price += shortcut
                    if price < (found[reached].price if reached in found else math.inf):
                        found[reached] = _Way(
                            price=price, length=chosen.o_length, lanes=pe, stages=(*passed, chosen)
                        )
            best = found
        if not best:
            return None

        # Results leave one at a time.
        def whole(way):
            out = converter_cost(
                i_length=way.length,
                i_lanes=way.lanes,
                o_length=way.length,
                o_lanes=1,
                element_bits=way.stages[-1].unit.sum_width,
            )
            return way.price + self._price(out, bram_price)

        return Design(
            network=self.network, foldings=min(best.values(), key=whole).foldings, patchable=self.patchable
        )

    def _foldings(self, n, cycles, bram_price):
        """The foldings of layer `n` that take at most `cycles`: (PE, price, SPRAMs, stage)."""
        for pe, simd in self._shapes(n, cycles):
            for sprams, price, chosen in self._cheapest(n, pe, simd, bram_price):
                if chosen.cycles <= cycles:
                    yield pe, price, sprams, chosen

    def _shortcut(self, way, n, add, cycles, bram_price):
        """The stages of a way with the best memory for the shortcut that ends at the `Add`, layer `n`, and
        its price.
        """
        at = self.forks[n]
        fork = way.stages[at]
        length, beats = add.i_length, depth((*way.stages[at:], add))
        if not _keeps_pace(
            length, fork.o_lanes, length, add.i_lanes, math.prod(self.network.shapes[n]), cycles
        ):
            return way.stages, math.inf
        converter = converter_cost(
            i_length=length,
            i_lanes=fork.o_lanes,
            o_length=length,
            o_lanes=add.i_lanes,
            element_bits=add.kept_greatest.bit_length(),
        )
        stores = (
            ("bram", "lut")
            if beats * fork.o_lanes * add.kept_greatest.bit_length() <= _MAX_LUT_REPLAY
            else ("bram",)
        )
        choices = [replace(fork, folding=replace(fork.folding, replay_store=store)) for store in stores]
        price, fork = min(
            (
                (self._price(converter + queue_cost(choice, beats, device=self.device), bram_price), choice)
                for choice in choices
            ),
            key=lambda priced: priced[0],
        )
        return (*way.stages[:at], fork, *way.stages[at + 1 :]), price

    def _lanes(self, cycles):
        """Pixels at once in which an image enters in at most `cycles`."""
        pixels = self.network.pixels
        return [
            lanes
            for lanes in _steps(pixels, least=-(-pixels // cycles))
            if may_enter(self.network.layers[0], lanes)
        ]

    def _beginnings(self, cycles, bram_price):
        """The best way through the first layer to each width of beats, with each number of SPRAMs."""
        first = self.network.layers[0]
        best = {}
        if isinstance(first, Binarize):
            for lanes in self._lanes(cycles):
                pe = lanes * first.levels
                # The board packs single pixels into beats: a register of eight bits a lane.
                cost = self.binarize_cost(lanes) + Cost(lut=8 * lanes)
                best[pe, 0] = _Way(
                    price=self._price(cost, bram_price),
                    length=first.outputs,
                    lanes=pe,
                    stages=(self._stage(0, Folding(pe=pe, simd=lanes)),),
                )
            return best
        if isinstance(first, Lookup):
            for lanes in self._lanes(cycles):
                best[lanes, 0] = _Way(
                    price=self._price(lookup_cost(first, lanes) + Cost(lut=8 * lanes), bram_price),
                    length=self.network.pixels,
                    lanes=lanes,
                    stages=(self._stage(0, Folding(pe=lanes, simd=lanes)),),
                )
            return best
        for pe, own, used, chosen in self._foldings(0, cycles, bram_price):
            if not may_enter(first, chosen.folding.simd):
                continue
            beats = -(-self.network.pixels // first_lanes(first, chosen.folding.simd))
            if beats <= cycles and ((pe, used) not in best or own < best[pe, used].price):
                best[pe, used] = _Way(price=own, length=chosen.o_length, lanes=pe, stages=(chosen,))
        return best

    def fitting(self, cycles, fill):
        """A design that takes at most `cycles` an image and fits, and one that does not; either may be None."""
        misfit = None
        for max_banks in self.banks:
            self.max_banks = max_banks
            for bram_price in _BRAM_PRICES:
                design = self.design(cycles, bram_price)
                if design is None:
                    break
                over = excess(estimate(design, self.device, exact=False), self.device, fill)
                if not over:
                    return design, None
                misfit = design
                if over.keys() != {"bram"}:
                    break  # dearer block RAMs only ask for more of the rest
        return None, misfit


def easy_fill(device):
    """The shares that a design takes where nobody asked for a pace."""
    share = min(EASY_FILL, EASY_LUTS / device.lut)
    return {**FILL, "lut": share, "ff": share}


def excess(resources, device, fill):
    """What `resources` ask for beyond the share `fill` of the device: ``{name: (asked, available)}``."""
    return {
        name: (resources[name], int(getattr(device, name) * share))
        for name, share in fill.items()
        if resources[name] > getattr(device, name) * share
    }


def check_fit(design, device):
    """Refuse a design that the estimate says is too big for the whole device, or that the board's host link
    cannot serve.

    Raises
    ------
    FitError
        With what is over, by how much, and what would fit.
    """
    check_design(design)
    over = excess(estimate(design, device), device, dict.fromkeys(FILL, 1.0))
    if over:
        raise FitError(
            "; ".join(
                [
                    f"the design does not fit {device.name}: {_over(over)}",
                    *_remedies(design.network, device, design.patchable),
                ]
            )
        )


def fold(network: Network, device: Device, *, cycles=None, fill=None, patchable=False) -> Design:
    """The design that is fastest on `device`, or the smallest that takes at most `cycles` an image.

    Parameters
    ----------
    cycles : int, optional
        Cycles an image may take at most.
    fill : dict, optional
        Share of each resource that may be used: `FILL` where `cycles` asks for it, else `easy_fill`, but more
        where the network would not fit otherwise.
    patchable : bool
        Whether the design is one whose weights and thresholds can be replaced in a bitstream.

    Raises
    ------
    FitError
        When no folding fits: what is over, by how much, and what would fit.
    """
    check_network(network)
    search = _Search(network, device, patchable=patchable)
    spram = 0 if patchable else device.spram  # what is loaded is not in the bitstream's ROMs
    least = results_cycles(network)
    if cycles is not None:
        fill = fill or FILL
        if cycles < least:
            raise FitError(
                f"an image of {network.outputs} scores takes at least {least} cycles to give its results, "
                f"not {cycles}"
            )
        aim = cycles
        while True:
            design, misfit = search.fitting(aim, fill) if aim >= least else (None, None)
            if design is None and search.spram < spram:
                search.spram = spram
                continue
            if design is None:
                if misfit is None:
                    raise FitError(f"no folding takes at most {cycles} cycles an image; allow more cycles")
                over = excess(estimate(misfit, device, exact=False), device, fill)
                raise FitError(
                    f"at {cycles} cycles an image {_over(over)} on {device.name}; allow more cycles"
                )
            interval = predict(design).interval
            if interval <= cycles:
                return design
            # The stages keep to what was asked, but wait for each other: they must be faster to make up for
            # it.
            aim = min(aim - 1, aim * cycles // interval)

    slowest = _slowest(network)
    fills = (easy_fill(device), FILL) if fill is None else (fill,)
    for search.spram, fill in product(
        sorted({0, spram}), fills
    ):  # what is loaded only where block RAM does not suffice
        smallest, misfit = search.fitting(slowest, fill)
        if smallest is not None:
            search.banks = (search.max_banks,)  # deep ROMs are for what fits with nothing else
            guess = max(bounds(network, device).values())
            return _fastest(search, fill, smallest, slowest, guess=min(guess, slowest - 1))
    over = excess(estimate(misfit, device, exact=False), device, fill)
    raise FitError(
        "; ".join(
            [
                f"network {network.name!r} does not fit {device.name} at any folding: {_over(over)}",
                *_remedies(network, device, patchable),
            ]
        )
    )


def _fastest(search, fill, best, high, *, guess):
    """The design of the fewest cycles that fits, where `best` takes `high`."""
    low, step = results_cycles(search.network) - 1, guess  # `high` fits, `low` does not
    aim = max(guess, low + 1)
    while high - low > 1:
        design, _ = search.fitting(aim, fill)
        if design is None:
            low, step = aim, 2 * step
        else:
            best, high, step = design, aim, math.inf
        # Up from the guess in steps that double, then by halves.
        aim = min(low + step, (low + high) // 2)
    return best


def trade_off(network: Network, device: Device, *, patchable=False):
    """Designs that fit `device`, from the fastest to the smallest, each with about half the pace of the one
    before; `patchable` as for `fold`.

    Returns
    -------
    list of Design
        Of those as fast, none takes fewer LUTs.

    Raises
    ------
    FitError
        When no folding fits.
    """
    designs = [fold(network, device, fill=FILL, patchable=patchable)]
    taken, slowest = estimate(designs[0], device, exact=False), _slowest(network)
    luts = taken["lut"]
    search = _Search(network, device, spram=taken["spram"] and device.spram, patchable=patchable)
    aim = max(stage_cycles(designs[0]))
    while aim < slowest:
        aim = min(2 * aim, slowest)
        design, _ = search.fitting(aim, FILL)
        if design is None:
            continue
        fewer = estimate(design, device, exact=False)["lut"]
        if fewer > 0.99 * luts:
            break
        designs.append(design)
        luts = fewer
    return designs


def _slowest(network):
    """Cycles an image of the smallest folding, one input and one output at a time."""
    cycles = [network.pixels, results_cycles(network)]
    for layer, shape, after in zip(network.layers, network.shapes[:-1], network.shapes[1:], strict=True):
        if not isinstance(layer, Binarize | Lookup):
            kernel = 1
            if isinstance(layer, MaxPool | SumPool):
                kernel = math.prod(layer.kernel)
            elif layer.weight_bits:
                kernel = layer.inputs * layer.planes * passes(layer)
            cycles += [math.prod(shape), math.prod(after) * kernel]
    return max(cycles)


_NAMES = {"lut": "LUTs", "ff": "flip-flops", "bram": "block RAMs", "spram": "SPRAMs"}


def _over(over):
    return ", ".join(
        f"{asked:,} {_NAMES[name]} are asked for and {available:,} can be used"
        for name, (asked, available) in over.items()
    )


def _remedies(network, device, patchable):
    """What would fit: the smallest known device that does, and how narrow the network would have to be; none
    where another folding fits.
    """

    def fits(network, device):
        search = _Search(network, device, spram=0 if patchable else device.spram, patchable=patchable)
        return search.fitting(_slowest(network), FILL)[0] is not None

    if fits(network, device):
        return []
    spram = 0 if patchable else device.spram_bits
    bits, held = network.weight_bits, device.bram_bits + spram
    remedy = (
        [
            f"its {sum(weights(network)):,} weights take {bits:,} bits, {bits - held:,} more than the"
            f" {held:,} of the block RAMs" + (" and SPRAMs" if spram else "")
        ]
        if bits > held
        else []
    )
    for other in sorted(DEVICES.values(), key=lambda each: each.lut):
        if other.lut > device.lut and fits(network, other):
            remedy.append(f"it would fit {other.name}")
            break
    low, high, widest = 0, 16, None  # sixteenths of the width; `high` does not fit
    while high - low > 1:
        middle = (low + high) // 2
        narrower = narrow(network, middle / 16)
        if narrower is None:
            break
        if fits(narrower, device):
            low, widest = middle, narrower
        else:
            high = middle
    if widest is not None:
        remedy.append(
            f"a network of this kind fits with hidden layers of {', '.join(map(str, widths(widest)))} in"
            f" place of {', '.join(map(str, widths(network)))} ({sum(weights(widest)):,} weights)"
        )
    return remedy
