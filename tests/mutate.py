"""Breaks sbgen in many small ways, one at a time, and sees that the tests notice: ``python tests/mutate.py``.

Each mutation is one change of text in a copy of the repository; the tests of the file changed are run there, and at least one
must fail. Before, the same tests must pass in a copy that nothing was changed in. A mutation that survives is a gap in the tests. The
list is read top to bottom along the data's way. ``--only TEXT`` takes those whose file or change holds a text, ``--jobs N`` runs so
many at once, ``--write FILE`` keeps the outcome.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent

#: Seconds of the processor after which a test run that does not end counts as having noticed: a broken handshake may hang.
_SECONDS = 900

#: And of the wall's clock, after which nothing is known.
_WALL_SECONDS = 20 * _SECONDS


@dataclass(frozen=True)
class Mutation:
    """One way to be wrong.

    Parameters
    ----------
    what : str
        In a few words.
    file : str
    old, new : str
        `old` stands in the file once.
    tests : tuple of str
        Test files, or single tests of them as pytest names them; when left out, the file of that name: tests/test_hw_queue.py for hw/queue.py.
    """

    what: str
    file: str
    old: str
    new: str
    tests: tuple = ()

    @property
    def test_files(self):
        folder, *_, name = self.file.removesuffix(".py").split("/")
        prefix = "" if folder in ("compiler", "sbgen") else f"{folder}_"
        return self.tests or (f"tests/test_{prefix}{name}.py",)


def _m(what, file, old, new, *tests):
    """A `Mutation`, noticed by the tests of these files: ``hw_queue`` or, for a test alone, ``hw_queue.py::test_order``."""
    return Mutation(what, file, old, new, tuple(f"tests/test_{test}" if "::" in test else f"tests/test_{test}.py" for test in tests))


MUTATIONS = (
    # Training and hardening.
    _m("sign(0) = -1", "train/binarizers.py", "(x >= 0).to(x.dtype)", "(x > 0).to(x.dtype)"),
    _m("no hard gradient outside -1 ... 1 forgotten", "train/binarizers.py", "gradient * (x.abs() <= 1)", "gradient * 1"),
    _m("slope without its factor", "train/binarizers.py", ".mul_(-nu).add_(nu)", ".mul_(-1).add_(1)"),
    _m("softness that sees half", "train/harden.py", "distance = 1 - soft.detach().abs()", "distance = 0.5 - 0.5 * soft.detach().abs()"),
    # From torch to integers.
    _m("flatten order of torch kept", "compiler/from_torch.py", "bits.reshape(-1, *shape).permute(0, 2, 3, 1).flatten(1)",
       "bits.reshape(-1, *shape).flatten(1)"),
    _m("kernel transposed", "compiler/from_torch.py", "bits = bits.permute(0, 2, 3, 1)", "bits = bits.permute(0, 3, 2, 1)"),
    _m("weights of 0 counted", "compiler/from_torch.py", "ordered(weights != 0)", "ordered(weights == weights)"),
    _m("falling neuron keeps its weights", "compiler/from_torch.py", "weights = weights ^ falls", "weights = weights ^ 0 * falls"),
    _m("threshold off by one", "compiler/from_torch.py", "off = (on.logical_not() & (counts <= most)).sum(0).numpy()",
       "off = (on.logical_not() & (counts <= most)).sum(0).numpy() + 1"),
    _m("threshold of what never switches on", "compiler/from_torch.py", "inputs * ((1 << planes) - 1) + 1,", "inputs * ((1 << planes) - 1),"),
    _m("padding bit the wrong way round", "compiler/from_torch.py", "padding_bit=int(layer.padding_value > 0)",
       "padding_bit=int(layer.padding_value < 0)"),
    _m("what planes stop short of is lost", "compiler/from_torch.py", "- 1 - greatest)", "- 1)"),
    _m("inverted thresholds not inverted", "compiler/from_torch.py", "inverted=falls.int().numpy()", "inverted=0 * falls.int().numpy()"),
    # The reference and the network.
    _m("xnor as and", "compiler/reference.py", "+ (top - x).astype(exact) @ for_zeros.T", ""),
    _m("greater instead of not less", "compiler/reference.py", "(counts >= layer.thresholds)", "(counts > layer.thresholds)"),
    _m("pixels greater than their threshold", "compiler/reference.py", "(x.reshape(len(x), -1, 1) >= layer.thresholds)",
       "(x.reshape(len(x), -1, 1) > layer.thresholds)"),
    _m("padding is always 0", "compiler/reference.py", "padding = layer.padding_bit * (2**layer.planes - 1)", "padding = 0"),
    _m("stride of rows for columns", "compiler/reference.py", "column * stride[1]:]", "column * stride[0]:]"),
    _m("ties to the higher class", "compiler/reference.py", "return scores.argmax(axis=1)",
       "return scores.shape[1] - 1 - scores[:, ::-1].argmax(axis=1)"),
    _m("a score of 0 is off", "compiler/reference.py", "bits = (scores >= 0)", "bits = (scores > 0)"),
    _m("bits of signs one place off", "hw/signs.py", "Cat(before, ~score[-1])", "Cat(~score[-1], before)"),
    _m("negative scores on", "hw/signs.py", "~score[-1]", "score[-1]"),
    _m("the zero of scores lost", "compiler/sign_scores.py", "np.where(zero, -first,", "np.where(zero, 1 - first,"),
    _m("shortcut not scaled", "compiler/reference.py", "layer.scale * kept", "kept"),
    _m("scores without offsets", "compiler/reference.py", "counts * layer.scales) + layer.offsets", "counts * layer.scales)"),
    # Passes and files.
    _m("always on taken for never on", "compiler/passes/constant_neurons.py", "on = layer.thresholds == 0", "on = layer.thresholds != 0", "passes"),
    _m("constant neurons leave no trace", "compiler/passes/constant_neurons.py", "behind.thresholds - agreeing", "behind.thresholds", "passes"),
    _m("the last neuron is removed too", "compiler/passes/constant_neurons.py", "constant[0] = False", "pass", "passes"),
    _m("digest not compared", "compiler/exchange.py", 'if _digest(network) != content.get("sha256"):', "if False:"),
    _m("bits of weights reversed", "compiler/exchange.py", "return np.unpackbits(packed, count=size)", "return np.unpackbits(packed, count=size, bitorder='little')"),
    # Lowering.
    _m("padding of unused channels", "compiler/lower.py", "(1 << stage.planes * min(stage.i_lanes, channels - at * stage.i_lanes)) - 1",
       "(1 << stage.planes * stage.i_lanes) - 1"),
    _m("weights packed from the other end", "compiler/pipeline.py", 'axis=1, bitorder="little")', 'axis=1, bitorder="big")', "lower"),
    _m("threshold not negated", "compiler/pipeline.py", "else -layer.thresholds", "else layer.thresholds", "lower"),
    _m("weights of unused channels agree", "compiler/pipeline.py", "constant_values=1)", "constant_values=0)", "lower"),
    # Layers in tables of wired-in weights.
    _m("threshold of tables not negated", "compiler/unrolled.py", "(agree, reach, -preset)", "(agree, reach, preset)"),
    _m("complement one short", "compiler/unrolled.py", "reach + preset + 1)", "reach + preset)"),
    _m("weights of 0 in tables", "compiler/unrolled.py", "if mask >> n & 1 else 0", "if True else 0"),
    _m("constant of a threshold off by one", "compiler/unrolled.py", "end), (1 << end) - threshold", "end), (1 << end) - threshold - 1"),
    _m("carries past the first column forgotten", "compiler/unrolled.py", "for bits in columns[end:] for bit", "for bits in columns[end:end + 1] for bit"),
    _m("pair of carries forgotten", "compiler/unrolled.py", "for column in pairs[end:] for pair in column", "for column in pairs[end + 1:] for pair in column"),
    _m("table takes in what it reads at another place", "compiler/unrolled.py", "inner >> sum(known[place] << n for n, place in enumerate(inner_ins))",
       "inner >> sum(known[place] << n for n, place in enumerate(reversed(inner_ins)))"),
    _m("pair of a group as two bits", "compiler/unrolled.py", "(carry, self.table(_is_odd, carry, other))", "(carry, other)"),
    _m("parted pair keeps its difference", "compiler/unrolled.py", "bits += [x, self.table(_is_odd, x, p)]", "bits += [x, p]"),
    _m("inverted table keeps its contents", "compiler/unrolled.py", "contents ^ (1 << (1 << len(ins))) - 1, ins", "contents, ins"),
    _m("register a level late", "hw/unrolled.py", "max(0, self.depths[place] - 1) // self.levels", "self.depths[place] // self.levels", "unrolled"),
    _m("tables move under stall", "hw/unrolled.py", "move.eq(~self.o.valid | self.o.ready)", "move.eq(1)", "unrolled"),
    _m("tables valid at once", "hw/unrolled.py", "self.o.valid.eq(valid[-1])", "self.o.valid.eq(valid[0])", "unrolled"),
    _m("inverted outputs of tables as they are", "hw/unrolled.py", "bits[literal >> 1] ^ (literal & 1) for each", "bits[literal >> 1] for each",
       "unrolled"),
    _m("choice of a table the wrong way round", "hw/unrolled.py", "return top & other | ~top & value, None", "return top & value | ~top & other, None",
       "unrolled"),
    _m("sums of tables without a sign", "hw/unrolled.py", "value - (value >> top << top + 1)", "value", "unrolled"),
    # A network made smaller.
    _m("weights of other channels are left", "compiler/narrow.py", "np.arange(layer.inputs) % shape[-1] < kept",
       "np.arange(layer.inputs) < kept * (layer.inputs // shape[-1])"),
    _m("no neuron left", "compiler/narrow.py", "max(1, int(share * layer.outputs))", "int(share * layer.outputs)"),
    _m("scores cut too", "compiler/narrow.py", "None if isinstance(layer, Scores) else max(1, int(share * layer.outputs))",
       "max(1, int(share * layer.outputs))"),
    _m("groups cut", "compiler/narrow.py", ' or getattr(layer, "groups", 1) > 1', ""),
    # The matrix-vector-threshold unit.
    _m("last partial fold agrees with padding", "hw/mvtu.py", "padding = (1 << self.slices * self.simd) - (1 << self.inputs)", "padding = 0"),
    _m("sign of a sum of 0", "hw/mvtu.py", "[int(value >= 0) for value in sums]", "[int(value > 0) for value in sums]"),
    _m("sum one bit short", "hw/mvtu.py", "bits_for(greatest + self.inputs * self.top, require_sign_bit=True))",
       "bits_for(greatest + self.inputs * self.top))"),
    _m("room for one group too many", "hw/mvtu.py", "(promises != p.queue_depth)", "(promises != p.queue_depth + 1)"),
    _m("unused outputs of the last beat", "hw/mvtu.py", "if lane >= rows_in_last_group:", "if lane > rows_in_last_group:"),
    _m("popcount counts differences", "hw/popcount.py", "word ^= (1 << width * lanes) - 1", "word ^= 0"),
    _m("carry forgotten", "hw/popcount.py", "carries.append(_wire(m, a & b | c & (a ^ b)))", "carries.append(_wire(m, a & b))"),
    _m("coded across the end of a group", "hw/popcount.py", "min(_BLOCK, size - at)", "min(_BLOCK, size)"),
    _m("coded with the block before alone", "hw/popcount.py", "before.append(block[-1])", "before = [block[-1]]"),
    _m("complements coded across groups", "hw/popcount.py", "enumerate(places) if place >= distance)", "enumerate(places))"),
    _m("carry of one of two pairs", "hw/popcount.py", "before & ~(between & behind) | ~before & between & ~behind", "before & ~(between & behind)"),
    _m("last pair a cycle late", "hw/popcount.py", "self.carry.eq(register(one, stage - 1))", "self.carry.eq(register(one, stage))"),
    # Memory that is filled from the flash.
    _m("parts of a word swapped", "hw/spram.py", "word >> BLOCK_WIDTH * n & mask", "word >> BLOCK_WIDTH * (blocks(width) - 1 - n) & mask"),
    _m("all blocks written at once", "hw/spram.py", "write_port.en.eq(write)", "write_port.en.eq(self.load.en.any())"),
    _m("written where it reads", "hw/spram.py", "Mux(self.load.en.any(), self.load.addr, self.addr)", "self.addr"),
    _m("bits beside SPRAM do not stay", "hw/spram.py", "rest.en.eq(self.en)", "rest.en.eq(1)"),
    _m("flash heard at the wrong edge", "hw/flash_loader.py", "falls.eq(self.cs & self.clk)", "falls.eq(self.cs & ~self.clk)"),
    _m("bytes of a word swapped", "hw/flash_loader.py", "self.load.data.eq(Cat(word[8:], word[:8]))", "self.load.data.eq(word)"),
    _m("next block begins behind the last", "hw/flash_loader.py", "[self.load.addr.eq(0), block.eq(block << 1)]", "[block.eq(block << 1)]"),
    _m("flash not given time to wake", "hw/flash_loader.py", "left.eq(self._pause - 1)]", "left.eq(0)]"),
    _m("damaged flash passes", "hw/flash_loader.py", "Mux(checksum.crc == self._expected, LOADED, WRONG)", "LOADED"),
    _m("last byte not in the checksum", "hw/flash_loader.py", "with m.If(falls & (left[:3] == 0)):\n                    m.d.sync += self.cs.eq(0)",
       "with m.If(falls):\n                    m.d.sync += self.cs.eq(0)"),
    # Streams.
    _m("queue accepts when full", "hw/queue.py", "self.i.ready.eq(count != self._depth)", "self.i.ready.eq(1)"),
    _m("queue forgets a simultaneous pop", "hw/queue.py", "(count == Mux(pop, n + 1, n))", "(count == n)"),
    _m("deep queue one short", "hw/deep_queue.py", "Mux(port.addr == self._depth - 1, 0,", "Mux(port.addr == self._depth - 2, 0,"),
    _m("cutter gives a part too many", "hw/width.py", "left.eq(Mux(beat == beats - 1, last_parts, parts) - 1)", "left.eq(parts - 1)"),
    _m("cutter loses a beat under stall", "hw/width.py", "(last & self.o.ready)", "last"),
    _m("gatherer does not wait", "hw/width.py", "self.i.ready.eq(~full | self.o.ready)", "self.i.ready.eq(1)"),
    _m("unused slots keep old elements", "hw/width.py", "slot.eq(Mux(at[n], self.i.payload, 0))", "slot.eq(Mux(at[n], self.i.payload, slot))"),
    _m("replay once too often", "hw/replay.py", "(r_pass == self._repeats - 1)),", "(r_pass == self._repeats)),"),
    _m("replay overwrites a bank", "hw/replay.py", "self.i.ready.eq(held != 2)", "self.i.ready.eq(1)"),
    _m("a single beat once too often", "hw/replay.py", "left.eq(self._repeats - 1)", "left.eq(self._repeats)"),
    _m("a single beat lost under stall", "hw/replay.py", "(last & self.o.ready)", "last"),
    _m("fork gives twice", "hw/fork.py", "side.valid.eq(self.i.valid & ~taken)", "side.valid.eq(self.i.valid)", "hw_fork_add"),
    _m("add takes from one side alone", "hw/add.py", "self.i.ready.eq(room & self.kept.valid)", "self.i.ready.eq(room)", "hw_fork_add"),
    _m("pool keeps the window before", "hw/pool.py", "Mux(beat == 0, 0, word)", "word"),
    _m("pool ands", "hw/pool.py", "word) | self.i.payload.as_value()", "word) & self.i.payload.as_value()"),
    _m("lowest plane first", "hw/planes.py", "init=self._planes - 1", "init=0"),
    _m("sums without their first word", "hw/sums.py", "Mux(begun, 0, before[lane]) + x[lane]", "Mux(begun, 0, before[lane] + x[lane])"),
    _m("pixel equal to its threshold", "hw/binarize.py", "self.i.payload[lane] >= _select(", "self.i.payload[lane] > _select("),
    _m("pixels past the image", "hw/binarize.py", "_NEVER = 256", "_NEVER = 0"),
    _m("threshold inverted for all", "hw/threshold.py", "(x[lane] >= word[:width]) ^ word[width]", "(x[lane] >= word[:width]) ^ ~word[width]"),
    _m("number equal to its threshold", "hw/threshold.py", "(x[lane] >= word[:width])", "(x[lane] > word[:width])"),
    _m("ties to the later class in hardware", "hw/argmax.py", "difference.eq(rank_score - score)", "difference.eq(rank_score - score - 1)"),
    _m("a class of the image before", "hw/argmax.py", "better = (index <= rank) | difference[-1]", "better = difference[-1]"),
    _m("score difference overflows", "hw/argmax.py", "Signal(signed(self._score_width + 1), name=f\"difference_{rank}\")",
       "Signal(signed(self._score_width), name=f\"difference_{rank}\")"),
    _m("sign of a scale", "hw/scale.py", "negative = last if p.signed else Const(0)", "negative = Const(0)"),
    # The window.
    _m("window starts a row early", "hw/window.py", "available.eq(rows_held >= needed)", "available.eq(rows_held + 1 >= needed)"),
    _m("nothing read while anything is written", "hw/window.py", "& (w_address == r_port.addr)", ""),
    _m("line buffer overwritten", "hw/window.py", "self.i.ready.eq(rows_held != g.rows)", "self.i.ready.eq(1)"),
    _m("border below the image", "hw/window.py", "(at < 0) | (at >= size)", "(at < 0) | (at > size)"),
    _m("padding is what was read", "hw/window.py", "Mux(is_padding, padding, r_port.data)", "r_port.data"),
    # The link.
    _m("escaped END", "hw/slip.py", "self.o.payload.data.eq(END)", "self.o.payload.data.eq(ESC)"),
    _m("escape inside an escape", "hw/slip.py", "second.eq(special & ~second)", "second.eq(special)"),
    _m("checksum never wrong", "hw/host_link.py", "m.d.sync += damaged.eq(1)", "m.d.sync += damaged.eq(0)"),
    _m("image one pixel long", "hw/host_link.py", "left.eq(Mux(classify, self._pixels - 1, _CRC_BYTES - 1))",
       "left.eq(Mux(classify, self._pixels - 2, _CRC_BYTES - 1))"),
    _m("start bit sampled at its edge", "hw/uart.py", "timer.eq(self._divisor // 2 - 1)", "timer.eq(0)"),
    _m("bits sent from the top", "hw/uart.py", "Cat(0, self.i.payload, 1)", "Cat(0, self.i.payload[::-1], 1)"),
    _m("line read without a synchroniser", "hw/uart.py", "m.submodules.synchronizer = FFSynchronizer(self.rx, line, init=1)",
       "m.d.comb += line.eq(self.rx)", "boards_harness"),
    # The board around it.
    _m("reset of one cycle", "boards/harness.py", "running.eq(count[-1])", "running.eq(count != 0)"),
    _m("lock of the PLL not looked at", "boards/harness.py", "with m.If(~steady):", "with m.If(0):"),
    _m("lock read without a synchroniser", "boards/harness.py", 'm.submodules.locked = FFSynchronizer(locked, steady, o_domain="por")',
       "m.d.comb += steady.eq(locked)"),
    _m("lock of the PLL looked at once", "boards/harness.py", "with m.If(~steady):", "with m.If(~steady & ~running):"),
    _m("baud rate off by 20 %", "boards/harness.py", "_BAUD_TOLERANCE = 0.02", "_BAUD_TOLERANCE = 0.2"),
    _m("LED inverted", "boards/harness.py", "self.led.eq(~link.clear ^ self._led.invert)", "self.led.eq(link.clear ^ self._led.invert)"),
    _m("pin of the ESP32 low", "boards/harness.py", "eq(1 ^ pin.invert)", "eq(pin.invert)"),
    _m("clock without a margin", "boards/flow.py", "return self.clock_mhz * (1 + self.margin)", "return self.clock_mhz"),
    _m("late answers count", "boards/frames.py", "and self.sequence == request.sequence", "", "boards_host"),
    _m("checksum of the host not compared", "boards/frames.py", "zlib.crc32(content[:-4]) == int.from_bytes(content[-4:], \"little\")", "True", "boards_host"),
    # Other weights into a bitstream.
    _m("rows of a block RAM from the end", "boards/layout.py", "packed[:, ::-1].reshape(-1), bitorder", "packed.reshape(-1), bitorder"),
    _m("two bits of a LUT swapped", "boards/layout.py", "_LUT_BITS = (4, 14,", "_LUT_BITS = (14, 4,", "boards_patch"),
    _m("inputs of a LUT not turned back", "boards/layout.py", "np.argsort(each.order).tolist()", "each.order"),
    _m("digest of a layout with its contents", "boards/layout.py", "        self.write(layout, None)\n", ""),
    _m("several places for one bit", "boards/layout.py", "if (count != 1).any()", "if (count < 1).any()"),
    _m("part of a column found again", "boards/layout.py", "if stride > 1 and step > 1:", "if False:"),
    _m("another shape patched", "boards/patch.py", '_require_same_shape(exchange.load(folder / "network.json"), network)', "pass"),
    _m("other hardware patched", "boards/patch.py", 'if flow.hardware_digest(blank) != build["hardware"]:', "if False:"),
    _m("another build's bitstream patched", "boards/patch.py", 'places.digest(bare) != build["layout"]', "False"),
    _m("another version's build patched", "boards/patch.py", 'if content["format"] != _FORMAT or content["version"] != _VERSION:', "if False:"),
    _m("patched over the build's network", "boards/patch.py",
       'if path.name in ("network.json", "design.json", "memory.json", "report.json") or out.suffix != suffix:', "if out.suffix != suffix:"),
    # The folder of a build.
    _m("two builds in one folder", "sbgen/folder.py", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH | fcntl.LOCK_NB"),
    _m("files of the build before stay", "sbgen/folder.py", "(folder / name).unlink(missing_ok=True)", "pass"),
    _m("what a killed build left stays", "sbgen/folder.py", "shutil.rmtree(beside, ignore_errors=True)", "pass"),
    _m("Ctrl-C between the files of a build", "sbgen/folder.py", "signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM}", "signal.SIG_BLOCK, set()"),
    _m("foreign files overwritten", "sbgen/folder.py", "if not force and any(", "if False and any("),
    # What is told.
    # Images of a user's own.
    _m("axes in another order are taken", "sbgen/samples.py", "_squeezed(rows) == _squeezed(image))", "sorted(rows) == sorted(image))"),
    _m("pixels wrap", "sbgen/samples.py", "high > wanted.range[1]):", "high > 1 << 31):"),
    _m("labels beyond the classes", "sbgen/samples.py", "    if low < 0 or high > most:", "    if low < 0:"),
    _m("labels from the last column", "sbgen/samples.py", "labels.append(row.pop(place))", "labels.append(row.pop())"),
    _m("digest without labels", "sbgen/samples.py", 'found.update(np.ascontiguousarray(labels, "<i8"))', "pass"),
    _m("first images of one class alone", "sbgen/samples.py", "sorted((rank, int(number), file)", "sorted((int(number), rank, file)"),
    _m("names of columns are an image", "sbgen/samples.py", 'return len(values) > 1 and values[0] in ("0", "1")', "return False"),
    _m("more elements than promised", "sbgen/numpy_file.py", "    if promised != found:", "    if promised > found:", "samples"),
    _m("a promise is allocated", "sbgen/numpy_file.py", "    if promised > MAX_BYTES:", "    if promised < 0:", "samples"),
    _m("sixteen bits cut to eight", "sbgen/image_folder.py", 'data[24:25] == b"\\x10"', 'data[24:25] == b"\\x20"', "samples"),
    _m("transparent pixels are taken", "sbgen/image_folder.py", "(pixels[..., 3] != 255).any()", "(pixels[..., 3] == 256).any()", "samples"),
    _m("colours are grey", "sbgen/image_folder.py", "if (pixels != pixels[..., :1]).any():", "if (pixels != pixels).any():", "samples"),
    _m("random pixels beyond those of training", "sbgen/trial_images.py", "rng.integers(low, high + 1, shape)", "rng.integers(0, 256, shape)"),
    _m("true and found exchanged", "sbgen/metrics.py", "np.asarray(labels) * count + classes", "np.asarray(classes) * count + labels", "trial_images"),
    _m("other samples are the build's", "sbgen/verify.py", 'if told["sha256"] == whole.sha256:', "if True:"),
    _m("a wrong score passes", "sbgen/verdict.py", "wrong = np.argwhere(simulation.scores != scores)", "wrong = np.argwhere(simulation.scores > scores)"),
    _m("Fmax for the clock", "boards/pll.py", "return self.vco_mhz / 2**self.divq", "return self.vco_mhz / 2**(self.divq - 1)"),
    # What a board and a bitstream say of themselves.
    _m("digest of the board not compared", "sbgen/verify.py", "if answers.identity.digest != digest:", "if False:"),
    _m("class of the board not compared", "sbgen/verify.py", "if (label != wanted[n]).any()]", "if (label < 0).any()]"),
    _m("tables with as many ones are equal", "boards/truth_tables.py", "all(permuted(expected, order) != table for order in _ORDERS)",
       "table.bit_count() != expected.bit_count()"),
    _m("padding not read back", "boards/readback.py", "wrong = np.argwhere(words != memory.meant)", "wrong = np.argwhere(words != words)"),
    _m("failure of another request", "boards/host.py", "(frame.is_failure and frame.sequence == request.sequence)", "frame.is_failure"),
    # Drawn by `draw.py --seed 13 --count 60`, before tests were added for them.
    _m("routing given up at the first better round", "boards/flow.py", "if self._rounds == _PATIENCE:", "if self._rounds != _PATIENCE:"),
    _m("every seed only where none meets the clock", "boards/flow.py", "if plan.every_seed or not met:", "if plan.every_seed and not met:"),
    _m("seeds counted up to the second that meets the clock", "boards/flow.py", "[n for n in sorted(found) if n <= met[0]]",
       "[n for n in sorted(found) if n <= met[1]]"),
    _m("baud rate at the limit refused", "boards/harness.py", "if abs(error) > _BAUD_TOLERANCE or", "if abs(error) >= _BAUD_TOLERANCE or",
       "boards_harness.py::test_a_baud_rate_just_at_the_limit_is_taken"),
    _m("LED used only where it shares a pin", "boards/harness.py",
       "self._led = None if led is None or led.site in {pin.site for pin in self._flash_pins} else led",
       "self._led = led if led is None or led.site in {pin.site for pin in self._flash_pins} else None"),
    _m("pin of an LED that is not used", "boards/harness.py", 'if pin.port != "led" or self._led)', 'if pin.port == "led" or self._led)', "boards_board"),
    _m("wires and registers exchanged", "boards/netlist_verilog.py",
       'lines.append(f"  wire {net};" if kind == "wire" else f"  reg {net}{kind[3:]};")',
       'lines.append(f"  reg {net}{kind[3:]};" if kind == "wire" else f"  wire {net};")'),
    _m("output of SPRAM a bit too wide", "boards/netlist_verilog.py", 'cell.outputs("DATAOUT", 16)', 'cell.outputs("DATAOUT", 17)'),
    _m("code read back along another axis", "boards/readback.py", "np.roll(coded, 1, axis=1)", "np.roll(coded, 1, axis=2)"),
    _m("second pass of ternary weights read back otherwise", "boards/readback.py", "layer.weights & layer.mask], axis=1)",
       "layer.weights | layer.mask], axis=1)"),
    _m("starts of ternary weights read back otherwise", "boards/readback.py", "* (layer.inputs - unmasked)", "* (layer.inputs + unmasked)"),
    _m("tables counted twice", "boards/truth_tables.py", "count += 1", "count += 2"),
    _m("tables in another order differ", "boards/truth_tables.py", "if table != expected and all(", "if table != expected or all("),
    _m("a table differs where no order changes it", "boards/truth_tables.py", "all(permuted(expected, order) != table",
       "all(permuted(expected, order) == table"),
    _m("last parts of a cut vector predicted otherwise", "compiler/cycles.py", "(length - (self.beats - 1) * i_lanes)",
       "(length - (self.beats - 1 + i_lanes))"),
    _m("gatherer predicted to end a beat early", "compiler/cycles.py", "ends = self.beat == self.beats - 1\n            self.valid = ends",
       "ends = self.beat == self.beats - 2\n            self.valid = ends"),
    _m("OR predicted without counting", "compiler/cycles.py", "self.beat = (self.beat + 1) % self.beats", "self.beat = (self.beat + 1) // self.beats"),
    _m("words of line buffers not multiplied", "compiler/fold.py", "depth=rows * window.width * window.slices", "depth=rows + window.width * window.slices",
       "fold.py::test_line_buffers_hold_the_rows_that_cost_no_further_block_ram"),
    _m("dearer way to the same beats", "compiler/fold.py", "or reached in found and price >= found[reached].price:",
       "or reached in found or price >= found[reached].price:", "fold.py::test_fits_by_the_estimate"),
    _m("only designs quicker than their results", "compiler/fold.py", "search.fitting(aim, fill) if aim >= least else (None, None)",
       "(None, None) if aim >= least else search.fitting(aim, fill)", "fold.py::test_unrolled_where_an_image_takes_few_cycles"),
    _m("pixels of simulations end early", "compiler/simulate.py", "image_beats * self._lanes), np.uint8)", "image_beats + self._lanes), np.uint8)",
       "simulate.py::TestIcarus::test_scores_and_predicted_cycles"),
    _m("what must be compiled soon is optimised", "compiler/simulate.py", '"-O0" if quick else "-O2"', '"-O2" if quick else "-O0"',
       "simulate.py::test_what_must_be_compiled_soon_is_not_optimised"),
    _m("random pixels without the lowest", "sbgen/trial_images.py", "rng.integers(low, high + 1, shape)", "rng.integers(low + 1, high + 1, shape)"),
    _m("no patchable core simulated", "sbgen/verify.py", 'if built.design.patchable and built.family == "ice40":\n        raise SkippedError("patchable ROMs in LUTs',
       'if built.design.patchable or built.family == "ice40":\n        raise SkippedError("patchable ROMs in LUTs'),
    _m("folder of a failure without letters", "sbgen/verify.py", '"".join(c if c.isalnum() else "-" for c in step.title.lower())',
       '"".join("-" if c.isalnum() else c for c in step.title.lower())'),
    # Proofs, drawn likewise: a statement, its circuit or a verdict says something else.
    _m("environment offers its payloads as they come", "proofs/circuit.py", "payload(anything) if payload else anything", "anything if payload else payload(anything)", "proofs"),
    _m("an offer may change where it was taken", "proofs/circuit.py", "refused.eq(stream.valid & ~stream.ready), was", "refused.eq(stream.valid & stream.ready), was", "proofs"),
    _m("parts replaced that are of another kind", "proofs/circuit.py",
       "[part] if isinstance(part, kind) else [each for each in part.origins or () if isinstance(each, kind)]",
       "[each for each in part.origins or () if isinstance(each, kind)] if isinstance(part, kind) else [part]", "proofs"),
    _m("weights padded with another bit", "proofs/contents.py", "passes = [rows(each, 1) for each in passes]", "passes = [rows(each, 2) for each in passes]", "proofs"),
    _m("whole ROM of scales is wrong", "proofs/contents.py", "[] if sorted(words) == list(range(layer.outputs))", "[] if sorted(words) != list(range(layer.outputs))", "proofs"),
    _m("sign of an offset a bit early", "proofs/contents.py", "unit.scale_width, unit.offset_width - 1)", "unit.scale_width, unit.offset_width - 2)", "proofs"),
    _m("engines without a share of the budget", "proofs/engine.py", "None if share is None else max(1, round(budget * share))",
       "max(1, round(budget * share)) if share is None else None"),
    _m("seconds since the machine began", "proofs/engine.py", "seconds=time.monotonic() - start", "seconds=time.monotonic() + start"),
    _m("violations by another name in the waveform", "proofs/engine.py", "codes = {match[1]: int(match[2])", "codes = {match[2]: int(match[2])", "proofs_engine"),
    _m("smaller image not named", "proofs/images.py", "if _sizes(g) != _sizes(geometry)", "if _sizes(g) == _sizes(geometry)", "proofs"),
    _m("rows under a window by its columns", "proofs/images.py", '("row", "out_row", g.height, g.kernel[0], g.stride[0])',
       '("row", "out_row", g.height, g.kernel[1], g.stride[0])', "proofs"),
    _m("every sum is the one at the place", "proofs/images.py", "given = vectors.leaving & vectors.given.is_at(place)",
       "given = vectors.leaving | vectors.given.is_at(place)", "proofs"),
    _m("bytes that stand for END and ESC exchanged", "proofs/line.py", "Mux(byte == END, ESC_END, ESC_ESC)", "Mux(byte != END, ESC_END, ESC_ESC)", "proofs"),
    _m("checksum with another polynomial's bits", "proofs/line.py", "Mux(before[0] ^ dut.data, _POLYNOMIAL, 0)", "Mux(before[0] | dut.data, _POLYNOMIAL, 0)", "proofs"),
    _m("line rests too little behind a reset", "proofs/line.py", "rests = used // 2 + _SYNCHRONISER", "rests = used // 2 - _SYNCHRONISER",
       "proofs.py::test_a_line_must_rest_behind_a_reset"),
    _m("every write is to the word followed", "proofs/loaded.py", "write._en.any() & (write._addr == followed)", "write._en.any() | (write._addr == followed)", "proofs"),
    _m("another part of a loaded word", "proofs/loaded.py", "dut.data[16 * n:16 * n + size]", "dut.data[16 * n:16 * n - size]", "proofs"),
    _m("rest of a word is another", "proofs/loaded.py", "dut.data[width:] != Cat(read._data)", "dut.data[width:] == Cat(read._data)", "proofs"),
    _m("fork takes where nothing comes", "proofs/moves.py", "push != (dut.i.valid & both)", "push != (dut.i.valid | both)", "proofs"),
    _m("only beats that never came are compared", "proofs/moves.py", '(vectors.given.at["beat"] == beat) & (~known | (value', '(vectors.given.at["beat"] == beat) & (~known & (value',
       "proofs.py::test_every_claim_can_be_violated"),
    _m("parities a bit ahead", "proofs/neurons.py", "word[at:at + n + 1].xor()", "word[at:at + n + 2].xor()", "proofs"),
    _m("another memory is that of the weights", "proofs/neurons.py", "if init[:depth] != parameters.weight_words", "if init[:depth] == parameters.weight_words", "proofs"),
    _m("point of a sum a place too low", "proofs/neurons.py", "p.accumulator_width, p.planes - 1", "p.accumulator_width, p.planes - 2", "proofs"),
    _m("places counted elsewhere", "proofs/plan.py", "(statement, Counter()))[1][place]", "(statement, Counter()))[2][place]", "proofs"),
    _m("parts of no kind", "proofs/plan.py", "isinstance(each, wiring.Component | crc.Processor)", "isinstance(each, wiring.Component & crc.Processor)", "proofs"),
    _m("memories are parts", "proofs/plan.py", "isinstance(component, memory.Memory | Core)", "isinstance(component, memory.Memory & Core)", "proofs"),
    _m("outputs compared where nothing came", "proofs/unrolled.py", "vectors.leaving & (~known | (Value", "vectors.leaving & (known | (Value", "proofs"),
    _m("vector of tables cut short", "proofs/unrolled.py", "made.free(p.inputs * p.planes", "made.free(p.inputs + p.planes",
       "proofs.py::test_every_bit_of_a_vector_counts_in_an_unrolled_layer"),
    _m("last beat of thresholds offered as 0", "proofs/values.py", "unused = beats * lanes - len(thresholds)", "unused = beats * lanes + len(thresholds)", "proofs"),
    _m("count of another lane is scaled", "proofs/values.py", "worth.eq(dut.i.payload[0])", "worth.eq(dut.i.payload[1])", "proofs"),
    _m("a rank is compared with the one before", "proofs/values.py", "labels[rank + 1], ranks[rank + 1]", "labels[rank + 1], ranks[rank - 1]", "proofs"),
    _m("input refused while none is offered", "proofs/vectors.py", "~dut.i.ready & dut.o.ready & ~dut.o.valid)", "~dut.i.ready & dut.o.ready | ~dut.o.valid)", "proofs"),
    _m("a vector is marked where none begins", "proofs/vectors.py", "mark.eq(begins & ~marked", "mark.eq(begins | ~marked", "proofs"),
    _m("what was captured is forgotten", "proofs/vectors.py", "known.eq(1), kept.eq(value)", "known.eq(2), kept.eq(value)", "proofs"),
    # Drawn by seed 14 behind those, and not noticed at once.
    _m("rounds of routing counted twice", "boards/flow.py", "else self._rounds + 1", "else self._rounds + 2"),
    _m("inverted pin of the flash read as it is", "boards/harness.py", "eq(self.flash_cipo ^ pin.invert)", "eq(self.flash_cipo | pin.invert)",
       "boards_harness.py::test_loads_its_weights_from_flash"),
    _m("buses of numbered pins only where there is none", "boards/netlist_verilog.py", 'and f"{name}_0" in self._connections:',
       'and f"{name}_0" not in self._connections:'),
    _m("the quickest design not tried", "compiler/fold.py", "low, step = results_cycles(search.network) - 1", "low, step = results_cycles(search.network) + 1",
       "fold.py::test_a_small_network_is_as_quick_as_its_results"),
)


def _copy(folder):
    """The repository as git knows it, laid out so that `import sbgen` finds this copy from its folder."""
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split("\0")
    for file in filter(None, files):
        if (ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / file, folder / file)
    for package in ("hw", "compiler", "proofs", "train", "boards"):
        (folder / "sbgen" / package).symlink_to(f"../{package}", target_is_directory=True)


def _pytest(folder, tests):
    """Exit code and output of the tests in a copy."""
    # The copy must be found, and no installation: only Python's own ways to find a module are left.
    run = (f"import resource; resource.setrlimit(resource.RLIMIT_CPU, ({_SECONDS}, {_SECONDS + 9})); "
           "import sys; sys.path.insert(0, '.'); sys.meta_path[:] = [f for f in sys.meta_path if 'frozen' in getattr(f, '__module__', '')]; "
           "import sbgen.hw, os; assert os.path.realpath(sbgen.hw.__file__).startswith(os.getcwd()), sbgen.hw.__file__; "
           "import pytest; sys.exit(pytest.main(sys.argv[1:]))")
    command = [sys.executable, "-c", run, "-x", "-q", "-p", "no:cacheprovider", *tests]
    try:
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True, timeout=_WALL_SECONDS,
                              env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"})
    except subprocess.TimeoutExpired:
        return None, f"did not end within {_WALL_SECONDS} s"
    if done.returncode == -signal.SIGXCPU:
        return 1, f"did not end within {_SECONDS} s of the processor"
    return done.returncode, done.stdout + done.stderr


def try_out(mutation):
    """(noticed, seconds, what pytest said last) of one mutation."""
    if (output := _failing(mutation.test_files)) is not None:
        return None, 0.0, f"the tests must pass before anything is changed: {output[-600:]}"
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sbgen-mutate-") as folder:
        folder = Path(folder).resolve()
        _copy(folder)
        path = folder / mutation.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutation.old) != 1:
            return None, 0.0, f"its text stands {text.count(mutation.old)} times in {mutation.file}"
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        code, output = _pytest(folder, mutation.test_files)
    if code not in (0, 1):
        return None, 0.0, f"the tests could not be run: {output[-600:]}"
    return code == 1, time.monotonic() - began, output.strip().splitlines()[-1]


@cache
def _failing(tests):
    """What test files say of code that nothing was changed in; None when they pass."""
    with tempfile.TemporaryDirectory(prefix="sbgen-mutate-") as folder:
        folder = Path(folder).resolve()
        _copy(folder)
        code, output = _pytest(folder, tests)
    return None if code == 0 else output


def main():
    """Try all mutations; the exit code says whether every one was noticed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", metavar="TEXT")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N")
    parser.add_argument("--write", type=Path, metavar="FILE", help="a line for each mutation, as it is printed")
    arguments = parser.parse_args()
    chosen = [each for each in MUTATIONS if arguments.only in f"{each.file} {each.what} {each.old} {each.new}"]
    survived, lines = 0, []
    with ThreadPoolExecutor(arguments.jobs) as pool:
        for mutation, (noticed, seconds, said) in zip(chosen, pool.map(try_out, chosen), strict=True):
            word = {True: "noticed ", False: "SURVIVED", None: "UNTRIED "}[noticed]
            print(f"{word} {seconds:5.0f} s  {mutation.file}: {mutation.what}  ({said})", flush=True)
            lines.append(f"{word} {mutation.file}: {mutation.what}\n")
            survived += noticed is not True
    lines.append(f"{len(chosen) - survived} of {len(chosen)} mutations were noticed\n")
    print(lines[-1], end="")
    if arguments.write:
        arguments.write.write_text("".join(lines), encoding="utf-8")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
