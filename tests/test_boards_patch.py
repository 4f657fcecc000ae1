"""`sbgen patch` on a build by the real tools: its result must be that of a build of the other network."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from sbgen import boards, cli
from sbgen.boards import flow
from sbgen.boards import patch as patch_command
from sbgen.compiler import contents as contents_
from sbgen.compiler import exchange
from sbgen.compiler.ir import Binarize, Dense, Network, Scores
from sbgen.errors import FitError, ToolError


def network(seed, *, hidden=10, pixels=128, offset=1):
    """A network of one shape; two neurons of the second are always on and never on."""
    rng = np.random.default_rng(seed)
    thresholds = rng.integers(4, 9, hidden)
    if seed == 2:
        thresholds[:2] = 0, 13
    return Network(
        name=f"tiny{seed}",
        image_shape=(3, 4),
        labels=("a", "b"),
        layers=(
            Binarize(name="input", thresholds=np.full((12, 1), pixels)),
            Dense(name="hidden", weights=rng.integers(0, 2, (hidden, 12)), thresholds=thresholds),
            Scores(
                name="scores", weights=rng.integers(0, 2, (2, hidden)), offsets=rng.integers(0, 3, 2) * offset
            ),
        ),
    )


DESIGN = {
    "patchable": True,
    "layers": {
        "input": {"pe": 6, "simd": 6},
        "hidden": {"pe": 2, "simd": 6, "store": "bram"},
        "scores": {"pe": 1, "simd": 2, "store": "bram"},
    },
}


def build(folder, board, made, out):
    exchange.save(made, folder / "model.json")
    (folder / "folding.json").write_text(json.dumps(DESIGN))
    return cli.main(
        [
            "build",
            "--model",
            str(folder / "model.json"),
            "--board",
            board,
            "--design",
            str(folder / "folding.json"),
            "--out",
            str(out),
            "--no-sim",
            "--seed",
            "1",
        ]
    )


def test_a_network_that_decides_in_another_way_is_refused():
    with pytest.raises(
        FitError, match="must decide by argmax as the one in the bitstream, not by sign; build it anew"
    ):
        patch_command.require_same_shape(network(1), dataclasses.replace(network(1), decision="sign"))


@pytest.fixture(
    scope="module",
    params=[
        "icebreaker",
        pytest.param("ulx3s_12f", marks=pytest.mark.slow),
        pytest.param("tang_nano_9k", marks=pytest.mark.slow),
    ],
)
def built(request, tmp_path_factory):
    """A folder with the build of ``network(1)``; builds of the same hardware share its cached steps."""
    try:
        flow.plan(verilog="", board=boards.get(request.param))
        boards.get(request.param).family.unpacker.check()
    except ToolError as error:
        pytest.skip(str(error))
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sbgen.cache.Cache.__init__", lambda self, _: setattr(self, "_path", folder / "steps"))
        assert build(folder, request.param, network(1), folder / "out") == 0
        yield request.param, folder


@pytest.fixture
def copy(built, tmp_path):
    """A copy of the build's files that a test may damage."""
    board, folder = built
    shutil.copytree(folder / "out", tmp_path / "out")
    return board, tmp_path / "out"


def patch(model, bits, *options):
    path = bits.parent.parent / f"{model.name}.json"
    exchange.save(model, path)
    return cli.main(["patch", "--model", str(path), "--bitstream", str(bits), *options])


def bits_of(folder):
    return next(path for path in folder.iterdir() if path.name in ("top.bin", "top.bit", "top.fs"))


def test_patched_is_what_a_build_makes(built, tmp_path, capsys):
    board, folder = built
    old = bits_of(folder / "out")
    new = tmp_path / f"new{old.suffix}"
    assert patch(network(2), old, "--out", str(new)) == 0
    assert "all bits read back" in capsys.readouterr().out
    assert build(folder, board, network(2), folder / "other") == 0
    assert "cached from an earlier build" in capsys.readouterr().out
    assert new.read_bytes() == (folder / "other" / old.name).read_bytes() != old.read_bytes()
    assert exchange.load(new.with_suffix(".json")) == network(2)
    # A patched bitstream is patched like a built one.
    shutil.copy(new, folder / "out" / new.name)
    assert patch(network(1), folder / "out" / new.name, "--out", str(tmp_path / f"back{old.suffix}")) == 0
    assert (tmp_path / f"back{old.suffix}").read_bytes() == old.read_bytes()


