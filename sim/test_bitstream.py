"""Read-only memories of many shapes, read back out of real bitstreams."""

import json
import random

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from sbgen import boards, tools
from sbgen.boards import bitstream, flow, memories
from sbgen.boards.families import FAMILIES
from sbgen.compiler import verilog
from sbgen.errors import ToolError
from sbgen.hw.rom import Rom

#: Depth and width: one block RAM at each of its widths, several side by side, several banks, and no whole
#: number of either.
SHAPES = {
    "ice40": [
        (256, 16),
        (100, 40),
        (512, 8),
        (500, 5),
        (300, 24),
        (1000, 4),
        (2048, 2),
        (2000, 3),
        (5000, 1),
        (1100, 7),
    ],
    "ecp5": [
        (512, 36),
        (86, 80),
        (1000, 18),
        (2048, 9),
        (3000, 5),
        (4096, 4),
        (8000, 2),
        (16384, 1),
        (20000, 1),
        (5000, 7),
    ],
}
SHAPES["gowin"] = SHAPES["ecp5"]  # of the same block RAMs

#: Whose synthesis it is.
BOARDS = {"ice40": "icebreaker", "ecp5": "ulx3s_85f", "gowin": "tang_nano_9k"}

#: Constraint files where no tool chooses the pins of the ports.
PINS = {"top.cst": 'IO_LOC "clk" 52;\nIO_LOC "rst" 18;\nIO_LOC "out" 10;\n'}

#: How a netlist is placed and packed for each family.
FLOWS = {
    "ice40": (
        (
            "nextpnr-ice40",
            "--up5k",
            "--package",
            "sg48",
            "--json",
            "top.json",
            "--asc",
            "top.asc",
            "--pcf-allow-unconstrained",
            "--write",
            "placed.json",
        ),
        ("icepack", "top.asc", "top.bin"),
    ),
    "ecp5": (
        (
            "nextpnr-ecp5",
            "--25k",
            "--package",
            "CABGA381",
            "--json",
            "top.json",
            "--textcfg",
            "top.config",
            "--lpf-allow-unconstrained",
            "--write",
            "placed.json",
        ),
        ("ecppack", "--compress", "--input", "top.config", "--bit", "top.bin"),
    ),
    "gowin": (
        (
            "nextpnr-himbaechel-gowin",
            "--device",
            "GW1NR-LV9QN88PC6/I5",
            "--vopt",
            "family=GW1N-9C",
            "--vopt",
            "cst=top.cst",
            "--json",
            "top.json",
            "--write",
            "placed.json",
        ),
        ("gowin_pack", "-d", "GW1N-9C", "-o", "top.bin", "placed.json"),
    ),
}


class Roms(wiring.Component):
    """Every word of every memory, one after the other; all bits are needed for the one that leaves."""

    out: Out(1)

    def __init__(self, contents):
        self._contents = contents
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.out.eq(0)
        for n, (width, words) in enumerate(self._contents):
            m.submodules[f"rom_{n}"] = rom = Rom(width=width, words=words, store="bram")
            address, read = Signal(range(len(words))), Signal(width)
            before = self.out if n == 0 else folded  # noqa: F821
            m.d.comb += [rom.addr.eq(address), rom.en.eq(1)]
            folded = Signal(name=f"folded_{n}")
            m.d.sync += [address.eq(address + 1), read.eq(rom.data), folded.eq(read.xor() ^ before)]
        m.d.sync += self.out.eq(folded)
        return m


@pytest.mark.parametrize(
    "name",
    ["ice40", pytest.param("ecp5", marks=pytest.mark.slow), pytest.param("gowin", marks=pytest.mark.slow)],
)
def test_every_word_is_read_back(name, tmp_path):
    family, found = FAMILIES[name], []
    for tool, *args in FLOWS[name]:
        try:
            found.append((tools.find(tool), args))
        except ToolError as error:
            pytest.skip(str(error))
    rng = random.Random(1)
    contents = []
    for depth, width in SHAPES[name]:
        # In every third memory the same columns are always 0, and others always 1.
        always = rng.getrandbits(width) if len(contents) % 3 == 2 else 0
        zeros = rng.getrandbits(width) & always
        contents.append((width, [rng.getrandbits(width) & ~always | zeros for _ in range(depth)]))
    text = verilog.convert(Roms(contents))
    try:
        plan = flow.plan(verilog=text, board=boards.get(BOARDS[name]))
    except ToolError as error:
        pytest.skip(str(error))
    for file, content in plan.files.items():
        (tmp_path / file).write_text(PINS.get(file, content))
    for tool, args in ((plan.synthesis.tool, plan.synthesis.args), *found):
        tools.run(tool, args, cwd=tmp_path, log=tmp_path / f"{tool.name}.log")

    cells = memories.cells(
        json.loads((tmp_path / "placed.json").read_text())["modules"]["top"], family=family
    )
    rams = family.layout(bitstream.unpack(tmp_path / "top.bin", family=family)).block_rams()
    roms = memories.memories(text)
    assert [memory.words.shape for memory in roms] == SHAPES[name]
    assert len({cell.width for cell in cells}) >= 4
    for memory, (width, words) in zip(roms, contents, strict=True):
        read = memories.read(memory, cells, rams, family=family)
        wrong = [
            address
            for address, word in enumerate(words)
            if sum(int(bit) << n for n, bit in enumerate(read[address])) != word
        ]
        assert not wrong, (
            f"{memory.path} of {len(words)} x {width}: address {wrong[0]} and {len(wrong) - 1} more"
        )
