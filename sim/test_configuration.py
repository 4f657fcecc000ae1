"""Random bits of real bitstreams are flipped, and `sbgen verify --bitstream` must notice each one."""

import json
import random
import re
import shutil
from collections import Counter, defaultdict

import numpy as np
import pytest

from sbgen import boards, cli
from sbgen.boards import bitstream, flow, patch
from sbgen.boards.ecp5 import ECP5
from sbgen.boards.ice40 import ICE40
from sbgen.boards.ice40.configuration import kind
from sbgen.boards.ice40.layout import Ice40Layout
from sbgen.built import Built
from sbgen.compiler import exchange
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.errors import BoardError, SbgenError, ToolError
from sbgen.verification import bitstream as levels
from sbgen.verification import weights
from sbgen.verification.level import LevelError
from sbgen.verification.subject import Subject

#: Its weights fill block RAMs, its thresholds are logic.
NETWORK = Network(
    name="small",
    image_shape=(3, 4),
    labels=("a", "b"),
    layers=(
        Binarize(name="input", thresholds=np.full((12, 1), 128)),
        Dense(
            name="hidden",
            weights=np.random.default_rng(1).integers(0, 2, (10, 12)),
            thresholds=np.random.default_rng(2).integers(4, 9, 10),
        ),
        Scores(
            name="scores", weights=np.random.default_rng(3).integers(0, 2, (2, 10)), offsets=np.array([0, 2])
        ),
    ),
)
FOLDINGS = {
    "input": {"pe": 6, "simd": 6},
    "hidden": {"pe": 2, "simd": 6, "store": "bram"},
    "scores": {"pe": 1, "simd": 5, "store": "lut"},
}

#: How many bits of each kind are flipped, one at a time.
KINDS = {
    "truth table": 25,
    "carry chain": 15,
    "flip-flop": 15,
    "routing": 25,
    "IO": 15,
    "RAM contents": 25,
    "block RAM": 15,
}
RAW_FLIPS = 100
SEED = 1


def build(folder, board, *, patchable):
    """A build of `NETWORK` as `sbgen verify` sees it."""
    try:
        flow.plan(verilog="", board=boards.get(board))
        boards.get(board).family.unpacker.check()
    except ToolError as error:
        pytest.skip(str(error))
    exchange.save(NETWORK, folder / "model.json")
    (folder / "folding.json").write_text(json.dumps({"patchable": patchable, "layers": FOLDINGS}))
    assert (
        cli.main(
            [
                "build",
                "--model",
                str(folder / "model.json"),
                "--board",
                board,
                "--design",
                str(folder / "folding.json"),
                "--out",
                str(folder / "out"),
                "--no-sim",
                "--seed",
                "1",
            ]
        )
        == 0
    )
    return Built(folder / "out")


def said(check, built, path):
    """The note of a level about a bitstream."""
    return check(Subject(built=built, bitstream_file=path), None)


def crc16(data):
    """The checksum of an iCE40's bitstream: polynomial 0x1021, all ones at first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ (0x1021 if crc & 0x8000 else 0)) & 0xFFFF
    return crc


def repaired(packed):
    """A bitstream of an iCE40 with the right checksum: over all after ``01 05`` (reset CRC), up to the
    command ``22``.
    """
    first = packed.index(b"\x01\x05") + 2
    last = packed.rindex(b"\x22", 0, packed.rindex(b"\x01\x06"))
    return packed[: last + 1] + crc16(packed[first : last + 1]).to_bytes(2, "big") + packed[last + 3 :]


def flipped_file(path, packed, bit):
    made = bytearray(packed)
    made[bit // 8] ^= 1 << bit % 8
    path.write_bytes(repaired(bytes(made)))
    return path


def places(text):
    """Each bit of an iCE40's layout as (header, row, column), by its kind."""
    found = defaultdict(list)
    for header, rows in Ice40Layout(text).sections().items():
        for n, row in enumerate(rows):
            for column in range(256 if header.startswith("ram_data") else len(row)):
                found[kind(header, n, column)].append((header, n, column))
    return found