def test_the_bitstream_holds_the_network(built, capsys):
    _, folder = built
    read = patch_command.read(folder / "out", bits_of(folder / "out"))
    _, contents, _ = contents_.split((folder / "out" / "top.v").read_text())
    assert read == contents
    identity = bytes(read["top.link.identity_rom"].words[:16])
    assert identity[8:] == bytes.fromhex(exchange.digest(network(1)))[:8]
    assert cli.main(["verify", "--bitstream", str(bits_of(folder / "out"))]) == 0
    assert "ROMs equal those of tiny1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (network(2, hidden=9), "has Dense hidden"),
        (
            network(2, pixels=100),
            "layer 'input' has other values, and the thresholds of its pixels are wired in",
        ),
        (network(3, offset=1000), "the range of its numbers are others"),
    ],
    ids=["shape", "pixels", "range"],
)
def test_other_hardware_is_refused(copy, capsys, model, told):
    _, folder = copy
    files = sorted(folder.iterdir())
    assert patch(model, bits_of(folder)) == 1
    error = capsys.readouterr().err
    assert told in error and "build it anew" in error
    assert sorted(folder.iterdir()) == files


def test_other_bitstreams_are_refused(copy, capsys):
    _, folder = copy
    bits = bits_of(folder)
    whole = bits.read_bytes()
    bits.write_bytes(b"no bitstream")
    assert patch(network(2), bits) == 1
    assert "must be" in capsys.readouterr().err
    bits.write_bytes(whole)
    content = json.loads((folder / "memory.json").read_text())
    (folder / "memory.json").write_text(json.dumps(content | {"layout": "0" * 64}))
    assert patch(network(2), bits) == 1
    assert "must be the bitstream of the build in its folder" in capsys.readouterr().err
    (folder / "memory.json").write_text(json.dumps(content | {"version": content["version"] + 1}))
    assert patch(network(2), bits) == 1
    assert "another kind or version" in capsys.readouterr().err
    (folder / "memory.json").write_text("{")
    assert patch(network(2), bits) == 1
    assert "cannot be read as what sbgen build --patchable wrote" in capsys.readouterr().err
    (folder / "memory.json").unlink()
    assert patch(network(2), bits) == 1
    assert "sbgen build --patchable" in capsys.readouterr().err
    assert bits.read_bytes() == whole


def test_files_of_the_build_are_not_overwritten(copy, capsys):
    _, folder = copy
    for name in "report.json", "network.bin", "top.txt":
        assert patch(network(2), bits_of(folder), "--out", str(folder / name)) == 1
        assert "give another --out" in capsys.readouterr().err


def test_verify_reads_back_what_was_patched_in(copy, capsys):
    """A patched bitstream is compared with the network next to it; that of the build is not in
    it any more.
    """
    _, folder = copy
    bits = bits_of(folder)
    assert patch(network(2), bits) == 0
    patched = folder / f"tiny2{bits.suffix}"
    capsys.readouterr()
    assert cli.main(["verify", "--bitstream", str(patched)]) == 0
    assert "ROMs equal those of tiny2, which was patched in (tiny2.json)" in capsys.readouterr().out
    assert cli.main(["verify", "--bitstream", str(bits)]) == 0
    assert "ROMs equal those of tiny1;" in capsys.readouterr().out
    exchange.save(network(1), patched.with_suffix(".json"))
    assert cli.main(["verify", "--bitstream", str(patched)]) == 1
    said = capsys.readouterr().out
    assert (
        "FAIL     weights in the bitstream" in said
        and "hidden, " in said
        and "are not those of tiny1" in said
    )
