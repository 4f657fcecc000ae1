"""`sbgen build --core`: what a user may ask for, and what the folder says."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from sbgen import cli
from sbgen.compiler import exchange, portable
from sbgen.compiler.cycles import predict
from sbgen.compiler.design import Design
from sbgen.compiler.fold import fold
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.compiler.layers import rules
from sbgen.compiler.parts import part
from sbgen.compiler.random_network import random_images
from sbgen.handover import folder

PART = "xc7z020"


@pytest.fixture
def network():
    rng = np.random.default_rng(0)
    return Network(
        name="net",
        image_shape=(12,),
        labels=tuple("abcd"),
        layers=(
            Binarize(name="pixels", thresholds=np.full((12, 1), 128)),
            Dense(name="hidden", weights=rng.integers(0, 2, (16, 12)), thresholds=rng.integers(4, 8, 16)),
            Scores(name="scores", weights=rng.integers(0, 2, (4, 16)), offsets=np.full(4, 300)),
        ),
    )


@pytest.fixture
def model(network, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    exchange.save(network, tmp_path / "net.json")
    return tmp_path / "net.json"


@pytest.fixture
def build(model, tmp_path, capsys):
    """A function: what `sbgen build` returns and prints."""

    def run(*options, out="out"):
        command = ["build", "--model", str(model), "--out", str(tmp_path / out), *options]
        code = cli.main(command)
        return code, capsys.readouterr()

    return run


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--part", PART, "--core", "2nets"), "a letter, then"),
        (("--part", PART, "--core", "table"), "reserved word"),
        (("--part", PART, "--core", "net", "--shell-width", "8"), "score of 10 bits.* try: --shell-width 16"),
        (("--part", PART, "--core", "net", "--shell", "axi", "--shell-width", "64"), "32 bits, not 64"),
        (("--part", PART, "--core", "net", "--shell", "none", "--packed"), "takes raw pixels"),
        (("--part", PART, "--core", "net", "--patchable"), "--patchable must not be given with --core"),
        (("--part", PART, "--core", "net", "--clock", "best"), "--clock best must not"),
        (("--part", PART, "--core", "net", "--label-only", "--top", "2"), "only the label .* with top 2"),
        (("--board", "icebreaker", "--label-only"), "--label-only must be given with --core NAME"),
        (("--part", PART), "built for a --board"),
        (("--board", "icebreaker", "--shell", "axi"), "--shell must be given with --core NAME"),
        (("--board", "icebreaker", "--packed", "--roms", "initial"), "--packed and --roms must"),
        (("--part", "xc7z", "--core", "net"), "xc7z"),
    ],
)
def test_refused_before_anything_is_written(build, tmp_path, options, says):
    code, said = build(*options)
    assert code == 1 and re.search(says, said.err), said.err
    assert not (tmp_path / "out").exists()


def test_a_folder_of_something_else_stays(build, tmp_path, monkeypatch):
    monkeypatch.setattr("sbgen.handover.command._check", lambda *arguments: None)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "theirs.v").write_text("module theirs; endmodule")
    code, said = build("--part", PART, "--core", "net")
    assert code == 1 and "holds other files" in said.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["theirs.v"]


def test_a_missing_tool_is_named(build, tmp_path, monkeypatch):
    from sbgen.errors import ToolError

    def missing(*arguments):
        raise ToolError("verilator is not installed")

    monkeypatch.setattr("sbgen.handover.command.require", missing)
    monkeypatch.setattr("sbgen.handover.command.quickest", missing)
    by_hand = ("--pe", "4,1", "--simd", "3,4")
    code, said = build("--part", PART, "--core", "net", "--roms", "readmemh", *by_hand)
    assert code == 0 and said.out.count("not run: verilator is not installed") == 2
    made = json.loads((tmp_path / "out" / "net.json").read_text())
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {*made["files"], "net.json", "network.json", "design.json"}
    assert any(name.endswith("_memory.hex") for name in written)
    # Another core in the same folder leaves nothing of the first.
    code, _ = build("--part", PART, "--core", "net")
    assert code == 0 and not list((tmp_path / "out").glob("*_memory.hex"))


def test_only_the_label_takes_no_cycle_per_class(build, network, tmp_path, monkeypatch):
    monkeypatch.setattr("sbgen.handover.command._check", lambda *arguments: None)
    made = {}
    for out, options in (("all", ()), ("label", ("--label-only",))):
        code, said = build("--part", PART, "--core", "net", "--shell", "none", *options, out=out)
        assert code == 0, said.err
        made[out] = json.loads((tmp_path / out / "net.json").read_text())
    assert made["all"]["timing"]["core_cycles_per_image"] == 4
    assert made["label"]["timing"]["core_cycles_per_image"] == 1
    assert made["label"]["output"]["label_only"] and made["label"]["output"]["scores"] == 1
    assert not made["all"]["output"]["label_only"] and made["all"]["output"]["scores"] == 4
    words = (tmp_path / "label" / "net_expected.hex").read_text().split()
    assert len(words) == 10
    # The design file says so too, and its estimate needs no host link.
    design = str(tmp_path / "label" / "design.json")
    estimate = ["estimate", "--model", str(tmp_path / "net.json"), "--design", design]
    assert cli.main([*estimate, "--part", PART]) == 0
    assert cli.main([*estimate, "--board", "icebreaker"]) == 1


def test_a_stream_of_the_core_carries_a_score_wider_than_a_pixel(network):
    simd = dict(zip(("pixels", "hidden", "scores"), (1, 4, 4), strict=True))
    design = Design(
        network=network,
        foldings=tuple(rule.folding(pe=1, simd=simd[rule.layer.name]) for rule in rules(network)),
    )
    images = random_images(1, network, 1)
    context = folder.prepare(design, images, name="net", shell="none", cycles=predict(design), clock_mhz=100)
    assert (context.core.lanes, context.core.score_width) == (1, 10)


def test_a_name_of_any_letters_is_in_no_file(network):
    name = 'gr\u00f6\u00dfe */ "[exit]" $x\n`end'
    design = fold(replace(network, name=name), part(PART))
    context = folder.prepare(
        design, random_images(1, network, 1), name="net", shell="axi", cycles=predict(design), clock_mhz=100
    )
    files = folder.files(context)
    assert json.loads(files.pop("net.json"))["network"]["name"] == name
    for text in files.values():
        assert text.isascii() and "[exit]" not in text
    assert "// The network gr__e __ __exit__ _x__end as a core" in files["net.v"]


def test_the_description_names_what_is_there(network):
    design = fold(network, part(PART))
    context = folder.prepare(
        design,
        random_images(1, network, 3),
        name="net",
        shell="wishbone",
        cycles=predict(design),
        clock_mhz=100,
        packed=True,
    )
    files = folder.files(context)
    made = json.loads(files["net.json"])
    assert made["version"] == 1 and made["network"]["sha256"] == exchange.digest(network)
    assert made["reset"] == {"port": "rst", "kind": "synchronous", "active": "high"}
    assert made["input"]["levels"] == [128] and made["input"]["words_per_image"] == 1
    top = files["net.v"].partition("endmodule")[0]
    ports = re.findall(r"^  (input|output) (?:\[(\d+):0\] )?(\w+);", top, re.MULTILINE)
    assert {(port["name"], port["direction"], port["width"]) for port in made["ports"]} == {
        (name, direction, int(high or 0) + 1) for direction, high, name in ports
    }
    assert files == folder.files(context)
    header = files["net.h"]
    for name, offset in made["registers"]["offsets"].items():
        assert f"#define NET_{name} 0x{offset:02X}\n" in header


def test_contents_of_memories_in_files():
    text = """module net_rom (a);
  reg [3:0] memory [2:0];
  initial begin
    memory[0] = 4'h3;
    memory[1] = 4'ha;
  end
endmodule
module net_ram (a);
  initial begin
    memory[0] = 4'h0;
  end
endmodule
"""
    made, files = portable._to_files(text)
    assert files == {"net_rom_memory.hex": "@0 3\n@1 a\n"}
    assert '  initial $readmemh("net_rom_memory.hex", memory, 0, 1);\n' in made and "memory[0] = 4'h0" in made


def test_modules_that_would_share_a_name():
    given = "module \\net.a\n  cell \\net_a \\x\nmodule \\net_a\n"
    assert portable._renamed(given) == "module \\net_a\n  cell \\net_a_2 \\x\nmodule \\net_a_2\n"