def flipped_text(text, header, row, column):
    """The layout with one bit flipped."""
    lines = text.splitlines()
    at = lines.index(f".{header}") + 1 + row
    if header.startswith("ram_data"):
        lines[at] = f"{int(lines[at], 16) ^ 1 << column:064x}"
    else:
        lines[at] = lines[at][:column] + "10"[int(lines[at][column])] + lines[at][column + 1 :]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def icebreaker(tmp_path_factory):
    return build(tmp_path_factory.mktemp("icebreaker"), "icebreaker", patchable=False)


@pytest.fixture(scope="module")
def patchable(tmp_path_factory):
    return build(tmp_path_factory.mktemp("patchable"), "icebreaker", patchable=True)


def test_the_build_itself_passes(icebreaker, capsys):
    assert cli.main(["verify", "--bitstream", str(icebreaker.bitstream)]) == 0
    said = capsys.readouterr().out
    assert "SHA-256 of top.bin in the report" in said and "packed again, it is the file byte for byte" in said


def test_a_flipped_bit_of_each_kind_is_named(icebreaker, tmp_path):
    rng = random.Random(SEED)
    where = places(icebreaker.layout)
    path = tmp_path / "other.bin"
    for what, count in KINDS.items():
        for header, row, column in rng.sample(where[what], count):
            path.write_bytes(
                bitstream.pack(flipped_text(icebreaker.layout, header, row, column), family=ICE40)
            )
            told = (
                rf"{what} at {re.escape(f'{header}, B{row}[{column}]')}: expected [01], found [01]; 1 differ"
                rf" \({what} 1\)"
            )
            with pytest.raises(LevelError, match=told):
                said(levels.configuration, icebreaker, path)
            with pytest.raises(LevelError, match="other.bin is not this build's: expected SHA-256"):
                said(levels.origin, icebreaker, path)


def test_random_bits_of_the_file_are_noticed(icebreaker, tmp_path):
    """Also where the report has the SHA-256 of the changed file, or the checksum is right."""
    rng = random.Random(SEED)
    packed, seen = icebreaker.bitstream.read_bytes(), Counter()
    for bit in rng.sample(range(8 * len(packed)), RAW_FLIPS):
        path = flipped_file(tmp_path / "other.bin", packed, bit)
        with pytest.raises(LevelError, match="is not this build's"):
            said(levels.origin, icebreaker, path)
        try:
            note = said(levels.configuration, icebreaker, path)
        except (LevelError, BoardError):
            seen["configuration"] += 1
        else:
            # The unpacker does not show it, and the note says so.
            assert "not compared: header, comment, checksum and padding" in note, f"seed {SEED}, bit {bit}"
            seen["bytes"] += 1
    print(f"seed {SEED}: {dict(seen)}")
    assert seen["configuration"] > RAW_FLIPS // 2


def test_exit_code_and_message(icebreaker, tmp_path, capsys):
    other = tmp_path / "other.bin"
    header = ".logic_tile 1 1"
    other.write_bytes(bitstream.pack(flipped_text(icebreaker.layout, header[1:], 0, 0), family=ICE40))
    assert cli.main(["verify", str(icebreaker.folder), "--bitstream", str(other)]) == 1
    said = capsys.readouterr().out
    assert (
        "FAIL     bitstream of the build" in said
        and "routing at logic_tile 1 1, B0[0]: expected 0, found 1" in said
    )


