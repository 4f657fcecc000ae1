"""`sbgen.built`: the folder of a build, read file by file."""

import gzip
import hashlib
import json

import by_hand
import pytest
from test_waveform import core_of, network

from sbgen.built import Built, MissingError
from sbgen.compiler import design_file, exchange
from sbgen.errors import ModelError


@pytest.fixture
def folder(tmp_path):
    net = network()
    design = by_hand.fold(net, (2, 2), (2, 1), (3, 8), (1, 7))
    exchange.save(net, tmp_path / "network.json")
    design_file.save(design, tmp_path / "design.json")
    (tmp_path / "layout.gz").write_bytes(gzip.compress(b"a layout", mtime=0))
    digest = hashlib.sha256((tmp_path / "layout.gz").read_bytes()).hexdigest()
    (tmp_path / "report.json").write_text(
        json.dumps(
            {
                "board": "icebreaker",
                "timing": {"clock_mhz": 12},
                "link": {"baud": 3000000},
                "files": {"layout.gz": digest, "core.v": 3},
            }
        )
    )
    return tmp_path


def test_what_was_built(folder):
    built = Built(folder)
    assert built.board.name == "icebreaker" and built.network == network() == built.design.network
    assert built.core().pixels == core_of(network()).pixels and built.core() is not built.core()
    assert built.top.divisor == 4 and built.spram_weights == b""
    assert built.layout == "a layout"
    (folder / "top.bin").write_bytes(b"")
    assert built.bitstream == folder / "top.bin"
    (folder / "top.v").write_text("module top;")
    assert built.top_verilog == "module top;"


@pytest.mark.parametrize("name", ["network.json", "design.json", "core.v"])
def test_a_folder_without_what_every_build_writes(folder, name):
    (folder / name).unlink(missing_ok=True)
    with pytest.raises(ModelError, match=f"must be a folder of `sbgen build`, but has no {name}; try: sbgen"):
        _ = Built(folder).core_verilog if name == "core.v" else Built(folder).design


def test_a_folder_of_a_core_has_no_board(folder):
    (folder / "report.json").unlink()
    with pytest.raises(ModelError, match="its report.json cannot be read: No such file"):
        Built(folder).report  # noqa: B018
    (folder / "name.core").write_text("CAPI=2:")
    with pytest.raises(ModelError, match="has a core alone, without a board; build without --core"):
        Built(folder).report  # noqa: B018


def test_a_file_is_read_only_when_it_is_used(folder):
    (folder / "design.json").unlink()
    (folder / "report.json").write_text("{")
    assert Built(folder).network == network()


def test_what_only_some_builds_write(folder):
    (folder / "layout.gz").unlink()
    built = Built(folder)
    for read, message in (
        (lambda: built.top_verilog, "top.v is not there"),
        (lambda: built.netlist("placed.json.gz"), "placed.json.gz is not there: built without a bitstream"),
        (lambda: built.bitstream, "there is no bitstream: built with --no-bitstream"),
        (lambda: built.layout, "layout.gz is not there: built without a bitstream"),
    ):
        with pytest.raises(MissingError, match=message):
            read()


def test_another_layout(folder):
    (folder / "layout.gz").write_bytes(gzip.compress(b"another layout", mtime=0))
    with pytest.raises(ModelError, match=r"layout\.gz: must be the file that was built, but is another one"):
        _ = Built(folder).layout


@pytest.mark.parametrize("name", ["core.v", "top.v"])
def test_a_digest_that_is_none(folder, name):
    with pytest.raises(ModelError, match=f"report.json must have the SHA-256 of {name}, but it has none"):
        Built(folder).digest(name)
