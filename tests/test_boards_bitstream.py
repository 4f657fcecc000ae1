import numpy as np
import pytest

from sbgen.boards import bitstream, memories
from sbgen.boards.ecp5 import ECP5
from sbgen.boards.ice40 import ICE40
from sbgen.errors import BoardError

# The last of six block RAMs of an iCEBreaker's bitstream, as iceunpack writes it: eight columns of a ROM of
# 192 words.
ASC = """\
.device 5k
.ramb_tile 19 29
000000000000000000000000000000000000000000

.ram_data 19 29
0004155100054100551051051544510411450400155511100004005055414400
1105444511001551500151540015105555551504015404541015145515004554
5555445445441044511545511145414151141540555511551140105511011051
1040501114104400444445511550114515011500451541100444550050000100
1505054145045051014455545101145455551105011415151445010515401444
5555544101010444455501115550540511415445551451055450110511414005
0110144514144100111451050100451541551511105540140454440010115041
4554114400144510445045154511450555550145445504144150544415104550
5555004514004451414410500500405440551141150555154451441014415104
5055055011015054444145101540514440404040051540544414041155051510
4150101554510004145100544444514455555010500100055104041414011404
5555514411145111045045054005150440111400105104540405445110141155
0000000000000000000000000000000000000000000000000000000000000000
0000000000000000000000000000000000000000000000000000000000000000
0000000000000000000000000000000000000000000000000000000000000000
0000000000000000000000000000000000000000000000000000000000000000

.sym 5 core.mvtu_2.weight_rom.memory
"""
WORDS = bytes.fromhex(
    "a0eb44100e7f205b9a7a9bae82116f10f62a7d1d74563aff5d15de896f0af11b4d0b5d4a5fff6a9ec35be79f58f2f4ff"
    "0288aa7086b72a2b5b6ee7f0a02c8d48786a13793f161bff7c8bfe52cdb2633b914b1bec9bbef94bb9ee07f77003e9ff"
    "c90da074945d2fd7b7029b1e823c7906e62ef8c634f553ffb3a7b7e4a6145af69a69a4e5bf3b4bd5d4224cd2e52851ff"
    "2ebb25b4d437c0c0da6aa6e1dc0b66dd3829349a11898cffdaf0546d10ed1dc65f1ce531744d28853a91b3648f1edaff"
)


def columns(words):
    return np.unpackbits(np.array(words, np.uint8)[:, None], axis=1, bitorder="little")


class TestBlockRams:
    def test_ice40_bits_in_the_order_of_addresses(self):
        rams = ICE40.layout(ASC).block_rams()
        assert list(rams) == ["X19/Y29"]
        words = rams["X19/Y29"].reshape(256, 16)
        assert (words[:192, :8] == columns(list(WORDS))).all()
        assert not words[192:].any() and not words[:, 8:].any()

    def test_ecp5_bytes_of_nine_bits(self):
        numbers = [n * 37 % 512 for n in range(2048)]
        lines = "\n".join(" ".join(f"{n:03x}" for n in numbers[at : at + 8]) for at in range(0, 2048, 8))
        rams = ECP5.layout(f".device LFE5U-85F\n\n.bram_init 7\n{lines}\n\n.tile X\n").block_rams()
        assert list(rams) == ["WID 7"]
        assert (rams["WID 7"].reshape(2048, 9) @ (1 << np.arange(9)) == numbers).all()

    def test_cut_off(self):
        with pytest.raises(
            BoardError, match="a block RAM of ecp5 must have 18432 bits, but WID 0 of the bitstream has 72"
        ):
            ECP5.layout(".bram_init 0\n" + "000 " * 7 + "000\n").block_rams()


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(BoardError, match="cannot be read as a bitstream: No such file"):
        bitstream.unpack(tmp_path / "top.bin", family=ICE40)


def cell(index, width, location):
    return memories.Cell(
        name=f"rom.memory.0.{index}", memory="rom.memory", index=index, width=width, location=location
    )