def test_patched_rom_contents_alone_are_accepted_as_patched(patchable, tmp_path):
    rng = random.Random(SEED)
    packed = patchable.bitstream.read_bytes()
    assert said(levels.origin, patchable, patchable.bitstream).startswith("it has the SHA-256")
    # What patch wrote is accepted.
    other = Network(
        name="other",
        image_shape=NETWORK.image_shape,
        labels=NETWORK.labels,
        layers=(
            NETWORK.layers[0],
            Dense(
                name="hidden", weights=1 - NETWORK.layers[1].weights, thresholds=NETWORK.layers[1].thresholds
            ),
            NETWORK.layers[2],
        ),
    )
    exchange.save(other, tmp_path / "other.json")
    new = patchable.folder / "patched.bin"
    assert (
        cli.main(
            [
                "patch",
                "--model",
                str(tmp_path / "other.json"),
                "--bitstream",
                str(patchable.bitstream),
                "--out",
                str(new),
            ]
        )
        == 0
    )
    assert (
        said(levels.origin, patchable, new) == "patched: only ROM contents differ from the build's own file"
    )
    assert cli.main(["verify", "--bitstream", str(new)]) == 0
    # Any other bit is not.
    blank = bitstream.unpack(patchable.bitstream, family=ICE40)
    where = places(blank)
    zeros = patch.blank(patchable.folder, blank)
    path = tmp_path / "flipped.bin"
    for what, count in KINDS.items():
        for place in rng.sample(where[what], max(3, count // 4)):
            text = flipped_text(blank, *place)
            path.write_bytes(bitstream.pack(text, family=ICE40))
            if patch.blank(patchable.folder, text) == zeros:
                assert said(levels.origin, patchable, path).startswith("patched"), (SEED, place)
                with pytest.raises(LevelError, match="expected [01], found [01]"):
                    said(weights.check, patchable, path)
            else:
                with pytest.raises(LevelError, match="nor is it patched from it"):
                    said(levels.origin, patchable, path)
    for bit in rng.sample(range(8 * len(packed)), 40):
        path = flipped_file(path, packed, bit)
        try:
            said(levels.origin, patchable, path)
            said(weights.check, patchable, path)
        except SbgenError:
            continue
        raise AssertionError(f"seed {SEED}: bit {bit} of the file was flipped, and it passes")


def test_a_report_without_the_digest(icebreaker, tmp_path, capsys):
    for name in "top.bin", "layout.gz":
        folder = tmp_path / name
        shutil.copytree(icebreaker.folder, folder)
        report = json.loads((folder / "report.json").read_text())
        del report["files"][name]
        (folder / "report.json").write_text(json.dumps(report))
        assert cli.main(["verify", "--bitstream", str(folder / "top.bin")]) == 1
        assert f"report.json must have the SHA-256 of {name}, but it has none" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.longest
def test_settings_of_an_ecp5(tmp_path_factory, tmp_path):
    built = build(tmp_path_factory.mktemp("ulx3s"), "ulx3s_85f", patchable=False)
    assert "packed again, it is the file byte for byte" in said(levels.configuration, built, built.bitstream)
    # The pin of the ESP32, L2, is driven by a cell that is always 1.
    cells = built.netlist("placed.json.gz")["cells"]
    pad = cells["wifi_gpio0$tr_io"]
    assert (pad["attributes"]["NEXTPNR_BEL"], pad["parameters"]["DIR"]) == ("X0/Y86/PIOD", "OUTPUT")
    (driver,) = (cell for cell in cells.values() if cell["connections"].get("F") == pad["connections"]["I"])
    assert set(driver["parameters"]["INITVAL"]) == {"1"}
    rng = random.Random(SEED)
    text = bitstream.unpack(built.bitstream, family=ECP5)
    lines = text.splitlines()
    settings = [n for n, line in enumerate(lines) if line.startswith(("arc:", "word:", "unknown:", "enum:"))]
    path = tmp_path / "other.bit"
    for n in rng.sample(settings, 6):
        changed = [*lines[:n], *lines[n + 1 :]]
        path.write_bytes(bitstream.pack("\n".join(changed) + "\n", family=ECP5))
        if path.read_bytes() == built.bitstream.read_bytes():
            continue  # what is left out is the default
        with pytest.raises(LevelError, match=r"differ \("):
            said(levels.configuration, built, path)