def test_words_of_a_real_bitstream():
    memory = memories.Memory(path="rom.memory", words=columns(list(WORDS)), block=True)
    rams = ICE40.layout(ASC).block_rams()
    assert (memories.read(memory, [cell(0, 16, "X19/Y29")], rams, family=ICE40) == memory.words).all()
    damaged = ICE40.layout(ASC.replace("0004155100054100", "0004155100054104", 1)).block_rams()
    read = memories.read(memory, [cell(0, 16, "X19/Y29")], damaged, family=ICE40)
    assert (read != memory.words).sum() == 1


class TestPlaces:
    def places(self, depth, width, cells, *, family, constant=()):
        rng = np.random.default_rng(1)
        words = rng.integers(0, 2, (depth, width)).astype(np.uint8)
        words[:, list(constant)] = 1
        memory = memories.Memory(path="rom.memory", words=words, block=True)
        return memories.places(memory, cells, family=family)

    def test_banks_side_by_side(self):
        """600 words of 5 bits, 512 deep and 8 wide: the second bank's columns follow the first's, into the
        next RAM.
        """
        ram, bit = self.places(600, 5, [cell(1, 8, "b"), cell(0, 8, "a")], family=ICE40)
        assert (ram[:512] == 1).all() and (ram[512:, :3] == 1).all() and (ram[512:, 3:] == 0).all()
        assert bit[0].tolist() == [0, 1, 2, 3, 4] and bit[511].tolist() == [4088, 4089, 4090, 4091, 4092]
        assert bit[512].tolist() == [5, 6, 7, 0, 1]

    def test_columns_that_never_change_are_logic(self):
        ram, bit = self.places(256, 4, [cell(0, 16, "a")], family=ICE40, constant=[1, 2])
        assert (ram[0].tolist(), bit[1].tolist()) == ([0, -1, -1, 0], [16, -1, -1, 17])

    def test_narrow_words_of_ecp5_leave_out_the_ninth_bit(self):
        _, bit = self.places(4096, 4, [cell(0, 4, "a")], family=ECP5)
        assert bit[:3, 0].tolist() == [0, 4, 9]
        _, bit = self.places(1000, 18, [cell(0, 18, "a")], family=ECP5)
        assert bit[1].tolist() == list(range(18, 36))

    def test_block_rams_of_another_memory(self):
        with pytest.raises(
            BoardError,
            match=(
                "memory rom.memory of 600 words with 5 bits that vary must be in 2 block RAMs 8 bits wide, "
                "but the netlist has 1"
            ),
        ):
            self.places(600, 5, [cell(0, 8, "a")], family=ICE40)
        with pytest.raises(
            BoardError, match=r"must be in block RAMs of one width, but the netlist has 0 of the widths \[\]"
        ):
            self.places(600, 5, [], family=ICE40)


def test_memories_of_a_verilog_text():
    text = """\
module top(clk);
  reg [3:0] queue [1:0];
  initial begin
    queue[0] = 4'h0;
    queue[1] = 4'h0;
  end
  always @(posedge clk) begin
    if (we)
      queue[0] <= 4'h1;
  end
endmodule

module \\top.core.rom (data);
  (* ram_style = "block" *)
  reg [31:0] memory [2:0];
  initial begin
    memory[0] = 32'd5;
    memory[1] = 32'hffffffff;
    memory[2] = 32'd4294967294;
  end
endmodule

module \\top.core.small (data);
  reg memory [1:0];
  initial begin
    memory[0] = 1'h1;
    memory[1] = 1'h0;
  end
endmodule
"""
    block, small = memories.memories(text)
    assert (block.path, block.block, block.words.shape) == ("core.rom.memory", True, (3, 32))
    assert (block.words @ (1 << np.arange(32, dtype=np.int64))).tolist() == [5, 2**32 - 1, 2**32 - 2]
    assert (small.path, small.block, small.words.tolist()) == ("core.small.memory", False, [[1], [0]])
